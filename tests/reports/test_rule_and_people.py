"""Reports that a rule confirmed, once people, splits and lists say something else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from nightlamp.banks.live import delete_bank, disable_bank, find_entries, remove_entries, set_disputed
from nightlamp.cases import get_case, next_case, split
from nightlamp.errors import ReportError
from nightlamp.reports import approve, change, follow_up, standing
from nightlamp.reports.lifecycle import move
from nightlamp.store import reading

from .conftest import Office
from .model import minimal
from .test_by_rule import ALONE, CLEAR, CSAM, Shop


@pytest.fixture
def shop(office: Office) -> Shop:
    made = Shop(office)
    made.policy()
    return made


@pytest.fixture
def alone(office: Office) -> Shop:
    made = Shop(office, ALONE)
    made.policy()
    return made


def split_off(shop: Shop, *items: str) -> tuple[str, str]:
    """(the case, the new one)."""
    office, case = shop.office, shop.case_of(items[0])
    office.writer.write(lambda c: next_case(c, "person:r", now=office.clock()) and None)
    with reading(office.engine) as connection:
        version = get_case(connection, case).version
    made = office.writer.write(
        lambda c: split(c, case, items, by="person:r", version=version, now=office.clock()).id
    )
    return case, made


def later(shop: Shop, **time: float) -> None:
    shop.office.clock.move(**time)
    shop.run()
    shop.send()


def test_what_adds_to_a_report_that_went_alone_does_not_go_alone(alone: Shop) -> None:
    office = alone.office
    alone.submit()
    alone.run()
    later(alone, minutes=16)
    [sent] = alone.reports()
    assert sent.state == "finished"
    now = office.clock()
    made = office.writer.write(lambda c: follow_up(c, sent.id, by="person:a", now=now, approvals=2))
    later(alone, hours=5)
    added = office.read(made)
    assert (added.state, added.approvals) == ("draft", 2)


def test_who_edits_what_would_go_alone_needs_as_many_people_as_ever(office: Office) -> None:
    shop = Shop(office, replace(ALONE, approvals=2))
    shop.policy()
    shop.submit()
    shop.run()
    [made] = shop.reports()
    office.writer.write(
        lambda c: change(c, made.id, minimal(), version=1, by="person:a", now=office.clock(), approvals=2)
    )
    assert office.approve(made.id, by="person:a").state == "draft"
    assert office.approve(made.id, by="person:b").state == "approved"


def test_what_joins_late_waits_as_long_as_the_others_did(alone: Shop) -> None:
    alone.submit()
    alone.run()
    alone.office.clock.move(minutes=14)
    alone.submit()
    alone.run()
    [made] = alone.reports()
    assert len(made.files) == 2
    later(alone, minutes=2)
    assert [each.state for each in alone.reports()] == ["draft"]
    alone.submit()  # by now it takes no more: what keeps coming must not keep it
    later(alone, minutes=13)
    assert [(each.state, len(each.files)) for each in alone.reports()] == [("finished", 2), ("draft", 1)]


@pytest.mark.parametrize("how", ["removed", "disputed", "disabled", "deleted"])
def test_what_a_list_has_withdrawn_meanwhile_does_not_go_alone(alone: Shop, how: str) -> None:
    office, bank = alone.office, alone.bank
    alone.submit()
    alone.run()

    def withdraw(connection: Connection) -> None:
        entries = find_entries(connection, bank, source_ids=["entry-1"])
        if how == "removed":
            remove_entries(connection, bank, entries, actor="key:a")
        elif how == "disputed":
            set_disputed(connection, bank, entries, True, actor="key:a")
        else:
            (disable_bank if how == "disabled" else delete_bank)(connection, bank, actor="key:a")

    office.writer.write(withdraw)
    later(alone, minutes=16)
    [made] = alone.reports()
    assert (made.state, made.approvals) == ("draft", alone.operator.approvals)
    assert made.why == "a list has withdrawn an entry that one of its files matches"


def test_a_copy_of_what_was_cleared_is_passed_over_in_whatever_case_it_is(shop: Shop) -> None:
    first = shop.submit(content=b"the same")
    shop.run()
    shop.answer(shop.case_of(first), CLEAR)
    other = shop.submit("u-2", trust="medium")
    shop.run()
    again = shop.submit("u-9", content=b"the same")
    shop.run()
    assert shop.case_of(again) == shop.case_of(other)  # by the entry that both match
    assert shop.why(again) == "somebody has said that it is not"
    assert not shop.live()


def test_what_people_have_just_cleared_is_not_approved(shop: Shop) -> None:
    office = shop.office
    item = shop.submit()
    shop.run()
    [made] = shop.reports()
    shop.answer(shop.case_of(item), CLEAR, apply=False)
    with pytest.raises(ReportError, match="people have decided that it is not"):
        office.writer.write(lambda c: approve(c, made.id, version=1, by="person:b", now=office.clock()))
    assert office.read(made.id).state == "draft"


@pytest.mark.parametrize("cleared", ["split off", "left"])
@pytest.mark.parametrize("first", [CSAM, CLEAR])
@pytest.mark.parametrize("state", ["draft", "person"])
def test_of_a_split_case_what_is_confirmed_stays_reported(
    shop: Shop, cleared: str, first: object, state: str
) -> None:
    office = shop.office
    one, other, plain = shop.submit(), shop.submit(), shop.submit(trust="medium")
    shop.run()
    if shop.case_of(plain) != shop.case_of(one):
        pytest.fail("they must be one case")
    [made] = shop.reports()
    if state == "person":
        office.approve(made.id)
        office.writer.write(lambda c: move(c, made.id, state="person", why="stopped"))
    old, new = split_off(shop, one, plain)
    clear, csam = (new, old) if cleared == "split off" else (old, new)
    order = ((csam, CSAM), (clear, CLEAR))
    for case, answer in order if first is CSAM else reversed(order):
        shop.answer(case, answer)
    confirmed = {other} if cleared == "split off" else {one, plain}
    reported = [file.item for each in shop.live() for file in each.files]
    assert sorted(filter(None, reported)) == sorted(confirmed)
    with reading(office.engine) as connection:
        assert standing(connection, now=office.clock()).unreported == 0


def test_two_decisions_on_what_one_report_holds_are_both_reported(shop: Shop) -> None:
    office = shop.office
    one, other, third = shop.submit(), shop.submit(), shop.submit()
    shop.run()
    [made] = shop.reports()
    office.approve(made.id)
    shop.send()
    old, new = split_off(shop, one)
    shop.answer(old, CSAM)
    shop.answer(new, CSAM)
    assert [each.id for each in shop.reports()] == [made.id]
    assert {shop.case_of(each) for each in (one, other, third)} == {old, new}
    with reading(office.engine) as connection:
        assert standing(connection, now=office.clock() + timedelta(hours=1)).unreported == 0


def test_two_decisions_on_what_was_on_its_way_are_reported_anew_when_it_is_taken_back(shop: Shop) -> None:
    office = shop.office
    one, other, third = shop.submit(), shop.submit(), shop.submit()
    shop.run()
    [made] = shop.reports()
    office.approve(made.id)
    old, second = split_off(shop, one)
    _, last = split_off(shop, other)
    shop.answer(old, CSAM)
    shop.answer(second, CSAM)
    shop.answer(last, CLEAR)
    assert office.read(made.id).state == "retracted"
    reported = [file.item for each in shop.live() for file in each.files]
    assert sorted(filter(None, reported)) == sorted([one, third])


def test_a_rule_s_draft_goes_with_its_items_to_the_case_that_they_were_split_into(shop: Shop) -> None:
    one, plain = shop.submit(), shop.submit(trust="medium")
    shop.run()
    [made] = shop.reports()
    old, new = split_off(shop, one)
    assert (made.case, shop.case_of(plain)) == (old, old)
    shop.answer(new, CSAM)
    shop.answer(old, CLEAR)
    [live] = shop.live()
    assert (live.id, live.case, [each.item for each in live.files]) == (made.id, new, [one])
