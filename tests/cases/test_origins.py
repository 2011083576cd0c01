"""Cases say how their items were made, and which of them nobody knows of yet."""

from __future__ import annotations

from typing import get_args

import pytest
from sqlalchemy import event

from nightlamp.cases import get_case
from nightlamp.cases.decision import ORIGINS
from nightlamp.intake.deciding import Subject
from nightlamp.intake.recording import Entry
from nightlamp.intake.submission import Ruling, Submission
from nightlamp.store import new_id, reading
from nightlamp.values import Assessment, Bank, Examination, Handling, Outcome, Verdict

from .conftest import CLEAR, CSAM, matching, pdq, sha256


def submit(desk, *prints, origin: Outcome | None = None, matches=()) -> str:
    """An item of which somebody was asked how it was made; its case."""
    item = new_id()
    told = Assessment(origin, "Its metadata say so.") if origin else None
    examination = Examination("image/png", 100, 10, 10, 1, prints, origin=told)
    verdict = Verdict("review", ("because",), tuple(matches), rule="rest", handling=Handling())
    ruling = Ruling(new_id(), item, verdict, None, 0, False, len(matches), desk.now)
    subject = Subject(item, Submission("thekey", fingerprints=prints), examination, False)
    desk.writer.write(lambda c: desk.recorder.write(c, [Entry(subject, ruling, desk.now)]))
    desk.open()
    return desk.case_of(item)


def seen(desk, case: str) -> tuple[str, bool]:
    with reading(desk.engine) as connection:
        found = get_case(connection, case)
    return found.origin, found.listed


def test_every_outcome_has_its_place():
    assert sorted(ORIGINS) == sorted(get_args(Outcome))


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("declared AI-made", "declared AI-made", "declared AI-made"),
        ("declared AI-made", None, "unknown"),
        (None, "declared AI-made", "unknown"),
        ("declared AI-made", "camera-signed", "camera-signed"),
        ("unknown", "camera-signed", "unknown"),
    ],
)
def test_of_a_cases_items_the_one_that_says_least_counts(lite, first, second, told):
    case = submit(lite, sha256("a"), pdq("a"), origin=first)
    assert seen(lite, case)[0] == (first or "unknown")
    assert submit(lite, sha256("b"), pdq("a"), origin=second) == case
    assert seen(lite, case)[0] == told


def test_what_is_on_no_list_and_says_nothing_can_be_picked(desk):
    # given what a list knows, what says that it was made by AI, what a benign list knows, and a decided case
    submit(desk, sha256("a"), matches=[matching()])
    submit(desk, sha256("b"), origin="declared AI-made")
    done = submit(desk, sha256("c"))
    desk.answer(done, "person:1", CSAM)
    wanted = submit(desk, sha256("d"), matches=[matching(Bank("known files", benign=True))])
    # when it is asked for, then it is the rest
    assert [each.id for each in desk.cases(unlisted=True)] == [wanted]
    assert [each.id for each in desk.cases(unlisted=True, state="decided")] == [done]
    # a case is listed only as long as each of its items is
    listed = submit(desk, sha256("e"), pdq("e"), matches=[matching(entry="entry 2")])
    assert seen(desk, listed) == ("unknown", True)
    submit(desk, sha256("f"), pdq("e"))
    assert seen(desk, listed) == ("unknown", False)
    assert [each.id for each in desk.cases(unlisted=True)] == [wanted, listed]


def test_a_late_match_says_that_a_list_knows_it(lite):
    item = lite.submit(sha256("a"))
    lite.open()
    assert seen(lite, lite.case_of(item)) == ("unknown", False)
    lite.submit(sha256("a"), item=item, matches=[matching()])
    lite.open()
    assert seen(lite, lite.case_of(item)) == ("unknown", True)


@pytest.mark.parametrize("answer", [None, CLEAR], ids=["open", "cleared"])
def test_a_late_verdict_without_a_list_takes_it_off(lite, answer):
    item = lite.submit(sha256("a"), matches=[matching()])
    lite.open()
    case = lite.case_of(item)
    if answer is not None:
        lite.answer(case, "person:1", answer)
    lite.submit(sha256("a"), item=item)
    lite.open()
    assert seen(lite, case) == ("unknown", False)
    assert [each.id for each in lite.cases(unlisted=True)] == [case]


def test_it_is_found_by_an_index_of_its_own(lite):
    asked: list[tuple[str, object]] = []
    hear = lambda _, __, statement, parameters, *___: asked.append((statement, parameters))  # noqa: E731
    event.listen(lite.engine, "before_cursor_execute", hear)
    lite.cases(unlisted=True)
    event.remove(lite.engine, "before_cursor_execute", hear)
    [(statement, parameters)] = [each for each in asked if "review_case" in each[0]]
    with reading(lite.engine) as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    assert [row.detail for row in plan] == [
        "SEARCH review_case USING INDEX ix_review_case_unlisted (origin=? AND listed=?)"
    ]
