"""The audit log, for auditors: read, checked, exported. No pictures, and nothing to change."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse

from nightlamp import audit
from nightlamp.accounts import Person
from nightlamp.audit.log import checkpoints, links
from nightlamp.server.auditing import export_lines, public_keys
from nightlamp.server.console.pages import page
from nightlamp.server.console.visiting import Posted, Visit, Visiting, need
from nightlamp.store import reading

router = APIRouter(prefix="/chain")
Auditor = Annotated[Person, Depends(need("auditor", "admin"))]
_LISTED = 100


@router.get("")
def show(
    request: Request,
    visit: Visiting,
    person: Auditor,  # noqa: ARG001 (a role is needed)
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
) -> Response:
    """Records, the oldest first."""
    return _show(request, visit, after)


@router.post("/verify")
def verify(request: Request, visit: Visiting, person: Auditor, form: Posted) -> Response:  # noqa: ARG001
    """Check the whole chain. Takes time in proportion to its length."""
    with reading(visit.node.engine) as connection:
        report = audit.verify_log(connection, public_keys(visit.node))
    return _show(request, visit, 0, report)


@router.get("/export")
def export(visit: Visiting, person: Auditor) -> StreamingResponse:  # noqa: ARG001
    """The log as a file that anybody can check offline."""
    name = {"content-disposition": 'attachment; filename="audit.jsonl"'}
    return StreamingResponse(export_lines(visit.node, 0), media_type="application/jsonl", headers=name)


def _show(request: Request, visit: Visit, after: int, report: audit.Report | None = None) -> Response:
    with reading(visit.node.engine) as connection:
        found = list(islice(links(connection, after), _LISTED))
        signed = list(checkpoints(connection))
    return page(
        request,
        "chain.html",
        links=found,
        next=found[-1].sequence if len(found) == _LISTED else None,
        first=after == 0,
        signed=signed[-1] if signed else None,
        report=report,
    )
