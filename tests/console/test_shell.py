"""What every page and every answer keeps to: headers, forms, roles, text, translation."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from nightlamp.accounts import ROLES, sessions
from nightlamp.banks.live import create_bank
from nightlamp.cases import claim
from nightlamp.server.console import language
from nightlamp.server.console.pages import environment
from nightlamp.store import utc_now
from nightlamp.values import Bank

from . import drawn
from .conftest import ORIGIN, PASSWORD, House, addresses

HOSTILE = "<script>alert(1)</script>\"'>\u202egpj.exe\u2066{{ 7717*7 }}%(x)s\x1b[31m\u200b"


def test_every_answer_has_the_headers(house):
    browser = house.signed_in("admin")
    for path in [*addresses(house, "GET"), "/nowhere"]:
        answer = browser.get(path)
        told = answer.headers
        assert told["content-security-policy"].startswith("default-src 'none'; script-src 'self'"), path
        assert "unsafe" not in told["content-security-policy"]
        assert told["cache-control"] == "no-store", path
        assert told["x-content-type-options"] == "nosniff"
        assert told["referrer-policy"] == "same-origin"
        assert told["cross-origin-opener-policy"] == "same-origin"
        assert told["cross-origin-resource-policy"] == "same-origin"
        assert told["strict-transport-security"]
        assert "server" not in told


def test_files_are_packed_for_who_takes_it(house):
    browser = house.browser()
    for name in ("htmx.min.js", "console.css"):
        packed, plain = (
            browser.get(f"/static/{name}", headers={"accept-encoding": how})
            for how in ("br, gzip", "identity")
        )
        assert packed.content == plain.content
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 2


def test_no_page_has_script_style_or_address_of_its_own(house):
    browser = house.signed_in("admin")
    for path in addresses(house, "GET"):
        text = browser.get(path).text
        if not text.startswith("<!doctype"):
            continue
        assert not re.search(r"<script(?! src=\"/console/static/)", text), path
        assert not re.search(r"<style|\sstyle=|\son\w+=|hx-on|javascript:", text), path
        assert not re.search(r"(?:src|href|action|hx-\w+)=[\"'](?:https?:)?//", text), path


def test_no_form_is_taken_from_elsewhere(house):
    browser = house.signed_in("admin")
    token = browser.csrf()
    for path in addresses(house, "POST"):
        if path == "/sign-in/back-channel":  # a machine's, which proves itself by a signature
            continue
        for headers, csrf in (
            ({}, token),
            ({"origin": "https://evil.example"}, token),
            ({"origin": "null"}, token),
            ({"origin": ORIGIN, "sec-fetch-site": "cross-site"}, token),
            ({"origin": ORIGIN}, ""),
            ({"origin": ORIGIN}, "0" * 64),
        ):
            answer = browser.client.post(f"/console{path}", data={"csrf": csrf}, headers=headers)
            assert answer.status_code == 403, (path, headers)
    assert browser.get("/account").status_code == 200


def test_what_is_no_form_is_refused(house):
    browser = house.signed_in("admin")
    for kind in ("application/json", "multipart/form-data; boundary=x", "text/plain", ""):
        answer = browser.client.post(
            "/console/account/preferences",
            content=b"{}",
            headers={"origin": ORIGIN, "content-type": kind, "x-csrf": browser.csrf()},
        )
        assert answer.status_code == 415
    for text in (b"a=%ff", b"a=%00", b"&".join(b"a=1" for _ in range(3000))):
        answer = browser.client.post(
            "/console/account/preferences",
            content=text,
            headers={
                "origin": ORIGIN,
                "content-type": "application/x-www-form-urlencoded",
                "x-csrf": browser.csrf(),
            },
        )
        assert answer.status_code == 400


OPEN = ("/sign-in", "/welcome", "/static", "/sign-out")
MAY = {
    "/people": {"admin"},
    "/keys": {"admin"},
    "/banks": {"admin", "lead"},
    "/feeds": {"admin", "lead"},
    "/feeds/": {"admin"},
    "/policies": {"admin", "lead"},
    "/chain": {"admin", "auditor"},
    "/cases": {"reviewer", "lead"},
    "/lead": {"lead"},
    "/reports": {"reporter", "lead"},
    "/holds": {"lead", "reporter", "auditor", "admin"},
    "/figures": {"lead", "reporter", "auditor", "admin"},
    "/exports": {"lead", "admin"},
    "/pixels": set(),  # good once, and there is none
    "/account": set(ROLES),
    "/still": set(ROLES),
    "/set-up": set(ROLES),
    "/": set(ROLES),
}


def test_each_page_is_for_its_roles_and_for_nobody_who_is_not_signed_in(house):
    browsers: dict[str, Any] = {role: house.signed_in(role) for role in ROLES}
    stranger = house.browser()
    for path in addresses(house, "GET"):
        if path.startswith(OPEN):
            continue
        first = max((place for place in MAY if path.startswith(place)), key=len)
        assert stranger.get(path).headers["location"].startswith("/console/sign-in"), path
        for role, browser in browsers.items():
            assert (browser.get(path).status_code == 200) == (role in MAY[first]), (path, role)


def test_only_admins_change_what_others_may_look_at(house):
    for role in ROLES:
        if role == "admin":
            continue
        browser = house.signed_in(role)
        for path in addresses(house, "POST"):
            if path.startswith(("/people", "/keys", "/banks", "/policies", "/feeds")):
                assert browser.post(path).status_code == 403, (role, path)


def test_a_session_that_is_half_way_opens_nothing(house):
    for stage in ("second", "setup"):
        browser = house.browser()
        browser.client.cookies.set(
            "__Host-nightlamp-session",
            house.session("admin", stage=stage).reveal(),
            domain="nightlamp.example",
        )
        for path in addresses(house, "GET"):
            if not path.startswith((*OPEN, "/set-up")):
                assert browser.get(path).status_code == 303, path
    assert browser.get("/set-up").status_code == 303  # somebody who has a second factor sets up no other


def fill(house: House) -> None:
    """Hostile text wherever text of strangers is kept."""
    person = house.person("mallory", *ROLES, display=HOSTILE)
    drawn.decided(house.node, 7, house.actors("mallory", "lead"), text=HOSTILE)
    filed = drawn.file(house.node, 7, text=HOSTILE, queue="<b>night</b>")  # it has an earlier decision
    again = drawn.file(
        house.node, 8, text=HOSTILE, queue="<b>night</b>", actor=f"{HOSTILE}actor 7", data=b"another"
    )
    assert again.case == filed.case  # there is something to split
    house.ids |= {"case_id": filed.case, **drawn.draft(house.node, filed, HOSTILE)}
    house.node.writer.write(lambda c: claim(c, filed.case, by=f"person:{person.id}", now=utc_now()))
    bank = Bank("<script>alert(1)</script>", source="<script>alert(2)</script>", category="A1")
    house.node.change(lambda c: create_bank(c, bank, actor="system"))
    house.ids["feed_name"] = drawn.feed(house.node, "a-feed", HOSTILE)
    house.ids["export_id"] = drawn.export(
        house.node,
        filed,
        person.person.actor,
        "".join(each for each in HOSTILE if each.isprintable()),  # the audit log takes no others
    )
    given = {"stage": "full", "method": "password", "life": house.console.entrance.life}
    given |= {"address": "192.0.2.1", "browser": HOSTILE}
    house.node.writer.write(lambda c: sessions.start(c, person.id, now=utc_now(), **given))


def words_of(page: str) -> str:
    """A page without its tags, with single spaces."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_a_case_says_how_it_was_made_what_was_decided_and_what_classifiers_say(house):
    drawn.decided(house.node, 7, house.actors("reviewer", "lead"))
    filed = drawn.file(house.node, 7)
    said = words_of(house.signed_in("reviewer").get(f"/cases/{filed.case}").text)
    assert (
        "How it was made said to be made by AI : The file is declared AI-made: a program says that it made "
        "it (plain metadata, forgeable). a program says that it made it : anybody can write it . easily"
    ) in said
    assert "Earlier decisions on what looks like it CSAM A1 , AI-made: unknown: the same content." in said
    assert "Scores of classifiers a classifier : 0.88" in said
    assert "hotline from a hotline A1 high trust the very same sha256 , as is 1 of 1" in said


