"""Reports to authorities: what is drafted, what a person must still see to, approved, and how it was sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from nightlamp import reports
from nightlamp.accounts import Person
from nightlamp.errors import ReportError
from nightlamp.reports.cybertip import as_json
from nightlamp.server.console.desk import names_of
from nightlamp.server.console.pages import go, page, refusal
from nightlamp.server.console.visiting import Posted, Visit, Visiting, need, number_of
from nightlamp.server.problems import problem_of
from nightlamp.store import reading, utc_now

router = APIRouter(prefix="/reports")
Reporter = Annotated[Person, Depends(need("reporter", "lead"))]
_LISTED = 50


@router.get("")
def show(
    request: Request,
    visit: Visiting,
    person: Reporter,  # noqa: ARG001 (a role is needed)
    state: Annotated[str, Query(max_length=20)] = "",
    after: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """All of them, the newest first, and what needs somebody's eyes."""
    hours = visit.node.settings.reports.draft_hours
    with reading(visit.node.engine) as connection:
        found = reports.page_reports(
            connection, before=after, limit=_LISTED, state=state if state in reports.STATES else None
        )
        standing = reports.standing(connection, now=utc_now(), draft_hours=hours)
        counts = reports.count_states(connection)
    return page(
        request,
        "reports.html",
        reports=found,
        counts=counts,
        standing=standing,
        chosen=state,
        first=after is None,
        next=found[-1].id if len(found) == _LISTED else None,
    )


@router.get("/{report_id}")
def one(request: Request, visit: Visiting, person: Reporter, report_id: str) -> Response:
    """One report: what it says, what is missing, and its calls."""
    return _show(request, visit, person, report_id)


@router.post("/{report_id}/approve")
def approve(request: Request, visit: Visiting, person: Reporter, form: Posted, report_id: str) -> Response:
    """Say that it is right as it stands on the page."""
    version = number_of(form, "version")
    return _change(
        request,
        visit,
        person,
        report_id,
        lambda c: reports.approve(c, report_id, version=version, by=person.actor, now=utc_now()),
    )


@router.post("/{report_id}/send")
def send(request: Request, visit: Visiting, person: Reporter, form: Posted, report_id: str) -> Response:  # noqa: ARG001
    """Go on with one that stopped."""
    return _change(
        request,
        visit,
        person,
        report_id,
        lambda c: reports.send_again(c, report_id, by=person.actor, now=utc_now()),
    )


@router.post("/{report_id}/follow-up")
def follow_up(request: Request, visit: Visiting, person: Reporter, form: Posted, report_id: str) -> Response:  # noqa: ARG001
    """Draft one that adds to it, once it is finished."""
    people = visit.node.settings.reports.approvals
    try:
        made = visit.node.writer.write(
            lambda c: reports.follow_up(c, report_id, by=person.actor, now=utc_now(), approvals=people)
        )
    except ReportError as error:
        if error.code == "not found":
            raise
        return _show(request, visit, person, report_id, error)
    return go(f"/reports/{made}/edit")


@router.post("/{report_id}/retract")
def retract(request: Request, visit: Visiting, person: Reporter, form: Posted, report_id: str) -> Response:
    """Take it back, with a reason."""
    reason = form.get("reason", "").strip()
    if not reason:
        error = ReportError("invalid", "say why", where="reason")
        return _show(request, visit, person, report_id, error)
    return _change(
        request,
        visit,
        person,
        report_id,
        lambda c: reports.retract(c, report_id, by=person.actor, reason=reason, now=utc_now()),
    )


def _show(
    request: Request, visit: Visit, person: Person, report_id: str, error: ReportError | None = None
) -> Response:
    with reading(visit.node.engine) as connection:
        found = reports.get_report(connection, report_id)
        calls = reports.calls_of(connection, report_id)
        names = names_of(connection, [found.created_by, *found.approved_by])
    return page(
        request,
        "report.html",
        status=problem_of(error).status_code if error else 200,
        error=refusal(error) if error else None,
        report=found,
        faults=found.faults,
        says=list(_lines(as_json(found.document))),
        calls=calls,
        names=names,
        mine=person.actor in found.approved_by,
        editable=found.state in ("draft", "person"),
    )


def _change(
    request: Request, visit: Visit, person: Person, report_id: str, work: Callable[[Connection], object]
) -> Response:
    try:
        visit.node.writer.write(work)
    except ReportError as error:
        if error.code == "not found":
            raise
        return _show(request, visit, person, report_id, error)
    return go(f"/reports/{report_id}", "changed")


_SECRET = ("hash",)  # fields whose values are no page's business


def _lines(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """(field, value) of a document, one line each, without hash values."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _lines(each, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for at, each in enumerate(value, 1):
            yield from _lines(each, f"{name}[{at}]")
    elif value is not None and not any(word in name.lower() for word in _SECRET):
        yield name, str(value)
