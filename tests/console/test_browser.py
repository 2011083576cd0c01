"""The shell in a real browser: keys, accessibility, what it loads, and sessions that end."""

from __future__ import annotations

import base64
import re
import time
from pathlib import Path
from typing import Any

import pytest

from nightlamp.accounts import ROLES, codes, sessions
from nightlamp.store import utc_now

from . import drawn
from .conftest import addresses, cookie

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
PASSWORD = "correct horse battery"


def faults_of(tab: Any) -> list[str]:
    """What axe-core finds. It is run as the page's debugger would, so the page's policy need not allow it."""
    tab.evaluate(AXE + "; undefined")
    # by default all of WCAG 2.0 and 2.1 (A, AA) and best practice; the one rule of 2.2 must be asked for
    how = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
    found = tab.evaluate("how => axe.run(document, how)", how)
    return [f"{tab.url} {v['id']}: {[n['html'] for n in v['nodes']][:3]}" for v in found["violations"]]


def test_somebody_signs_in_by_keyboard_alone(live, tab):
    house, address = live
    tab.goto(f"{address}/")
    tab.wait_for_url("**/sign-in")
    tab.wait_for_selector("input:focus")  # the browser gives it the focus with the first picture of the page
    for text in ("admin", PASSWORD):
        tab.keyboard.type(text)
        tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/sign-in/second")
    tab.wait_for_selector("input:focus")
    tab.keyboard.type(house.code("admin"))
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/console/")
    assert tab.title() == "Start – Nightlamp"

    tab.keyboard.press("?")  # the keys of the page, then one of them
    assert "API keys" in tab.inner_text("#keys")
    tab.keyboard.press("Escape")
    tab.keyboard.press("g")
    tab.keyboard.press("p")
    tab.wait_for_url("**/people")


def pages_of(house: Any, role: str) -> list[str]:
    """The pages that a role may see, and one that is not there."""
    browser = house.signed_in(role)
    answers = {path: browser.get(path) for path in addresses(house, "GET")}
    seen = [
        path for path, got in answers.items() if got.status_code == 200 and got.text.startswith("<!doctype")
    ]
    assert len(seen) >= 3
    return [*seen, "/nowhere"]


@pytest.mark.parametrize("role", ROLES)
def test_axe_finds_nothing_on_any_page_of_a_role(live, tab, role):
    house, address = live
    drawn.decided(house.node, 7, house.actors("reviewer", "lead"))
    house.ids["case_id"] = drawn.file(house.node, 7).case
    cookie(house, address, role, tab)
    found: list[str] = []
    for place in pages_of(house, role):
        tab.goto(address + place)
        found += faults_of(tab)
    assert found == []


def test_axe_finds_nothing_in_what_forms_answer(live, tab):
    house, address = live
    cookie(house, address, "admin", tab)
    tab.on("dialog", lambda dialog: dialog.accept())
    found: list[str] = []
    for place, fields, button, there in (
        ("/people", {"#name": "new"}, "Add, and", "#link"),
        ("/people", {"#name": "new"}, "Add, and", ".note.bad"),  # there is one by now
        ("/keys", {"#name": "new"}, "Make", "#secret"),
        ("/chain", {}, "Check", ".note"),
        ("/policies", {"#text": "name: x\nrules: 3\n"}, "Check and try", "#draft li.bad"),
        ("/feeds/stopped", {}, "Find out", "text=Not all is well"),
        ("/account", {}, "recovery codes", "ol.codes"),
    ):
        tab.goto(address + place)
        for field, text in fields.items():
            tab.fill(field, text)
        for box in tab.locator("main form.narrow input[type=checkbox]").all()[:1]:
            box.check()
        tab.click(f"main button:has-text('{button}')")
        tab.wait_for_selector(there)
        tab.wait_for_load_state("load")
        found += faults_of(tab)
    assert found == []


