"""One case: what is known of it without a look, whose it is, and the answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from nightlamp import cases
from nightlamp.accounts import Person
from nightlamp.errors import CaseError
from nightlamp.server.console import answers, queue
from nightlamp.server.console.desk import Lead, Reviewer, desk_of, names_of, one_queue, take_next, terms_of
from nightlamp.server.console.language import N_
from nightlamp.server.console.pages import go, page, refusal
from nightlamp.server.console.showing import can_show, may_look_again
from nightlamp.server.console.visiting import Form, Posted, Visit, Visiting, number_of, same_person
from nightlamp.server.problems import problem_of
from nightlamp.server.reviewing import withdraw
from nightlamp.store import reading, utc_now

router = APIRouter(prefix="/cases")
Skip = Annotated[int, Query(ge=0, le=1_000_000)]
_LISTED = 24  # items on a page
_EMPTY = {"answer": "", "ai_made": "unknown", "drawn": "", "note": "", "reason": ""}


@router.get("/{case_id}")
def show(request: Request, visit: Visiting, person: Reviewer, case_id: str, skip: Skip = 0) -> Response:
    """The case."""
    return show_case(request, visit, person, case_id, skip=skip)


@router.get("/{case_id}/items")
def items(request: Request, visit: Visiting, person: Reviewer, case_id: str, skip: Skip = 0) -> Response:
    """More of its items, for the page that stands open."""
    with reading(visit.node.engine) as connection:
        return page(request, "items.html", **items_of(connection, visit, person, case_id, utc_now(), skip))


@router.post("/{case_id}/claim")
def claim(request: Request, visit: Visiting, person: Reviewer, form: Posted, case_id: str) -> Response:  # noqa: ARG001
    """Take it."""

    def work(connection: Connection) -> None:
        lead, lease = person.may("lead"), terms_of(visit).lease
        cases.claim(connection, case_id, by=person.actor, now=utc_now(), lead=lead, lease=lease)

    return _change(request, visit, person, case_id, work)


@router.post("/{case_id}/renew")
def renew(visit: Visiting, person: Reviewer, form: Posted, case_id: str) -> Response:  # noqa: ARG001
    """Keep it while the page is open."""
    lease = terms_of(visit).lease
    visit.node.writer.write(lambda c: cases.renew(c, case_id, by=person.actor, now=utc_now(), lease=lease))
    return Response(status_code=204)


@router.post("/{case_id}/release")
def release(visit: Visiting, person: Reviewer, form: Posted, case_id: str) -> Response:  # noqa: ARG001
    """Give it back."""
    visit.node.writer.write(lambda c: cases.release(c, case_id, by=person.actor, now=utc_now()))
    return go("/cases")


@router.post("/{case_id}/elsewhere")
def elsewhere(visit: Visiting, person: Reviewer, form: Posted, case_id: str) -> Response:  # noqa: ARG001
    """Give it back, and take the next one of any other queue."""

    def work(connection: Connection) -> cases.Case | None:
        now = utc_now()
        case = cases.release(connection, case_id, by=person.actor, now=now)
        others = [name for name in cases.queues(connection) if name != case.queue]
        return take_next(connection, visit, person, now, others) if others else None

    case = visit.node.writer.write(work)
    return go(_address(case, {"queue": case.queue} if case else {}))


@router.post("/{case_id}/decide")
def decide(request: Request, visit: Visiting, person: Reviewer, form: Posted, case_id: str) -> Response:
    """Answer, and get the next case in the same answer."""
    same_person(form, person)
    queues = one_queue(form.get("queue"))

    def work(connection: Connection) -> cases.Case | None:
        now, terms = utc_now(), terms_of(visit)
        case = cases.get_case(connection, case_id)
        seen = cases.has_looked(connection, case_id, person.actor)
        answer = answers.answer_of(form, seen=seen, known=case.known)
        cases.decide(
            connection,
            case_id,
            answer,
            by=person.actor,
            version=number_of(form, "version"),
            now=now,
            lead=person.may("lead"),
            undo=terms.undo,
        )
        return take_next(connection, visit, person, now, queues)

    try:
        following = visit.node.writer.write(work)
    except CaseError as error:
        if error.code == "not found":
            raise
        return show_case(request, visit, person, case_id, error=error, kept=form)
    if not request.headers.get("hx-request"):
        return go(_address(following, form))
    if following is None:
        return moved(queue.show(request, visit, person), _address(None, form))
    made = show_case(request, visit, person, following.id, in_queue=form.get("queue", "*"))
    return moved(made, _address(following, form))


@router.post("/{case_id}/undo")
def undo(request: Request, visit: Visiting, person: Reviewer, form: Posted, case_id: str) -> Response:
    """Take one's last answer back; it stands in the form again."""
    given_id = form.get("decision", "")

    def work(connection: Connection) -> Form:
        given = [
            each for each in cases.answers(connection, case_id, viewer=person.actor) if each.id == given_id
        ]
        cases.undo(connection, given_id, by=person.actor, now=utc_now(), lease=terms_of(visit).lease)
        return answers.fields_of(given[0].answer) if given else {}

    try:
        kept = visit.node.writer.write(work)
    except CaseError as error:
        if error.code == "not found":
            raise
        return show_case(request, visit, person, case_id, error=error)
    return moved(show_case(request, visit, person, case_id, kept=kept), f"/cases/{case_id}")


