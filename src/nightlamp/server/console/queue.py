"""The queue: what waits, whose it is, the next case, breaks."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from nightlamp import cases
from nightlamp.cases import PRIORITIES
from nightlamp.server.console.desk import Reviewer, desk_of, names_of, one_queue, take_next
from nightlamp.server.console.pages import go, page
from nightlamp.server.console.visiting import Posted, Visiting
from nightlamp.store import reading, utc_now

router = APIRouter(prefix="/cases")
STATES = ("open", "second", "escalated", "decided")
_LISTED = 50
_BREAK = timedelta(minutes=15)
Text = Annotated[str, Query(max_length=200)]


@router.get("")
def show(
    request: Request,
    visit: Visiting,
    person: Reviewer,
    queue: Text = "*",
    priority: Text = "",
    state: Text = "",
    actor: Text = "",
    overdue: Text = "",
    mine: Text = "",
    unlisted: Text = "",
    after: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """What waits, in its order."""
    now = utc_now()
    chosen = {"queue": queue, "priority": priority, "state": state, "actor": actor}
    chosen |= {"overdue": overdue, "mine": mine, "unlisted": unlisted}
    with reading(visit.node.engine) as connection:
        found = cases.page_cases(
            connection,
            now=now,
            queue=None if queue == "*" else queue,
            priority=priority if priority in PRIORITIES else None,
            state=state if state in STATES else None,
            actor=actor or None,
            overdue=bool(overdue),
            unlisted=bool(unlisted),
            claimed_by=person.actor if mine else None,
            before=after,
            limit=_LISTED,
        )
        held = cases.page_cases(connection, now=now, claimed_by=person.actor, limit=_LISTED)
        return page(
            request,
            "queue.html",
            cases=found,
            held=held,
            queues=cases.queues(connection),
            names=names_of(connection, [case.claimed_by for case in found]),
            chosen=chosen,
            priorities=PRIORITIES,
            states=STATES,
            first=after is None,
            next=found[-1].id if len(found) == _LISTED else None,
            nothing="nothing" in request.query_params or request.method == "POST",
            **desk_of(connection, visit, person, now),
        )


@router.post("/next")
def take(visit: Visiting, person: Reviewer, form: Posted) -> Response:
    """Claim the next case and go there."""
    queue = form.get("queue", "*")
    case = visit.node.writer.write(lambda c: take_next(c, visit, person, utc_now(), one_queue(queue)))
    return go(f"/cases/{case.id}") if case else go("/cases?nothing")


@router.post("/break")
def rest(visit: Visiting, person: Reviewer, form: Posted) -> Response:  # noqa: ARG001
    """Take a break: claims end, and nothing is asked."""
    visit.node.writer.write(lambda c: cases.take_rest(c, person.actor, now=utc_now(), length=_BREAK))
    return go("/cases")


@router.post("/break/end")
def end_rest(visit: Visiting, person: Reviewer, form: Posted) -> Response:  # noqa: ARG001
    """End it before its time."""
    visit.node.writer.write(lambda c: cases.end_rest(c, person.actor, now=utc_now()))
    return go("/cases")
