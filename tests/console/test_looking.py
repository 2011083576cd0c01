"""Looks of those who cannot hold a key, and by touch."""

from __future__ import annotations

from typing import Any

from nightlamp.cases.tables import reveal

from . import drawn
from .conftest import House, settle
from .test_reviewing import press, rows, shown, take


def hidden(tab: Any) -> None:
    tab.wait_for_selector("#looking img", state="hidden")


def test_who_cannot_hold_a_key_presses_and_it_ends_by_itself(live, tabs):
    house, address = live
    tab = tabs(house, address, "reviewer")
    tab.clock.install()
    take(tab, address)
    tab.check("#latch")
    tab.evaluate("document.activeElement.blur()")
    press(tab, "7")  # down and up: it stays
    shown(tab)
    tab.clock.fast_forward(5_100)
    hidden(tab)
    press(tab, "8")
    shown(tab)
    press(tab, "8")  # again: it ends at once
    hidden(tab)
    button = tab.locator("[data-look='3']").first
    button.click()
    shown(tab)
    button.click()
    hidden(tab)
    tab.wait_for_selector("#exposure:has-text('3 looks')")
    assert [each.level for each in rows(house, reveal)] == [1, 2, 3]
    # a window that loses the focus ends it too
    press(tab, "7")
    shown(tab)
    tab.evaluate("dispatchEvent(new Event('blur'))")
    hidden(tab)


def test_a_key_that_is_held_too_long_shows_nothing_more(live, tabs):
    house, address = live
    tab = tabs(house, address, "reviewer")
    tab.clock.install()
    take(tab, address)
    tab.keyboard.down("7")
    shown(tab)
    tab.clock.fast_forward(15_100)
    hidden(tab)
    tab.keyboard.down("7")  # it repeats, as a held key does
    tab.keyboard.up("7")
    tab.wait_for_selector("#exposure:has-text('1 look')")
    assert len(rows(house, reveal)) == 1


def test_a_finger_that_rests_on_a_button_looks(live, tabs):
    house, address = live
    tab = tabs(house, address, "reviewer", has_touch=True, is_mobile=True)
    take(tab, address)
    button = tab.locator("[data-look='1']").first
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    finger = tab.context.new_cdp_session(tab)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": across, "y": down} for across, down in points]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    touch("touchStart", (x, y))
    shown(tab)
    before = tab.evaluate("scrollY")
    touch("touchMove", (x, y - 40))  # a finger that slips neither scrolls nor hides
    assert tab.locator("#looking img:visible").count() == 1
    assert tab.evaluate("scrollY") == before
    touch("touchEnd")
    hidden(tab)
    tab.wait_for_selector("#exposure:has-text('1 look')")
    assert [(each.level, each.frame) for each in rows(house, reveal)] == [(1, 0)]
    # the browser takes the finger away, as when a call comes in
    touch("touchStart", (x, y))
    shown(tab)
    touch("touchCancel")
    hidden(tab)


def decided(house: House) -> tuple[str, dict[str, str]]:
    """A case that the reviewer has decided, and what asks for a look at it."""
    browser = signed_in(house, "reviewer")
    case = house.ids["case_id"]
    browser.post(f"/cases/{case}/claim")
    answer = {"answer": "csam:A1", "version": "1"}
    assert browser.post(f"/cases/{case}/decide", answer).status_code == 303
    return case, {"item": drawn.item_of(house.node, case), "level": "1", "frame": "0"}


def signed_in(house: House, name: str) -> Any:
    made = house.browser(origin="http://localhost")
    made.client.cookies.set("nightlamp-session", house.session(name).reveal())
    return made


def test_what_is_decided_is_shown_to_a_lead_alone(live, tabs):
    house, address = live
    case, look = decided(house)
    for name in ("reviewer", "reporter", "admin"):
        answer = signed_in(house, name).post(f"/cases/{case}/reveal", look)
        assert answer.status_code in (403, 409)
    assert rows(house, reveal) == []
    tab = tabs(house, address, "lead")
    tab.goto(f"{address}/cases/{case}")
    tab.wait_for_load_state("load")
    tab.keyboard.down("7")
    shown(tab)
    tab.keyboard.up("7")
    hidden(tab)
    assert [each.by for each in rows(house, reveal)] == [house.people["lead"].person.actor]


def test_where_the_settings_say_so_nobody_looks_at_what_is_decided(build):
    house = build(url="", look_again="nobody")
    settle(house)
    case, look = decided(house)
    lead = signed_in(house, "lead")
    assert lead.post(f"/cases/{case}/reveal", look).json() == {"code": "decided"}
    assert "data-look=" not in lead.get(f"/cases/{case}").text
