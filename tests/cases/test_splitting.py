"""Items that were grouped wrongly get a case of their own, and come back if that was a slip."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from nightlamp.cases import claim, get_case, page_case_items, record_reveal, split, unsplit, unsplittable
from nightlamp.cases.unseen import unseen
from nightlamp.errors import CaseError
from nightlamp.store import metadata, reading

from .conftest import matching, pdq, sha256

ANN, BEN = "person:ann", "person:ben"


@contextlib.contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(CaseError) as caught:
        yield
    assert caught.value.code == code


@pytest.fixture
def items(desk) -> list[str]:
    """Three items of one burst, in one case."""
    found = [desk.submit(sha256(f"{at}"), actor="x") for at in range(3)]
    desk.open()
    assert len({desk.case_of(item) for item in found}) == 1
    return found


@pytest.fixture
def case(desk, items) -> str:
    return desk.case_of(items[0])


def off(desk, case: str, *items: str, by: str = ANN):
    """Split them off, from a page that is fresh."""
    with reading(desk.engine) as connection:
        version = get_case(connection, case).version
    return desk.do(split, case, items, by=by, version=version)


def how_of(desk, case: str) -> list[tuple[str, str]]:
    with reading(desk.engine) as connection:
        return [(each.id, each.how) for each in page_case_items(connection, case)]


def test_what_does_not_belong_is_split_off(desk, items, case):
    for wrong in ([], items, ["no such item"]):
        with refused("invalid"):
            off(desk, case, *wrong)
    made = off(desk, case, items[1])
    assert desk.case_of(items[1]) == made.id
    with reading(desk.engine) as connection:
        assert (made.items, get_case(connection, case).items) == (1, 2)
    assert how_of(desk, made.id) == [(items[1], "split")]


def test_one_of_two_who_split_is_told_that_the_case_has_changed(desk, items, case):
    version = desk.cases()[0].version
    desk.do(split, case, [items[1]], by=ANN, version=version)
    with pytest.raises(CaseError) as caught:
        desk.do(split, case, [items[1]], by=ANN, version=version)
    assert (caught.value.code, caught.value.changed) == ("stale", "items were split off")
    assert len(desk.cases()) == 2


def test_who_does_not_have_the_case_does_not_split_it(desk, items, case):
    desk.do(claim, case, by=ANN)
    with refused("not yours"):
        off(desk, case, items[1], by=BEN)
    desk.answer(case, ANN)
    with refused("decided"):
        off(desk, case, items[1])


def test_a_split_that_was_a_slip_is_taken_back(desk, items, case):
    before = how_of(desk, case)
    desk.do(claim, case, by=ANN)
    made = off(desk, case, items[1], items[2])
    with reading(desk.engine) as connection:
        (told,) = unsplittable(connection, case, by=ANN, now=desk.now)
        assert (told.case, told.items) == (made.id, 2)
        assert unsplittable(connection, case, by=BEN, now=desk.now) == []
    with refused("not yours"):
        desk.do(unsplit, made.id, by=BEN)
    back = desk.do(unsplit, made.id, by=ANN)
    assert (back.id, back.items, back.changed) == (case, 3, "items that were split off are back")
    # as if nothing had been: what came by its actor alone is still not taken as seen
    assert how_of(desk, case) == before
    with reading(desk.engine) as connection:
        assert unseen(connection, case) == set(items[1:])
        with refused("not found"):
            get_case(connection, made.id)
    with refused("not found"):
        desk.do(unsplit, made.id, by=ANN)
    # and a key that led to the new case leads to the old one
    more = desk.submit(sha256("more"), actor="x")
    desk.open()
    assert desk.case_of(more) == case
    assert {"cases.split", "cases.split_undone"} <= set(desk.audited())


def test_a_copy_that_came_meanwhile_comes_back_too(desk, items, case):
    made = off(desk, case, items[2])
    copy = desk.submit(sha256("2"))
    desk.open()
    assert desk.case_of(copy) == made.id
    desk.do(unsplit, made.id, by=ANN)
    assert desk.case_of(copy) == case
    assert dict(how_of(desk, case))[copy] == "exact"


def test_what_somebody_has_begun_with_does_not_come_back(desk, items, case):
    made = off(desk, case, items[2])
    desk.do(claim, made.id, by=BEN)
    with refused("stale"):
        desk.do(unsplit, made.id, by=ANN)
    look = {"by": BEN, "level": 1, "frame": 0, "started_at": desk.now}
    desk.writer.write(lambda c: record_reveal(c, made.id, items[2], **look))
    desk.pass_time(seconds=1)
    with refused("stale"):
        desk.do(unsplit, made.id, by=ANN)
    desk.answer(made.id, BEN)
    with refused("stale"):
        desk.do(unsplit, made.id, by=ANN)


def test_nor_what_was_split_off_a_case_that_is_answered_or_somebody_elses(desk, items, case):
    first, second = off(desk, case, items[1]), off(desk, case, items[2])
    desk.do(claim, case, by=BEN)
    with refused("not yours"):
        desk.do(unsplit, first.id, by=ANN)
    desk.answer(case, BEN)
    with refused("stale"):
        desk.do(unsplit, second.id, by=ANN)


def test_nor_when_its_time_has_passed_or_something_new_is_known(desk, case, items):
    made = off(desk, case, items[2])
    desk.submit(item=items[2], matches=[matching()])
    desk.open()
    with refused("stale"):
        desk.do(unsplit, made.id, by=ANN)
    made = off(desk, case, items[1])
    desk.pass_time(seconds=60)
    with refused("decided"):
        desk.do(unsplit, made.id, by=ANN)
    with reading(desk.engine) as connection:
        assert unsplittable(connection, case, by=ANN, now=desk.now) == []


def test_the_distance_of_what_comes_back_is_what_it_was(desk):
    one, two = desk.submit(pdq("a")), desk.submit(pdq("a", flipped=3))
    desk.open()
    case = desk.case_of(one)
    made = off(desk, case, two)
    desk.do(unsplit, made.id, by=ANN)
    row = metadata.tables["case_item"].c
    with reading(desk.engine) as connection:
        found = connection.execute(select(row.how, row.distance).where(row.item == two)).one()
    assert tuple(found) == ("near", 3)
