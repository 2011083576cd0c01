"""What people do with a report: draft, change, approve, retract, send again, follow up.

All of it in the caller's transaction, and audited there. What the authority sees of it is ``sending``'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from nightlamp import audit
from nightlamp.cases import viewed
from nightlamp.cases.tables import case_item, decision, review_case
from nightlamp.errors import ReportError, VaultError
from nightlamp.reports.cybertip import Fault, FileDetails, Report, as_json
from nightlamp.reports.cybertip.model import PersonOrUserReported
from nightlamp.reports.records import State, StoredReport, get_report
from nightlamp.reports.tables import report, report_approval, report_confirmation, report_file
from nightlamp.store import new_id
from nightlamp.vault import HoldRequest
from nightlamp.vault.holds import place_hold

_STILL_OURS: tuple[State, ...] = ("draft", "person")
_MOST_FILES = 20_000


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file for a report: its object in the vault, the item that it is, and what is said of it."""

    object: str
    item: str | None = None
    details: FileDetails = field(default_factory=FileDetails)


@dataclass(frozen=True, slots=True)
class NewReport:
    """A report to be drafted; see ``StoredReport``.

    Args:
        approvals: people who must approve it; 0: a rule confirmed it, and it goes by itself.
        rule: of the policy, that confirmed it alone.
        facts: more for the audit record of its draft.
    """

    document: Report
    files: Sequence[NewFile] = ()
    asks: Sequence[Fault] = ()
    case: str | None = None
    decision: str | None = None
    actor: str = ""
    follows: str | None = None
    approvals: int = 1
    rule: str = ""
    facts: Mapping[str, audit.Detail] = field(default_factory=dict)


def draft(
    connection: Connection, new: NewReport, *, by: str, now: datetime, hold: HoldRequest | None = None
) -> str:
    """Store a draft; gives its id. From now on its files are held.

    Args:
        connection: in a transaction that may write.
        new: what is to be reported.
        by: for the audit.
        now: the time.
        hold: why and for how long; by default one year, by US law.

    Raises:
        ReportError: more files than one report may have.
        VaultError: a file is not in the vault (any more).
    """
    report_id = new_id()
    connection.execute(
        insert(report).values(
            id=report_id,
            authority="cybertip",
            case=new.case,
            decision=new.decision,
            actor=new.actor,
            follows=new.follows,
            rule=new.rule,
            edited=False,
            state="draft",
            why="",
            document=as_json(new.document),
            asks=[[fault.where, fault.what] for fault in new.asks],
            approvals=new.approvals,
            version=1,
            created_at=now,
            created_by=by,
            host="",
            restarts=0,
            attempts=0,
            due=now,
        )
    )
    _write_files(connection, report_id, new.files, 0, hold, by, now)
    facts: dict[str, audit.Detail] = {"case": new.case, "files": len(new.files), "follows": new.follows}
    facts |= new.facts
    record(connection, by, "report.drafted", report_id, facts, now)
    return report_id


def change(
    connection: Connection,
    report_id: str,
    document: Report,
    *,
    version: int,
    by: str,
    now: datetime,
    files: Mapping[str, FileDetails] | None = None,
    asks: Sequence[Fault] | None = None,
    approvals: int = 1,
) -> StoredReport:
    """Replace the document, what is said of files (by their ids), and what is still to be seen to (None: it
    stays). What was approved must be again, by at least ``approvals`` people.

    ``file_viewed_by_esp`` and ``exif_viewed_by_esp`` stay as they are: views say them, not people who edit.

    Raises:
        ReportError: there is none, it is on its way already, or it is not at ``version`` any more.
    """
    found = _editable(connection, report_id, version)
    known = {file.id: file.details for file in found.files}
    for file_id, details in (files or {}).items():
        if file_id not in known:
            raise ReportError("not found", "there is no such file in this report", where="files")
        was = known[file_id]
        kept = replace(
            details,
            report_id=None,
            file_id=None,
            original_file_hash=was.original_file_hash,
            file_viewed_by_esp=was.file_viewed_by_esp,
            exif_viewed_by_esp=was.exif_viewed_by_esp,
        )
        connection.execute(
            update(report_file).where(report_file.c.id == file_id).values(details=as_json(kept))
        )
    left = {} if asks is None else {"asks": [[fault.where, fault.what] for fault in asks]}
    # What a person has had in hand does not go without one.
    needed = max(found.approvals, approvals)
    _changed(connection, found, document=as_json(document), edited=True, approvals=needed, **left)
    record(connection, by, "report.changed", report_id, {"version": version + 1}, now)
    return get_report(connection, report_id)


