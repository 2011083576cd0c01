"""Statements that the driver runs directly do and fail as SQLAlchemy's own do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from nightlamp.store import connect, upgrade
from nightlamp.store.direct import Prepared, together
from nightlamp.store.rows import Rows
from nightlamp.store.tables import writer_receipt

NOW = datetime(2026, 11, 24, 21, 30, 0, 123456, UTC)
SECRET = "a-name-that-must-not-be-told"
ADD = Rows(writer_receipt)
MOVE = Prepared(
    update(writer_receipt)
    .where(writer_receipt.c.writer == bindparam("mine"))
    .values(last_group=bindparam("group"), at=bindparam("now"))
)
LAST = Prepared(
    select(writer_receipt.c.writer, writer_receipt.c.last_group).order_by(writer_receipt.c.writer)
)


@pytest.fixture
def engine(database_url: str):
    engine = connect(database_url)
    upgrade(engine)
    with engine.begin() as connection:
        rows = [{"writer": name, "last_group": 0, "at": NOW} for name in ("one", "two")]
        connection.execute(insert(writer_receipt), rows)
    yield engine
    engine.dispose()


def test_it_tells_what_it_touched_and_found_and_times_keep_their_zone(engine) -> None:
    at = NOW.astimezone(timezone(timedelta(hours=5)))
    with engine.begin() as connection:
        assert MOVE.run(connection, mine="one", group=7, now=at) == 1
        assert MOVE.run(connection, mine="three", group=7, now=at) == 0
        assert LAST.rows(connection) == [("one", 7), ("two", 0)]
        stored = connection.scalar(select(writer_receipt.c.at).where(writer_receipt.c.writer == "one"))
        assert stored == NOW
        with pytest.raises((ValueError, StatementError), match="zone"):
            MOVE.run(connection, mine="one", group=7, now=NOW.replace(tzinfo=None))


def test_it_is_part_of_the_callers_transaction(engine) -> None:
    with engine.connect() as connection:
        with connection.begin() as transaction, together(connection):
            MOVE.run(connection, mine="one", group=7, now=NOW)
            assert LAST.rows(connection) == [("one", 7), ("two", 0)]
        with connection.begin() as transaction:
            MOVE.run(connection, mine="two", group=7, now=NOW)
            transaction.rollback()
        with connection.begin():
            assert LAST.rows(connection) == [("one", 7), ("two", 0)]


@pytest.mark.parametrize("at_once", [False, True])
def test_what_is_refused_is_an_error_of_its_kind_without_values(engine, at_once: bool) -> None:
    # given a row that is there already, alone, or among others that nobody waits for
    row = {"writer": SECRET, "last_group": 1, "at": NOW}

    def add(connection) -> None:
        if not at_once:
            ADD.add(connection, [row, row])
            return
        with together(connection):
            ADD.add(connection, [row])
            ADD.add(connection, [row])
            LAST.rows(connection)

    with engine.connect() as connection:
        with pytest.raises(IntegrityError) as refused, connection.begin():
            add(connection)
        # then nothing of the row is told, nothing stays, and the connection goes on
        for told in (refused.value, refused.value.orig):
            assert SECRET not in f"{told} {told!r} {told.args}"
        with connection.begin():
            assert LAST.rows(connection) == [("one", 0), ("two", 0)]


def test_what_fails_besides_is_not_logged_with_its_values(engine, caplog) -> None:
    # given a row that is refused, which nobody has noticed yet when something else fails
    row = {"writer": SECRET, "last_group": 1, "at": NOW}
    late = [row] if engine.dialect.name == "postgresql" else []

    def add(connection) -> None:
        with together(connection):
            ADD.add(connection, [row])
            ADD.add(connection, late)
            ADD.add(connection, [{"writer": SECRET, "last_group": 1}])

    with engine.connect() as connection:
        with pytest.raises(KeyError, match="at"), connection.begin():
            add(connection)
        # then that is what is said, nothing of the row is logged, and the connection goes on
        assert not caplog.records
        with connection.begin():
            assert LAST.rows(connection) == [("one", 0), ("two", 0)]


def test_a_connection_that_was_lost_is_known_to_be(engine) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("a file is not lost")
    with engine.connect() as connection, connection.begin() as transaction:
        own = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with engine.connect() as other:
            other.exec_driver_sql(f"SELECT pg_terminate_backend({own}, 10000)")
        with pytest.raises(DBAPIError) as lost:
            LAST.rows(connection)
        assert lost.value.connection_invalidated
        transaction.rollback()
        assert len(LAST.rows(connection)) == 2


def test_a_parameter_may_stand_twice(engine) -> None:
    c = writer_receipt.c
    twice = Prepared(select(c.writer).where((c.writer == bindparam("a")) | (c.writer > bindparam("a"))))
    with engine.begin() as connection:
        assert len(twice.rows(connection, a="one")) == 2
        assert twice.rows(connection, a="two") == [("two",)]
