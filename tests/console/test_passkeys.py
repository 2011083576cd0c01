"""Passkeys on the real pages: Chromium with an authenticator of its own, from making one to signing in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from nightlamp.accounts.tables import passkey
from nightlamp.audit.tables import audit_record
from nightlamp.store import reading

from .conftest import PASSWORD, House


@dataclass
class Authenticator:
    """What a person holds, told what to do by the browser's debugger."""

    devtools: Any
    id: str

    def send(self, what: str, **more: Any) -> Any:
        return self.devtools.send(f"WebAuthn.{what}", {"authenticatorId": self.id, **more})

    def credentials(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.send("getCredentials")["credentials"]
        return found


@pytest.fixture
def authenticator(tab: Any) -> Authenticator:
    devtools = tab.context.new_cdp_session(tab)
    devtools.send("WebAuthn.enable")
    kind = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    kind |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    made = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": kind})
    return Authenticator(devtools, made["authenticatorId"])


def with_password(tab: Any, address: str, name: str) -> None:
    tab.goto(f"{address}/sign-in")
    tab.fill("#name", name)
    tab.fill("#password", PASSWORD)
    tab.click("button.first")


def newcomer(house: House, address: str, tab: Any, name: str = "newcomer") -> None:
    """Somebody who makes a passkey at the first sign-in."""
    house.person(name, "reviewer", second=False)
    with_password(tab, address, name)
    tab.wait_for_url("**/set-up")
    tab.fill("#label", "a <b>key</b>")
    tab.click("text=Make a passkey")
    tab.wait_for_selector("ol.codes")
    assert tab.locator("ol.codes li").count() == 10
    tab.click("text=I have kept them")
    tab.wait_for_url("**/console/")


def sign_out(tab: Any) -> None:
    tab.click("text=Sign out")
    tab.wait_for_url("**/sign-in*")


def signed_in(house: House) -> list[str]:
    """How people came in, by the audit log."""
    with reading(house.node.engine) as connection:
        c = audit_record.c
        query = select(c.details).where(c.action == "account.signed_in").order_by(c.sequence)
        return [str(each) for each in connection.scalars(query)]


def test_a_passkey_is_made_and_then_lets_in_alone(live, tab, authenticator):
    house, address = live
    newcomer(house, address, tab)
    [kept] = authenticator.credentials()
    assert kept["isResidentCredential"]
    assert kept["rpId"] == "localhost"
    sign_out(tab)
    tab.click("text=Sign in with a passkey")
    tab.wait_for_url("**/console/")
    assert "newcomer" in tab.inner_text("header")
    assert "passkey" in signed_in(house)[-1]
    tab.goto(f"{address}/account")
    assert "a <b>key</b>" in tab.inner_text("main")
    with reading(house.node.engine) as connection:
        row = connection.execute(select(passkey)).one()
    assert row.used_at is not None
    assert row.sign_count == authenticator.credentials()[0]["signCount"] > 0


def test_a_passkey_is_the_second_step_after_a_password(live, tab, authenticator):
    house, address = live
    newcomer(house, address, tab)
    sign_out(tab)
    with_password(tab, address, "newcomer")
    tab.wait_for_url("**/sign-in/second*")
    tab.click("text=Use a passkey")
    tab.wait_for_url("**/console/")
    assert "newcomer" in tab.inner_text("header")


def test_who_does_not_prove_themselves_to_the_device_does_not_get_in(live, tab, authenticator):
    house, address = live
    newcomer(house, address, tab)
    sign_out(tab)
    authenticator.send("setUserVerified", isUserVerified=False)
    tab.click("text=Sign in with a passkey")
    tab.wait_for_selector("[data-trouble]:visible")
    assert tab.url.endswith("/sign-in?done=signed-out")
    authenticator.send("setUserVerified", isUserVerified=True)
    tab.click("text=Sign in with a passkey")
    tab.wait_for_url("**/console/")


def test_a_passkey_that_was_removed_opens_nothing(live, tab, authenticator):
    house, address = live
    newcomer(house, address, tab)
    sign_out(tab)
    house.node.writer.write(lambda c: c.execute(passkey.delete()))
    tab.click("text=Sign in with a passkey")
    tab.wait_for_selector("main [role=alert]:visible")
    assert "the passkey was not accepted" in tab.inner_text("main")
    assert len(signed_in(house)) == 1


def test_a_copy_that_lags_behind_is_refused(live, tab, authenticator):
    house, address = live
    newcomer(house, address, tab)
    [copied] = authenticator.credentials()
    for _ in range(2):  # the true one goes on counting
        sign_out(tab)
        tab.click("text=Sign in with a passkey")
        tab.wait_for_url("**/console/")
    sign_out(tab)
    before = len(signed_in(house))
    authenticator.send("removeCredential", credentialId=copied["credentialId"])
    authenticator.send("addCredential", credential=copied)
    tab.click("text=Sign in with a passkey")
    tab.wait_for_selector("main [role=alert]:visible")
    assert "the passkey was not accepted" in tab.inner_text("main")
    assert len(signed_in(house)) == before


def test_one_device_holds_one_passkey_of_a_person(live, tab, authenticator):
    house, address = live
    newcomer(house, address, tab)
    tab.goto(f"{address}/set-up")
    tab.fill("#label", "another")
    tab.click("text=Make a passkey")
    tab.wait_for_selector("[data-trouble]:visible")
    assert len(authenticator.credentials()) == 1


def test_a_question_is_answered_once_and_by_who_was_asked(live, tab, authenticator):
    house, address = live
    newcomer(house, address, tab)
    sign_out(tab)
    posted: list[str] = []
    place = f"{address}/sign-in/passkey"
    tab.on(
        "request", lambda request: posted.append(request.post_data or "") if request.url == place else None
    )
    tab.click("text=Sign in with a passkey")
    tab.wait_for_url("**/console/")
    sign_out(tab)
    before = len(signed_in(house))
    again = """async ([place, body]) => {
        const form = new URLSearchParams(body);
        form.set("csrf", document.querySelector("input[name=csrf]").value);
        return (await fetch(place, {method: "POST", body: form})).status;
    }"""
    assert tab.evaluate(again, [place, posted[0]]) == 422
    assert len(signed_in(house)) == before
