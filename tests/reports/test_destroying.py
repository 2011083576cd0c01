"""An authority's request to destroy, and what is under way with the object."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select

from nightlamp.audit.tables import audit_record
from nightlamp.cases import Opener
from nightlamp.errors import ReportError, VaultError
from nightlamp.intake import get_item
from nightlamp.reports import destroy, remember, retract
from nightlamp.reports.destroying import needs
from nightlamp.reports.tables import disclosure_ask, report
from nightlamp.store import reading

from .conftest import Office
from .test_bundle import case_of
from .test_by_rule import CSAM, Shop
from .test_drafts import decided, submitted
from .test_sending import sender


def object_of(office: Office, item: str) -> str:
    with reading(office.engine) as connection:
        found = get_item(connection, item).object
    assert found is not None
    return found


def ordered(office: Office, object_id: str, **rest: Any) -> bool:
    return destroy(office.vault, object_id, actor="operator:a", request="FBI 7", **rest)


def kept(office: Office, object_id: str) -> bool:
    try:
        office.evidence.measure(object_id, "a test")
    except VaultError:
        return False
    return True


@pytest.mark.parametrize("state", ["draft", "approved", "open", "finishing", "restarting", "person"])
def test_a_report_that_is_not_finished_keeps_its_files(office: Office, state: str) -> None:
    [made] = decided(office, submitted(office))
    office.writer.write(lambda c: c.execute(report.update().values(state=state)) and None)
    object_id = made.files[0].object
    with pytest.raises(ReportError) as refused:
        ordered(office, object_id)
    assert refused.value.code == "conflict"
    assert f"report {made.id} needs it ({state})" in refused.value.what
    assert "finish or retract" in refused.value.hint
    assert kept(office, object_id)

    assert ordered(office, object_id, despite=True)
    assert not kept(office, object_id)
    with reading(office.engine) as connection:
        wanted = audit_record.c.action == "vault.destruction_ordered"
        details = connection.scalar(select(audit_record.c.details).where(wanted))
    assert f"report {made.id} needs it ({state})" in (details or "")


@pytest.mark.parametrize("end", ["finished", "retracted"])
def test_afterwards_it_is_destroyed_without_a_question(office: Office, end: str) -> None:
    [made] = decided(office, submitted(office))
    if end == "finished":
        office.approve(made.id)
        sender(office).run_once()
    else:
        office.writer.write(lambda c: retract(c, made.id, by="person:a", reason="no", now=office.clock()))
    assert office.read(made.id).state == end
    assert ordered(office, made.files[0].object)


@pytest.mark.parametrize("of", ["item", "case"])
def test_a_disclosure_that_was_asked_for_needs_it_for_a_week(office: Office, of: str) -> None:
    item = submitted(office)
    case = case_of(office, item, finding=None)
    row = {
        "subject": item if of == "item" else case, "process": "warrant 1", "recipients": "x",
        "by": "operator:b", "at": office.clock(),
    }  # fmt: skip
    office.writer.write(lambda c: c.execute(insert(disclosure_ask).values(row)) and None)
    object_id = object_of(office, item)
    with pytest.raises(ReportError, match="a disclosure was asked for"):
        ordered(office, object_id)
    office.clock.move(days=8)
    assert ordered(office, object_id)


def test_what_is_about_to_be_drafted_needs_it_too(office: Office) -> None:
    shop = Shop(office)
    shop.policy()
    item = shop.submit()
    object_id = object_of(office, item)
    Opener(office.engine, office.writer, confirmed=remember, clock=office.clock).run_once()
    with pytest.raises(ReportError, match=f"a rule has confirmed item {item}"):
        ordered(office, object_id)
    case = shop.case_of(item)
    shop.answer(case, CSAM, apply=False)
    with pytest.raises(ReportError, match="and 1 more"):
        ordered(office, object_id)
    with reading(office.engine) as connection:
        assert needs(connection, object_id, office.clock())[1].startswith(f"case {case} is confirmed")


def test_what_nothing_needs_is_destroyed(office: Office) -> None:
    assert ordered(office, object_of(office, submitted(office)))
