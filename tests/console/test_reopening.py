"""A lead opens a decided case again, from its page."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from nightlamp.audit.tables import audit_record as record
from nightlamp.cases import claim, decide, get_case
from nightlamp.cases.decision import Answer
from nightlamp.store import reading, utc_now

from .conftest import House


@pytest.fixture
def decided(house: House) -> str:
    """A case that somebody has decided."""
    case, by = house.ids["case_id"], house.people["reviewer"].person.actor

    def work(connection) -> None:
        now = utc_now()
        taken = claim(connection, case, by=by, now=now)
        decide(connection, case, Answer("csam", "A1"), by=by, version=taken.version, now=now)

    house.node.writer.write(work)
    return case


def state_of(house: House, case: str) -> tuple[str, int]:
    with reading(house.node.engine) as connection:
        found = get_case(connection, case)
    return found.state, found.round


def fields(page: str, reason: str = "an appeal") -> dict[str, str]:
    form = page.split("/reopen")[1].split("</form>")[0]
    found = re.search(r'name="version" value="(\d+)"', form)
    assert found
    return {"version": found[1], "reason": reason}


def test_a_lead_opens_a_decided_case_again(house: House, decided: str) -> None:
    # given two leads on the page of a decided case
    house.person("other", "lead")
    one, two = house.signed_in("lead"), house.signed_in("other")
    page = one.get(f"/cases/{decided}").text
    sent = fields(page)
    # when one opens it again, without a reason and with one
    refused = one.post(f"/cases/{decided}/reopen", sent | {"reason": " "})
    assert refused.status_code == 422
    assert state_of(house, decided) == ("decided", 1)
    done = one.post(f"/cases/{decided}/reopen", sent)
    # then it waits, and its page says so
    assert done.status_code == 303
    assert "waits again" in one.get(done.headers["location"].removeprefix("/console")).text
    assert state_of(house, decided) == ("open", 2)
    with reading(house.node.engine) as connection:
        of = select(record.c.actor, record.c.details).where(record.c.action == "cases.reopened")
        row = connection.execute(of).one()
    assert row.actor == house.people["lead"].person.actor
    assert '"reason":"an appeal"' in row.details
    # and the other, who was slower, is told what has changed
    late = two.post(f"/cases/{decided}/reopen", sent)
    assert late.status_code == 409
    assert "it was opened again" in late.text
    assert state_of(house, decided) == ("open", 2)


@pytest.mark.parametrize("role", ["reviewer", "auditor", "admin", "reporter"])
def test_nobody_else_does(house: House, decided: str, role: str) -> None:
    browser = house.signed_in(role)
    assert "/reopen" not in browser.get(f"/cases/{decided}").text
    assert browser.post(f"/cases/{decided}/reopen", {"version": "2", "reason": "x"}).status_code == 403
    assert state_of(house, decided) == ("decided", 1)
