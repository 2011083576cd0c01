"""What becomes of reports when a case is opened again."""

from __future__ import annotations

import pytest

from nightlamp.cases import get_case, reopen
from nightlamp.reports import draft, follow_up, withdraw_drafts
from nightlamp.reports.lifecycle import NewReport
from nightlamp.store import reading

from .conftest import Office
from .model import minimal
from .test_by_rule import CLEAR, CSAM, Shop


@pytest.fixture
def shop(either: Office) -> Shop:
    """Nothing is confirmed by a rule: people decide."""
    made = Shop(either)
    made.policy(confirms=False)
    return made


def open_again(shop: Shop, case: str) -> None:
    office = shop.office
    with reading(office.engine) as connection:
        version = get_case(connection, case).version
    office.writer.write(
        lambda c: (
            reopen(
                c,
                case,
                by="person:lead",
                version=version,
                reason="an appeal",
                now=office.clock(),
                reopened=lambda c, given: withdraw_drafts(c, given, clock=office.clock),
            )
            and None
        )
    )


def confirmed(shop: Shop) -> str:
    item = shop.submit()
    shop.run()
    case = shop.case_of(item)
    shop.answer(case, CSAM)
    return case


@pytest.mark.parametrize("approved", [False, True], ids=["a draft", "on its way"])
def test_what_is_not_finished_is_taken_back_and_drafted_anew(shop: Shop, approved: bool) -> None:
    case = confirmed(shop)
    [first] = shop.reports()
    if approved:
        shop.office.approve(first.id)
    open_again(shop, case)
    assert shop.live() == []
    shop.send()
    assert shop.office.read(first.id).state == "retracted"
    shop.answer(case, CSAM, "person:s")
    [anew] = shop.live()
    assert (anew.state, len(anew.files)) == ("draft", 1)
    assert anew.decision != first.decision


@pytest.mark.parametrize(("answer", "says"), [(CSAM, ""), (CLEAR, "tell NCMEC")], ids=["csam", "not"])
def test_what_is_finished_stays_and_is_not_reported_twice(shop: Shop, answer: object, says: str) -> None:
    case = confirmed(shop)
    [report] = shop.reports()
    shop.office.approve(report.id)
    shop.send()
    assert shop.office.read(report.id).state == "finished"
    open_again(shop, case)
    shop.answer(case, answer, "person:s")  # type: ignore[arg-type]
    [left] = shop.reports()
    assert left.state == "finished"
    assert says in left.why
    assert bool(left.why) == bool(says)


def test_what_people_drafted_themselves_is_theirs(shop: Shop) -> None:
    office, case = shop.office, confirmed(shop)
    [report] = shop.reports()
    office.approve(report.id)
    shop.send()
    new = NewReport(minimal(), case=case)
    added = office.writer.write(lambda c: follow_up(c, report.id, by="person:a", now=office.clock()))
    own = office.writer.write(lambda c: draft(c, new, by="person:a", now=office.clock()))
    open_again(shop, case)
    assert [office.read(each).state for each in (added, own)] == ["draft", "draft"]


def test_a_rules_draft_that_people_stood_behind_is_taken_back(either: Office) -> None:
    shop = Shop(either)
    shop.policy()
    case = confirmed(shop)
    [made] = shop.reports()
    assert made.decision is not None
    open_again(shop, case)
    assert shop.live() == []
    shop.run()  # the rule says nothing more of it: a person must
    assert shop.live() == []
    shop.answer(case, CSAM, "person:s")
    assert len(shop.live()) == 1
