"""Cases and answers as they stand in the database: read, listed, locked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, func, literal_column, or_, select, update

from nightlamp.cases.decision import PRIORITIES, Answer, Case, FinalDecision, Given
from nightlamp.cases.tables import case_item, decision, review_case
from nightlamp.errors import CaseError

_FIELDS = tuple(name for name in Case.__slots__ if name != "priority")
# Written out, so that SQLite sees that the partial indexes apply.
WAITING = review_case.c.state != literal_column("'decided'")


def get_case(connection: Connection, case_id: str) -> Case:
    """One case.

    Raises:
        CaseError: there is none.
    """
    return case_of(_the_one(connection, select(review_case).where(review_case.c.id == case_id)))


def lock_case(connection: Connection, case_id: str) -> Case:
    """One case, which nobody else can change until the transaction ends.

    Raises:
        CaseError: there is none.
    """
    query = select(review_case).where(review_case.c.id == case_id)
    return case_of(_the_one(connection, query.with_for_update()))


def page_cases(
    connection: Connection,
    *,
    now: datetime,
    queue: str | None = None,
    state: str | None = None,
    priority: str | None = None,
    claimed_by: str | None = None,
    finding: str | None = None,
    actor: str | None = None,
    overdue: bool = False,
    unlisted: bool = False,
    before: str | None = None,
    limit: int = 50,
) -> list[Case]:
    """Cases in the order in which they wait; with ``state="decided"``, the last decided first.

    Args:
        connection: any.
        now: for claims and deadlines.
        queue: of this one alone; ``""`` is the common one.
        state: one of ``State``; None: all but the decided ones.
        priority: of this one alone.
        claimed_by: whom they are claimed by now.
        finding: of the final decision; decided ones alone.
        actor: one whose items are among theirs.
        overdue: past their deadline.
        unlisted: an item of theirs is on no list, and of one nothing says how it was made.
        before: id of the last case of the page before.
        limit: at most so many.

    Raises:
        CaseError: ``before`` is no case, there is no such priority, or a finding of what is not decided.
    """
    c = review_case.c
    if finding is not None and state not in (None, "decided"):
        raise CaseError("invalid", "only decided cases have a finding", where="state", hint="decided")
    decided = state == "decided" or finding is not None
    query = select(review_case).where(c.state == "decided" if decided else WAITING)
    if state is not None and not decided:
        query = query.where(c.state == state)
    if queue is not None:
        query = query.where(c.queue == queue)
    if priority is not None:
        query = query.where(c.priority == rank(priority))
    if claimed_by is not None:
        query = query.where(c.claimed_by == claimed_by, c.claim_until > now)
    if finding is not None:
        query = query.join(decision, decision.c.id == c.decision).where(decision.c.finding == finding)
    if actor is not None:
        of = select(case_item.c.case).where(case_item.c.actor == actor)
        query = query.where(c.id.in_(of))
    if overdue:
        query = query.where(c.due_at < now)
    if unlisted:
        query = query.where(c.origin == "unknown", ~c.listed)
    last = get_case(connection, before) if before is not None else None
    if decided:
        query = query.order_by(c.decided_at.desc(), c.id.desc())
        if last is not None and last.decided_at is not None:
            same = and_(c.decided_at == last.decided_at, c.id < last.id)
            query = query.where(or_(c.decided_at < last.decided_at, same))
    else:
        query = query.order_by(c.priority, c.order_at, c.id)
        if last is not None:
            query = query.where(_behind(last))
    return [case_of(row) for row in connection.execute(query.limit(limit))]


def _behind(last: Case) -> ColumnElement[bool]:
    c, place = review_case.c, rank(last.priority)
    later = or_(c.order_at > last.order_at, and_(c.order_at == last.order_at, c.id > last.id))
    return or_(c.priority > place, and_(c.priority == place, later))


def rank(priority: str) -> int:
    """The place of a priority: 0 is urgent.

    Raises:
        CaseError: there is no such priority.
    """
    if priority not in PRIORITIES:
        raise CaseError("invalid", "no such priority", where="priority", hint=", ".join(PRIORITIES))
    return PRIORITIES.index(priority)


def answers(connection: Connection, case_id: str, *, viewer: str, blind: bool = True) -> list[Given]:
    """What was answered, the oldest first, taken back or not.

    Args:
        connection: any.
        case_id: the case's.
        viewer: who asks.
        blind: while a second person is to answer, leave out what others said in this round.

    Raises:
        CaseError: there is no such case.
    """
    case = get_case(connection, case_id)
    query = select(decision).where(decision.c.case == case_id).order_by(decision.c.version)
    given = [given_of(row) for row in connection.execute(query)]
    if blind and case.state == "second":
        return [each for each in given if each.by == viewer or each.round < case.round]
    return given


def undoable(connection: Connection, person: str, *, now: datetime) -> Given | None:
    """The last answer of ``person``, if there is still time to take it back."""
    d = decision.c
    query = select(decision).where(d.by == person, d.undone_at.is_(None)).order_by(d.at.desc(), d.id.desc())
    row = connection.execute(query.limit(1)).one_or_none()
    if row is None or row.applied_at is not None or row.effective_at <= now:
        return None
    return given_of(row)


def queues(connection: Connection) -> list[str]:
    """Queues in which something waits, by name; ``""`` is the common one."""
    c = review_case.c
    return sorted(connection.scalars(select(c.queue).where(WAITING).distinct()))


def standing(connection: Connection, case: Case) -> list[Given]:
    """The answers of this round that were not taken back, the oldest first, by no node's clock."""
    d = decision.c
    query = select(decision).where(d.case == case.id, d.round == case.round, d.undone_at.is_(None))
    return [given_of(row) for row in connection.execute(query.order_by(d.version))]


