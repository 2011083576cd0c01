"""Cases: listed, claimed, answered. A key with the scope ``admin`` besides ``review`` is the lead.

Pixels are not given out here: only the console shows any.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import Connection

from nightlamp import cases
from nightlamp.access import Principal
from nightlamp.cases import Terms
from nightlamp.cases.decision import Finding, State
from nightlamp.server import case_shapes, listings
from nightlamp.server.asking import Asked, Identity, Limit, Line, need
from nightlamp.server.case_shapes import case_out, dossier_out, given_out, item_out
from nightlamp.server.node import Node
from nightlamp.server.problems import Problem
from nightlamp.server.reviewing import withdraw
from nightlamp.store import reading, utc_now
from nightlamp.values import Priority

router = APIRouter(tags=["cases"], prefix="/v1/cases")
REVIEWER = Depends(need("review"))
Reviewer = Annotated[Principal, REVIEWER]


def _lead(principal: Principal) -> bool:
    return principal.may("admin")


async def _leading(principal: Reviewer) -> Principal:
    if not _lead(principal):
        raise Problem("forbidden", "a key with the scopes review and admin is needed")
    return principal


Lead = Annotated[Principal, Depends(_leading)]


@router.get("", dependencies=[REVIEWER], responses=listings.of(case_shapes.CasePage))
def list_cases(
    node: Asked,
    cursor: Identity | None = None,
    limit: Limit = 50,
    state: State | None = None,
    queue: Line | None = None,
    priority: Priority | None = None,
    finding: Finding | None = None,
    actor: Line | None = None,
    overdue: bool = False,
    unlisted: bool = False,
) -> case_shapes.CasePage:
    """Cases that wait, in their order; with `state=decided` or a finding, the last decided first."""
    with reading(node.engine) as connection:
        found = cases.page_cases(
            connection,
            now=utc_now(),
            state=state,
            queue=queue,
            priority=priority,
            finding=finding,
            actor=actor,
            overdue=overdue,
            unlisted=unlisted,
            before=cursor,
            limit=limit,
        )
    more = found[-1].id if len(found) == limit else None
    return case_shapes.CasePage(cases=[case_out(case) for case in found], next=more)


@router.post("/next")
def next_case(node: Asked, principal: Reviewer, given: case_shapes.NextIn) -> case_shapes.NextOut:
    """Claim the case that is to be looked at next: what the key has already, or the first that is free."""
    terms, now = _terms(node), utc_now()

    def work(connection: Connection) -> cases.Case | None:
        seen = cases.may_reveal(connection, principal.actor, now=now, limits=terms.limits)
        return cases.next_case(
            connection,
            principal.actor,
            now=now,
            queues=given.queues,
            lead=_lead(principal),
            gentle=seen.soft,
            lease=terms.lease,
        )

    case = node.writer.write(work)
    return case_shapes.NextOut(case=case_out(case) if case is not None else None)


@router.get("/{case_id}", dependencies=[REVIEWER])
def read_case(node: Asked, case_id: Identity) -> case_shapes.DossierOut:
    """All that is known of a case without a look."""
    with reading(node.engine) as connection:
        return dossier_out(cases.dossier(connection, case_id, now=utc_now()))


@router.get("/{case_id}/items", dependencies=[REVIEWER])
def list_case_items(
    node: Asked, case_id: Identity, cursor: Identity | None = None, limit: Limit = 50
) -> case_shapes.CaseItemPage:
    """Its items, in the order in which they came."""
    with reading(node.engine) as connection:
        found = cases.page_case_items(connection, case_id, after=cursor, limit=limit)
    more = found[-1].id if len(found) == limit else None
    return case_shapes.CaseItemPage(items=[item_out(item) for item in found], next=more)


@router.get("/{case_id}/answers")
def list_answers(node: Asked, principal: Reviewer, case_id: Identity) -> case_shapes.GivenList:
    """What was answered; without the first answer while a second person is to give theirs."""
    with reading(node.engine) as connection:
        found = cases.answers(connection, case_id, viewer=principal.actor)
    return case_shapes.GivenList(answers=[given_out(each) for each in found])


@router.post("/{case_id}/claim")
def claim(node: Asked, principal: Reviewer, case_id: Identity) -> case_shapes.CaseOut:
    """Take a case, or take it for longer."""
    return case_out(
        node.writer.write(
            lambda c: cases.claim(
                c,
                case_id,
                by=principal.actor,
                now=utc_now(),
                lead=_lead(principal),
                lease=_terms(node).lease,
            )
        )
    )


@router.post("/{case_id}/release")
def release(node: Asked, principal: Reviewer, case_id: Identity) -> case_shapes.CaseOut:
    """Give a case back."""
    return case_out(node.writer.write(lambda c: cases.release(c, case_id, by=principal.actor, now=utc_now())))


@router.post("/{case_id}/decide")
def decide(
    node: Asked, principal: Reviewer, case_id: Identity, given: case_shapes.AnswerIn
) -> case_shapes.DecidedOut:
    """Answer a case. The same answer to the same version once more changes nothing."""
    decided = node.writer.write(
        lambda c: cases.decide(
            c,
            case_id,
            given.answer(),
            by=principal.actor,
            version=given.version,
            now=utc_now(),
            lead=_lead(principal),
            undo=_terms(node).undo,
        )
    )
    return case_shapes.DecidedOut(case=case_out(decided.case), answer=given_out(decided.given))


@router.post("/{case_id}/undo")
def undo(
    node: Asked, principal: Reviewer, case_id: Identity, given: case_shapes.UndoIn
) -> case_shapes.CaseOut:
    """Take one's own answer back within its time."""

    def work(connection: Connection) -> cases.Case:
        cases.get_case(connection, case_id)
        lease = _terms(node).lease
        return cases.undo(connection, given.decision, by=principal.actor, now=utc_now(), lease=lease)

    return case_out(node.writer.write(work))


@router.post("/{case_id}/split", status_code=201)
def split(
    node: Asked, principal: Reviewer, case_id: Identity, given: case_shapes.SplitIn
) -> case_shapes.CaseOut:
    """Make a case of its own of items that do not belong to the others."""
    return case_out(
        node.writer.write(
            lambda c: cases.split(
                c, case_id, given.items, by=principal.actor, version=given.version, now=utc_now()
            )
        )
    )


@router.post("/{case_id}/reopen")
def reopen(
    node: Asked, principal: Lead, case_id: Identity, given: case_shapes.ReopenIn
) -> case_shapes.CaseOut:
    """Have a decided case decided anew; for the lead."""
    return case_out(
        node.writer.write(
            lambda c: cases.reopen(
                c,
                case_id,
                by=principal.actor,
                version=given.version,
                reason=given.reason,
                now=utc_now(),
                terms=_terms(node),
                reopened=withdraw,
            )
        )
    )


def _terms(node: Node) -> Terms:
    return Terms.of(node.settings.console)
