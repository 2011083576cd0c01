"""What every page of a reviewer knows: their shift, their break, their last answer; and their next case."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import Connection

from nightlamp import accounts, cases
from nightlamp.accounts import Person
from nightlamp.cases import Case, Terms
from nightlamp.server.console.answers import label_of
from nightlamp.server.console.visiting import Visit, need

Reviewer = Annotated[Person, Depends(need("reviewer", "lead"))]
Lead = Annotated[Person, Depends(need("lead"))]


def terms_of(visit: Visit) -> Terms:
    """The settings of cases."""
    return Terms.of(visit.node.settings.console)


def desk_of(connection: Connection, visit: Visit, person: Person, now: datetime) -> dict[str, Any]:
    """For the templates: the shift's exposure, a break, an answer that can be taken back."""
    terms = terms_of(visit)
    last = cases.undoable(connection, person.actor, now=now)
    return {
        "now": now,
        "shift": cases.may_reveal(connection, person.actor, now=now, limits=terms.limits),
        "limits": terms.limits,
        "resting": cases.resting_until(connection, person.actor, now=now),
        "last": last,
        "last_label": label_of(last.answer) if last else "",
    }


def take_next(
    connection: Connection, visit: Visit, person: Person, now: datetime, queues: Sequence[str] | None
) -> Case | None:
    """Claim what ``person`` should look at next; None: nothing waits, or they have a break or a pause."""
    terms = terms_of(visit)
    allowance = cases.may_reveal(connection, person.actor, now=now, limits=terms.limits)
    if allowance.hard or cases.resting_until(connection, person.actor, now=now) is not None:
        return None
    return cases.next_case(
        connection,
        person.actor,
        now=now,
        queues=queues,
        lead=person.may("lead"),
        gentle=allowance.soft,
        lease=terms.lease,
    )


def names_of(connection: Connection, actors: Sequence[str | None]) -> dict[str, str]:
    """Names for ``person:<id>``; others stand for themselves."""
    wanted = {actor for actor in actors if actor}
    if not wanted:
        return {}
    people = {
        each.person.actor: each.person.display or each.person.name for each in accounts.every(connection)
    }
    return {actor: people.get(actor, actor) for actor in wanted}


def one_queue(text: str | None) -> Sequence[str] | None:
    """The queues that a form or address names: one, or all."""
    return None if text is None or text == "*" else [text]
