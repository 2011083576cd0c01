from __future__ import annotations

import socket
import stat
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, make_url, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from nightlamp.errors import ConfigError, StoreError, UnavailableError
from nightlamp.store import UtcDateTime, connect, reading
from nightlamp.store.engine import is_passing, said


def test_sqlite_is_set_up_to_lose_nothing(sqlite_url):
    engine = connect(sqlite_url)
    with engine.begin() as connection:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            assert connection.scalar(text(f"PRAGMA {pragma}")) == value
    engine.dispose()


def test_a_new_sqlite_file_is_closed_to_other_users(tmp_path):
    engine = connect(f"sqlite:///{tmp_path / 'deep' / 'new.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (a int)"))
        for path in (tmp_path / "deep").iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
    engine.dispose()


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://x/y", "sqlite://", "sqlite:///:memory:", "postgresql+pg8000://h/d"]
)
def test_a_url_that_cannot_do_is_refused(url):
    with pytest.raises(ConfigError) as caught:
        connect(url)
    assert caught.value.where == "database.url"


def test_a_password_is_in_no_repr():
    engine = connect("postgresql://user:pa55word@host/base")
    assert "pa55word" not in f"{engine} {engine!r} {engine.url}"


def test_readers_see_one_moment_and_hold_up_nobody(engine):
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (a int)"))
    with reading(engine) as reader:
        assert reader.scalar(text("SELECT count(*) FROM t")) == 0
        with engine.begin() as writer:
            writer.execute(text("INSERT INTO t VALUES (1)"))
        assert reader.scalar(text("SELECT count(*) FROM t")) == 0
    with reading(engine) as reader:
        assert reader.scalar(text("SELECT count(*) FROM t")) == 1


def test_a_reader_cannot_write_and_its_connection_can_again_later(engine):
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (a int)"))
    for _ in range(3):
        with pytest.raises(DBAPIError), reading(engine) as reader:
            reader.execute(text("INSERT INTO t VALUES (1)"))
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO t VALUES (2)"))


def test_two_writers_that_read_first_do_not_fail_each_other(engine):
    # given the pattern that makes SQLite's deferred transactions fail: read, then write, at the same time
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (a int)"))
        connection.execute(text("INSERT INTO t VALUES (0)"))
    errors = []

    def count() -> None:
        try:
            for _ in range(20):
                with engine.begin() as connection:
                    connection.execute(text("SELECT a FROM t")).all()
                    connection.execute(text("UPDATE t SET a = a + 1"))
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(engine) as connection:
        assert (errors, connection.scalar(text("SELECT a FROM t"))) == ([], 80)


def test_times_come_back_in_utc_and_sort_as_they_do(engine):
    table = Table("moment", MetaData(), Column("n", Integer), Column("at", UtcDateTime))
    moments = [
        datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
        datetime(2026, 3, 29, 1, 30, tzinfo=timezone(timedelta(hours=5))),
        datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ]
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(insert(table), [{"n": n, "at": at} for n, at in enumerate(moments)])
        found = connection.execute(select(table.c.at).order_by(table.c.at)).scalars().all()
        assert found == sorted(moments)
        assert all(at.tzinfo is UTC for at in found)
        with pytest.raises(StatementError, match="zone"):
            connection.execute(insert(table).values(n=9, at=datetime(2026, 1, 1)))


def test_the_url_of_a_real_server_may_carry_options(postgres_url):
    url = make_url(postgres_url).update_query_dict({"options": "-c work_mem=8MB"})
    engine = connect(url.render_as_string(hide_password=False))
    with engine.begin() as connection:
        assert connection.scalar(text("SHOW work_mem")) == "8MB"
        assert connection.scalar(text("SHOW timezone")) == "UTC"
    engine.dispose()


def test_the_migrations_are_in_the_package():
    import nightlamp.store

    versions = Path(nightlamp.store.__file__).parent / "migrations" / "versions"
    assert list(versions.glob("0001_*.py"))


def test_a_transaction_that_sqlite_undid_cannot_be_committed(sqlite_url):
    # given a transaction in which a statement made SQLite undo everything
    engine = connect(sqlite_url)

    def spoilt() -> None:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE t (a integer PRIMARY KEY)"))
            with suppress(IntegrityError):
                connection.execute(text("INSERT OR ROLLBACK INTO t VALUES (1), (1)"))

    with pytest.raises(StoreError, match="ended before its commit"):
        spoilt()
    engine.dispose()


class Mute:
    """A TCP way to PostgreSQL's socket that can be made to swallow everything, in both directions."""

    def __init__(self, target: str) -> None:
        self._target, self.speaks = target, threading.Event()
        self.speaks.set()
        self._ends: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, far = self._listening.accept()[0], socket.socket(socket.AF_UNIX)
                far.connect(self._target)
                self._ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65_536):
                self.speaks.wait()
                other.sendall(data)

    def close(self) -> None:
        self.speaks.set()
        for end in (self._listening, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@pytest.fixture
def mute(postgres_url):
    """A way to PostgreSQL, and an engine that takes it."""
    url = make_url(postgres_url)
    folder = str(url.query.get("host", ""))
    if not folder.startswith("/"):
        pytest.skip("needs the server's own socket")
    way = Mute(f"{folder}/.s.PGSQL.5432")
    plain = {"sslmode": "disable", "gssencmode": "disable"}
    through = url.set(host="127.0.0.1", port=way.port, query=plain).render_as_string(hide_password=False)
    engine = connect(through, silence_seconds=0.3)
    yield way, engine
    way.close()
    engine.dispose()


def test_a_server_that_takes_a_question_and_never_answers_is_given_up(mute):
    way, engine = mute
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
        way.speaks.clear()
        with pytest.raises(DBAPIError) as caught:
            connection.execute(text("SELECT 2"))
    assert is_passing(caught.value)
    assert isinstance(said(caught.value, engine), UnavailableError)
    way.speaks.set()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 3")) == 3


def test_a_slow_statement_is_waited_for(mute):
    _, engine = mute
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT 4 FROM pg_sleep(1.5)")) == 4
        connection.execute(text("CREATE TABLE slow (a int)"))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM slow")) == 0
