"""The JSON of reports: what is taken and what is given. Documents are by the authority's own names."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from nightlamp.reports import Call, Standing, State, StoredFile, StoredReport
from nightlamp.reports.cybertip import Fault, as_json
from nightlamp.server.listings import Page
from nightlamp.server.shapes import Given, Text

Document = dict[str, Any]


class Item(Given):
    """An item whose content is reported."""

    item: str = Field(max_length=40)
    supplemental: bool = Field(False, description="it belongs to the incident, and is not what is reported")


class DraftIn(Given):
    """A report that stands on no decision."""

    document: Document = Field(description="by the schema's names; may be half-filled")
    items: list[Item] = Field(default=[], max_length=1_000)
    case: str | None = Field(None, max_length=40)
    actor: Text = Field("", description="whom it is about, under the platform's pseudonym")


class ChangeIn(Given):
    """A changed draft."""

    version: int = Field(ge=1, le=2**31 - 1, description="that was read")
    document: Document
    files: dict[str, Document] = Field(default={}, description="by the files' ids; the others stay")


class FilesIn(Given):
    """More files for a draft."""

    version: int = Field(ge=1, le=2**31 - 1)
    items: list[Item] = Field(min_length=1, max_length=1_000)


class VersionIn(Given):
    """What was read."""

    version: int = Field(ge=1, le=2**31 - 1)


class ReasonIn(Given):
    """Why."""

    reason: Text = Field(min_length=1)


class FaultOut(BaseModel):
    """A field, and what is to be done about it."""

    where: str
    what: str
    missing: bool


class FileOut(BaseModel):
    """A file of a report."""

    id: str
    item: str | None
    object: str
    state: str
    details: Document


class CallOut(BaseModel):
    """A call to the authority."""

    at: datetime
    call: str
    number: int | None
    means: str
    code: int | None
    status: int
    request_id: str


class ReportRow(BaseModel):
    """A report without what it says."""

    id: str
    authority: str
    case: str | None
    decision: str | None
    actor: str
    follows: str | None
    rule: str = Field(description="of the policy, that confirmed it alone; empty: people did")
    state: State
    why: str
    approvals: int
    version: int
    created_at: datetime
    created_by: str
    approved_at: datetime | None
    host: str
    number: int | None = Field(description="the authority's")
    finished_at: datetime | None


class ReportPage(Page):
    """Reports."""

    reports: list[ReportRow]


class ReportOut(ReportRow):
    """A report."""

    document: Document
    files: list[FileOut]
    faults: list[FaultOut] = Field(description="what must be put right before it can be approved")
    asks: list[FaultOut] = Field(description="what a person should see to")
    approved_by: list[str]


class CallList(BaseModel):
    """Calls, the oldest first."""

    calls: list[CallOut]


class StandingOut(BaseModel):
    """Counts by state, and what needs somebody's eyes."""

    states: dict[str, int]
    unreported: int
    doubled: int
    left: int
    overdue: int
    person: int
    stuck: int


def row_out(found: StoredReport) -> ReportRow:
    """For a listing."""
    return ReportRow(**_row(found))


def report_out(found: StoredReport) -> ReportOut:
    """The whole of it."""
    return ReportOut(
        **_row(found),
        document=as_json(found.document),
        files=[_file(each) for each in found.files],
        faults=[_fault(each) for each in found.faults],
        asks=[_fault(each) for each in found.asks],
        approved_by=list(found.approved_by),
    )


def call_out(call: Call) -> CallOut:
    """A call."""
    return CallOut(
        at=call.at,
        call=call.call,
        number=call.remote,
        means=call.means,
        code=call.code,
        status=call.status,
        request_id=call.request,
    )


def standing_out(states: dict[str, int], found: Standing) -> StandingOut:
    """How reports stand."""
    return StandingOut(states=states, **{name: getattr(found, name) for name in Standing.__slots__})


def _row(found: StoredReport) -> dict[str, Any]:
    values = {name: getattr(found, name) for name in ReportRow.model_fields if name != "number"}
    return {**values, "number": found.remote}


def _file(file: StoredFile) -> FileOut:
    details = as_json(file.details)
    return FileOut(id=file.id, item=file.item, object=file.object, state=file.state, details=details)


def _fault(fault: Fault) -> FaultOut:
    return FaultOut(where=fault.where, what=fault.what, missing=fault.missing)
