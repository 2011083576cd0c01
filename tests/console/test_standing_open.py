"""A page that stands open: its claim is renewed while somebody is there, and it is covered when nobody is."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from nightlamp.accounts import sessions
from nightlamp.cases.tables import decision, review_case
from nightlamp.store import utc_now

from .conftest import House, cookie, listening, settle
from .test_browser import faults_of
from .test_reviewing import after, case_of, press, rows, take

MINUTE = 60_000  # milliseconds


def covered(tab: Any) -> bool:
    return bool(tab.evaluate("document.getElementById('cover').open"))


def idle(tab: Any, minutes: float) -> None:
    """Let time pass in the browser."""
    tab.clock.fast_forward(int(minutes * MINUTE))
    tab.clock.run_for(1_500)


def taken(house: House, address: str, tabs: Any) -> tuple[Any, str]:
    """A tab whose clock the test moves, with a case."""
    tab = tabs(house, address, "reviewer")
    tab.clock.install()
    return tab, take(tab, address)


def test_a_claim_is_renewed_while_somebody_is_there(live, tabs):
    house, address = live
    tab, case = taken(house, address, tabs)
    renewals: list[int] = []
    tab.on("response", lambda answer: renewals.append(answer.status) if "/renew" in answer.url else None)
    soon = update(review_case).where(review_case.c.id == case).values(claim_until=utc_now())
    house.node.writer.write(lambda c: c.execute(soon))
    press(tab, "1")
    with tab.expect_response("**/renew"):
        idle(tab, 5.1)
    assert case_of(house, case).holder(utc_now()) == house.people["reviewer"].person.actor
    # nobody is there: it ends by itself
    idle(tab, 16)
    idle(tab, 6)
    assert renewals == [204]


def test_a_claim_that_somebody_else_took_is_told(live, tabs):
    house, address = live
    tab, case = taken(house, address, tabs)
    theirs = update(review_case).where(review_case.c.id == case).values(claimed_by="person:other")
    house.node.writer.write(lambda c: c.execute(theirs))
    press(tab, "1")
    idle(tab, 2.9)
    press(tab, "2")
    idle(tab, 2.9)
    tab.wait_for_selector("[data-trouble=taken]:visible")
    assert tab.is_checked("input[value='csam:A2']")


def test_a_page_that_nobody_is_at_is_covered_and_a_key_brings_it_back(live, tabs):
    house, address = live
    tab, case = taken(house, address, tabs)
    idle(tab, 2.5)
    press(tab, "1")
    idle(tab, 2.5)
    assert not covered(tab)  # somebody was there
    idle(tab, 0.6)
    assert covered(tab)
    assert tab.evaluate("document.getElementById('cover').contains(document.elementFromPoint(5, 5))")
    assert faults_of(tab) == []
    for key in ("2", "Escape"):  # it brings the page back, and does nothing else
        press(tab, key)
        tab.wait_for_selector("#cover", state="hidden")
        assert tab.is_checked("input[value='csam:A1']")
        idle(tab, 3.1)
        assert covered(tab)
    tab.click("#cover button")
    tab.wait_for_selector("#cover", state="hidden")
    press(tab, "d")
    after(tab, case)
    assert len(rows(house, decision)) == 1


def test_a_covered_page_stays_so_when_the_session_has_ended(live, tabs):
    house, address = live
    tab, case = taken(house, address, tabs)
    press(tab, "x a")
    person = house.people["reviewer"]
    house.node.writer.write(lambda c: sessions.end_all(c, person.id, now=utc_now()))
    idle(tab, 3.1)
    press(tab, "Enter")
    tab.wait_for_selector("[data-covered=ended]:visible")
    assert covered(tab)
    cookie(house, address, "lead", tab)  # somebody else signs in beside, and sees nothing of it
    press(tab, "Enter")
    tab.wait_for_selector("[data-covered=other]:visible")
    assert covered(tab)
    tab.context.set_offline(True)
    press(tab, "Enter")
    tab.wait_for_selector("[data-covered=network]:visible")
    tab.context.set_offline(False)
    cookie(house, address, "reviewer", tab)
    press(tab, "Enter")
    tab.wait_for_selector("#cover", state="hidden")
    press(tab, "d")  # with what forms of the new session carry
    after(tab, case)
    assert [each.reason for each in rows(house, decision)] == ["adult"]


@pytest.mark.parametrize("minutes", [1, 0])
def test_every_page_is_covered_unless_the_settings_say_never(build, tabs, minutes):
    house = build(url="", blank_minutes=minutes)
    settle(house)
    with listening(house) as address:
        tab = tabs(house, address, "admin")
        tab.clock.install()
        tab.goto(f"{address}/people")
        idle(tab, 1.1)
        assert covered(tab) == bool(minutes)
