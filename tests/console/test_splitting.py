"""Items of a case, page by page, and those that do not belong to it: in a browser, and by hand."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from nightlamp.audit.tables import audit_record as record
from nightlamp.cases.tables import case_item, review_case
from nightlamp.store import reading

from . import drawn
from .conftest import House
from .test_browser import faults_of
from .test_reviewing import case_of, press, ready


@pytest.fixture
def burst(live) -> tuple[House, str, str, list[str]]:
    """A node with a case of 50 items that one actor sent: the house, its address, the case, the items."""
    house, address = live
    filed = []
    for at in range(50):
        kept = at == 30
        data = drawn.drawing(9) if kept else f"content {at}".encode()
        filed.append(drawn.file(house.node, 100 + at, actor="x", data=data, kept=kept))
    assert len({each.case for each in filed}) == 1
    return house, address, filed[0].case, [each.item for each in filed]


def open_case(tab: Any, address: str, case: str) -> None:
    tab.goto(f"{address}/cases/{case}")
    press(tab, "c")
    ready(tab)


def chosen(tab: Any) -> str:
    return tab.get_attribute(".items .chosen", "data-item")


def items_of(house: House, case: str) -> set[str]:
    with reading(house.node.engine) as connection:
        return set(connection.scalars(select(case_item.c.item).where(case_item.c.case == case)))


def test_all_items_are_reached_by_keyboard_and_the_answer_stays(burst, tabs):
    house, address, case, items = burst
    tab = tabs(house, address, "reviewer")
    open_case(tab, address, case)
    press(tab, "1")
    seen = [chosen(tab)]
    for _ in items[1:]:
        tab.keyboard.press("j")
        tab.wait_for_function(
            "last => document.querySelector('.items .chosen').dataset.item !== last", arg=seen[-1]
        )
        seen.append(chosen(tab))
    assert seen == items
    assert "49 to 50 of 50" in tab.inner_text("#items")
    press(tab, "j")  # there are no more
    press(tab, "k k")  # the item before the first of this page is the last of the page before
    tab.wait_for_selector("#items[aria-label^='Items 25 to 48']")
    tab.wait_for_function(
        "item => document.querySelector('.items .chosen').dataset.item === item", arg=items[47]
    )
    press(tab, "h")
    tab.wait_for_selector("#items[aria-label^='Items 1 to 24']")
    press(tab, "l")
    tab.wait_for_selector("#items[aria-label^='Items 25 to 48']")
    assert tab.evaluate("document.activeElement.closest('#items') !== null")
    # what was chosen stands, and a look is possible on any page
    assert tab.is_checked("input[value='csam:A1']")
    press(tab, "j j j j j j")
    assert chosen(tab) == items[30]
    tab.keyboard.down("7")
    tab.wait_for_selector("#looking img:visible")
    tab.keyboard.up("7")
    tab.wait_for_selector("#looking img", state="hidden")
    assert faults_of(tab) == []
    # without scripts the links lead to pages
    tab.goto(f"{address}/cases/{case}?skip=48")
    assert tab.locator(".items li").count() == 2


def test_a_large_case_is_light_too(burst, tabs):
    house, address, case, _ = burst
    tab = tabs(house, address, "reviewer")
    mine(house, case)
    asked: list[Any] = []
    tab.on("requestfinished", lambda request: asked.append(request))
    tab.goto(f"{address}/cases/{case}", wait_until="networkidle")
    assert tab.locator(".items li").count() == 24
    assert len(asked) >= 5
    assert sum(each.sizes()["responseBodySize"] for each in asked) < 100_000


def test_paging_after_the_session_has_ended_keeps_the_answer(burst, tabs):
    house, address, case, _ = burst
    tab = tabs(house, address, "reviewer")
    open_case(tab, address, case)
    press(tab, "x m")
    tab.context.clear_cookies()
    press(tab, "l")
    tab.wait_for_selector("[data-trouble=session]:visible")
    assert tab.is_checked("input[value='not_csam:medical']")


def test_what_does_not_belong_is_split_off_by_keyboard_and_taken_back(burst, tabs):
    house, address, case, items = burst
    tab = tabs(house, address, "reviewer")
    open_case(tab, address, case)
    press(tab, "i")
    tab.wait_for_selector("input[name=item]")
    tab.wait_for_load_state("load")
    assert faults_of(tab) == []
    # given one that is ticked on the first page, and one on the second
    press(tab, "j x l")
    tab.wait_for_selector("#items[aria-label^='Items 25 to 48']")
    assert "1 item is ticked on other pages" in tab.inner_text("main")
    press(tab, "x d")
    tab.wait_for_selector("text=You have split 2 items off")
    assert tab.url == f"{address}/cases/{case}"
    ready(tab)
    with reading(house.node.engine) as connection:
        new = connection.scalar(select(review_case.c.id).where(review_case.c["items"] == 2))
        assert "cases.split" in set(connection.scalars(select(record.c.action)))
    assert items_of(house, new) == {items[1], items[24]}
    assert case_of(house, case).items == 48
    # a slip is taken back
    tab.click("text=Take the split back")
    tab.wait_for_selector("text=Changed.")
    assert case_of(house, case).items == 50
    assert items_of(house, case) == set(items)


def test_all_that_came_in_one_way_is_split_off_at_once(burst):
    house, _, case, items = burst
    browser = mine(house, case)
    version = str(case_of(house, case).version)
    assert browser.post(f"/cases/{case}/split", {"version": version, "how": "burst"}).status_code == 303
    assert items_of(house, case) == {items[0]}


def test_a_page_of_ticks_that_is_stale_keeps_them(burst, tabs):
    house, address, case, items = burst
    tab = tabs(house, address, "reviewer")
    open_case(tab, address, case)
    press(tab, "i")
    tab.wait_for_selector("input[name=item]")
    tab.wait_for_load_state("load")
    press(tab, "x j x")
    browser = mine(house, case)  # the same person, in another tab
    fields = {"version": str(case_of(house, case).version), "item": items[0]}
    assert browser.post(f"/cases/{case}/split", fields).status_code == 303
    press(tab, "d")
    tab.wait_for_selector("text=items were split off")
    assert tab.locator("input[name=item]:checked").count() == 1  # the other is not here any more
    assert case_of(house, case).items == 49
    press(tab, "d")
    tab.wait_for_selector("text=You have split 1 item off")
    assert items_of(house, case) == set(items[2:])


def test_who_does_not_have_the_case_or_comes_too_late_splits_nothing(burst):
    house, _, case, items = burst
    house.person("other", "reviewer")
    first = mine(house, case)
    other = browser_of(house, "other")
    page = other.get(f"/cases/{case}/split").text
    assert "Only who has the case" in page
    assert 'name="item"' not in page
    fields = {"version": str(case_of(house, case).version), "item": items[3]}
    assert other.post(f"/cases/{case}/split", fields).status_code == 409
    for wrong in ({"item": ""}, {"item": "no such"}, {"item": items}):
        assert first.post(f"/cases/{case}/split", {**fields, **wrong}).status_code == 422
    answer = {"answer": "csam:A1", "version": fields["version"]}
    assert first.post(f"/cases/{case}/decide", answer).status_code == 303
    assert first.post(f"/cases/{case}/split", fields).status_code == 409
    assert first.post(f"/cases/{case}/split", {**fields, "version": "x"}).status_code == 400
    assert other.post(f"/cases/{case}/unsplit", {"case": case}).status_code == 404
    wrong_person = {**fields, "person": house.people["other"].id}
    assert first.post(f"/cases/{case}/split", wrong_person).status_code == 403
    assert items_of(house, case) == set(items)


def browser_of(house: House, name: str) -> Any:
    made = house.browser(origin="http://localhost")
    made.client.cookies.set("nightlamp-session", house.session(name).reveal())
    return made


def mine(house: House, case: str) -> Any:
    """A browser of the reviewer, who has the case."""
    browser = browser_of(house, "reviewer")
    assert browser.post(f"/cases/{case}/claim").status_code == 303
    return browser
