"""How much a look weighs, and what a look is."""

from __future__ import annotations

import pytest

from nightlamp.cases import Answer, Limits, claim, exposure, may_reveal, reopen, undo, viewed
from nightlamp.errors import CaseError
from nightlamp.store import reading
from nightlamp.values import Bank

from .conftest import CLEAR, NOW, matching, sha256
from .test_knowing import ANN, BEN, shown


def looked(desk, category: str, content: str = "a") -> str:
    """An item of a list with that category, at which Ann has looked; its case."""
    item = desk.submit(sha256(content), matches=[matching(Bank(f"list {content}", "us", category))])
    desk.open()
    case = desk.case_of(item)
    desk.do(claim, case, by=ANN)
    shown(desk, item, level=2)
    return case


def seen(desk, by: str = ANN) -> tuple[int, int]:
    with reading(desk.engine) as connection:
        found = exposure(connection, by, NOW)
    return found.severe, found.severity


@pytest.mark.parametrize(
    ("category", "answer", "before", "after"),
    [
        ("csam", Answer("csam", "A1"), (0, 2), (1, 6)),
        ("csam", Answer("csam", "B2"), (0, 2), (1, 4)),
        ("A1", Answer("csam", "A2"), (1, 6), (1, 4)),
        ("A1", Answer("csam"), (1, 6), (1, 6)),
        ("B1", CLEAR, (1, 6), (1, 6)),
    ],
    ids=["the list says nothing", "less", "the list says more", "not classified", "cleared"],
)
def test_what_they_classified_themselves_counts_before_the_list(lite, category, answer, before, after):
    case = looked(lite, category)
    assert seen(lite) == before
    given = lite.answer(case, ANN, answer).given
    assert seen(lite) == after
    assert seen(lite, BEN) == (0, 0)
    lite.do(undo, given.id, by=ANN)
    assert seen(lite) == before


def test_what_somebody_else_said_does_not_count(desk):
    case = looked(desk, "csam")
    version = desk.answer(case, ANN, CLEAR).case.version
    desk.do(reopen, case, by="person:lead", version=version, reason="an appeal")
    desk.answer(case, BEN, Answer("csam", "A1"))
    assert seen(desk) == (0, 2)


def test_looks_end_when_they_weigh_too_much(lite):
    limits = Limits(soft_severity=6, hard_severity=8)
    looked(lite, "A1")
    with reading(lite.engine) as connection:
        allowed = may_reveal(connection, ANN, now=lite.now, limits=limits)
    assert (allowed.soft, allowed.hard) == (True, False)
    case = looked(lite, "csam", "b")
    item = lite.submit(sha256("b"))
    lite.open()
    assert lite.case_of(item) == case
    with pytest.raises(CaseError) as caught:
        shown(lite, item, level=1, limits=limits)
    assert caught.value.code == "limit"


@pytest.mark.parametrize(("seconds", "whole"), [(0.3, False), (0.99, False), (1.0, True)])
def test_a_look_of_less_than_a_second_views_nothing_whole(lite, seconds, whole):
    item = lite.submit(sha256("a"))
    lite.open()
    lite.do(claim, lite.case_of(item), by=ANN)
    shown(lite, item, frame=0, seconds=seconds)
    with reading(lite.engine) as connection:
        assert viewed(connection, item).whole is whole
