"""Exports of originals: what was asked for, authorised and given; and that one is stopped.

No key asks for, authorises or fetches one: a person may have several keys, and an export needs two people.
They do it in the console.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from nightlamp import reports
from nightlamp.access import Principal
from nightlamp.reports.exports import ExportState
from nightlamp.server import listings
from nightlamp.server.asking import Asked, Identity, Limit, need
from nightlamp.server.listings import Page
from nightlamp.store import reading, utc_now

router = APIRouter(tags=["reports"], prefix="/v1/exports")
READER = Depends(need("disclose", "audit"))


class ExportRow(BaseModel):
    """An export; people as the audit log names them."""

    id: str
    case: str
    item: str | None = Field(description="null: all that the case had when it was asked for")
    items: int
    recipients: list[str] = Field(description="age public keys")
    reason: str
    state: ExportState
    asked_by: str
    asked_at: datetime
    settled_by: str | None = Field(description="who authorised, refused or withdrew it")
    settled_at: datetime | None
    expires_at: datetime
    given_at: datetime | None
    package: str | None


class ExportPage(Page):
    """Exports."""

    exports: list[ExportRow]


@router.get("", dependencies=[READER], responses=listings.of(ExportPage))
def list_exports(node: Asked, cursor: Identity | None = None, limit: Limit = 50) -> ExportPage:
    """All of them, the newest first."""
    with reading(node.engine) as connection:
        found = reports.page_exports(connection, now=utc_now(), before=cursor, limit=limit)
    more = found[-1].id if len(found) == limit else None
    return ExportPage(exports=[_row(each) for each in found], next=more)


@router.get("/{export_id}", dependencies=[READER])
def read_export(node: Asked, export_id: Identity) -> ExportRow:
    """One of them."""
    with reading(node.engine) as connection:
        return _row(reports.get_export(connection, export_id, now=utc_now()))


@router.post("/{export_id}/stop")
def stop_export(
    node: Asked, principal: Annotated[Principal, Depends(need("disclose"))], export_id: Identity
) -> ExportRow:
    """Refuse it, or end its authorisation, as long as it was not given."""
    now = utc_now()
    return _row(node.writer.write(lambda c: reports.stop_export(c, export_id, by=principal.actor, now=now)))


def _row(export: reports.Export) -> ExportRow:
    names = ExportRow.model_fields
    return ExportRow(**{name: getattr(export, name) for name in names})
