"""Exports of originals: asked for by one person with a reason, authorised by another, given once, sealed.

This is the one way for the files of a case to leave, besides reports and disclosures on legal process. An
export is asked for as the case stands: if it is decided otherwise meanwhile, or items are split off, nobody
can authorise or fetch it any more. Items that join the case later are not in it. Who may ask and authorise is
the caller's to check; that they are two people is checked here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, insert, select, update

from nightlamp import audit
from nightlamp.cases import get_case
from nightlamp.cases.tables import case_item, review_case
from nightlamp.errors import ReportError
from nightlamp.intake.tables import item as items
from nightlamp.reports.tables import report_export
from nightlamp.store import new_id
from nightlamp.vault import Recipients
from nightlamp.vault.tables import vault_blob

ExportState = Literal["asked", "authorised", "given", "refused", "withdrawn", "expired", "overtaken"]
MOST_REASON = 500
_OPEN: tuple[ExportState, ...] = ("asked", "authorised")
_E = report_export.c


@dataclass(frozen=True, slots=True)
class Export:
    """One export as it stands.

    Args:
        case, item: of what; no item: all that the case had when it was asked for.
        items: how many.
        recipients: age public keys.
        reason: as the asker wrote it: hostile text.
        state: ``expired``: nobody authorised or fetched it in time; ``overtaken``: the case was decided
            otherwise since.
        asked_by, settled_by: as the audit log names them; settled: authorised, refused or withdrawn.
        expires_at: until when it is to be authorised, or fetched.
        package: that was given.
    """

    id: str
    case: str
    item: str | None
    items: int
    recipients: tuple[str, ...]
    reason: str
    state: ExportState
    asked_by: str
    asked_at: datetime
    settled_by: str | None
    settled_at: datetime | None
    expires_at: datetime
    given_at: datetime | None
    package: str | None


def ask_export(
    connection: Connection,
    case_id: str,
    recipients: Recipients,
    reason: str,
    *,
    by: str,
    now: datetime,
    good_for: timedelta,
    item: str | None = None,
    allowed: Collection[str] = (),
) -> Export:
    """Ask for the originals of a case, or of one of its items.

    Args:
        connection: in a transaction that may write.
        case_id: the case's.
        recipients: whom they are sealed for.
        reason: why; it stays in the audit log.
        by: who asks.
        now: the time.
        good_for: time to authorise it.
        item: this one alone.
        allowed: the only public keys that may be named; empty: any.

    Raises:
        CaseError: there is no such case.
        ReportError: no reason, a recipient that is not allowed, or nothing of it is kept.
    """
    reason = " ".join(reason.split())
    if not 5 <= len(reason) <= MOST_REASON or not reason.isprintable():
        raise ReportError("invalid", f"say why, in at most {MOST_REASON} plain characters", where="reason")
    if allowed and not set(recipients.names) <= set(allowed):
        hint = "ask who sets reports.export_recipients"
        raise ReportError(
            "refused", "nothing may be sealed for this public key", where="recipient", hint=hint
        )
    case = get_case(connection, case_id)
    chosen = _items(connection, case_id, item, now)
    if not _any_kept(connection, case_id, item):
        raise ReportError("conflict", "nothing of it is kept", where="case" if item is None else "item")
    row: dict[str, Any] = {
        "id": new_id(),
        "case": case_id,
        "item": item,
        "items": len(chosen),
        "digest": _digest(chosen),
        "round": case.round,
        "decision": case.decision,
        "recipients": list(recipients.names),
        "reason": reason,
        "state": "asked",
        "asked_by": by,
        "asked_at": now,
        "expires_at": now + good_for,
    }
    connection.execute(insert(report_export).values(row))
    facts: dict[str, audit.Detail] = {"reason": reason, "recipients": recipients.fingerprint}
    facts |= {"items": len(chosen), "item": item}
    _record(connection, by, "export.asked", row["id"], case_id, now, facts)
    return get_export(connection, row["id"], now=now)


def authorise_export(
    connection: Connection, export_id: str, *, by: str, now: datetime, good_for: timedelta
) -> Export:
    """Let its asker fetch it, once, within ``good_for``.

    Raises:
        ReportError: not found; refused: who asked cannot authorise; conflict: it is not asked for any more.
    """
    found = _locked(connection, export_id, now)
    if found.asked_by == by:
        what = "who asked for it cannot authorise it"
        raise ReportError("refused", what, where="export", hint="another person")
    _must_be(found, "asked")
    _unchanged(connection, found)
    values = {"state": "authorised", "settled_by": by, "settled_at": now, "expires_at": now + good_for}
    _move(connection, found, values)
    _record(connection, by, "export.authorised", export_id, found.case, now, {"asked_by": found.asked_by})
    return get_export(connection, export_id, now=now)


def stop_export(connection: Connection, export_id: str, *, by: str, now: datetime) -> Export:
    """Refuse it, or, if one has asked for it, withdraw it; an authorisation ends too, until it was given.

    Raises:
        ReportError: not found; conflict: there is nothing to stop any more.
    """
    found = _locked(connection, export_id, now)
    _must_be(found, *_OPEN)
    state = "withdrawn" if found.asked_by == by else "refused"
    _move(connection, found, {"state": state, "settled_by": by, "settled_at": now})
    _record(connection, by, f"export.{state}", export_id, found.case, now, {"was": found.state})
    return get_export(connection, export_id, now=now)


def ready_export(
    connection: Connection, export_id: str, *, by: str, now: datetime
) -> tuple[Export, list[str]]:
    """An export that ``by`` may fetch now, and the items that are in it.

    Raises:
        ReportError: not found; refused: somebody else has asked for it; conflict: it is not authorised now.
    """
    found = get_export(connection, export_id, now=now)
    if found.asked_by != by:
        raise ReportError("refused", "only who asked for it is given it", where="export")
    _must_be(found, "authorised")
    return found, _unchanged(connection, found)


def give_export(
    connection: Connection, export_id: str, package: str, files: int, *, by: str, now: datetime
) -> Export:
    """Say that it is given: commit it before the first byte leaves. Only one caller ever gets past this.

    Raises:
        ReportError: as ``ready_export``.
    """
    _locked(connection, export_id, now)
    found, _ = ready_export(connection, export_id, by=by, now=now)
    _move(connection, found, {"state": "given", "given_at": now, "package": package})
    facts: dict[str, audit.Detail] = {
        "package": package,
        "files": files,
        "recipients": Recipients.of(found.recipients).fingerprint,
        "authorised_by": found.settled_by,
    }
    _record(connection, by, "export.given", export_id, found.case, now, facts)
    return get_export(connection, export_id, now=now)


def get_export(connection: Connection, export_id: str, *, now: datetime) -> Export:
    """One export.

    Raises:
        ReportError: there is none.
    """
    row = connection.execute(_query().where(_E.id == export_id)).one_or_none()
    if row is None:
        raise ReportError("not found", "there is no such export", where="export")
    return _export(row, now)


def page_exports(
    connection: Connection, *, now: datetime, before: str | None = None, limit: int = 50
) -> Sequence[Export]:
    """Exports, the newest first."""
    query = _query().order_by(_E.id.desc()).limit(limit)
    if before is not None:
        query = query.where(_E.id < before)
    return [_export(row, now) for row in connection.execute(query)]


def _query() -> Any:
    case = review_case.c
    now_so = (case.round.label("round_now"), case.decision.label("decision_now"))
    return select(report_export, *now_so).join(review_case, case.id == _E.case)


def _export(row: Row[Any], now: datetime) -> Export:
    state = row.state
    if state in _OPEN and (row.round, row.decision) != (row.round_now, row.decision_now):
        state = "overtaken"
    elif state in _OPEN and row.expires_at <= now:
        state = "expired"
    values = {name: getattr(row, name) for name in Export.__slots__}
    return Export(**values | {"state": state, "recipients": tuple(row.recipients)})


def _locked(connection: Connection, export_id: str, now: datetime) -> Export:
    """As ``get_export``; nobody else changes it, or its case's decision, until the transaction ends."""
    case = connection.scalar(select(_E.case).where(_E.id == export_id).with_for_update())
    if case is not None:
        connection.execute(select(review_case.c.id).where(review_case.c.id == case).with_for_update())
    return get_export(connection, export_id, now=now)