def add_files(
    connection: Connection,
    report_id: str,
    files: Sequence[NewFile],
    *,
    version: int,
    by: str,
    now: datetime,
    hold: HoldRequest | None = None,
    approvals: int = 1,
) -> StoredReport:
    """Add files to a draft, and hold them. What was approved must be again, by at least ``approvals`` people.

    Raises:
        ReportError: as ``change``, or there are too many.
        VaultError: a file is not in the vault (any more).
    """
    found = _editable(connection, report_id, version)
    last = select(func.max(report_file.c.place)).where(report_file.c.report == report_id)
    place = connection.scalar(last)
    _write_files(connection, report_id, files, 0 if place is None else place + 1, hold, by, now)
    _changed(connection, found, approvals=max(found.approvals, approvals))
    record(connection, by, "report.changed", report_id, {"version": version + 1, "files": len(files)}, now)
    return get_report(connection, report_id)


def rewrite(
    connection: Connection,
    found: StoredReport,
    new: NewReport,
    *,
    by: str,
    now: datetime,
    hold: HoldRequest | None = None,
) -> StoredReport:
    """Bring a draft that this transaction has locked up to date with what is known by now.

    What a person edited stays, and they are asked to look at it again; files that are new are added and held.
    What was approved must be again.

    Raises:
        ReportError, VaultError: as ``add_files``.
    """
    known = {file.object: file for file in found.files}
    added = [file for file in new.files if file.object not in known]
    _write_files(connection, found.id, added, len(found.files), hold, by, now)
    asks = list(new.asks)
    values: dict[str, Any] = {"case": new.case, "decision": new.decision}
    values["approvals"] = max(found.approvals, new.approvals)
    if found.edited:
        asks.append(Fault("additionalInfo", "more became known after it was edited: see that it says all"))
    else:
        values["document"] = as_json(new.document)
        for file in new.files:
            if file.object in known:
                mine = report_file.c.id == known[file.object].id
                connection.execute(update(report_file).where(mine).values(details=as_json(file.details)))
    values["asks"] = [[fault.where, fault.what] for fault in asks]
    _changed(connection, found, **values)
    facts: dict[str, audit.Detail] = {"version": found.version + 1, "files": len(added), **new.facts}
    record(connection, by, "report.changed", found.id, facts, now)
    return get_report(connection, found.id)


def approve(connection: Connection, report_id: str, *, version: int, by: str, now: datetime) -> StoredReport:
    """Say that a draft is right as it stands. With the last approval that it needs it is on its way.

    Raises:
        ReportError: it is no draft, not at ``version`` any more, has faults, or ``by`` approved it already.
    """
    found = _editable(connection, report_id, version)
    if found.state != "draft":
        raise ReportError("conflict", "it was approved, and stopped", hint="send, or change it first")
    faults = found.faults
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise ReportError("invalid", f"{faults[0].what}{more}", where=faults[0].where, hint="fill it in")
    if by in found.approved_by:
        raise ReportError("refused", "the same person cannot approve it twice", where="approval")
    _refuse_if_cleared(connection, found)
    mine = (report_approval.c.report == report_id) & (report_approval.c.by == by)
    connection.execute(delete(report_approval).where(mine))  # of an earlier version
    connection.execute(insert(report_approval).values(report=report_id, by=by, version=version, at=now))
    enough = len(found.approved_by) + 1 >= found.approvals
    if enough:
        _send(connection, found, now)
    record(connection, by, "report.approved", report_id, {"version": version, "enough": enough}, now)
    return get_report(connection, report_id)


def let_go(connection: Connection, found: StoredReport, *, now: datetime) -> None:
    """Send a draft of a rule's that nobody approved: it is locked, needs no approval, and has no faults."""
    _send(connection, found, now)
    facts: dict[str, audit.Detail] = {"version": found.version, "enough": True, "rule": found.rule}
    record(connection, "system", "report.approved", found.id, facts, now)


def send_again(connection: Connection, report_id: str, *, by: str, now: datetime) -> StoredReport:
    """Go on with a report that waits for a person, or at once with one that waits for its time.

    Raises:
        ReportError: it is not stopped and not on its way.
    """
    found = get_report(connection, report_id, lock=True)
    if found.state == "person":
        if found.approved_at is None:
            raise ReportError("conflict", "it has never been approved", hint="nightlamp report approve")
        _refuse_if_cleared(connection, found)
        state: State = "restarting" if found.remote is not None else "approved"
        move(connection, report_id, state=state, why="", attempts=0, restarts=0, due=now)
    elif found.state in ("draft", "finished", "retracted"):
        raise ReportError("conflict", f"a report that is {found.state} is not sent", where="report")
    else:
        move(connection, report_id, due=now)
    record(connection, by, "report.resumed", report_id, {}, now)
    return get_report(connection, report_id)


def retract(connection: Connection, report_id: str, *, by: str, reason: str, now: datetime) -> StoredReport:
    """Take a report back. It may turn out that it had been finished a moment before: then it stays so.

    Raises:
        ReportError: it is finished or retracted.
    """
    found = get_report(connection, report_id, lock=True)
    if found.state == "finished":
        raise ReportError("conflict", "it is finished: it cannot be taken back", hint="call NCMEC")
    if found.state == "retracted":
        raise ReportError("conflict", "it is retracted already")
    state: State = "retracting" if found.remote is not None else "retracted"
    move(connection, report_id, state=state, why=reason[:200], attempts=0, due=now, lease=None)
    record(connection, by, "report.retract", report_id, {"reason": reason[:200], "was": found.state}, now)
    return get_report(connection, report_id)


