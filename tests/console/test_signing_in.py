"""The ways in and out, by requests as browsers send them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from oidc_provider_mock import User, run_server_in_thread

from nightlamp import accounts
from nightlamp.accounts import sessions
from nightlamp.audit.log import links
from nightlamp.store import reading, utc_now

from .conftest import ORIGIN, PASSWORD, Browser, House

SESSION = "__Host-nightlamp-session"


def done(house: House) -> list[str]:
    """What the audit log tells of accounts."""
    with reading(house.node.engine) as connection:
        records = [link.record for link in links(connection)]
    return [r["action"] for r in records if r and r["action"].startswith("account.sign")]


def enter(house: House, name: str) -> Browser:
    """By password and code."""
    browser = house.browser()
    first = browser.post("/sign-in", {"name": name, "password": PASSWORD})
    assert first.headers["location"] == "/console/sign-in/second"
    second = browser.post("/sign-in/second", {"code": house.code(name)})
    assert second.headers["location"] == "/console/", second.text
    return browser


def test_password_and_code_let_in_and_each_step_has_a_new_token(house):
    browser = house.browser()
    visitor = browser.get("/sign-in").cookies["__Host-nightlamp-visit"]
    browser.post("/sign-in", {"name": "ADMIN ", "password": PASSWORD})
    half = browser.client.cookies[SESSION]
    assert browser.get("/people").headers["location"] == "/console/sign-in/second?next=/console/people"
    answer = browser.post("/sign-in/second", {"code": house.code("admin"), "next": "/console/people"})
    assert answer.headers["location"] == "/console/people"
    assert len({visitor, half, browser.client.cookies[SESSION]}) == 3
    assert browser.get("/people").status_code == 200
    browser.client.cookies.set(SESSION, half, domain="nightlamp.example")
    assert browser.get("/people").status_code == 303
    assert done(house) == ["account.signed_in"]


def test_a_code_lets_in_once(house):
    code = house.code("lead")
    for status in (303, 401):
        browser = house.browser()
        browser.post("/sign-in", {"name": "lead", "password": PASSWORD})
        assert browser.post("/sign-in/second", {"code": code}).status_code == status


@pytest.mark.parametrize(("name", "password"), [("admin", "wrong-password"), ("nobody", PASSWORD), ("", "")])
def test_a_refusal_does_not_say_what_was_wrong(house, name, password):
    answer = house.browser().post("/sign-in", {"name": name, "password": password})
    assert answer.status_code == 401
    assert "the name or the password is wrong" in answer.text
    assert "set-cookie" not in answer.headers
    assert done(house) == ["account.sign_in_failed"]


def test_guessing_is_slowed_and_says_so(house):
    now = utc_now()
    house.console.entrance._clock = lambda: now  # however long it takes
    browser = house.browser()
    answers = [browser.post("/sign-in", {"name": "admin", "password": "x"}).status_code for _ in range(7)]
    assert answers == [401] * 5 + [429] * 2
    assert browser.post("/sign-in", {"name": "lead", "password": PASSWORD}).status_code == 303


def test_who_is_disabled_or_signed_out_is_out_at_once(house):
    browser = enter(house, "reporter")
    assert browser.get("/").status_code == 200
    house.signed_in("admin").post(f"/people/{house.people['reporter'].id}/disable")
    assert browser.get("/").status_code == 303
    other = enter(house, "lead")
    token = other.client.cookies[SESSION]
    other.post("/sign-out")
    other.client.cookies.set(SESSION, token, domain="nightlamp.example")
    assert other.get("/").status_code == 303


def test_a_session_ended_on_one_node_is_ended_on_the_other(build, sqlite_url):
    one = build(folder="one")
    one.person("ada", "admin")
    other = build(folder="other")
    browser, there = one.signed_in("ada"), other.browser()
    there.client.cookies.set(SESSION, browser.client.cookies[SESSION], domain="nightlamp.example")
    assert there.get("/").status_code == 200
    browser.post("/sign-out")
    assert there.get("/").status_code == 303


def test_roles_are_in_force_with_the_next_request(house):
    browser, admin = house.signed_in("lead"), house.signed_in("admin")
    assert browser.get("/people").status_code == 403
    changed = admin.post(f"/people/{house.people['lead'].id}/roles", {"roles": ["lead", "admin"]})
    assert changed.status_code == 303
    assert browser.get("/people").status_code == 200


def test_a_one_time_link_sets_a_password_once(build):
    house = build()
    house.person("boss", "admin")
    text = house.signed_in("boss").post("/people", {"name": "new", "roles": "reviewer"}).text
    link = re.search(r"https://nightlamp.example/console(/welcome\?token=([\w-]+))", text)
    browser = house.browser()
    assert browser.get(link[1]).status_code == 200
    token = {"token": link[2]}
    assert browser.post("/welcome", {**token, "password": "short"}).status_code == 422
    assert browser.post("/welcome", {**token, "password": PASSWORD}).headers["location"] == "/console/set-up"
    assert browser.get("/account").headers["location"] == "/console/set-up?next=/console/account"
    assert house.browser().post("/welcome", {**token, "password": PASSWORD}).status_code == 422


def test_one_time_codes_are_set_up_at_the_first_sign_in(build):
    house = build()
    house.person("new", "reviewer", second=False)
    browser = house.browser()
    browser.post("/sign-in", {"name": "new", "password": PASSWORD})
    page = browser.post("/set-up/codes").text
    assert "<svg" in page
    import base64

    house.secrets["new"] = base64.b32decode(re.search(r'class="key"[^>]*>([A-Z2-7]{32})<', page)[1])
    assert browser.post("/set-up/codes/confirm", {"code": "000000"}).status_code == 422
    shown = browser.post("/set-up/codes/confirm", {"code": house.code("new")})
    codes = re.findall(r"<code>((?:[a-z2-7]{4}-){3}[a-z2-7]{4})</code>", shown.text)
    assert len(codes) == 10
    assert browser.get("/").status_code == 200

    again = house.browser()
    again.post("/sign-in", {"name": "new", "password": PASSWORD})
    assert again.post("/sign-in/second", {"code": codes[0]}).status_code == 303
    assert again.get("/").status_code == 200
    once = house.browser()
    once.post("/sign-in", {"name": "new", "password": PASSWORD})
    assert once.post("/sign-in/second", {"code": codes[0]}).status_code == 401


def test_the_last_factor_stays(house):
    browser = house.signed_in("lead")
    answer = browser.post("/account/codes/remove")
    assert answer.status_code == 422
    assert "a second factor is required" in answer.text
    with reading(house.node.engine) as connection:
        assert accounts.get(connection, house.people["lead"].id).codes


def test_factors_are_changed_soon_after_signing_in_only(house):
    browser = house.browser()
    earlier = utc_now() - timedelta(minutes=16)
    token = house.session("lead", now=earlier)
    browser.client.cookies.set(SESSION, token.reveal(), domain="nightlamp.example")
    assert browser.get("/account").status_code == 200
    assert browser.get("/set-up").status_code == 422
    for path in ("/set-up/codes", "/set-up/passkey/question", "/account/recovery", "/account/codes/remove"):
        assert browser.post(path).status_code == 422, path


def test_the_ways_in_work_on_either_database(build, database_url):
    house = build(database=database_url)
    house.person("ada", "admin")
    browser = enter(house, "ada")
    link = re.search(r"token=([\w-]{43})", browser.post("/people", {"name": "new", "roles": "lead"}).text)[1]
    new = house.browser()
    chosen = new.post("/welcome", {"token": link, "password": PASSWORD})
    assert chosen.headers["location"] == "/console/set-up"
    assert new.post("/set-up/codes").status_code == 200
    assert "challenge" in new.post("/set-up/passkey/question").text
    assert browser.post("/chain/verify").status_code == 200
    assert browser.post("/account/sessions/end-others").status_code == 303


def test_a_new_password_ends_the_other_sessions(house):
    here, there = house.signed_in("lead"), house.signed_in("lead")
    new = {"password": PASSWORD, "new": "another fine password"}
    assert here.post("/account/password", {**new, "password": "wrong"}).status_code == 422
    assert there.get("/").status_code == 200
    assert here.post("/account/password", new).status_code == 303
    assert (here.get("/").status_code, there.get("/").status_code) == (200, 303)


def test_htmx_is_sent_to_the_sign_in_page(house):
    answer = house.browser().get("/people", headers={"hx-request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (
        401,
        "/console/sign-in?next=/console/people",
    )


def test_an_idle_session_ends(build):
    house = build(idle_minutes=1)
    house.person("ada", "lead")
    browser = house.signed_in("ada")
    assert browser.get("/").status_code == 200
    table = sessions.session
    earlier = utc_now() - house.console.entrance.idle
    house.node.writer.write(lambda c: c.execute(table.update().values(seen_at=earlier)))
    assert browser.get("/").status_code == 303


@pytest.fixture
def provider() -> Iterator[str]:
    """An OpenID provider on this machine, and who is known there."""
    people = [
        User(
            sub="ada",
            claims={"groups": ["team-a", "other"], "preferred_username": "ada", "name": "Ada \u202eL"},
        ),
        User(sub="bob", claims={"groups": ["other"], "preferred_username": "bob"}),
        User(sub="eve", claims={"groups": "team-b", "preferred_username": "<b>admin</b>"}),
    ]
    with run_server_in_thread(user_claims=people) as server:
        yield f"http://localhost:{server.server_port}"


def with_provider(build: Any, issuer: str, **more: Any) -> House:
    return build(
        oidc_issuer=issuer,
        oidc_client_id="nightlamp",
        oidc_client_secret="hush-hush",
        oidc_roles={"team-a": "reviewer", "team-b": "lead"},
        oidc_allow=("127.0.0.0/8", "::1/128"),
        oidc_ports=(urlsplit(issuer).port,),
        **more,
    )


def vouch(browser: Browser, sub: str) -> httpx.URL:
    """Go to the provider, say who one is there, and be sent back: to this address."""
    away = browser.get("/sign-in/provider")
    assert away.status_code == 303, away.text
    return back_from(away.headers["location"], sub)


def back_from(there: str, sub: str) -> httpx.URL:
    query = parse_qs(urlsplit(there).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["nonce"]
    answer = httpx.post(there, data={"sub": sub}, follow_redirects=False)
    assert answer.status_code in (302, 303), answer.text
    return httpx.URL(answer.headers["location"])


def come_back(browser: Browser, back: httpx.URL) -> httpx.Response:
    assert str(back).startswith(f"{ORIGIN}/console/sign-in/back?")
    return browser.client.get(back.raw_path.decode())


def test_a_provider_lets_in_with_the_roles_of_ones_groups(build, provider):
    house = with_provider(build, provider)
    browser = house.browser()
    answer = come_back(browser, vouch(browser, "ada"))
    assert answer.headers["location"] == "/console/", answer.text
    with reading(house.node.engine) as connection:
        account = accounts.named(connection, "ada")
    assert account.person.roles == {"reviewer"}
    assert "Ada [U+202E]L" in browser.get("/").text
    assert done(house) == ["account.signed_in"]
    assert "hush-hush" not in house.log.getvalue()


def test_who_has_no_role_does_not_get_in(build, provider):
    house = with_provider(build, provider)
    browser = house.browser()
    answer = come_back(browser, vouch(browser, "bob"))
    assert answer.status_code == 422
    assert SESSION not in browser.client.cookies
    with reading(house.node.engine) as connection:
        assert accounts.every(connection) == []


def test_an_answer_from_the_provider_is_for_one_browser_and_once(build, provider):
    house = with_provider(build, provider)
    browser, victim = house.browser(), house.browser()
    back = vouch(browser, "ada")
    victim.get("/sign-in/provider")
    assert come_back(victim, back).status_code == 422  # somebody else's state
    forged = back.copy_set_param("state", "x" * 43)
    assert come_back(browser, forged).status_code == 422
    assert come_back(browser, back).status_code == 422  # the state was used up by the forgery
    again = vouch(browser, "ada")
    assert come_back(browser, again.copy_set_param("code", "nonsense")).status_code == 422
    good = vouch(browser, "eve")
    assert come_back(browser, good).status_code == 303
    assert come_back(browser, good).status_code == 422


def test_a_token_for_another_question_is_refused(build, provider):
    house = with_provider(build, provider)
    console = house.console
    there, kept = console.provider.begin(f"{ORIGIN}/console/sign-in/back")
    back = back_from(there, "ada")
    given = dict(back.params)
    for wrong in ({"nonce": "another"}, {"verifier": "x" * 43}):
        with pytest.raises(accounts.provider.AccessError):
            console.provider.finish({**kept, **wrong}, given, f"{ORIGIN}/console/sign-in/back")


@pytest.mark.parametrize("issuer", ["http://localhost:1", "http://127.0.0.1:1/x"])
def test_a_provider_that_is_away_is_said(build, issuer):
    house = with_provider(build, issuer)
    answer = house.browser().get("/sign-in/provider")
    assert answer.status_code == 422
    assert "provider" in answer.text
