from __future__ import annotations

import socket
import sqlite3
import threading
import time
from concurrent.futures import wait
from contextlib import suppress
from datetime import datetime

import pytest
from sqlalchemy import event, make_url, select, text
from sqlalchemy.exc import IntegrityError

from nightlamp.errors import StoreError, UnavailableError, UndecidedError
from nightlamp.store import Writer, connect
from nightlamp.store.clock import utc_now
from nightlamp.store.direct import together
from nightlamp.store.rows import Rows
from nightlamp.store.tables import writer_receipt


@pytest.fixture
def things(engine):
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE thing (id integer PRIMARY KEY, secret text UNIQUE)"))
    return engine


def add(number: int):
    def work(connection):
        connection.execute(text("INSERT INTO thing (id) VALUES (:n)"), {"n": number})
        return number

    return work


def all_things(engine) -> list[int]:
    with engine.begin() as connection:
        return list(connection.scalars(text("SELECT id FROM thing ORDER BY id")))


def test_works_that_wait_together_share_one_commit(things):
    # given a writer that is busy with one work while a hundred more come in
    gate = threading.Event()
    commits = []
    event.listen(things, "commit", commits.append)
    with Writer(things) as writer:
        first = writer.submit(lambda _: gate.wait(60))
        futures = [writer.submit(add(n)) for n in range(100)]
        gate.set()
        # then each has its own result
        assert [f.result(60) for f in futures] == list(range(100))
        assert first.result() is True
    # and all are there, for a handful of commits
    assert all_things(things) == list(range(100))
    assert len(commits) <= 5


def test_a_result_in_hand_is_committed(things):
    other = connect(things.url.render_as_string(hide_password=False))
    with Writer(things) as writer:
        for n in range(5):
            writer.write(add(n))
            assert n in all_things(other)
    other.dispose()


def test_a_work_that_raises_fails_only_itself(things):
    gate = threading.Event()
    with Writer(things) as writer:
        writer.submit(lambda _: gate.wait(60))
        good = [writer.submit(add(1)), writer.submit(add(2))]
        twice = writer.submit(add(1))
        odd = writer.submit(lambda c: (c.execute(text("INSERT INTO thing (id) VALUES (9)")), {}["missing"]))
        late = writer.submit(add(3))
        gate.set()
        assert [f.result(60) for f in good] == [1, 2]
        assert isinstance(twice.exception(60), IntegrityError)
        assert isinstance(odd.exception(60), KeyError)
        assert late.result(60) == 3
    assert all_things(things) == [1, 2, 3]


def test_an_error_shows_no_value(things):
    def work(connection):
        for n in (1, 2):
            connection.execute(text("INSERT INTO thing VALUES (:n, :s)"), {"n": n, "s": "pl4nted-s3cret"})

    with Writer(things) as writer:
        error = writer.submit(work).exception(60)
    assert isinstance(error, IntegrityError)
    assert "pl4nted" not in f"{error} {error!r} {error.orig} {error.orig!r}"


def test_a_cancelled_work_is_not_run(things):
    gate = threading.Event()
    with Writer(things) as writer:
        writer.submit(lambda _: gate.wait(60))
        cancelled = writer.submit(add(1))
        assert cancelled.cancel()
        gate.set()
    assert all_things(things) == []


def test_closing_writes_what_is_in_line_and_refuses_more(things):
    writer = Writer(things)
    futures = [writer.submit(add(n)) for n in range(50)]
    writer.close()
    assert all(f.done() for f in futures)
    with pytest.raises(StoreError, match="closed"):
        writer.submit(add(99))
    assert all_things(things) == list(range(50))


def test_too_many_waiting_are_refused_at_once(things):
    gate = threading.Event()
    with Writer(things, waiting=2) as writer:
        started = threading.Event()
        writer.submit(lambda _: (started.set(), gate.wait(60)))
        assert started.wait(60)
        writer.submit(add(1))
        writer.submit(add(2))
        with pytest.raises(UnavailableError, match="too many"):
            writer.submit(add(3))
        gate.set()
    assert all_things(things) == [1, 2]