def follow_up(
    connection: Connection,
    report_id: str,
    *,
    by: str,
    now: datetime,
    document: Report | None = None,
    approvals: int = 1,
) -> str:
    """Draft a report that adds to a finished one, which it names; gives its id. A person stands behind it,
    whoever did behind that one: at least ``approvals`` people must approve it.

    Raises:
        ReportError: that one is not finished.
    """
    found = get_report(connection, report_id)
    if found.state != "finished" or found.remote is None:
        raise ReportError("conflict", "only a finished report can be followed up", hint="change it instead")
    base = document or replace(found.document, additional_info=None)
    person = base.person_or_user_reported or PersonOrUserReported()
    numbers = tuple(dict.fromkeys((*person.prior_ct_reports, found.remote)))
    linked = replace(base, person_or_user_reported=replace(person, prior_ct_reports=numbers))
    ask = Fault("additionalInfo", "say what is new since the earlier report")
    new = NewReport(
        linked,
        asks=(ask,),
        case=found.case,
        actor=found.actor,
        follows=report_id,
        approvals=max(found.approvals, approvals),
    )
    return draft(connection, new, by=by, now=now)


def move(connection: Connection, report_id: str, **values: Any) -> None:
    """Change a report's row."""
    connection.execute(update(report).where(report.c.id == report_id).values(values))


def record(
    connection: Connection,
    by: str,
    action: str,
    report_id: str,
    facts: Mapping[str, audit.Detail],
    now: datetime,
) -> None:
    """Write what was done into the audit log."""
    said = {name: value for name, value in facts.items() if value is not None}
    audit.append(connection, by, action, f"report:{report_id}", said, at=now)


def _editable(connection: Connection, report_id: str, version: int) -> StoredReport:
    found = get_report(connection, report_id, lock=True)
    if found.state not in _STILL_OURS:
        raise ReportError("conflict", f"it is {found.state}: it cannot be changed any more", where="report")
    if found.version != version:
        raise ReportError("conflict", f"it is at version {found.version} by now", hint="read it again")
    return found


def _refuse_if_cleared(connection: Connection, found: StoredReport) -> None:
    """People may have said so a moment ago: it is taken back once they cannot undo that any more."""
    d, of = decision.c, report_confirmation.c
    cleared = select(d.id).join(review_case, review_case.c.decision == d.id)
    cleared = cleared.join(case_item, case_item.c.case == review_case.c.id)
    cleared = cleared.join(report_confirmation, of.item == case_item.c.item)
    said = cleared.where(of.report == found.id, d.finding == "not_csam").limit(1)
    if connection.scalar(said) is not None:
        raise ReportError("conflict", "people have decided that it is not CSAM", hint="retract it")


def _send(connection: Connection, found: StoredReport, now: datetime) -> None:
    _look_again(connection, found)
    state = "restarting" if found.remote is not None else "approved"
    move(connection, found.id, state=state, why="", approved_at=now, attempts=0, due=now)


def _look_again(connection: Connection, found: StoredReport) -> None:
    """Somebody may have viewed a file since the draft was made: then the report must say so."""
    for file in found.files:
        if file.item is None:
            continue
        seen = viewed(connection, file.item)
        details = replace(file.details, file_viewed_by_esp=seen.whole, exif_viewed_by_esp=seen.exif)
        if details != file.details:
            mine = report_file.c.id == file.id
            connection.execute(update(report_file).where(mine).values(details=as_json(details)))


def _changed(connection: Connection, found: StoredReport, **values: Any) -> None:
    move(connection, found.id, state="draft", version=found.version + 1, approved_at=None, **values)


def _write_files(
    connection: Connection,
    report_id: str,
    files: Sequence[NewFile],
    place: int,
    hold: HoldRequest | None,
    by: str,
    now: datetime,
) -> None:
    if place + len(files) > _MOST_FILES:
        raise ReportError("invalid", f"more than {_MOST_FILES} files", where="files", hint="several reports")
    if len({file.object for file in files}) < len(files):
        raise ReportError("invalid", "the same file twice", where="files")
    request = hold or HoldRequest("report to NCMEC", "US")
    rows = []
    for at, file in enumerate(files, place):
        try:
            held = place_hold(connection, file.object, request, actor=by, now=now)
        except VaultError as error:
            raise VaultError(error.what, where=f"file {at + 1}", hint="a report without this file") from None
        rows.append(
            {
                "id": new_id(),
                "report": report_id,
                "place": at,
                "item": file.item,
                "object": file.object,
                "hold": held.id,
                "details": as_json(file.details),
                "state": "waiting",
            }
        )
    if rows:
        connection.execute(insert(report_file), rows)
