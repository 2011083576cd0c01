"""The OpenID provider says that somebody is signed out: which sessions end, and what is no such word."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import flask
import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from oidc_provider_mock import User, run_server_in_thread
from sqlalchemy import select

from nightlamp.accounts.tables import handshake
from nightlamp.audit.log import links
from nightlamp.errors import AccessError
from nightlamp.store import new_id, reading

from .conftest import Browser, House
from .test_signing_in import come_back, vouch, with_provider

EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass
class Issuer:
    """The provider on this machine, with its key."""

    url: str
    storage: list[Any] = field(default_factory=list)

    @property
    def key(self) -> RSAKey:
        return RSAKey.import_key(self.storage[0].jwk.as_dict(is_private=True))

    def session(self, subject: str, sid: str | None) -> None:
        """What the next sign-in of somebody is called here."""
        claims = {"groups": ["team-a"], "preferred_username": subject}
        self.storage[0].store_user(User(sub=subject, claims=claims | ({"sid": sid} if sid else {})))

    def token(self, key: RSAKey | None = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        now = int(time.time())
        told = {"iss": self.url, "aud": "nightlamp", "iat": now, "exp": now + 120, "jti": new_id()}
        told |= {"events": {EVENT: {}}, **claims}
        told = {name: value for name, value in told.items() if value is not ...}
        named = {"alg": "RS256", "typ": "logout+jwt", **(header or {})}
        return jwt.encode(named, told, key or self.key)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with run_server_in_thread() as server:
        made = Issuer(f"http://localhost:{server.server_port}")
        server.app.before_request(  # type: ignore[attr-defined]
            lambda: made.storage.append(flask.g.oidc_provider_mock_storage)
        )
        httpx.get(f"{made.url}/.well-known/openid-configuration")
        yield made


@pytest.fixture
def house(build: Any, issuer: Issuer) -> House:
    return with_provider(build, issuer.url)


def sign_in(house: House, issuer: Issuer, subject: str, sid: str | None = None) -> Browser:
    issuer.session(subject, sid)
    browser = house.browser()
    assert come_back(browser, vouch(browser, subject)).headers["location"] == "/console/"
    return browser


def tell(house: House, token: str) -> httpx.Response:
    """As the provider does: a form without a cookie, an origin or anything of ours."""
    browser = house.browser()
    return browser.client.post("/console/sign-in/back-channel", data={"logout_token": token})


def is_in(browser: Browser) -> bool:
    return browser.get("/").status_code == 200


def test_all_sessions_of_a_person_end_on_the_providers_word(house: House, issuer: Issuer) -> None:
    one, two, other = (sign_in(house, issuer, who) for who in ("ada", "ada", "bob"))
    house.person("local", "admin")
    local = house.signed_in("local")
    answer = tell(house, issuer.token(sub="ada"))
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert "set-cookie" not in answer.headers
    assert [is_in(each) for each in (one, two, other, local)] == [False, False, True, True]
    with reading(house.node.engine) as connection:
        records = [link.record for link in links(connection) if link.record]
    [told] = [each for each in records if each["action"] == "account.sessions_ended"]
    assert told["details"] == {"by": "provider", "sessions": 2}
    assert is_in(sign_in(house, issuer, "ada"))  # who comes back may


@pytest.mark.parametrize("subject", [..., "ada"])
def test_one_session_ends_by_its_name(house: House, issuer: Issuer, subject: Any) -> None:
    one, two = sign_in(house, issuer, "ada", "first"), sign_in(house, issuer, "ada", "second")
    other = sign_in(house, issuer, "bob", "third")
    assert tell(house, issuer.token(sid="first", sub=subject)).status_code == 200
    assert [is_in(each) for each in (one, two, other)] == [False, True, True]
    assert tell(house, issuer.token(sid="third", sub="ada")).status_code == 200  # is bob's
    assert is_in(other)


def test_a_session_whose_name_was_never_told_ends_with_its_person(house: House, issuer: Issuer) -> None:
    browser = sign_in(house, issuer, "ada")
    assert tell(house, issuer.token(sid="first")).status_code == 200
    assert is_in(browser)  # nobody knows whose it is
    assert tell(house, issuer.token(sid="first", sub="ada")).status_code == 200
    assert not is_in(browser)


def test_a_token_counts_once(house: House, issuer: Issuer) -> None:
    sign_in(house, issuer, "ada")
    token = issuer.token(sub="ada")
    assert tell(house, token).status_code == 200
    again = sign_in(house, issuer, "ada")
    answer = tell(house, token)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert is_in(again)
    with reading(house.node.engine) as connection:
        assert len(connection.execute(select(handshake.c.digest)).all()) == 1


def later(seconds: int) -> int:
    return int(time.time()) + seconds


WRONG: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": ...},
    "another audience": {"aud": ["somebody", "else"]},
    "no audience": {"aud": ...},
    "too old": {"iat": -400},
    "of the future": {"iat": 400},
    "no time": {"iat": ...},
    "a time in words": {"iat": "now"},
    "a time that is true": {"iat": None},
    "expired": {"exp": -100},
    "no events": {"events": ...},
    "another event": {"events": {"http://schemas.openid.net/event/other": {}}},
    "an event that says nothing": {"events": {EVENT: None}},
    "events in a list": {"events": [EVENT]},
    "an ID token": {"nonce": "n"},
    "no jti": {"jti": ...},
    "an empty jti": {"jti": ""},
    "a jti that is no text": {"jti": 7},
    "neither subject nor session": {"sub": ...},
    "a subject that is no text": {"sub": ["ada"]},
    "a session of absurd length": {"sid": "x" * 2000},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_logout_token_ends_nothing(house: House, issuer: Issuer, wrong: str) -> None:
    browser = sign_in(house, issuer, "ada")
    claims = {"sub": "ada", **WRONG[wrong]}
    for name in ("iat", "exp"):
        if isinstance(claims.get(name), int):
            claims[name] = later(claims[name])
    answer = tell(house, issuer.token(**claims))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert is_in(browser)


def test_a_signature_of_nobody_ends_nothing(house: House, issuer: Issuer) -> None:
    browser = sign_in(house, issuer, "ada")
    good = issuer.token(sub="ada")
    head, body, _ = good.split(".")
    for token in (
        issuer.token(RSAKey.generate_key(2048), sub="ada"),
        f"{head}.{body}.",
        f"{head}.{body}.AAAA",
        "eyJhbGciOiJub25lIn0." + body + ".",
        issuer.token(header={"typ": "at+jwt"}, sub="ada"),
        "no token",
        "",
        "x" * 20_000,
        "..",
    ):
        assert tell(house, token).status_code == 400, token[:40]
    assert is_in(browser)
    assert tell(house, good).status_code == 200


def test_bad_tokens_do_not_have_the_provider_asked_again_and_again(
    house: House, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = house.console.provider
    sign_in(house, issuer, "ada")
    monkeypatch.setattr("nightlamp.accounts.provider._KEYS_STAY", 3600.0)  # however long this takes
    asked: list[str] = []
    plain = provider._asked
    monkeypatch.setattr(
        provider, "_asked", lambda method, url, *rest: asked.append(url) or plain(method, url, *rest)
    )
    for _ in range(5):
        assert tell(house, issuer.token(RSAKey.generate_key(2048), sub="ada")).status_code == 400
    assert asked == []


def test_bad_tokens_do_not_have_a_silent_provider_asked_again_and_again(
    house: House, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(house, issuer, "ada")
    provider = house.console.provider
    assert provider is not None
    asked: list[str] = []

    def silent(_: str, url: str, *__: object) -> dict[str, Any]:
        asked.append(url)
        raise AccessError("no answer", where="provider")

    monkeypatch.setattr(provider, "_asked", silent)
    monkeypatch.setattr(provider, "_keys_at", float("-inf"))  # they are old
    for _ in range(3):
        assert tell(house, issuer.token(RSAKey.generate_key(2048))).status_code == 400
    assert len(asked) == 1


def test_without_a_provider_there_is_no_such_place(build: Any) -> None:
    house = build()
    answer = house.browser().client.post("/console/sign-in/back-channel", data={"logout_token": "x"})
    assert answer.status_code == 404
    with_cookie = house.browser()
    assert with_cookie.client.get("/console/sign-in/back-channel").status_code == 405


def test_the_word_of_the_provider_counts_on_either_database(
    build: Any, issuer: Issuer, database_url: str
) -> None:
    house = with_provider(build, issuer.url, database=database_url)
    browser = sign_in(house, issuer, "ada", "first")
    token = issuer.token(sub="ada", sid="first")
    assert [tell(house, token).status_code for _ in range(2)] == [200, 400]
    assert not is_in(browser)
