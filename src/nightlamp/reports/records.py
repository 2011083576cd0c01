"""Reports as they stand in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Row, func, select

from nightlamp.errors import ReportError
from nightlamp.reports.cybertip import Answer, Fault, FileDetails, Report, check, from_json
from nightlamp.reports.tables import report, report_approval, report_call, report_file
from nightlamp.store import new_id

State = Literal[
    "draft",  # a person fills it in and approves it
    "approved",  # to be opened
    "open",  # opened; files are uploaded and described
    "finishing",  # it was or is about to be closed; in doubt, /retract decides
    "restarting",  # what was opened is taken back first, then it is opened anew
    "retracting",  # what was opened is taken back for good
    "person",  # stopped: only a person can go on
    "finished",  # it counts, and cannot be changed
    "retracted",  # never counted, and never will
]
STATES: tuple[State, ...] = get_args(State)
MOVING: tuple[State, ...] = ("approved", "open", "finishing", "restarting", "retracting")
BACK: tuple[State, ...] = ("retracting", "retracted")  # taken back, or about to be
FileState = Literal[
    "waiting",
    "sending",  # it was or is about to be uploaded; in doubt, the report is opened anew
    "uploaded",
    "described",
]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a report.

    Args:
        object: its id in the vault.
        remote: the authority's id of it.
    """

    id: str
    item: str | None
    object: str
    hold: str | None
    details: FileDetails
    state: FileState
    remote: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A call to the authority, and what came of it."""

    at: datetime
    call: str
    remote: int | None
    means: str
    code: int | None
    status: int
    request: str


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A report as it stands.

    Args:
        remote: the authority's number of it.
        asks: what a person should see to, though it could be sent without.
        why: what it waits for, or what went wrong last.
        rule: of the policy, that confirmed it alone; ``""``: people did.
        edited: a person changed what it says.
        approvals: people who must approve it; 0: it goes by itself.
        approved_by: who approved this version.
    """

    id: str
    authority: str
    case: str | None
    decision: str | None
    actor: str
    follows: str | None
    rule: str
    edited: bool
    state: State
    why: str
    document: Report
    asks: tuple[Fault, ...]
    approvals: int
    version: int
    created_at: datetime
    created_by: str
    approved_at: datetime | None
    host: str
    remote: int | None
    opened_at: datetime | None
    finished_at: datetime | None
    restarts: int
    attempts: int
    due: datetime
    files: tuple[StoredFile, ...] = ()
    approved_by: tuple[str, ...] = ()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What must be put right before it can be sent."""
        found = list(check(self.document))
        for at, file in enumerate(self.files, 1):
            for fault in check(file.details, uploaded=False):
                found.append(Fault(f"file[{at}].{fault.where}", fault.what, fault.missing))
        return tuple(found)

    def file(self, number: int) -> StoredFile:
        """The file of that place, from 1.

        Raises:
            ReportError: there is none.
        """
        if not 1 <= number <= len(self.files):
            raise ReportError("not found", "there is no such file in this report", where=f"file {number}")
        return self.files[number - 1]


_HIDDEN = ("lease", "lease_until")


def get_report(connection: Connection, report_id: str, *, lock: bool = False) -> StoredReport:
    """One report with its files; ``lock``: nobody else may change it until the transaction ends.

    Raises:
        ReportError: there is none.
    """
    query = select(report).where(report.c.id == report_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise ReportError("not found", "there is no such report", where="report")
    files = connection.execute(
        select(report_file).where(report_file.c.report == report_id).order_by(report_file.c.place)
    )
    mine = report_approval.c.report == report_id
    by = connection.scalars(
        select(report_approval.c.by)
        .where(mine, report_approval.c.version == row.version)
        .order_by(report_approval.c.at, report_approval.c.by)
    )
    return _report(row, tuple(map(file_of, files)), tuple(by))


def page_reports(
    connection: Connection,
    *,
    before: str | None = None,
    limit: int = 50,
    state: str | None = None,
    case: str | None = None,
) -> list[StoredReport]:
    """Reports without their files, the newest first, from behind ``before``."""
    query = select(report).order_by(report.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(report.c.id < before)
    if state is not None:
        query = query.where(report.c.state == state)
    if case is not None:
        query = query.where(report.c.case == case)
    return [_report(row) for row in connection.execute(query)]


def calls_of(connection: Connection, report_id: str) -> list[Call]:
    """All calls for a report, the oldest first."""
    columns = [report_call.c[name] for name in Call.__slots__]
    query = select(*columns).where(report_call.c.report == report_id).order_by(report_call.c.id)
    return [Call(**row._mapping) for row in connection.execute(query)]


def call_row(answer: Answer, report_id: str, remote: int | None, at: datetime) -> dict[str, Any]:
    """The row of a call."""
    return {
        "id": new_id(),
        "report": report_id,
        "at": at,
        "call": answer.call,
        "remote": remote if remote is not None else answer.report_id,
        "means": answer.means,
        "code": answer.code,
        "status": answer.status,
        "request": answer.request_id,
    }


def count_states(connection: Connection) -> dict[str, int]:
    """How many reports there are in each state."""
    query = select(report.c.state, func.count()).group_by(report.c.state)
    found = {str(row[0]): int(row[1]) for row in connection.execute(query)}
    return {state: found.get(state, 0) for state in STATES}


def prior_numbers(connection: Connection, actor: str, host: str) -> tuple[int, ...]:
    """The authority's numbers of the finished reports on an actor, the oldest first."""
    if not actor:
        return ()
    query = select(report.c.remote).where(
        report.c.actor == actor, report.c.state == "finished", report.c.host == host
    )
    return tuple(connection.scalars(query.order_by(report.c.finished_at)))


def file_of(row: Row[Any]) -> StoredFile:
    """A file by its row."""
    details = from_json(FileDetails, row.details)
    return StoredFile(row.id, row.item, row.object, row.hold, details, row.state, row.remote)


def _report(row: Row[Any], files: Sequence[StoredFile] = (), by: Sequence[str] = ()) -> StoredReport:
    values = {name: value for name, value in row._mapping.items() if name not in _HIDDEN}
    asks = tuple(Fault(*each) for each in values.pop("asks"))
    document = from_json(Report, values.pop("document"))
    return StoredReport(document=document, asks=asks, files=tuple(files), approved_by=tuple(by), **values)
