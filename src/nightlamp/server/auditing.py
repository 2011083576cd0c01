"""The audit log: read, checked, exported."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, StreamingResponse
from sqlalchemy import select

from nightlamp import audit
from nightlamp.audit import PublicKeys
from nightlamp.audit.log import links
from nightlamp.audit.tables import audit_record
from nightlamp.server import listings, telling
from nightlamp.server.asking import Asked, Limit, need, page
from nightlamp.server.node import Node
from nightlamp.server.problems import Problem
from nightlamp.store import reading

router = APIRouter(tags=["audit"], prefix="/v1/audit")
AUDITOR = Depends(need("audit"))
After = Annotated[int, Query(ge=0, le=2**62)]


@router.get("", dependencies=[AUDITOR], responses=listings.of(listings.RecordPage))
def list_records(node: Asked, cursor: After = 0, limit: Limit = 50) -> JSONResponse:
    """Records, the oldest first, from behind sequence `cursor`."""
    with reading(node.engine) as connection:
        found = list(islice(links(connection, cursor), limit))
    return page("records", [telling.record(link) for link in found], limit, lambda: found[-1].sequence)


@router.get("/verify", dependencies=[AUDITOR])
def verify(node: Asked) -> dict[str, Any]:
    """Check the whole chain, and say where it is broken. Takes time in proportion to its length."""
    with reading(node.engine) as connection:
        report = audit.verify_log(connection, public_keys(node))
    fields = ("fault", "at", "first", "last", "text")
    findings = [{name: getattr(finding, name) for name in fields} for finding in report.findings]
    return {"intact": report.intact, "records": report.records, "signed": report.signed, "findings": findings}


@router.get("/export", response_class=StreamingResponse, dependencies=[AUDITOR])
def export(node: Asked, after: After = 0) -> StreamingResponse:
    """The log as a file that anybody can check offline: `nightlamp audit verify FILE`."""
    if after:
        with reading(node.engine) as connection:
            there = select(audit_record.c.sequence).where(audit_record.c.sequence == after)
            if connection.scalar(there) is None:
                raise Problem("not-found", "there is no such record", where="after")
    return StreamingResponse(export_lines(node, after), media_type="application/jsonl")


def export_lines(node: Node, after: int) -> Iterator[bytes]:
    """The log as a file, from behind sequence ``after``."""
    with reading(node.engine) as connection:
        yield from audit.export(connection, public_keys(node), after=after)


def public_keys(node: Node) -> PublicKeys:
    """The keys whose checkpoints this node believes."""
    earlier = PublicKeys.read(node.settings.audit.public_keys)
    return PublicKeys.of([*earlier.by_id.values(), node.signing.public])
