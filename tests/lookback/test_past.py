from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError

from nightlamp.banks.live import StoredBank
from nightlamp.lookback import LookBack, forget, purge, recall
from nightlamp.lookback import tables as t
from nightlamp.store import reading
from nightlamp.values import Fingerprint

from .conftest import START, FakeClock, finish, pairs, prints, taken, value_of

TABLES = (t.lookback_item, t.lookback_digest, t.lookback_print, t.lookback_behind, t.lookback_hit)


def rows(engine: Engine) -> list[int]:
    with reading(engine) as connection:
        return [connection.scalar(select(func.count()).select_from(table)) or 0 for table in TABLES]


def test_what_is_remembered_can_be_recalled(engine: Engine, submit: Callable[..., None]) -> None:
    given = prints("a", "b")
    submit("item", given)
    with reading(engine) as connection:
        assert set(recall(connection, "item")) == set(given)
        assert recall(connection, "another") == ()


def test_what_nothing_could_match_is_not_kept(engine: Engine, submit: Callable[..., None]) -> None:
    poor = Fingerprint("pdq", value_of("pdq", 1), quality=10)
    unknown = Fingerprint("photodna", bytes(144))
    submit("item", [poor, unknown])
    with reading(engine) as connection:
        assert recall(connection, "item") == ()
    assert rows(engine) == [1, 0, 0, 0, 0]


def test_an_item_is_remembered_once(submit: Callable[..., None]) -> None:
    submit("item", prints("a"))
    with pytest.raises(IntegrityError):
        submit("item", prints("a"))


def test_the_expired_are_purged_and_only_they(
    engine: Engine, submit: Callable[..., None], lookback: LookBack, clock: FakeClock, bank: StoredBank
) -> None:
    submit("old", prints("a"), generation=0, days=1)
    submit("young", prints("a"), generation=0, days=2)
    assert lookback.purge() == 0
    clock.move(days=1)
    assert lookback.purge() == 1
    with reading(engine) as connection:
        assert recall(connection, "old") == ()
        assert len(recall(connection, "young")) == 3
    clock.move(days=1)
    assert lookback.purge() == 1
    assert rows(engine) == [0, 0, 0, 0, 0]


def test_the_expired_are_not_matched_even_before_they_are_purged(
    engine: Engine,
    submit: Callable[..., None],
    lookback: LookBack,
    clock: FakeClock,
    bank: StoredBank,
    put: Callable[..., int],
) -> None:
    submit("old", prints("a"), days=1)
    submit("young", prints("a"), days=2)
    put(bank, "a")
    clock.move(days=1)
    finish(lookback)
    assert [item for item, _ in pairs(taken(engine))] == ["young"]


def test_an_item_can_be_forgotten_with_its_hits(
    engine: Engine,
    submit: Callable[..., None],
    lookback: LookBack,
    bank: StoredBank,
    put: Callable[..., int],
) -> None:
    submit("item", prints("a"))
    put(bank, "a")
    finish(lookback)
    with engine.begin() as connection:
        assert forget(connection, "item")
        assert not forget(connection, "item")
    assert rows(engine) == [0, 0, 0, 0, 0]
    assert taken(engine) == []


def test_purging_goes_in_pieces(
    engine: Engine, submit: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightlamp.lookback.past.AT_ONCE", 2)
    for n in range(3):
        submit(f"item {n}", prints(n), days=1)
    late = START + timedelta(days=1)
    with engine.begin() as connection:
        assert purge(connection, late).more
        assert not purge(connection, late).more
    assert rows(engine)[0] == 0