def test_axe_finds_nothing_in_the_dark_and_on_the_way_in(live, tab):
    house, address = live
    tab.emulate_media(color_scheme="dark")
    found: list[str] = []

    def look() -> None:
        tab.wait_for_load_state("load")
        found.extend(faults_of(tab))

    link = house.browser(address.removesuffix("/console"))
    link.client.cookies.set("nightlamp-session", house.session("admin").reveal())
    made = re.search(r"(/welcome\?token=[\w-]+)", link.post("/people", {"name": "new", "roles": "lead"}).text)
    tab.goto(address + made[1])  # somebody new: a password, one-time codes, recovery codes
    look()
    tab.fill("#password", PASSWORD)
    tab.click("text=Go on")
    tab.wait_for_url("**/set-up")
    look()
    tab.click("button:has-text('one-time codes')")
    tab.wait_for_selector(".qr")
    look()
    secret = base64.b32decode(tab.inner_text(".key").replace(" ", ""))
    tab.fill("#code", codes.code_at(secret, int(time.time()) // codes.STEP))
    tab.click("text=Go on")
    tab.wait_for_selector("ol.codes")
    look()
    tab.context.clear_cookies()
    for place in ("/sign-in", "/welcome"):
        tab.goto(address + place)
        look()
    tab.goto(f"{address}/sign-in")  # somebody known: a wrong password, the right one, a wrong code
    for password, there in (("wrong", ".note.bad"), (PASSWORD, "#code")):
        tab.fill("#name", "admin")
        tab.fill("#password", password)
        tab.click("button.first")
        tab.wait_for_selector(there)
        look()
    tab.fill("#code", "000000")
    tab.click("button.first")
    tab.wait_for_selector(".note.bad")
    look()
    cookie(house, address, "admin", tab)
    for place in ("/people", "/policies"):
        tab.goto(address + place)
        look()
    assert found == []


def test_axe_would_find_something(live, tab):
    _, address = live
    tab.goto(f"{address}/sign-in")
    tab.evaluate("""() => {
        document.querySelector("label").remove();
        for (const _ of "ab") {
            const small = document.querySelector("main").appendChild(document.createElement("button"));
            small.textContent = "i";
            small.style.cssText = "display: block; width: 8px; height: 8px; min-height: 0; padding: 0";
        }
    }""")
    found = faults_of(tab)
    assert any(" label:" in fault for fault in found)
    assert any("target-size" in fault for fault in found)


def test_a_session_that_is_ended_elsewhere_opens_nothing_more(live, tab):
    house, address = live
    cookie(house, address, "admin", tab)
    tab.goto(f"{address}/policies")
    house.node.writer.write(lambda c: sessions.end_all(c, house.people["admin"].id, now=utc_now()))
    tab.click("text=Check and try")  # htmx asks, and is sent to the sign-in page
    tab.wait_for_url("**/sign-in*")
    assert "Sign in" in tab.title()


def test_a_policy_is_checked_without_leaving_the_page(live, tab):
    house, address = live
    cookie(house, address, "admin", tab)
    tab.goto(f"{address}/policies")
    tab.fill("#text", "name: x\nrules: 3\n")
    tab.click("text=Check and try")
    tab.wait_for_selector("#draft li.bad")
    assert tab.url.endswith("/policies")


def test_the_first_load_is_light_and_asks_nobody_else(live, tab):
    house, address = live
    sizes: dict[str, int] = {}
    tab.on("response", lambda response: sizes.update({response.url: len(response.body())}))
    cookie(house, address, "admin", tab)
    tab.goto(f"{address}/people", wait_until="networkidle")
    assert len(sizes) >= 4
    assert all(url.startswith(address) for url in sizes)
    assert sum(sizes.values()) < 100_000


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_the_theme_of_an_account_beats_the_system(live, tab, motion):
    house, address = live
    cookie(house, address, "reviewer", tab)
    tab.emulate_media(color_scheme="light", reduced_motion=motion)
    tab.goto(f"{address}/account")
    light = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    tab.select_option("#theme", "dark")
    tab.click("text=Keep")
    tab.wait_for_url("**/account?done=changed")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") != light
