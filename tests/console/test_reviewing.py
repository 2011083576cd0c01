"""Whole days of work in a real browser: claims, answers by keyboard, second opinions, looks, mishaps."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from tests.films import film, scenes

from nightlamp.accounts import ROLES, sessions
from nightlamp.audit.tables import audit_record as record
from nightlamp.cases import get_case, take_rest
from nightlamp.cases.tables import decision, reveal, review_case
from nightlamp.server.console import showing
from nightlamp.store import reading, utc_now
from nightlamp.vault import Identity

from . import drawn
from .conftest import CHROMIUM, FLAGS, House, addresses, cookie, listening, settle
from .test_browser import faults_of


def case_of(house: House, case_id: str) -> Any:
    with reading(house.node.engine) as connection:
        return get_case(connection, case_id)


def rows(house: House, table: Any) -> list[Any]:
    with reading(house.node.engine) as connection:
        return list(connection.execute(select(table).order_by(table.c.id)))


def press(tab: Any, keys: str) -> None:
    for key in keys.split():
        tab.keyboard.press(key)


def ready(tab: Any) -> None:
    """A case is there, and its scripts are."""
    tab.wait_for_selector("#answer")
    tab.wait_for_load_state("load")


def take(tab: Any, address: str) -> str:
    """The next case, by keyboard; its id."""
    tab.goto(f"{address}/cases")
    press(tab, "n")
    ready(tab)
    return tab.get_attribute("#answer", "data-case")


def after(tab: Any, case: str) -> None:
    """Wait until another case, or the queue, has taken the place of this one."""
    tab.wait_for_selector(f"#answer[data-case='{case}']", state="detached")
    tab.wait_for_selector(".last")


def test_a_day_by_keyboard_alone(live, tabs):
    # given two cases, and a reviewer at the start page
    house, address = live
    drawn.file(house.node, 2)
    tab = tabs(house, address, "reviewer")
    tab.goto(f"{address}/")
    press(tab, "g c")
    tab.wait_for_url("**/cases")
    tab.wait_for_load_state("load")
    press(tab, "n")
    ready(tab)
    first = tab.get_attribute("#answer", "data-case")
    assert "hotline" in tab.inner_text(".known")
    assert tab.locator("img:visible").count() == 0
    # when they answer with a note, the next case is there in one round trip
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.method) if "/cases" in request.url else None)
    press(tab, "1 m y w t")
    tab.keyboard.type("as the list says")
    tab.keyboard.press("Escape")
    tab.evaluate("document.activeElement.blur()")
    press(tab, "d")
    after(tab, first)
    assert asked == ["POST"]
    second = tab.get_attribute("#answer", "data-case")
    assert second != first
    assert tab.url.startswith(f"{address}/cases/{second}")
    given = rows(house, decision)[-1]
    assert (given.finding, given.classification, given.ai_made, given.drawn) == ("csam", "A1", "yes", True)
    assert (given.reason, given.note) == ("known", "as the list says")
    # then it can be taken back, and stands in the form again
    assert re.search(r"about \d+ more seconds", tab.inner_text(".last"))
    press(tab, "u")
    tab.wait_for_selector(f"#answer[data-case='{first}']")
    assert tab.is_checked("input[value='csam:A1']")
    assert tab.input_value("#note") == "as the list says"
    assert case_of(house, first).state == "open"
    # and be given otherwise; the other case is still theirs, and the last
    press(tab, "x a d")
    after(tab, first)
    assert case_of(house, first).state == "decided"
    press(tab, "x w d")
    after(tab, second)
    assert "Nothing waits" in tab.inner_text("main")
    assert [each.undone_at is None for each in rows(house, decision)] == [False, True, True]


def test_the_second_person_does_not_see_the_first_answer(live, tabs):
    house, address = live
    filed = drawn.file(house.node, 3, two_person=True, priority="urgent")
    house.person("other", "reviewer")
    one, two = tabs(house, address, "reviewer"), tabs(house, address, "other")
    assert take(one, address) == filed.case
    press(one, "2 t")
    one.keyboard.type("SECRET NOTE")
    one.evaluate("document.activeElement.blur()")
    press(one, "d")
    after(one, filed.case)
    assert case_of(house, filed.case).state == "second"
    assert take(two, address) == filed.case
    text = two.content()
    assert "Somebody has answered" in text
    assert "SECRET NOTE" not in text
    assert house.people["reviewer"].person.name not in two.inner_text("main").lower().split()
    assert not two.locator("input[name=answer]:checked").count()
    press(two, "3 d")  # they differ
    after(two, filed.case)
    assert case_of(house, filed.case).state == "escalated"
    lead = tabs(house, address, "lead")
    assert take(lead, address) == filed.case
    assert "SECRET NOTE" in lead.inner_text("main")  # the lead sees both
    assert lead.locator("input[value='unsure:']").count() == 0
    press(lead, "2 d")
    after(lead, filed.case)
    assert case_of(house, filed.case).state == "decided"


def test_two_reviewers_race_and_a_stale_page_keeps_its_answer(live, tabs):
    house, address = live
    house.person("other", "reviewer")
    one, two = tabs(house, address, "reviewer"), tabs(house, address, "other")
    case = take(one, address)
    drawn.expire(house.node, case)
    two.goto(f"{address}/cases/{case}")
    press(two, "c")
    ready(two)
    # the first one's answer is not lost, and not stored
    press(one, "1 t")
    one.keyboard.type("my note")
    one.evaluate("document.activeElement.blur()")
    press(one, "d")
    one.wait_for_selector("text=This answer was not stored")
    assert "my note" in one.inner_text("main")
    assert rows(house, decision) == []
    # a page that is stale says what has changed, with the answer still in its form
    changed = update(review_case).where(review_case.c.id == case)
    house.node.writer.write(
        lambda c: c.execute(changed.values(version=review_case.c.version + 1, changed="items were split off"))
    )
    press(two, "1 d")
    two.wait_for_selector("text=items were split off")
    assert two.is_checked("input[value='csam:A1']")
    assert rows(house, decision) == []
    press(two, "d")
    after(two, case)
    assert len(rows(house, decision)) == 1


def test_a_claim_that_ended_still_counts_when_nobody_took_the_case(live, tabs):
    house, address = live
    tab = tabs(house, address, "reviewer")
    case = take(tab, address)
    drawn.expire(house.node, case)
    press(tab, "1 d")
    after(tab, case)
    assert case_of(house, case).state == "decided"


def test_a_lost_network_keeps_the_answer(live, tabs):
    house, address = live
    tab = tabs(house, address, "reviewer")
    case = take(tab, address)
    tab.context.set_offline(True)
    press(tab, "x m d")
    tab.wait_for_selector("[data-trouble=network]:visible")
    assert tab.is_checked("input[value='not_csam:medical']")
    tab.context.set_offline(False)
    tab.wait_for_selector("[data-trouble=online]:visible")
    press(tab, "d")
    after(tab, case)
    assert [each.reason for each in rows(house, decision)] == ["medical"]


def test_a_session_that_ends_mid_case_loses_nothing(live, tabs):
    house, address = live
    tab = tabs(house, address, "reviewer")
    case = take(tab, address)
    person = house.people["reviewer"]
    house.node.writer.write(lambda c: sessions.end_all(c, person.id, now=utc_now()))
    press(tab, "e l d")
    tab.wait_for_selector("[data-trouble=session]:visible")
    assert tab.is_checked("input[value='escalate:law']")
    cookie(house, address, "admin", tab)  # somebody else signs in beside
    tab.evaluate("dispatchEvent(new Event('focus'))")
    tab.wait_for_selector("[data-trouble=other-person]:visible")
    assert tab.is_checked("input[value='escalate:law']")
    cookie(house, address, "reviewer", tab)
    tab.evaluate("dispatchEvent(new Event('focus'))")
    tab.wait_for_selector("[data-trouble=again]:visible")
    press(tab, "d")
    after(tab, case)
    assert case_of(house, case).state == "escalated"


def test_an_answer_is_never_sent_under_another_name(live):
    house, _ = live
    house.person("other", "lead")
    browser = house.browser(origin="http://localhost")
    browser.client.cookies.set("nightlamp-session", house.session("other").reveal())
    case = house.ids["case_id"]
    fields = {"answer": "csam:A1", "version": "1", "person": house.people["reviewer"].id}
    assert browser.post(f"/cases/{case}/decide", fields).status_code == 403
    assert rows(house, decision) == []


def patient(tab: Any) -> Any:
    """On a busy machine, a look must not have ended before the picture is there."""
    tab.add_init_script("""
        const timer = window.setTimeout;
        window.setTimeout = (run, after, ...rest) => timer(run, after >= 5000 ? 90000 : after, ...rest);
    """)
    return tab


def shown(tab: Any) -> Any:
    return tab.wait_for_selector("#looking img:visible")


def test_looks_are_steps_that_end_by_themselves(live, tabs):
    house, address = live
    tab = patient(tabs(house, address, "reviewer"))
    case = take(tab, address)
    tab.keyboard.down("8")  # not before the first step
    tab.wait_for_selector("[data-looking=step]:visible")
    tab.keyboard.up("8")
    assert rows(house, reveal) == []
    for level, key in enumerate("789", 1):
        tab.keyboard.down(key)
        picture = shown(tab)
        width, colours = tab.evaluate(
            """picture => {
                const canvas = new OffscreenCanvas(picture.naturalWidth, picture.naturalHeight);
                const context = canvas.getContext("2d");
                context.drawImage(picture, 0, 0);
                const all = context.getImageData(0, 0, canvas.width, canvas.height).data;
                const apart = (at) => Math.abs(all[at] - all[at + 1]);
                let most = 0;
                for (let at = 0; at < all.length; at += 4) most = Math.max(most, apart(at));
                return [canvas.width, most];
            }""",
            picture,
        )
        assert width == {1: 96, 2: 320, 3: 480}[level]
        assert (colours > 100) == (level == 3)
        if level == 1:
            tab.evaluate("dispatchEvent(new Event('blur'))")
        else:
            tab.keyboard.up(key)
        tab.wait_for_selector("#looking img", state="hidden")
        assert tab.locator("#looking img[src]").count() == 0
        tab.keyboard.up(key)
        tab.wait_for_selector(f"#exposure:has-text('{level} look')")
    found = rows(house, reveal)
    assert [(each.level, each.frame) for each in found] == [(1, 0), (2, 0), (3, 0)]
    assert all(0 < each.seconds < 60 and each.handed_at for each in found)
    with reading(house.node.engine) as connection:
        actions = list(connection.scalars(select(record.c.action)))
    assert actions.count("cases.revealed") == actions.count("cases.hidden") == 3
    assert actions.count("vault.opened") == 3
    # with the pointer, and from the button
    button = tab.locator("[data-look='1']").first
    button.hover()
    tab.mouse.down()
    shown(tab)
    tab.mouse.up()
    tab.wait_for_selector("#looking img", state="hidden")
    button.focus()
    tab.keyboard.down(" ")
    shown(tab)
    tab.keyboard.up(" ")
    tab.wait_for_selector("#looking img", state="hidden")
    press(tab, "1 d")
    after(tab, case)
    assert rows(house, decision)[-1].reason == "seen"


@pytest.mark.parametrize(
    ("data", "frames", "stills"),
    [
        (drawn.film(), 6, [0, 1, 2, 3, 4, 5]),
        (film(scenes([1, 2], 20)), 40, [0, 5, 10, 15, 20, 25, 30, 35]),
    ],
    ids=["animation", "video"],
)
def test_what_moves_is_a_strip_of_stills(live, tabs, data, frames, stills):
    house, address = live
    filed = drawn.file(house.node, 5, data=data, frames=frames, priority="urgent")
    tab = patient(tabs(house, address, "reviewer"))
    assert take(tab, address) == filed.case
    assert tab.locator("video, audio, [autoplay]").count() == 0
    for key, width in (("7", len(stills) * 96 + (len(stills) - 1) * 4), ("8", None), ("9", 160)):
        if key == "9":
            tab.fill(".items .chosen .frame", str(frames - 1))
            tab.locator("h1").first.click()
        tab.keyboard.down(key)
        found = tab.evaluate("picture => picture.naturalWidth", shown(tab))
        assert width in (None, found)
        tab.keyboard.up(key)
        tab.wait_for_selector("#looking img", state="hidden")
    assert [(each.level, each.frame) for each in rows(house, reveal)] == [
        (1, None),
        (2, None),
        (3, frames - 1),
    ]
    query = select(record.c.details).where(record.c.action == "cases.stills").order_by(record.c.sequence)
    with reading(house.node.engine) as connection:
        told = [json.loads(details)["stills"] for details in connection.scalars(query)]
    assert told == [stills, stills]


def test_pixels_are_given_once_to_the_session_that_asked(live):
    house, _ = live
    house.person("other", "reviewer")

    def browser(name: str) -> Any:
        made = house.browser(origin="http://localhost")
        made.client.cookies.set("nightlamp-session", house.session(name).reveal())
        return made

    mine, again, theirs = browser("reviewer"), browser("reviewer"), browser("other")
    case, item = house.ids["case_id"], drawn.item_of(house.node, house.ids["case_id"])
    look = {"item": item, "level": "1", "frame": "0"}
    assert mine.post(f"/cases/{case}/reveal", look).status_code == 409  # nobody has it
    mine.post(f"/cases/{case}/claim")
    assert theirs.post(f"/cases/{case}/reveal", look).json() == {"code": "not yours"}
    made = mine.post(f"/cases/{case}/reveal", look).json()
    for other in (again, theirs):
        assert other.client.get(made["src"]).status_code == 404
    hostile = {"sec-fetch-site": "cross-site"}, {"sec-fetch-dest": "document"}
    for headers in hostile:
        assert mine.client.get(made["src"], headers=headers).status_code in (403, 404)
    answer = mine.client.get(made["src"])
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content.startswith(b"\xff\xd8")
    assert b"what the file says" not in answer.content
    assert mine.client.get(made["src"]).status_code == 404
    # an end counts no longer than it can have been
    mine.post(f"/cases/{case}/hide", {"reveal": made["id"], "seconds": "9999"})
    assert rows(house, reveal)[-1].seconds < 60
    for level in ("0", "4", "x", "-1"):
        assert mine.post(f"/cases/{case}/reveal", {**look, "level": level}).status_code in (400, 422)
    whole = {"item": item, "level": "3", "frame": ""}
    assert mine.post(f"/cases/{case}/reveal", whole).status_code == 422


def test_a_node_without_the_key_says_so(build):
    house = build()
    house.person("reviewer", "reviewer")
    filed = drawn.file(house.node)
    house.node.settings.console_identity.unlink()
    browser = house.signed_in("reviewer")
    browser.post(f"/cases/{filed.case}/claim")
    assert "cannot show anything" in browser.get(f"/cases/{filed.case}").text
    look = {"item": filed.item, "level": "1", "frame": "0"}
    assert browser.post(f"/cases/{filed.case}/reveal", look).json() == {"code": "cannot"}


def test_limits_warn_and_then_pause(build):
    house = build(soft_reveals=1, hard_reveals=2)
    house.person("reviewer", "reviewer")
    filed = drawn.file(house.node)
    drawn.file(house.node, 2)
    browser = house.signed_in("reviewer")
    browser.post("/cases/next")
    look = {"item": filed.item, "level": "1", "frame": "0"}
    assert "a good part" not in browser.get("/cases").text
    browser.post(f"/cases/{filed.case}/reveal", look)
    assert "a good part" in browser.get("/cases").text
    browser.post(f"/cases/{filed.case}/reveal", look)
    assert "limit is reached" in browser.get("/cases").text
    assert browser.post(f"/cases/{filed.case}/reveal", look).json() == {"code": "limit"}
    assert browser.post("/cases/next").headers["location"] == "/console/cases?nothing"
    # a case that they have can still be answered
    answer = {"answer": "csam:A1", "version": str(case_of(house, filed.case).version)}
    assert browser.post(f"/cases/{filed.case}/decide", answer).status_code == 303
    assert case_of(house, filed.case).state == "decided"


def test_the_limit_of_a_shift_ends_looks_and_what_one_has_can_still_be_answered(build, tabs):
    house = build(url="", hard_reveals=2)
    settle(house)
    drawn.file(house.node, 2)
    with listening(house) as address:
        tab = patient(tabs(house, address, "reviewer"))
        case = take(tab, address)
        for key in "78":
            tab.keyboard.down(key)
            shown(tab)
            tab.keyboard.up(key)
            tab.wait_for_selector("#looking img", state="hidden")
        tab.wait_for_selector("#exposure.bad:has-text('2 looks of 2')")
        tab.keyboard.down("9")
        tab.wait_for_selector("[data-looking=limit]:visible")
        assert tab.locator("#looking img:visible").count() == 0
        tab.keyboard.up("9")
        press(tab, "1 d")
        after(tab, case)
        assert case_of(house, case).state == "decided"
        # another case waits, and is not given
        assert "This shift's limit is reached" in tab.inner_text("main")
        assert "No case was given to you" in tab.inner_text("main")
        assert tab.locator("button:has-text('Next case')").count() == 0
        assert faults_of(tab) == []
        assert len(rows(house, reveal)) == 2


def test_a_break_and_another_queue_are_one_key_away(live, tabs):
    house, address = live
    night = drawn.file(house.node, 4, queue="night")
    tab = tabs(house, address, "reviewer")
    case = take(tab, address)
    assert case == house.ids["case_id"]
    press(tab, "o")
    tab.wait_for_selector(f"#answer[data-case='{night.case}']")
    ready(tab)
    assert case_of(house, case).holder(utc_now()) is None
    press(tab, "p")
    tab.wait_for_selector("text=You have a break")
    tab.wait_for_load_state("load")
    assert case_of(house, night.case).holder(utc_now()) is None
    press(tab, "p")
    tab.wait_for_selector("text=Next case")


def test_a_break_does_not_swallow_an_answer(live, tabs):
    house, address = live
    tab = tabs(house, address, "reviewer")
    case = take(tab, address)
    actor = house.people["reviewer"].person.actor
    from datetime import timedelta

    house.node.writer.write(lambda c: take_rest(c, actor, now=utc_now(), length=timedelta(hours=1)))
    press(tab, "1 d")
    after(tab, case)
    assert case_of(house, case).state == "decided"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_while_a_case_is_worked_on(live, tabs, scheme):
    house, address = live
    drawn.file(house.node, 6, text="<b>\u202etxt", two_person=True, priority="high")
    tab = patient(tabs(house, address, "reviewer"))
    tab.emulate_media(color_scheme=scheme)
    case = take(tab, address)
    found = faults_of(tab)
    press(tab, "1 d")
    after(tab, case)
    found += faults_of(tab)
    press(tab, "?")
    found += faults_of(tab)
    press(tab, "Escape")
    tab.keyboard.down("7")
    shown(tab)
    found += faults_of(tab)
    tab.keyboard.up("7")
    tab.goto(f"{address}/cases/{case}")
    found += faults_of(tab)
    assert found == []


def test_a_case_is_light(live, tabs):
    house, address = live
    tab = tabs(house, address, "reviewer")
    sizes: dict[str, int] = {}
    tab.on("response", lambda response: sizes.update({response.url: len(response.body())}))
    tab.goto(f"{address}/cases/{house.ids['case_id']}", wait_until="networkidle")
    assert len(sizes) >= 5
    assert sum(sizes.values()) < 100_000


def secrets_of(house: House, *numbers: int) -> list[bytes]:
    """What no page, answer or file may hold of drawings: their bytes, and their hashes in every spelling."""
    found: list[bytes] = []
    for number in numbers:
        data = drawn.drawing(number)
        for each in drawn.fingerprints(data):
            value = each.value
            found += [value, value.hex().encode(), value.hex().upper().encode()]
            found += [base64.b64encode(value).rstrip(b"="), base64.urlsafe_b64encode(value).rstrip(b"=")]
        found += [data[100:160], b"what the file says", f"entry-{number}".encode()]
    return found


def test_while_others_are_shown_pictures_one_waits_not_for_ever_and_loses_nothing(live, monkeypatch):
    house, _ = live
    mine = house.browser(origin="http://localhost")
    mine.client.cookies.set("nightlamp-session", house.session("reviewer").reveal())
    case, item = house.ids["case_id"], drawn.item_of(house.node, house.ids["case_id"])
    mine.post(f"/cases/{case}/claim")
    made = mine.post(f"/cases/{case}/reveal", {"item": item, "level": "1", "frame": "0"}).json()
    monkeypatch.setattr(showing, "_PATIENCE", 0.0)
    with showing._PLACES, showing._PLACES:
        answer = mine.client.get(made["src"])
    assert answer.status_code == 503
    assert "others are being shown pictures" in answer.text
    assert mine.client.get(made["src"]).content.startswith(b"\xff\xd8")


@pytest.mark.parametrize("role", ROLES)
def test_no_answer_holds_pixels_or_hashes(house, role):
    # given a case that the role has claimed if it may, a decided one, a report and an export of them
    drawn.decided(house.node, 2, house.actors("reviewer", "lead"))
    hidden = secrets_of(house, 1, 2)
    browser = house.signed_in(role)
    case = house.ids["case_id"]
    item = drawn.item_of(house.node, case)
    look = {"item": item, "level": "1", "frame": "0"}
    decide = {"answer": "csam:A1", "version": "1", "reason": "a reason", "why": "a reason"}
    add = {"name": "new", "roles": "lead", "scopes": "submit", "kind": "list", "every": "1d"}
    fields = {
        **look,
        **decide,
        **add,
        "case": case,
        "recipient": Identity.generate().public,
        "text": "rules: 3",
    }
    first = [f"/cases/{case}/claim", f"/cases/{case}/reveal"]
    answers_ = [browser.post(path, fields) for path in first]
    database = Path(str(house.node.engine.url.database))
    stored = b"".join(path.read_bytes() for path in database.parent.glob(f"{database.name}*"))
    assert all(each.value in stored for each in drawn.fingerprints(drawn.drawing(1)))
    assert (answers_[1].status_code == 200) == (role in ("reviewer", "lead"))
    # when all pages are asked for, all forms are sent, and all pages are asked for again
    pages = addresses(house, "GET")
    forms = [path for path in addresses(house, "POST") if not path.startswith(("/sign-out", "/account"))]
    answers_ += [browser.get(path) for path in pages]
    answers_ += [browser.post(path, fields) for path in forms]
    answers_ += [browser.get(path) for path in pages]
    # then none holds what is hidden
    for answer in answers_:
        whole = answer.content + repr(answer.headers.raw).encode()
        assert not [each for each in hidden if each in whole], answer.url
        assert not answer.headers.get("content-type", "").startswith("image/") or "/static/" in str(
            answer.url
        )
        assert "etag" not in answer.headers
    log = house.log.getvalue().encode()
    assert not [each for each in hidden if each in log]


class Keeping(BaseHTTPRequestHandler):
    """A page elsewhere that asks the browser to keep its picture: what our pages must not do."""

    picture = drawn.noise(3)

    def do_GET(self) -> None:
        page = self.path == "/"
        body = b"<!doctype html><img src=/control/kept.jpg>" if page else self.picture
        self.send_response(200)
        self.send_header("content-type", "text/html" if page else "image/jpeg")
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "max-age=86400")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def elsewhere() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Keeping) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def pieces(pictures: list[bytes]) -> list[bytes]:
    """Stretches of JPEGs behind their headers, by which one is known again wherever it lies."""
    scans = [data[data.index(b"\xff\xda") + 14 :] for data in pictures]
    return [data[at : at + 64] for data in scans for at in range(0, len(data) - 64, 499)]


def found_in(profile: Path, searched: list[bytes]) -> set[bytes]:
    """Which of these bytes any file of a browser's profile holds."""
    kept = []
    for path in profile.rglob("*"):
        with suppress(FileNotFoundError):  # a process of the browser's may still be ending
            kept += [path.read_bytes()] if path.is_file() else []
    assert len(kept) > 5
    return {each for each in searched if any(each in data for data in kept)}