def test_a_locked_database_is_tried_again(sqlite_url):
    # given a database that another process has locked for longer than one statement waits
    engine = connect(sqlite_url, busy_seconds=0.05)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE thing (id integer PRIMARY KEY)"))
    blocker = sqlite3.connect(make_url(sqlite_url).database, isolation_level=None, check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")
    with Writer(engine, patience=60) as writer:
        future = writer.submit(add(1))
        time.sleep(0.3)
        assert not future.done()
        # when it lets go, then the work is done
        blocker.execute("ROLLBACK")
        assert future.result(60) == 1
    engine.dispose()


def test_after_patience_the_caller_is_told_that_nothing_was_written(sqlite_url):
    engine = connect(sqlite_url, busy_seconds=0.02)
    blocker = sqlite3.connect(make_url(sqlite_url).database, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with Writer(engine, patience=0.1) as writer:
        futures = [writer.submit(add(n)) for n in range(3)]
        for future in futures:
            assert isinstance(future.exception(60), UnavailableError)
    blocker.close()
    engine.dispose()


def test_a_full_disk_fails_at_once_and_the_next_work_is_done_when_there_is_room(sqlite_url):
    # given a SQLite file that may not grow
    engine = connect(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE thing (id integer PRIMARY KEY, secret text)"))
        pages = connection.scalar(text("PRAGMA page_count"))

    def limit(to: int):
        event.listen(engine, "checkout", lambda raw, *_: raw.execute(f"PRAGMA max_page_count = {to}"))

    limit(pages)

    def big(connection):
        connection.execute(text("INSERT INTO thing VALUES (1, :s)"), {"s": "x" * 100_000})

    with Writer(engine, patience=600) as writer:
        error = writer.submit(big).exception(120)  # at once: it is not tried for as long as patience lasts
        assert isinstance(error, UnavailableError)
        assert "full" in str(error)
        limit(1_000_000)
        writer.write(big)
    assert all_things(engine) == [1]
    engine.dispose()


class CuttingProxy:
    """A loopback proxy in front of PostgreSQL that cuts a connection around a COMMIT.

    Args:
        target: the server's socket file.
        deliver: whether the COMMIT still reaches the server.
        cuts: how many times.
        stay_down: refuse all connections after the cut.
    """

    def __init__(self, target: str, deliver: bool, cuts: int = 1, stay_down: bool = False) -> None:
        self.target, self.deliver, self.cuts, self.stay_down = target, deliver, cuts, stay_down
        self.done = 0
        self.down = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.down:
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.target)
            muted, answered = threading.Event(), threading.Event()
            for pump in (self._up, self._down):
                threading.Thread(target=pump, args=(client, server, muted, answered), daemon=True).start()

    def _up(self, client, server, muted, answered) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if b"COMMIT\0" in data and self.done < self.cuts and self.armed:
                    self.done += 1
                    self.down = self.stay_down
                    muted.set()
                    if self.deliver:
                        server.sendall(data)
                        answered.wait(60)
                    break
                server.sendall(data)
        for end in (client, server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _down(self, client, server, muted, answered) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if muted.is_set():
                    answered.set()  # the client never sees it
                else:
                    client.sendall(data)

    armed = False

    def close(self) -> None:
        self.listener.close()


@pytest.fixture
def cut(postgres_url):
    """Makes an engine behind a ``CuttingProxy``, and one that goes straight to the server."""
    url = make_url(postgres_url)
    folder = url.query.get("host", "")
    if not str(folder).startswith("/"):
        pytest.skip("needs the server's own socket")
    direct = connect(postgres_url)
    with direct.begin() as connection:
        connection.execute(text("CREATE TABLE thing (id integer PRIMARY KEY)"))
    made = []

    def make(**how):
        proxy = CuttingProxy(f"{folder}/.s.PGSQL.5432", **how)
        through = connect(
            url.set(host="127.0.0.1", port=proxy.port, query={}).render_as_string(hide_password=False)
        )
        made.extend([proxy.close, through.dispose])
        return proxy, through

    yield make, direct
    for close in made:
        close()
    direct.dispose()


@pytest.mark.parametrize("deliver", [True, False], ids=["commit arrived", "commit lost"])
def test_a_connection_lost_during_the_commit_is_found_out(cut, deliver):
    make, direct = cut
    proxy, through = make(deliver=deliver)
    with Writer(through, patience=30) as writer:
        writer.write(add(0))
        runs = []

        def counted(number):
            def work(connection):
                runs.append(number)
                return add(number)(connection)

            return work

        # when the connection breaks around the commit of a group
        proxy.armed = True
        futures = [writer.submit(counted(n)) for n in (1, 2, 3)]
        # then every work is reported as done …
        assert [f.result(60) for f in futures] == [1, 2, 3]
    assert proxy.done == 1
    # … and was done exactly once: run again only if the commit had not arrived
    assert all_things(direct) == [0, 1, 2, 3]
    assert runs.count(1) == (1 if deliver else 2)


@pytest.mark.parametrize("deliver", [True, False])
def test_a_commit_that_cannot_be_found_out_is_said_to_be_undecided(cut, deliver):
    make, direct = cut
    proxy, through = make(deliver=deliver, stay_down=True)
    with Writer(through, patience=0.5) as writer:
        writer.write(add(0))
        proxy.armed = True
        error = writer.submit(add(1)).exception(60)
        assert isinstance(error, UndecidedError)
        # and while it is away, a new work is known not to have been written
        assert type(writer.submit(add(2)).exception(60)) is UnavailableError
        # and when it is back, work goes on
        proxy.down = False
        proxy.armed = False
        assert writer.write(add(3)) == 3
    assert set(all_things(direct)) - {1} == {0, 3}


@pytest.mark.parametrize("when", ["between groups", "in a work", "in a pipeline"])
def test_a_session_that_the_server_ended_is_replaced(postgres_url, when):
    # given a writer on PostgreSQL, which keeps its session between groups
    engine, other = connect(postgres_url), connect(postgres_url)
    sessions = []

    def end_it() -> None:
        with other.connect() as connection:
            connection.exec_driver_sql(f"SELECT pg_terminate_backend({sessions[-1]}, 60000)")

    def enter(connection):
        sessions.append(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
        if len(sessions) == 2 and when == "in a work":
            end_it()
        with together(connection):
            row = {"writer": f"{len(sessions)}", "last_group": 1, "at": utc_now()}
            Rows(writer_receipt).add(connection, [row])
            if len(sessions) == 2 and when == "in a pipeline":
                end_it()

    with Writer(engine, patience=60) as writer:
        writer.write(enter)
        if when == "between groups":
            end_it()
        # when the server has ended it, then what is written is written once, in another
        writer.write(enter)
        assert writer.fault == ""
    names = {"1", f"{len(sessions)}"}
    with other.connect() as connection:
        found = connection.scalars(
            select(writer_receipt.c.writer).where(writer_receipt.c.writer != writer._name)
        )
        assert set(found) == names
    assert sessions[-1] != sessions[0]
    engine.dispose()
    other.dispose()


def test_two_writers_have_two_receipts(things):
    with Writer(things) as one, Writer(things) as two:
        wait([w.submit(add(n)) for n, w in enumerate((one, two, one))])
    with things.begin() as connection:
        assert len(list(connection.scalars(select(writer_receipt.c.writer)))) == 2


def test_a_lost_receipt_is_an_error_not_a_silent_loss_of_the_guarantee(things):
    with Writer(things) as writer:
        writer.write(add(1))
        with things.begin() as connection:
            connection.execute(writer_receipt.delete())
        with pytest.raises(StoreError, match="receipt"):
            writer.write(add(2))
        writer.write(add(3))
    assert all_things(things) == [1, 3]


def test_a_work_that_hides_the_loss_of_the_transaction_is_found_out(sqlite_url):
    # given a work whose statement makes SQLite undo the whole transaction, and which goes on regardless
    engine = connect(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE thing (id integer PRIMARY KEY)"))

    def rude(connection):
        with suppress(IntegrityError):
            for _ in range(2):
                connection.execute(text("INSERT OR ROLLBACK INTO thing VALUES (7)"))

    gate = threading.Event()
    with Writer(engine) as writer:
        writer.submit(lambda _: gate.wait(60))
        futures = [writer.submit(add(1)), writer.submit(rude), writer.submit(add(2))]
        gate.set()
        # then it fails alone, and its companions are written
        assert futures[1].exception(60) is not None
        assert [futures[0].result(60), futures[2].result(60)] == [1, 2]
    assert all_things(engine) == [1, 2]
    engine.dispose()


def test_a_broken_clock_is_reported_and_hangs_nobody(things):
    with Writer(things, clock=lambda: datetime(1970, 1, 1)) as writer, pytest.raises(Exception, match="zone"):
        writer.write(add(1))
