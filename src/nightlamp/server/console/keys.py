"""API keys, for who administers."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from nightlamp import access
from nightlamp.accounts import Person
from nightlamp.errors import AccessError
from nightlamp.server.console.pages import go, page, refusal
from nightlamp.server.console.visiting import Posted, Visit, Visiting, need
from nightlamp.store import reading, utc_now

router = APIRouter(prefix="/keys")
Admin = Annotated[Person, Depends(need("admin"))]


@router.get("")
def show(request: Request, visit: Visiting, person: Admin) -> Response:  # noqa: ARG001 (a role is needed)
    """All keys, without their secrets."""
    return _show(request, visit)


@router.post("")
def make(request: Request, visit: Visiting, person: Admin, form: Posted) -> Response:
    """Make a key. Its secret is in this answer and never again."""
    try:
        until, rate = form.get("expires", ""), form.get("rate", "")
        made = visit.node.change(
            lambda c: access.create(
                c,
                form.get("name", ""),
                form.get("scopes", "").split(),
                actor=person.actor,
                now=utc_now(),
                expires_at=_end_of(until),
                rate=_number(rate),
            )
        )
    except AccessError as error:
        return _show(request, visit, error)
    return _show(request, visit, secret=made.secret.reveal())


@router.post("/{key_id}/revoke")
def revoke(visit: Visiting, person: Admin, form: Posted, key_id: str) -> Response:  # noqa: ARG001
    """Put a key out of force."""
    visit.node.change(lambda c: access.revoke(c, key_id, actor=person.actor, now=utc_now()))
    return go("/keys", "revoked")


def _show(request: Request, visit: Visit, error: AccessError | None = None, secret: str = "") -> Response:
    with reading(visit.node.engine) as connection:
        every = access.every(connection)
    values: dict[str, Any] = {"keys": every, "scopes": access.SCOPES, "secret": secret, "now": utc_now()}
    if error is not None:
        values["error"] = refusal(error)
    return page(request, "keys.html", status=422 if error else 200, **values)


def _end_of(day: str) -> datetime | None:
    if not day:
        return None
    try:
        return datetime.combine(datetime.fromisoformat(day).date(), time(23, 59, 59), UTC)
    except ValueError:
        raise AccessError("must be a date", where="expires") from None


def _number(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise AccessError("must be a number", where="rate") from None
