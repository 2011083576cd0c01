"""Reveals: who is shown what, step by step, and the pixels of it; never the file itself.

A reveal is stored first. Its pixels are then given out once, to the session that asked, scaled down and
blurred here as far as its level allows, and no browser keeps them.
"""

from __future__ import annotations

import hmac
import io
import threading
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy import Connection

from nightlamp import cases
from nightlamp.accounts import Person
from nightlamp.cases import FULL
from nightlamp.errors import CaseError, MediaError, VaultError
from nightlamp.examine import Look, Rendered
from nightlamp.server.console.desk import Reviewer, desk_of, terms_of
from nightlamp.server.console.pages import page
from nightlamp.server.console.visiting import Posted, Visit, Visiting, number_of
from nightlamp.server.problems import Problem, problem_of
from nightlamp.store import reading, utc_now
from nightlamp.vault import Identity

router = APIRouter()
LOOKS = {1: Look(96, 8.0), 2: Look(320, 4.0), FULL: Look(1600, 0.0, grey=False)}
"""What each level shows: small, grey and heavily blurred; larger and clearer; as it is."""
_MOST_BYTES = 256 << 20
_PLACES = threading.BoundedSemaphore(2)  # so many contents are in memory at once
_PATIENCE = 5.0  # seconds that one waits for a place


def can_show(visit: Visit) -> bool:
    """Whether this node has the private key that opens content."""
    return visit.node.settings.console_identity.is_file()


def may_look_again(visit: Visit, person: Person) -> bool:
    """Whether somebody may look at what is decided already."""
    return visit.node.settings.console.look_again == "lead" and person.may("lead")


@router.post("/cases/{case_id}/reveal")
def reveal(visit: Visiting, person: Reviewer, form: Posted, case_id: str) -> Response:
    """Store that an item is shown; gives the address of its pixels, good once and for seconds."""
    if not can_show(visit):
        return JSONResponse({"code": "cannot"}, 409)
    level, item = number_of(form, "level"), form.get("item", "")
    frame = number_of(form, "frame") if form.get("frame") else None
    try:
        made = visit.node.writer.write(
            lambda c: _store(c, visit, person, case_id, item, level, frame, utc_now())
        )
    except CaseError as error:
        return JSONResponse({"code": error.code}, problem_of(error).status_code)
    return JSONResponse({"id": made, "src": f"/console/pixels/{made}/{_key(visit, made)}"})


@router.post("/cases/{case_id}/hide")
def hide(request: Request, visit: Visiting, person: Reviewer, form: Posted, case_id: str) -> Response:  # noqa: ARG001
    """Say that a reveal is over; gives what the shift comes to."""
    try:
        seconds = float(form.get("seconds", ""))
    except ValueError:
        raise Problem("malformed", "no length of time") from None
    made = form.get("reveal", "")
    visit.node.writer.write(
        lambda c: cases.end_reveal(c, made, by=person.actor, seconds=seconds, now=utc_now())
    )
    with reading(visit.node.engine) as connection:
        return page(request, "exposure.html", **desk_of(connection, visit, person, utc_now()))


@router.get("/pixels/{reveal_id}/{key_id}")
def pixels(request: Request, visit: Visiting, person: Reviewer, reveal_id: str, key_id: str) -> Response:
    """The pixels of a reveal, once."""
    told = request.headers
    if told.get("sec-fetch-site", "same-origin") != "same-origin":
        raise Problem("forbidden", "a page of another site asks for it")
    if told.get("sec-fetch-dest", "image") != "image" or not hmac.compare_digest(
        key_id.encode(), _key(visit, reveal_id).encode()
    ):
        raise Problem("not-found")
    if not _PLACES.acquire(timeout=_PATIENCE):
        raise Problem("unavailable", "others are being shown pictures: try again in a moment")
    try:
        shown = visit.node.writer.write(
            lambda c: cases.hand_out(c, reveal_id, by=person.actor, now=utc_now())
        )
        if shown is None or shown.object is None:
            raise Problem("not-found")
        made = _render(visit, person, shown)
        if shown.frame is None:
            visit.node.writer.write(
                lambda c: cases.record_stills(
                    c, reveal_id, shown, made.frames, by=person.actor, now=utc_now()
                )
            )
        return Response(made.jpeg, media_type="image/jpeg")
    finally:
        _PLACES.release()


def _store(
    connection: Connection,
    visit: Visit,
    person: Person,
    case_id: str,
    item: str,
    level: int,
    frame: int | None,
    now: datetime,
) -> str:
    if not 1 <= level <= FULL or (level == FULL and frame is None):
        raise CaseError("invalid", "a level, and a frame of what is shown as it is", where="level")
    if level > cases.highest_level(connection, item, person.actor) + 1:
        raise CaseError("invalid", "one level after the other", where="level")
    limits = terms_of(visit).limits
    return cases.record_reveal(
        connection,
        case_id,
        item,
        by=person.actor,
        level=level,
        frame=frame,
        started_at=now,
        limits=limits,
        again=may_look_again(visit, person),
    )


def _render(visit: Visit, person: Person, shown: cases.Shown) -> Rendered:
    assert shown.object is not None
    look = LOOKS[shown.level]
    look = Look(look.side, look.blur, look.grey, shown.frame)
    why = f"level {shown.level}, case {shown.case}"
    out = _Bounded()
    try:
        identity = Identity.read(visit.node.settings.console_identity)
        visit.node.vault.open_to(out, shown.object, identity, actor=person.actor, why=why)
        return visit.node.renderer.render(out.getbuffer(), look)
    except VaultError as error:
        raise Problem("unavailable", error.what) from None
    except MediaError as error:
        raise Problem("unsupported", error.code) from None


class _Bounded(io.BytesIO):
    """Content in memory, no more than can be shown."""

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        if self.tell() + len(data) > _MOST_BYTES:
            raise MediaError("too large", "more bytes than are opened for a look")
        return super().write(data)


def _key(visit: Visit, reveal_id: str) -> str:
    """What the address of a reveal's pixels ends in; another session has another."""
    return visit.token.derived(f"pixels {reveal_id}")