def test_hostile_text_is_shown_for_what_it_is(house):
    fill(house)
    browser = house.signed_in("mallory")
    seen = 0
    for path in addresses(house, "GET"):
        text = browser.get(path).text
        if not text.startswith("<!doctype"):
            continue
        assert "<script>alert" not in text, path
        assert "54019" not in re.sub(r"[0-9a-f-]{32,}", "", text)
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x1b]", text), path
        seen += text.count("[U+202E]gpj.exe[U+2066]")
    assert seen > 5
    shown = "[U+202E]gpj.exe[U+2066]"
    case = words_of(browser.get(f"/cases/{house.ids['case_id']}").text)
    for block, end in (
        ("Lists that know it", "Earlier decisions"),
        ("How it was made", "Scores"),
        ("Scores", "Who sent it"),
        ("Who sent it", "Why it is here"),
        ("Why it is here", "Items"),
    ):
        assert shown in case[case.index(block) :].partition(end)[0], block
    lead = words_of(browser.get("/lead").text)
    for block, end, name in (
        ("Who saw how much", "each list is right", shown),
        ("each list is right", "each rule is right", shown),
        ("each rule is right", "Feeds", "<script>"),  # the audit log takes no rule's name but a printable one
    ):
        assert name in lead[lead.index(block) :].partition(end)[0], block
    parameters = {"name": HOSTILE, "next": HOSTILE, "done": HOSTILE, "token": HOSTILE}
    for path in ("/sign-in", "/welcome", "/account"):
        text = browser.get(path, params=parameters).text + house.browser().get(path, params=parameters).text
        assert "<script>alert" not in text


