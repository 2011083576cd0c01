"""Who works on which case: the next one, claims that end by themselves, and breaks.

A claim keeps two people from one case by accident. It is not what keeps a case from being decided twice:
that is the case's version.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, insert, or_, select, update

from nightlamp.audit import append
from nightlamp.cases.decision import PRIORITIES, Case
from nightlamp.cases.records import WAITING, case_of, lock_case, standing
from nightlamp.cases.tables import decision, rest, review_case
from nightlamp.cases.terms import LEASE
from nightlamp.errors import CaseError
from nightlamp.store import new_id

_C = review_case.c


def next_case(
    connection: Connection,
    person: str,
    *,
    now: datetime,
    queues: Sequence[str] | None = None,
    lead: bool = False,
    gentle: bool = False,
    lease: timedelta = LEASE,
) -> Case | None:
    """Claim the case that ``person`` should look at next: what they hold already, or the first that is free.

    Within a priority, the earliest deadline comes first. Cases that wait for a second person are left out for
    the first.

    Args:
        connection: in a transaction that may write.
        person: who asks.
        now: the time.
        queues: theirs; None: all.
        lead: escalated cases too, and before the others.
        gentle: within a priority, known material first: it can be decided without a look.
        lease: of the claim.

    Returns:
        The case, claimed; None if there is nothing for them.

    Raises:
        CaseError: ``resting``.
    """
    _refuse_if_resting(connection, person, now)
    held = select(review_case).where(WAITING, _C.claimed_by == person, _C.claim_until > now)
    row = connection.execute(held.order_by(_C.claimed_at).limit(1).with_for_update()).one_or_none()
    if row is not None:
        return _take(connection, case_of(row), person, now, lease)
    free = or_(_C.claimed_by.is_(None), _C.claim_until <= now)
    if queues is not None:
        free = and_(free, _C.queue.in_(queues))
    answered = exists().where(
        decision.c.case == _C.id,
        decision.c.round == _C.round,
        decision.c.by == person,
        decision.c.undone_at.is_(None),
    )
    theirs = or_(~_C.two_person, ~answered)
    if lead and (row := _first(connection, "escalated", and_(free, theirs))) is not None:
        return _take(connection, case_of(row), person, now, lease)
    kinds = [("open", free), ("second", and_(free, ~answered))]
    for place in range(len(PRIORITIES)):
        for known in (True, False) if gentle else (None,):
            found = [_first(connection, state, where, place, known) for state, where in kinds]
            rows = sorted((row for row in found if row is not None), key=lambda row: (row.order_at, row.id))
            if rows:
                return _take(connection, case_of(rows[0]), person, now, lease)
    return None


def _first(
    connection: Connection,
    state: str,
    where: ColumnElement[bool],
    place: int | None = None,
    known: bool | None = None,
) -> Row[Any] | None:
    """The first free case of a kind that nobody else is just taking.

    The index leads by ``known``, so both kinds are asked for and compared.
    """
    places = range(len(PRIORITIES)) if place is None else (place,)
    for at in places:
        rows: list[Row[Any]] = []
        for kind in (True, False) if known is None else (known,):
            # WAITING is implied by the state; named, it lets the partial index be used.
            of = and_(WAITING, _C.state == state, _C.priority == at, _C.known == kind, where)
            query = select(review_case).where(of).order_by(_C.order_at, _C.id).limit(1)
            rows += connection.execute(query.with_for_update(skip_locked=True)).all()
        if rows:
            return min(rows, key=lambda row: (row.order_at, row.id))
    return None


def claim(
    connection: Connection,
    case_id: str,
    *,
    by: str,
    now: datetime,
    lead: bool = False,
    lease: timedelta = LEASE,
) -> Case:
    """Take one case, or take it for longer.

    Raises:
        CaseError: ``decided``; ``not yours``: somebody has it; ``other person``: it waits for the second, or
            the lead; ``resting``.
    """
    _refuse_if_resting(connection, by, now)
    case = _undecided(connection, case_id)
    if case.holder(now) not in (None, by):
        raise CaseError("not yours", "somebody else has it", hint="the next case")
    refuse_if_not_theirs(connection, case, by, lead)
    return _take(connection, case, by, now, lease)


def renew(connection: Connection, case_id: str, *, by: str, now: datetime, lease: timedelta = LEASE) -> Case:
    """Keep a case that one has for longer; also after the claim has ended, if nobody took it.

    Raises:
        CaseError: ``decided``; ``not yours``.
    """
    case = _undecided(connection, case_id)
    if case.claimed_by != by:
        raise CaseError("not yours", "somebody else has it, or it was given back")
    connection.execute(_this(case).values(claim_until=now + lease))
    return lock_case(connection, case_id)


def release(connection: Connection, case_id: str, *, by: str, now: datetime) -> Case:
    """Give a case back; nothing happens if one does not have it."""
    case = lock_case(connection, case_id)
    if case.claimed_by != by:
        return case
    connection.execute(_this(case).values(**FREE))
    append(connection, by, "cases.released", f"case:{case.id}", at=now)
    return lock_case(connection, case_id)


def ready(connection: Connection, case_id: str, by: str, version: int, now: datetime) -> Case:
    """The locked case, as it was on the page of somebody who may work on it."""
    case = lock_case(connection, case_id)
    if case.state == "decided":
        raise CaseError("decided", "it is decided already", hint="the next case")
    if case.holder(now) not in (None, by):
        raise CaseError("not yours", "somebody else has it now", hint="the next case")
    refuse_if_stale(case, version)
    return case


def refuse_if_stale(case: Case, version: int) -> None:
    """The case must be as it was on somebody's page."""
    if case.version != version:
        raise CaseError(
            "stale", "the case has changed", hint="look at it again", changed=case.changed or "it was opened"
        )


