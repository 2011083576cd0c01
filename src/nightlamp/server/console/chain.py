"""The audit log, for auditors: read, checked, exported. No pictures, and nothing to change."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse

from nightlamp import audit
from nightlamp.accounts import Person
from nightlamp.audit.log import checkpoints, link_of, newest
from nightlamp.server.auditing import export_lines, public_keys
from nightlamp.server.console.pages import page
from nightlamp.server.console.visiting import Posted, Visit, Visiting, need
from nightlamp.store import reading

router = APIRouter(prefix="/chain")
Auditor = Annotated[Person, Depends(need("auditor", "admin"))]
Text = Annotated[str, Query(max_length=200)]
_LISTED = 100
_SEARCHED = 200_000  # records that one page goes back through


@router.get("")
def show(
    request: Request,
    visit: Visiting,
    person: Auditor,  # noqa: ARG001 (a role is needed)
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    subject: Text = "",
    action: Text = "",
) -> Response:
    """Records, the newest first; behind the one that the page before ended with."""
    return _show(request, visit, after, subject.strip(), action.strip())


@router.post("/verify")
def verify(request: Request, visit: Visiting, person: Auditor, form: Posted) -> Response:  # noqa: ARG001
    """Check the whole chain. Takes time in proportion to its length."""
    with reading(visit.node.engine) as connection:
        report = audit.verify_log(connection, public_keys(visit.node))
    return _show(request, visit, report=report)


@router.get("/export")
def export(visit: Visiting, person: Auditor) -> StreamingResponse:  # noqa: ARG001
    """The log as a file that anybody can check offline."""
    name = {"content-disposition": 'attachment; filename="audit.jsonl"'}
    return StreamingResponse(export_lines(visit.node, 0), media_type="application/jsonl", headers=name)


def _show(
    request: Request,
    visit: Visit,
    after: int = 0,
    subject: str = "",
    action: str = "",
    report: audit.Report | None = None,
) -> Response:
    with reading(visit.node.engine) as connection:
        top = connection.scalar(newest(limit=1, before=after or None)) or 0
        # By its subject a record is found at once, by its action alone only by going back through the log.
        floor = max(top - _SEARCHED, 0) if action and not subject else 0
        query = newest(limit=_LISTED, before=top + 1, above=floor, subject=subject, action=action)
        found = [link_of(row) for row in connection.execute(query)]
        signed = list(checkpoints(connection))
    following = found[-1].sequence if len(found) == _LISTED else floor + 1 if floor else 0
    return page(
        request,
        "chain.html",
        links=found,
        next=following if following > 1 else None,
        searched=floor + 1 if floor and len(found) < _LISTED else 0,
        first=after == 0,
        chosen={"subject": subject, "action": action},
        signed=signed[-1] if signed else None,
        report=report,
    )