@router.post("/{case_id}/reopen")
def reopen(request: Request, visit: Visiting, person: Lead, form: Posted, case_id: str) -> Response:
    """Have a decided case decided anew."""

    def work(connection: Connection) -> None:
        cases.reopen(
            connection,
            case_id,
            by=person.actor,
            version=number_of(form, "version"),
            reason=form.get("reason", "").replace("\r\n", "\n"),
            now=utc_now(),
            terms=terms_of(visit),
            reopened=withdraw,
        )

    return _change(request, visit, person, case_id, work, "reopened", form)


def items_of(
    connection: Connection, visit: Visit, person: Person, case_id: str, now: datetime, skip: int = 0
) -> dict[str, Any]:
    """For the template of a page of items."""
    case = cases.get_case(connection, case_id)
    mine = case.state != "decided" and case.holder(now) == person.actor
    return {
        "case": case,
        "mine": mine,
        "look": mine or (case.state == "decided" and may_look_again(visit, person)),
        "showing": can_show(visit),
        "items": cases.page_case_items(connection, case_id, skip=skip, limit=_LISTED),
        "skip": skip,
        "listed": _LISTED,
        "ticking": False,
        **desk_of(connection, visit, person, now),
    }


def _address(case: cases.Case | None, form: Form) -> str:
    """Of the next case, in the queue that was asked for."""
    return f"/cases/{case.id}?queue={quote(form.get('queue', '*'), safe='')}" if case else "/cases?nothing"


def moved(made: Response, path: str) -> Response:
    """The browser's address is that of what it shows."""
    made.headers["hx-push-url"] = f"/console{path}"
    return made


def _change(
    request: Request,
    visit: Visit,
    person: Person,
    case_id: str,
    work: Callable[[Connection], object],
    done: str = "",
    kept: Form | None = None,
) -> Response:
    try:
        visit.node.writer.write(work)
    except CaseError as error:
        if error.code == "not found":
            raise
        return show_case(request, visit, person, case_id, error=error, kept=kept)
    return go(f"/cases/{case_id}", done)


def show_case(
    request: Request,
    visit: Visit,
    person: Person,
    case_id: str,
    *,
    error: CaseError | None = None,
    kept: Form | None = None,
    in_queue: str = "",
    skip: int = 0,
) -> Response:
    """The page of a case.

    Args:
        error: why it could not be done.
        kept: the fields of an answer that was not stored, or was taken back.
        in_queue: where the next case is to come from.
        skip: items that are on pages before.
    """
    now, terms = utc_now(), terms_of(visit)
    with reading(visit.node.engine) as connection:
        found = cases.dossier(connection, case_id, now=now, listed=0)
        case = found.case
        given = cases.answers(connection, case_id, viewer=person.actor)
        holder = case.holder(now)
        values: dict[str, Any] = {
            "dossier": found,
            "given": [(each, answers.label_of(each.answer)) for each in given],
            "names": names_of(connection, [holder, *(each.by for each in given)]),
            "holder": holder,
            "groups": answers.LEAD_GROUPS if case.state == "escalated" else answers.GROUPS,
            "finding_label": answers.finding_label,
            "kept": {**_EMPTY, **(kept or {})},
            "lost": answers.CHOICES.get((kept or {}).get("answer", "")) if error else None,
            "splits": cases.unsplittable(connection, case_id, by=person.actor, now=now, undo=terms.undo),
            "in_queue": in_queue or (kept or {}).get("queue") or request.query_params.get("queue", "*"),
            "lease_seconds": int(terms.lease.total_seconds()),
            **items_of(connection, visit, person, case_id, now, skip),
        }
    if error is None:
        return page(request, "case.html", **values)
    said = refusal(error)
    if error.code == "stale":
        said["hint"] = N_("your answer was not stored, and stands below: look again, then send it")
    values["changed"] = error.changed
    return page(request, "case.html", status=problem_of(error).status_code, error=said, **values)
