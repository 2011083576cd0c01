"""Feeds: how the subscriptions to exchanges are, and what a person may do about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from nightlamp.accounts import Person
from nightlamp.errors import FeedError
from nightlamp.feeds import all_feeds, ask_now, pause_feed, resume_feed
from nightlamp.server.console.pages import go, page, refusal
from nightlamp.server.console.visiting import Posted, Visit, Visiting, need
from nightlamp.store import reading, utc_now

router = APIRouter(prefix="/feeds")
Admin = Annotated[Person, Depends(need("admin"))]
Viewer = Annotated[Person, Depends(need("admin", "lead"))]


@router.get("")
def show(request: Request, visit: Visiting, person: Viewer) -> Response:  # noqa: ARG001 (a role is needed)
    """All feeds."""
    return _show(request, visit)


@router.post("/pause")
def pause(request: Request, visit: Visiting, person: Admin, form: Posted) -> Response:
    """Let a feed rest; what it holds goes on matching."""
    name = form.get("name", "")
    return _change(request, visit, lambda c: pause_feed(c, name, actor=person.actor))


@router.post("/resume")
def resume(request: Request, visit: Visiting, person: Admin, form: Posted) -> Response:
    """Let a feed go on; ``accept`` is said of a loss that had stopped it."""
    name, accepted = form.get("name", ""), "accept" in form
    return _change(request, visit, lambda c: resume_feed(c, name, actor=person.actor, accept_loss=accepted))


@router.post("/run")
def run(request: Request, visit: Visiting, person: Admin, form: Posted) -> Response:
    """Let a feed's next run begin at once."""
    name = form.get("name", "")
    return _change(request, visit, lambda c: ask_now(c, name, actor=person.actor))


def _show(request: Request, visit: Visit, error: FeedError | None = None) -> Response:
    with reading(visit.node.engine) as connection:
        found = all_feeds(connection)
    said = refusal(error) if error else None
    return page(request, "feeds.html", status=422 if error else 200, feeds=found, now=utc_now(), error=said)


def _change(request: Request, visit: Visit, work: Callable[[Connection], object]) -> Response:
    try:
        visit.node.writer.write(work)
    except FeedError as error:
        return _show(request, visit, error)
    return go("/feeds", "changed")
