"""Decided cases that are opened again: what was cleared, by a late match; any, by a lead with a reason.

The answers stand in the round before; a new one begins. Who acted on the decision hears that it does not
stand any more. What it wrote into banks stays until the next decision says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update

from nightlamp.audit import append
from nightlamp.cases.claims import FREE, refuse_if_stale
from nightlamp.cases.decision import Case
from nightlamp.cases.records import change_case, get_case, lock_case
from nightlamp.cases.tables import decision
from nightlamp.cases.terms import UNHURRIED, Terms
from nightlamp.errors import CaseError

LONGEST_REASON = 500
OnReopened = Callable[[Connection, str], None]  # with the id of the decision


def reopen(
    connection: Connection,
    case_id: str,
    *,
    by: str,
    version: int,
    reason: str,
    now: datetime,
    terms: Terms | None = None,
    reopened: OnReopened | None = None,
) -> Case:
    """Have a decided case decided anew; the caller sees to it that ``by`` is a lead.

    Args:
        connection: in a transaction that may write.
        case_id: the case's.
        by: who asks for it.
        version: of the case, as it was on their page.
        reason: why, for the audit log: no names.
        now: the time.
        terms: for its new deadline.
        reopened: told of the decision that does not stand any more.

    Returns:
        The case, which waits and which nobody has claimed.

    Raises:
        CaseError: ``not found``; ``stale``: it has changed, or somebody was quicker; ``invalid``: it is not
            decided, or the reason is missing or too long.
    """
    if not 0 < len(reason := reason.strip()) <= LONGEST_REASON:
        raise CaseError("invalid", f"a reason of up to {LONGEST_REASON} characters is needed", where="reason")
    case = lock_case(connection, case_id)
    refuse_if_stale(case, version)
    if case.state != "decided":
        raise CaseError("invalid", "it is not decided", where="case")
    due = (terms or Terms()).due_at(now, case.priority, "")
    open_again(connection, case, "it was opened again", now=now, due=due, reopened=reopened)
    facts = {"decision": case.decision, "round": case.round + 1, "reason": reason}
    append(connection, by, "cases.reopened", f"case:{case.id}", facts, at=now)
    return get_case(connection, case.id)


def open_again(
    connection: Connection,
    case: Case,
    changed: str,
    *,
    now: datetime,
    due: datetime | None,
    reopened: OnReopened | None,
    **values: Any,
) -> None:
    """Begin the next round of a decided case that is locked; ``values`` are what else changes of it."""
    waits = (decision.c.id == case.decision) & decision.c.applied_at.is_(None)
    connection.execute(update(decision).where(waits).values(undone_at=now))
    if reopened is not None and case.decision is not None:
        reopened(connection, case.decision)
    values |= {
        "state": "open",
        "round": case.round + 1,
        "decided_at": None,
        "decision": None,
        "due_at": due,
        "order_at": due or now + UNHURRIED,
        **FREE,
    }
    change_case(connection, case, changed, **values)
