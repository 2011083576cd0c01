"""Rows are stored as SQLAlchemy itself would store them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError, StatementError

from nightlamp.intake.tables import item
from nightlamp.store import connect, upgrade
from nightlamp.store.rows import Rows

NOW = datetime(2026, 11, 24, 21, 30, 0, 123456, UTC)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


def row(**given: Any) -> dict[str, Any]:
    plain = {column.name: None for column in item.c} | {
        "id": "one", "key": "k", "kind": "url", "platform_id": "", "actor": "", "context": {},
        "state": "done", "wait": True, "media_type": "",
        "size": 0, "width": 0, "height": 0, "frames": 0, "unchecked": [],
        "received_at": NOW,
    }  # fmt: skip
    return plain | given


@pytest.fixture
def engine(database_url: str):
    engine = connect(database_url)
    upgrade(engine)
    yield engine
    engine.dispose()


def test_as_sqlalchemy_stores_them(engine) -> None:
    @given(
        TEXTS,
        st.lists(TEXTS, max_size=3),
        st.booleans(),
        st.integers(0, 2**60),
        st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),
        st.integers(-12, 12),
    )
    def same(text: str, texts: list[str], flag: bool, size: int, moment: datetime, hours: int) -> None:
        at = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
        context = {"room": text, "port": size % 65536} if text else {}
        given = row(actor=text, context=context, unchecked=texts, wait=flag, size=size, received_at=at)
        found = []
        for store in (
            lambda c: Rows(item).add(c, [given]),
            lambda c: c.execute(insert(item), [given]),
        ):
            with engine.connect() as connection, connection.begin() as transaction:
                store(connection)
                # Also as it stands on the disk, where text is text.
                raw = connection.exec_driver_sql("SELECT * FROM item").one()
                found.append((connection.execute(select(item)).one(), tuple(raw)))
                transaction.rollback()
        assert found[0] == found[1]
        assert found[0][0].received_at == at

    same()


def test_a_time_without_its_zone_is_refused(engine) -> None:
    with engine.begin() as connection, pytest.raises((ValueError, StatementError), match="zone"):
        Rows(item).add(connection, [row(received_at=NOW.replace(tzinfo=None))])


def test_some_columns_many_rows_and_none(engine) -> None:
    rows = Rows(item, [name for name in item.c.keys() if name != "action"])  # noqa: SIM118
    with engine.begin() as connection:
        rows.add(connection, [])
        rows.add(connection, [row(id=str(at)) for at in range(300)])
        assert len(connection.execute(select(item)).all()) == 300
        connection.execute(delete(item))


def test_what_the_database_refuses_is_an_error_of_its_kind(engine) -> None:
    with pytest.raises(IntegrityError), engine.begin() as connection:
        Rows(item).add(connection, [row(), row()])