@pytest.mark.parametrize(
    "onward",
    ["//evil.example", "https://evil.example", "/console//evil.example", "/console/\\evil", "/v1/items", "x"],
)
def test_signing_in_leads_nowhere_else(build, onward):
    house = build(second_factor="optional")
    house.person("ada", "lead", second=False)
    answer = house.browser().post("/sign-in", {"name": "ada", "password": PASSWORD, "next": onward})
    assert answer.headers["location"] == "/console/"


def test_without_tls_the_console_is_for_this_machine_alone(build):
    house = build(url="")
    assert house.browser("http://nightlamp.example").get("/sign-in").status_code == 403
    assert house.browser("http://localhost:8700").get("/sign-in").status_code == 200
    assert house.browser("http://127.0.0.1:8700").get("/sign-in").status_code == 200
    cookie = house.browser("https://nightlamp.example").get("/sign-in").headers["set-cookie"]
    assert cookie.startswith("__Host-nightlamp-visit=")
    assert "; Secure" in cookie
    assert "; HttpOnly" in cookie


class Visible(HTMLParser):
    """The text of a page that people see or hear, but for what is marked as data."""

    VOID = frozenset({"meta", "link", "input", "br", "img"})
    SAID = ("aria-label", "title", "placeholder", "alt", "data-confirm", "data-key-label")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[bool] = []  # of each element around: is its text data
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.texts += [given[name] or "" for name in self.SAID if name in given]
        if tag not in self.VOID:
            data = given.get("translate") == "no" or tag in ("title", "svg")
            self.open.append(data or bool(self.open and self.open[-1]))

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if not (self.open and self.open[-1]):
            self.texts.append(data)


class Pseudo(language.library.NullTranslations):
    """Marks what went through gettext."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return f"⟦{msgid1 if n == 1 else msgid2}⟧"


def test_every_visible_string_can_be_translated(house, monkeypatch):
    monkeypatch.setitem(language.LANGUAGES, "en", Pseudo())
    fill(house)
    checked, found = 0, []
    for name in (*ROLES, None):
        browser = house.signed_in(name) if name else house.browser()
        pages = [browser.get(path) for path in (*addresses(house, "GET"), "/nowhere")]
        if name == "admin":
            pages += [
                browser.post("/chain/verify"),
                browser.post("/policies/check", {"text": "name: x\nrules: 3"}),
                browser.post("/people", {"name": "new", "roles": "lead"}),
                browser.post("/people", {"name": "new", "roles": "lead"}),
                browser.post("/keys", {"name": "new", "scopes": "submit"}),
                browser.post("/feeds", {"kind": "list"}),
                browser.post("/feeds/a-feed", {"every": "x"}),
                browser.post("/feeds/a-feed/doctor"),
                browser.post("/exports", {"case": "x"}),
                browser.post(f"/exports/{house.ids['export_id']}/fetch"),
                browser.post("/account/recovery"),
                browser.get("/account?done=changed"),
            ]
        for page in pages:
            if not page.text.startswith("<!doctype"):
                continue
            parser = Visible()
            parser.feed(re.sub(r"<(bdi|time) [^>]*>.*?</\1>", "", page.text))  # data within a sentence
            checked += len(parser.texts)
            for text in parser.texts:
                rest = re.sub(r"⟦[^⟧]*⟧", "", text)
                if re.search(r"\w", rest):
                    found.append((str(page.url), text.strip()))
    assert checked > 500
    assert found == []


def test_messages_can_be_extracted(house):
    source = environment().loader.get_source(environment(), "sign_in.html")[0]
    assert "Sign in" in {message for _, _, message in environment().extract_translations(source)}


def test_no_secret_is_logged(house):
    browser = house.browser()
    browser.post("/sign-in", {"name": "admin", "password": PASSWORD})
    browser.post("/sign-in", {"name": PASSWORD, "password": "not-it-at-all"})
    signed_in = house.signed_in("admin")
    link = re.search(r"token=([\w-]{43})", signed_in.post("/people", {"name": "new", "roles": "lead"}).text)[
        1
    ]
    secret = re.search(r"nlk_\w+", signed_in.post("/keys", {"name": "k", "scopes": "submit"}).text)[0]
    signed_in.get(f"/welcome?token={link}")
    chain = "".join(signed_in.get(f"/chain?after={after}").text for after in (0, 20))
    cookie = signed_in.client.cookies["__Host-nightlamp-session"]
    for hidden in (PASSWORD, "not-it-at-all", link, secret, cookie, browser.csrf()):
        assert hidden not in house.log.getvalue()
        assert hidden not in chain.replace(signed_in.csrf(), "")
    assert '"route": "/console/people"' in house.log.getvalue()