def _must_be(found: Export, *states: ExportState) -> None:
    if found.state not in states:
        raise ReportError("conflict", _SAID[found.state], where="export", hint="ask for it anew")


def _move(connection: Connection, found: Export, values: dict[str, Any]) -> None:
    mine = (_E.id == found.id) & (_E.state == found.state)
    if not connection.execute(update(report_export).where(mine).values(values)).rowcount:
        raise ReportError("conflict", "somebody else was quicker", where="export", hint="look again")


def _unchanged(connection: Connection, found: Export) -> list[str]:
    """The items of an export, if they are those that were asked for."""
    chosen = _items(connection, found.case, found.item, found.asked_at)
    if connection.scalar(select(_E.digest).where(_E.id == found.id)) != _digest(chosen):
        what = "the case has other items since it was asked for"
        raise ReportError("conflict", what, where="export", hint="ask for it anew")
    return chosen


def _items(connection: Connection, case_id: str, item: str | None, by_then: datetime) -> list[str]:
    """What a case had by then of what it has now, or one item of that."""
    of = case_item.c
    query = select(of.item).where(of.case == case_id, of.added_at <= by_then)
    query = query if item is None else query.where(of.item == item)
    return list(connection.scalars(query.order_by(of.added_at, of.item)))


def _any_kept(connection: Connection, case_id: str, item: str | None) -> bool:
    of = case_item.c
    query = select(of.item).where(of.case == case_id).join(items, items.c.id == of.item)
    query = query.join(vault_blob, (vault_blob.c.object == items.c.object) & (vault_blob.c.state == "kept"))
    query = query if item is None else query.where(of.item == item)
    return connection.execute(query.limit(1)).first() is not None


def _digest(chosen: Sequence[str]) -> bytes:
    return hashlib.sha256("\n".join(sorted(chosen)).encode()).digest()


def _record(
    connection: Connection,
    by: str,
    action: str,
    export_id: str,
    case_id: str,
    now: datetime,
    facts: dict[str, audit.Detail],
) -> None:
    audit.append(connection, by, action, f"case:{case_id}", {"export": export_id, **facts}, at=now)


_SAID: dict[ExportState, str] = {
    "asked": "nobody has authorised it yet",
    "authorised": "it is authorised already",
    "given": "it was given already",
    "refused": "it was refused",
    "withdrawn": "it was withdrawn",
    "expired": "it was not authorised and fetched in time",
    "overtaken": "the case was decided otherwise since it was asked for",
}
