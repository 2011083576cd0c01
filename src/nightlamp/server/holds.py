"""Holds: why and until when sealed content is kept; legal requests to keep it, and to destroy it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import Connection

from nightlamp import vault
from nightlamp.access import Principal
from nightlamp.errors import VaultError
from nightlamp.reports import destroy as destroy_now
from nightlamp.server import listings
from nightlamp.server.asking import Asked, Identity, Limit, need
from nightlamp.server.listings import Page
from nightlamp.server.problems import Problem
from nightlamp.server.shapes import Given, Text
from nightlamp.store import reading, utc_now
from nightlamp.vault.holds import Hold, extend, page_holds, release

router = APIRouter(tags=["holds"], prefix="/v1/holds")
READER = Depends(need("review", "report", "admin", "audit"))
ADMIN = Annotated[Principal, Depends(need("admin"))]


class HoldRow(BaseModel):
    """A duty to keep an object; `legal`: a court or an authority asked for it."""

    id: str
    object: str
    reason: str
    jurisdiction: str
    legal: bool
    created: datetime
    expires: datetime
    released: datetime | None


class HoldPage(Page):
    """Holds."""

    holds: list[HoldRow]


class RequestIn(Given):
    """A legal request to keep an object."""

    object: Identity
    process: Text = Field(min_length=1, description="the court's or authority's reference")
    until: AwareDatetime
    jurisdiction: Text = Field("US", min_length=1, max_length=20)


class ExtendIn(Given):
    """A later end."""

    until: AwareDatetime
    reason: Text = Field(min_length=1)


class ReleaseIn(Given):
    """Why a hold ends."""

    reason: Text = Field(min_length=1)


class DestroyIn(Given):
    """An authority's request to destroy an object."""

    object: Identity
    request: Text = Field(min_length=1, description="its reference")
    despite_reports: bool = Field(False, description="though a report or a disclosure under way needs it")


class DestroyedOut(BaseModel):
    """Whether the bytes are gone; if not, the storage failed, and the next purge tries again."""

    destroyed: bool


@router.get("", dependencies=[READER], responses=listings.of(HoldPage))
def list_holds(
    node: Asked,
    cursor: Identity | None = None,
    limit: Limit = 50,
    object: Identity | None = None,  # noqa: A002 (the query's own name)
    ends_before: AwareDatetime | None = None,
) -> HoldPage:
    """Holds in force, those that end first above; of an `object` all that there ever were."""
    with reading(node.engine) as connection, _told():
        found = page_holds(connection, after=cursor, limit=limit, object_id=object, before=ends_before)
    more = found[-1].id if len(found) == limit else None
    return HoldPage(holds=[_row(each) for each in found], next=more)


@router.post("", status_code=201)
def hold_for_request(node: Asked, principal: ADMIN, given: RequestIn) -> HoldRow:
    """Keep an object on a legal request; the same reference again moves the end to the later date."""

    def work(connection: Connection) -> Hold:
        return vault.hold_for_request(
            connection,
            given.object,
            given.process,
            until=given.until,
            jurisdiction=given.jurisdiction,
            actor=principal.actor,
            now=utc_now(),
        )

    with _told():
        return _row(node.writer.write(work))


@router.post("/{hold_id}/extend", status_code=204)
def extend_hold(node: Asked, principal: ADMIN, hold_id: Identity, given: ExtendIn) -> None:
    """Move a hold's end to a later date."""
    with _told():
        node.writer.write(
            lambda c: extend(
                c, hold_id, given.until, actor=principal.actor, reason=given.reason, now=utc_now()
            )
        )


@router.post("/{hold_id}/release", status_code=204)
def release_hold(node: Asked, principal: ADMIN, hold_id: Identity, given: ReleaseIn) -> None:
    """End a hold now. The next purge destroys the object if no other hold keeps it."""
    with _told():
        node.writer.write(
            lambda c: release(c, hold_id, actor=principal.actor, reason=given.reason, now=utc_now())
        )


@router.post("/destroy")
def destroy(node: Asked, principal: ADMIN, given: DestroyIn) -> DestroyedOut:
    """Destroy an object now, though holds keep it, because an authority asked for it.

    Refused while a report that is not finished or a disclosure that was asked for needs it.
    """
    with _told():
        gone = destroy_now(
            node.vault,
            given.object,
            actor=principal.actor,
            request=given.request,
            despite=given.despite_reports,
        )
    return DestroyedOut(destroyed=gone)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except VaultError as error:
        raise Problem("conflict", error.what, where=error.where, hint=error.hint) from None


def _row(found: Hold) -> HoldRow:
    return HoldRow(**{name: getattr(found, name) for name in HoldRow.model_fields})