FREE = {"claimed_by": None, "claimed_at": None, "claim_until": None}


def refuse_if_not_theirs(connection: Connection, case: Case, by: str, lead: bool) -> None:
    """Whether ``by`` may answer ``case`` in its state.

    Raises:
        CaseError: ``other person``.
    """
    if case.state == "escalated" and not lead:
        raise CaseError("other person", "the lead must answer", hint="the next case")
    alone = case.state == "open" or (case.state == "escalated" and not case.two_person)
    if not alone and any(each.by == by for each in standing(connection, case)):
        raise CaseError("other person", "somebody else must answer now", hint="the next case")


def take_rest(connection: Connection, person: str, *, now: datetime, length: timedelta) -> datetime:
    """Give ``person`` a break: what they have claimed is free again, and they get nothing until its end.

    Returns:
        When it ends.

    Raises:
        CaseError: it would last longer than a day.
    """
    if not timedelta(0) < length <= timedelta(days=1):
        raise CaseError("invalid", "a break lasts a day at most", where="break")
    until = now + length
    connection.execute(insert(rest).values(id=new_id(), by=person, started_at=now, until=until))
    mine = select(_C.id).where(WAITING, _C.claimed_by == person).order_by(_C.id).with_for_update()
    connection.execute(update(review_case).where(_C.id.in_(connection.scalars(mine).all())).values(**FREE))
    append(connection, person, "cases.rest_taken", person, {"seconds": int(length.total_seconds())}, at=now)
    return until


def end_rest(connection: Connection, person: str, *, now: datetime) -> None:
    """End a break before its time."""
    lasting = (rest.c.by == person) & (rest.c.until > now) & rest.c.ended_at.is_(None)
    if connection.execute(update(rest).where(lasting).values(ended_at=now)).rowcount:
        append(connection, person, "cases.rest_ended", person, at=now)


def resting_until(connection: Connection, person: str, *, now: datetime) -> datetime | None:
    """The end of the break that ``person`` has; None: they have none."""
    lasting = (rest.c.by == person) & (rest.c.until > now) & rest.c.ended_at.is_(None)
    until: datetime | None = connection.scalar(select(func.max(rest.c.until)).where(lasting))
    return until


def _refuse_if_resting(connection: Connection, person: str, now: datetime) -> None:
    if resting_until(connection, person, now=now) is not None:
        raise CaseError("resting", "there is a break", where="person", hint="end the break first")


def _undecided(connection: Connection, case_id: str) -> Case:
    case = lock_case(connection, case_id)
    if case.state == "decided":
        raise CaseError("decided", "it is decided")
    return case


def _take(connection: Connection, case: Case, by: str, now: datetime, lease: timedelta) -> Case:
    mine = case.holder(now) == by
    values = {"claimed_by": by, "claim_until": now + lease}
    connection.execute(_this(case).values(**values, **({} if mine else {"claimed_at": now})))
    if not mine:
        append(connection, by, "cases.claimed", f"case:{case.id}", {"version": case.version}, at=now)
    return lock_case(connection, case.id)


def _this(case: Case) -> Any:
    return update(review_case).where(_C.id == case.id)
