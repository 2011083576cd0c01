"""Exports of originals in the console: two people, once, and nothing clear on the way."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from nightlamp.audit.tables import audit_record
from nightlamp.reports import get_export, page_exports
from nightlamp.reports.bundle import check_opened
from nightlamp.reports.tables import report_export
from nightlamp.store import reading, utc_now
from nightlamp.vault import Identity

from . import drawn
from .conftest import Browser, House

WHY = "a second look by the clinic"


@pytest.fixture
def theirs() -> Identity:
    return Identity.generate()


def ask(browser: Browser, house: House, theirs: Identity, **more: str) -> Any:
    form = {"case": house.ids["case_id"], "recipient": theirs.public, "reason": WHY, **more}
    return browser.post("/exports", form)


def newest(house: House) -> Any:
    with reading(house.node.engine) as connection:
        return page_exports(connection, now=utc_now())[0]


def state(house: House, export_id: str) -> str:
    with reading(house.node.engine) as connection:
        return get_export(connection, export_id, now=utc_now()).state


def test_one_asks_another_authorises_and_the_first_fetches_it_once(
    house: House, theirs: Identity, tmp_path: Path
) -> None:
    lead, admin = house.signed_in("lead"), house.signed_in("admin")
    answer = ask(lead, house, theirs)
    assert answer.headers["location"] == "/console/exports?done=asked", answer.text
    export = newest(house)
    place = f"/exports/{export.id}"
    # who asked is offered no authorisation, and cannot give it; nothing can be fetched yet
    assert f"{export.id}/authorise" not in lead.get("/exports").text
    assert lead.post(f"{place}/authorise").status_code == 403
    assert lead.post(f"{place}/fetch").status_code == 409
    # the other sees for whom and why
    page = admin.get("/exports").text
    assert theirs.public in page
    assert WHY in page
    assert f"{export.id}/authorise" in page
    assert admin.post(f"{place}/authorise").status_code == 303
    assert admin.post(f"{place}/fetch").status_code == 403
    # then it is given, sealed, as a file that no browser keeps
    given = lead.post(f"{place}/fetch")
    assert given.status_code == 200, given.text
    assert given.headers["cache-control"] == "no-store"
    assert given.headers["content-disposition"].startswith("attachment;")
    assert b"what the file says" not in given.content
    (tmp_path / "given.tar").write_bytes(given.content)
    found, document = check_opened(tmp_path / "given.tar", theirs)
    assert (found.faults, document.purpose, len(document.items)) == ((), "export", 1)
    assert "already" in lead.post(f"{place}/fetch").text
    assert state(house, export.id) == "given"
    # nothing is left of it here, and the log has all of it
    assert list((house.node.settings.data_dir / "packages").iterdir()) == []
    with reading(house.node.engine) as connection:
        actions = list(connection.scalars(select(audit_record.c.action)))
    for action in ("export.authorised", "export.given", "vault.opened"):
        assert actions.count(action) == 1


def test_it_is_fetched_with_a_browser(live: Any, tabs: Any, theirs: Identity, tmp_path: Path) -> None:
    house, address = live
    lead, admin = tabs(house, address, "lead"), tabs(house, address, "admin")
    lead.goto(f"{address}/exports?case={house.ids['case_id']}")
    lead.fill("#recipient", theirs.public)
    lead.fill("#reason", WHY)
    lead.click("text=Ask >> nth=-1")
    lead.wait_for_url("**/exports?done=asked")
    export = newest(house)
    asked: list[str] = []

    def confirmed(dialog: Any) -> None:
        asked.append(dialog.message)
        dialog.accept()

    admin.on("dialog", confirmed)
    admin.goto(f"{address}/exports")
    admin.click(f"form[action='/console/exports/{export.id}/authorise'] button")
    admin.wait_for_url("**/exports?done=changed")
    assert "public key" in asked[0]
    lead.goto(f"{address}/exports")
    with lead.expect_download() as waiting:
        lead.click(f"form[action='/console/exports/{export.id}/fetch'] button")
    waiting.value.save_as(tmp_path / "given.tar")
    found, _ = check_opened(tmp_path / "given.tar", theirs)
    assert found.faults == ()


@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        ({"case": "nothing"}, 404, "no such case"),
        ({"reason": "x"}, 422, "say why"),
        ({"recipient": "age1nothing"}, 422, "not an age public key"),
        ({"recipient": ""}, 422, "no public key"),
        ({"recipient": "AGE-SECRET-KEY-1HIDDEN"}, 422, "a private key stands where"),
        ({"item": "another"}, 409, "nothing of it is kept"),
    ],
)
def test_what_cannot_be_asked_for_is_said_and_the_form_stays(
    house: House, theirs: Identity, wrong: dict[str, str], status: int, said: str
) -> None:
    answer = ask(house.signed_in("lead"), house, theirs, **wrong)
    assert answer.status_code == status
    assert said in answer.text
    assert wrong.get("reason", WHY) in answer.text
    assert newest(house).id == house.ids["export_id"]
    assert "1HIDDEN" not in house.log.getvalue()


def test_only_for_the_keys_that_are_set(build: Any, theirs: Identity) -> None:
    house = build()
    house.person("lead", "lead")
    one = house.node.settings.reports.model_copy(update={"export_recipients": (Identity.generate().public,)})
    house.node.settings = house.node.settings.model_copy(update={"reports": one})
    house.ids["case_id"] = drawn.file(house.node).case
    browser = house.signed_in("lead")
    assert "<select" in browser.get("/exports").text
    assert ask(browser, house, theirs).status_code == 403


@pytest.mark.parametrize("role", ["reviewer", "reporter", "auditor"])
def test_other_roles_have_no_part_in_it(house: House, theirs: Identity, role: str) -> None:
    browser, export_id = house.signed_in(role), house.ids["export_id"]
    assert ask(browser, house, theirs).status_code == 403
    for way in ("authorise", "fetch", "stop"):
        assert browser.post(f"/exports/{export_id}/{way}").status_code == 403
    assert state(house, export_id) == "asked"


def test_the_asker_withdraws_and_another_refuses(house: House, theirs: Identity) -> None:
    lead, admin = house.signed_in("lead"), house.signed_in("admin")
    for browser, ended in ((lead, "withdrawn"), (admin, "refused")):
        ask(lead, house, theirs)
        export = newest(house)
        assert browser.post(f"/exports/{export.id}/stop").status_code == 303
        assert state(house, export.id) == ended
        assert admin.post(f"/exports/{export.id}/authorise").status_code == 409


def test_it_needs_a_recent_sign_in(house: House) -> None:
    export_id = house.ids["export_id"]
    browser, earlier = house.browser(), utc_now() - timedelta(minutes=16)
    token = house.session("admin", now=earlier).reveal()
    browser.client.cookies.set("__Host-nightlamp-session", token, domain="nightlamp.example")
    answer = browser.post(f"/exports/{export_id}/authorise")
    assert answer.status_code == 422
    assert "signing in" in answer.text
    assert state(house, export_id) == "asked"
    assert browser.post(f"/exports/{export_id}/fetch").status_code == 422


def test_one_whose_time_has_passed_offers_nothing(house: House) -> None:
    house.node.writer.write(lambda c: c.execute(update(report_export).values(expires_at=utc_now())))
    page = house.signed_in("admin").get("/exports").text
    assert "its time has passed" in page
    assert not re.search(r"/(authorise|fetch|stop)\"", page)


def test_a_node_without_the_key_gives_nothing_and_it_can_be_fetched_elsewhere(
    house: House, theirs: Identity
) -> None:
    lead, admin = house.signed_in("lead"), house.signed_in("admin")
    ask(lead, house, theirs)
    export = newest(house)
    admin.post(f"/exports/{export.id}/authorise")
    key = house.node.settings.data_dir / "vault.key"
    hidden = key.rename(key.with_name("away"))
    answer = lead.post(f"/exports/{export.id}/fetch")
    assert answer.status_code == 503
    assert "no private key" in answer.text
    assert state(house, export.id) == "authorised"
    hidden.rename(key)
    assert lead.post(f"/exports/{export.id}/fetch").status_code == 200