def final_decision(connection: Connection, decision_id: str) -> FinalDecision:
    """A final decision for those who act on it.

    Raises:
        CaseError: there is none.
    """
    return final_decisions(connection, [decision_id])[decision_id]


def final_decisions(
    connection: Connection, ids: Sequence[str], *, with_items: bool = True
) -> dict[str, FinalDecision]:
    """Final decisions by their ids; without their items where only the answer is wanted.

    Raises:
        CaseError: one of them is not there, not final, or was taken back.
    """
    d = decision.c
    rows = connection.execute(select(decision).where(d.id.in_(ids), d.final, d.undone_at.is_(None))).all()
    if len(rows) != len(set(ids)):
        raise CaseError("not found", "there is no such final decision", where="decision")
    cases = [row.case for row in rows]
    others: dict[tuple[str, int], list[Given]] = {}
    for row in connection.execute(
        select(decision).where(d.case.in_(cases), d.undone_at.is_(None)).order_by(d.version)
    ):
        others.setdefault((row.case, row.round), []).append(given_of(row))
    items: dict[str, list[str]] = {case: [] for case in cases}
    if with_items:
        of = case_item.c
        query = select(of.case, of.item).where(of.case.in_(cases)).order_by(of.added_at, of.item)
        for case, item in connection.execute(query):
            items[case].append(item)
    found = {}
    for row in rows:
        answer = given_of(row).answer
        by = [g.by for g in others[row.case, row.round] if g.id == row.id or g.answer.agrees(answer)]
        found[row.id] = FinalDecision(
            row.case,
            row.id,
            answer.finding,
            answer.classification,
            answer.ai_made,
            answer.drawn,
            answer.reason,
            tuple(dict.fromkeys(by)),
            row.at,
            tuple(items[row.case]),
        )
    return found


def change_case(connection: Connection, case: Case, changed: str, **values: Any) -> None:
    """Change a case that is locked; ``changed`` tells whose page is stale what it was."""
    values |= {"version": case.version + 1, "changed": changed}
    connection.execute(update(review_case).where(review_case.c.id == case.id).values(values))


def count_items(connection: Connection, cases: Sequence[str]) -> None:
    """Set how many items, contents, actors and places there are in each of ``cases``."""
    i = case_item.c
    counts = {
        "items": func.count(),
        "contents": func.count(case((i.how != "exact", 1))),
        "actors": func.count(func.nullif(i.actor, "").distinct()),
        "places": func.count(func.nullif(i.place, "").distinct()),
    }
    columns = [count.label(f"n_{name}") for name, count in counts.items()]
    query = select(i.case, *columns).where(i.case.in_(cases)).group_by(i.case)
    for case_id, *found in connection.execute(query).all():
        values = dict(zip(counts, found, strict=True))
        values["contents"] = max(values["contents"], 1)
        connection.execute(update(review_case).where(review_case.c.id == case_id).values(values))


def case_of(row: Row[Any]) -> Case:
    """A case from its row."""
    values = row._mapping
    return Case(priority=PRIORITIES[values["priority"]], **{name: values[name] for name in _FIELDS})


def given_of(row: Row[Any]) -> Given:
    """An answer from its row."""
    answer = Answer(row.finding, row.classification, row.ai_made, row.drawn, row.reason, row.note)
    return Given(
        row.id,
        row.case,
        row.round,
        row.by,
        row.at,
        answer,
        row.opinion,
        row.final,
        row.undone_at,
        row.effective_at,
        row.applied_at,
    )


def _the_one(connection: Connection, query: Any) -> Row[Any]:
    row = connection.execute(query).one_or_none()
    if row is None:
        raise CaseError("not found", "there is no such case")
    return row
