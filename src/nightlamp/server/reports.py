"""Reports to authorities: drafted, changed, approved, taken back. Nodes with the private key send them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import Connection

from nightlamp import reports
from nightlamp.access import Principal
from nightlamp.reports import NewFile, NewReport, Operator, State
from nightlamp.reports.cybertip import FileDetails, Report, from_json
from nightlamp.reports.cybertip.choices import Relevance
from nightlamp.server import listings, report_shapes
from nightlamp.server.asking import Asked, Identity, Limit, need
from nightlamp.server.report_shapes import call_out, report_out, row_out, standing_out
from nightlamp.store import reading, utc_now

router = APIRouter(tags=["reports"], prefix="/v1/reports")
REPORTER = Depends(need("report"))
Reporter = Annotated[Principal, REPORTER]


@router.get("", dependencies=[REPORTER], responses=listings.of(report_shapes.ReportPage))
def list_reports(
    node: Asked,
    cursor: Identity | None = None,
    limit: Limit = 50,
    state: State | None = None,
    case: Identity | None = None,
) -> report_shapes.ReportPage:
    """Reports, the newest first."""
    with reading(node.engine) as connection:
        found = reports.page_reports(connection, before=cursor, limit=limit, state=state, case=case)
    more = found[-1].id if len(found) == limit else None
    return report_shapes.ReportPage(reports=[row_out(each) for each in found], next=more)


@router.get("/standing", dependencies=[REPORTER])
def read_standing(node: Asked) -> report_shapes.StandingOut:
    """How many reports there are in each state, and what needs somebody's eyes."""
    hours = node.settings.reports.draft_hours
    with reading(node.engine) as connection:
        states = reports.count_states(connection)
        return standing_out(states, reports.standing(connection, now=utc_now(), draft_hours=hours))


@router.post("", status_code=201)
def draft_report(node: Asked, principal: Reporter, given: report_shapes.DraftIn) -> report_shapes.ReportOut:
    """Draft a report by hand; confirmed cases draft theirs themselves."""
    operator = Operator.of(node.settings.reports)

    def work(connection: Connection) -> reports.StoredReport:
        now = utc_now()
        new = NewReport(
            from_json(Report, given.document),
            _files(connection, given.items),
            case=given.case,
            actor=given.actor,
            approvals=operator.approvals,
        )
        made = reports.draft(connection, new, by=principal.actor, now=now, hold=operator.hold(now))
        return reports.get_report(connection, made)

    return report_out(node.writer.write(work))


@router.get("/{report_id}", dependencies=[REPORTER])
def read_report(node: Asked, report_id: Identity) -> report_shapes.ReportOut:
    """One report: what it says, what is missing, and how it stands."""
    with reading(node.engine) as connection:
        return report_out(reports.get_report(connection, report_id))


@router.get("/{report_id}/calls", dependencies=[REPORTER])
def read_calls(node: Asked, report_id: Identity) -> report_shapes.CallList:
    """Every call to the authority, with the request ids that its support asks for."""
    with reading(node.engine) as connection:
        reports.get_report(connection, report_id)
        found = reports.calls_of(connection, report_id)
    return report_shapes.CallList(calls=[call_out(each) for each in found])


@router.put("/{report_id}")
def change_report(
    node: Asked, principal: Reporter, report_id: Identity, given: report_shapes.ChangeIn
) -> report_shapes.ReportOut:
    """Replace what a draft says. Who has viewed a file stays as the audit log has it."""
    document = from_json(Report, given.document)
    files = {file: from_json(FileDetails, details) for file, details in given.files.items()}
    return report_out(
        node.writer.write(
            lambda c: reports.change(
                c,
                report_id,
                document,
                version=given.version,
                by=principal.actor,
                now=utc_now(),
                files=files,
                approvals=node.settings.reports.approvals,
            )
        )
    )


@router.post("/{report_id}/files")
def add_files(
    node: Asked, principal: Reporter, report_id: Identity, given: report_shapes.FilesIn
) -> report_shapes.ReportOut:
    """Add the contents of items to a draft; from now on they are held."""
    operator = Operator.of(node.settings.reports)

    def work(connection: Connection) -> reports.StoredReport:
        now = utc_now()
        return reports.add_files(
            connection,
            report_id,
            _files(connection, given.items),
            version=given.version,
            by=principal.actor,
            now=now,
            hold=operator.hold(now),
            approvals=operator.approvals,
        )

    return report_out(node.writer.write(work))


@router.post("/{report_id}/approve")
def approve_report(
    node: Asked, principal: Reporter, report_id: Identity, given: report_shapes.VersionIn
) -> report_shapes.ReportOut:
    """Say that a draft is right as it stands. With the last approval that it needs it is on its way."""
    return report_out(
        node.writer.write(
            lambda c: reports.approve(c, report_id, version=given.version, by=principal.actor, now=utc_now())
        )
    )


@router.post("/{report_id}/send")
def send_again(node: Asked, principal: Reporter, report_id: Identity) -> report_shapes.ReportOut:
    """Go on with a report that stopped, or at once with one that waits for its time."""
    return report_out(
        node.writer.write(lambda c: reports.send_again(c, report_id, by=principal.actor, now=utc_now()))
    )


@router.post("/{report_id}/retract")
def retract_report(
    node: Asked, principal: Reporter, report_id: Identity, given: report_shapes.ReasonIn
) -> report_shapes.ReportOut:
    """Take a report back, as long as it is not finished."""
    return report_out(
        node.writer.write(
            lambda c: reports.retract(c, report_id, by=principal.actor, reason=given.reason, now=utc_now())
        )
    )


@router.post("/{report_id}/follow-up", status_code=201)
def follow_up(node: Asked, principal: Reporter, report_id: Identity) -> report_shapes.ReportOut:
    """Draft a report that adds to a finished one, which it names."""

    def work(connection: Connection) -> reports.StoredReport:
        people = node.settings.reports.approvals
        made = reports.follow_up(connection, report_id, by=principal.actor, now=utc_now(), approvals=people)
        return reports.get_report(connection, made)

    return report_out(node.writer.write(work))


def _files(connection: Connection, items: Sequence[report_shapes.Item]) -> list[NewFile]:
    found: list[NewFile] = []
    for supplemental in (False, True):
        names = [each.item for each in items if each.supplemental == supplemental]
        relevance = Relevance.SUPPLEMENTAL if supplemental else Relevance.REPORTED
        found += reports.files_of(connection, names, relevance)
    return found
