"""Destruction on an authority's request, once nothing that is under way needs the object any more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, or_, select

from nightlamp import vault
from nightlamp.audit import Detail
from nightlamp.cases.tables import case_item, decision, review_case
from nightlamp.errors import ReportError
from nightlamp.intake.tables import item
from nightlamp.reports.bundle.making import ASKED
from nightlamp.reports.tables import disclosure_ask, report, report_confirmation, report_file
from nightlamp.vault import Vault

_OVER = ("finished", "retracting", "retracted")
_SHOWN = 20


def destroy(store: Vault, object_id: str, *, actor: str, request: str, despite: bool = False) -> bool:
    """As ``vault.destroy``, unless a report that is not finished or a disclosure needs the object.

    Args:
        despite: destroy it all the same; the audit record of the order says what needed it.

    Raises:
        ReportError: something needs it; says what, and what to do.
        VaultError: as ``vault.destroy``.
    """

    def look(connection: Connection) -> Mapping[str, Detail]:
        found = needs(connection, object_id, store.clock())
        if found and not despite:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            hint = "finish or retract it first; or destroy it despite that, on purpose (--despite-reports)"
            raise ReportError("conflict", f"{found[0]}{more}", where=f"object {object_id}", hint=hint)
        return {"despite": found[:_SHOWN]} if found else {}

    return vault.destroy(store, object_id, actor=actor, request=request, look=look)


def needs(connection: Connection, object_id: str, now: datetime) -> list[str]:
    """What is under way and needs the object, in words; names reports, cases and processes by their ids."""
    mine = select(report.c.id, report.c.state).join(report_file, report_file.c.report == report.c.id)
    mine = mine.where(report_file.c.object == object_id, report.c.state.not_in(_OVER))
    found = [
        f"report {row.id} needs it ({row.state})" for row in connection.execute(mine.order_by(report.c.id))
    ]
    items = select(item.c.id).where(item.c.object == object_id)
    waiting = report_confirmation.c
    found += [
        f"a rule has confirmed item {each}, and its report is about to be drafted"
        for each in connection.scalars(
            select(waiting.item).where(waiting.item.in_(items), waiting.report.is_(None), waiting.why == "")
        )
    ]
    cases = select(case_item.c.case).where(case_item.c.item.in_(items))
    d = decision.c
    decided = select(d.case).join(review_case, review_case.c.decision == d.id)
    decided = decided.where(
        d.case.in_(cases), d.finding == "csam", d.undone_at.is_(None), d.applied_at.is_(None)
    )
    found += [
        f"case {each} is confirmed, and its report is about to be drafted"
        for each in connection.scalars(decided)
    ]
    c = disclosure_ask.c
    asked = select(c.process).where(or_(c.subject.in_(items), c.subject.in_(cases)), c.at >= now - ASKED)
    found += [f"a disclosure was asked for ({process})" for process in connection.scalars(asked.distinct())]
    return found