def test_the_browser_keeps_no_pixels_on_its_disk(live, chromium, tmp_path, elsewhere):
    house, address = live
    filed = drawn.file(house.node, 8, priority="urgent")
    profile = tmp_path / "profile"
    context = chromium.browser_type.launch_persistent_context(
        str(profile),
        executable_path=str(CHROMIUM),
        args=FLAGS,
        viewport={"width": 1300, "height": 900},
        timeout=120_000,
    )
    context.set_default_timeout(90_000)
    given: list[bytes] = []
    try:
        tab = patient(context.new_page())
        cookie(house, address, "reviewer", tab)
        tab.on("response", lambda answer: given.append(answer.body()) if "/pixels/" in answer.url else None)
        assert take(tab, address) == filed.case
        for key in "789":
            tab.keyboard.down(key)
            shown(tab)
            tab.keyboard.up(key)
            tab.wait_for_selector("#looking img", state="hidden")
        press(tab, "1 d")
        after(tab, filed.case)
        # and a lead, who looks again, and an admin
        cookie(house, address, "lead", tab)
        for place in ("/lead", f"/reports/{house.ids['report_id']}", f"/cases/{filed.case}"):
            tab.goto(address + place)
        tab.keyboard.down("7")
        shown(tab)
        tab.keyboard.up("7")
        tab.wait_for_selector("#looking img", state="hidden")
        cookie(house, address, "admin", tab)
        for place in ("/exports", "/banks", "/chain"):
            tab.goto(address + place)
        # what a browser may keep comes last: once it is on the disk, so is all that came before
        tab.goto(elsewhere, wait_until="load")
        tab.evaluate("localStorage.setItem('planted', 'a word that is kept')")
        tab.wait_for_timeout(500)  # for what the browser writes late
    finally:
        context.close()
    # the search finds what was kept, in the cache, the history and the storage
    control = [*pieces([Keeping.picture]), b"/control/kept.jpg", b"a word that is kept"]
    assert len(control) > 5
    assert found_in(profile, control) == set(control)
    # and nothing of ours
    assert len(given) == 4
    assert len(pieces(given)) > 10
    assert found_in(profile, [*secrets_of(house, 1, 8), *pieces(given), b"/console/pixels/"]) == set()
