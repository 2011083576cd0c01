"""What a case knows without anybody looking at a picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, func, or_, select

from nightlamp.cases.decision import Case, FinalDecision
from nightlamp.cases.records import final_decisions, get_case
from nightlamp.cases.tables import case_item, case_neighbour, decision, review_case
from nightlamp.errors import CaseError
from nightlamp.intake.deciding import HISTORY
from nightlamp.intake.submission import Where
from nightlamp.intake.tables import item, match, verdict
from nightlamp.origin import from_json
from nightlamp.policy import Actor
from nightlamp.values import Action, Assessment, Bank, Fingerprint, Match, Unchecked

MOST_ITEMS = 200
_MOST_MATCHES = 1_000
_MOST_ACTORS = 8
_MOST_ORIGINS = 20  # may be long
_MOST_OF_ACTOR = 200  # items that an actor's history is counted over, the newest


@dataclass(frozen=True, slots=True)
class CaseItem:
    """An item of a case.

    Args:
        id: the item's.
        how: why it is here: first, exact, near, video, entry, burst, split.
        distance: bits, of near ones.
        place: service and room.
        object: its content in the vault; None: it was not kept.
    """

    id: str
    how: str
    distance: int | None
    actor: str
    place: str
    platform_id: str
    media_type: str
    size: int
    width: int
    height: int
    frames: int
    received_at: datetime
    submitted_at: datetime | None
    jurisdiction: str
    object: str | None
    action: Action | None


@dataclass(frozen=True, slots=True)
class Hit:
    """Matches of one kind among the case's items: the same bank, category, signal; the closest of them.

    Args:
        match: the closest one, its fingerprint without a value.
        item: whose.
        items: how many items of the case match that bank and category so.
    """

    match: Match
    item: str
    items: int


@dataclass(frozen=True, slots=True)
class Person:
    """One actor of the case.

    Args:
        id: the platform's pseudonym.
        here: items of theirs in this case.
        history: what they did in the last 30 days, as far as their last 200 items tell.
        decided: those of their items that were in cases, the last 200, by the finding.
    """

    id: str
    here: int
    history: Actor
    decided: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A decided case that looks like this one; ``how``: exact, near, video; ``distance`` in bits."""

    case: str
    how: str
    distance: int | None
    final: FinalDecision


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that is known of a case without a look.

    Matches, origins, reasons and what is unchecked are those of ``items``.

    Args:
        case: itself.
        hits: which lists, whose, how close; those of the most trusted first, then the closest.
        origin: (item, assessment) of the first 20, where it was asked how they were made.
        scores: of services that were asked: (item, name, score).
        reasons: of the verdicts, without repetition.
        actors: the busiest first, at most 8.
        neighbours: earlier decisions on what looks like it, the very same first; without their items.
        contents: how many different contents there are among the items, at most.
        items: the first ``MOST_ITEMS`` of them, in the order in which they came.
        unchecked: what could not be examined, without repetition.
    """

    case: Case
    hits: tuple[Hit, ...]
    origin: tuple[tuple[str, Assessment], ...]
    scores: tuple[tuple[str, str, float], ...]
    reasons: tuple[str, ...]
    actors: tuple[Person, ...]
    neighbours: tuple[Neighbour, ...]
    contents: int
    items: tuple[CaseItem, ...]
    unchecked: tuple[Unchecked, ...]


def dossier(connection: Connection, case_id: str, *, now: datetime) -> Dossier:
    """Gather it.

    Raises:
        CaseError: there is no such case.
    """
    of = get_case(connection, case_id)
    rows = _item_rows(connection, case_id, None, MOST_ITEMS)
    verdicts = {row.case_verdict: row.id for row in rows}
    v = verdict.c
    columns = select(v.item, v.reasons, v.unchecked, v.scores)
    ruled = connection.execute(columns.where(v.id.in_(verdicts)).order_by(v.id)).all()
    missing = [each for row in (*rows, *ruled) for each in row.unchecked]
    different = select(func.count()).where(case_item.c.case == case_id, case_item.c.how != "exact")
    return Dossier(
        of,
        _hits(connection, verdicts),
        _origins(connection, [row.id for row in rows[:_MOST_ORIGINS]]),
        tuple((row.item, name, score) for row in ruled for name, score in (row.scores or {}).items()),
        _once(reason for row in ruled for reason in row.reasons),
        _actors(connection, case_id, now),
        _neighbours(connection, of),
        max(connection.scalar(different) or 0, 1),
        tuple(_item(row) for row in rows),
        _once(Unchecked(*each) for each in missing),
    )


def page_case_items(
    connection: Connection, case_id: str, *, after: str | None = None, limit: int = MOST_ITEMS
) -> list[CaseItem]:
    """Items of a case in the order in which they came, from behind the item ``after``.

    Raises:
        CaseError: there is no such case, or no such item in it.
    """
    get_case(connection, case_id)
    return [_item(row) for row in _item_rows(connection, case_id, after, limit)]


_ITEM = (
    item.c.id,
    item.c.platform_id,
    item.c.context,
    item.c.media_type,
    item.c.size,
    item.c.width,
    item.c.height,
    item.c.frames,
    item.c.unchecked,
    item.c.object,
    item.c.received_at,
    item.c.action,
    case_item.c.how,
    case_item.c.distance,
    case_item.c.actor,
    case_item.c.place,
    case_item.c.verdict.label("case_verdict"),
)


def _item_rows(connection: Connection, case_id: str, after: str | None, limit: int) -> Sequence[Any]:
    i = case_item.c
    query = select(*_ITEM).join(item, item.c.id == i.item).where(i.case == case_id)
    if after is not None:
        last = select(i.added_at).where(i.item == after, i.case == case_id)
        at = connection.scalar(last)
        if at is None:
            raise CaseError("not found", "there is no such item in the case", where="after")
        query = query.where(or_(i.added_at > at, and_(i.added_at == at, i.item > after)))
    return connection.execute(query.order_by(i.added_at, i.item).limit(limit)).all()


def _item(row: Any) -> CaseItem:
    where = Where.from_json(row.context)
    return CaseItem(
        row.id,
        row.how,
        row.distance,
        row.actor,
        row.place,
        row.platform_id,
        row.media_type,
        row.size,
        row.width,
        row.height,
        row.frames,
        row.received_at,
        where.submitted_at,
        where.jurisdiction,
        row.object,
        row.action,
    )


def _hits(connection: Connection, verdicts: Mapping[str, str]) -> tuple[Hit, ...]:
    """By bank, category and signal, the closest match of each; a verdict's are stored the closest first."""
    closest: dict[tuple[str, str, str], tuple[Match, str]] = {}
    items: dict[tuple[str, str, str], set[str]] = {}
    query = select(match).where(match.c.verdict.in_(verdicts)).order_by(match.c.id).limit(_MOST_MATCHES)
    for row in connection.execute(query):
        bank = Bank(row.bank, row.source, row.category, row.trust, row.benign)
        fingerprint = Fingerprint(row.signal, b"", row.view, row.frame, row.quality)
        found = Match(fingerprint, bank, row.entry_id, row.category, row.distance, row.disputed)
        kind = (row.bank, row.category, row.signal)
        items.setdefault(kind, set()).add(verdicts[row.verdict])
        before = closest.get(kind)
        if before is None or (found.disputed, found.distance) < (before[0].disputed, before[0].distance):
            closest[kind] = found, verdicts[row.verdict]
    hits = [Hit(*closest[kind], len(items[kind])) for kind in closest]
    trusted = ("high", "medium", "low")
    return tuple(
        sorted(
            hits,
            key=lambda hit: (
                hit.match.bank.benign,
                hit.match.disputed,
                trusted.index(hit.match.bank.trust),
                not hit.match.exact,
                hit.match.distance,
                hit.match.bank.name,
            ),
        )
    )


def _origins(connection: Connection, items: Sequence[str]) -> tuple[tuple[str, Assessment], ...]:
    stored = select(item.c.id, item.c.origin).where(item.c.id.in_(items), item.c.origin.is_not(None))
    return tuple((row.id, from_json(row.origin)) for row in connection.execute(stored.order_by(item.c.id)))


def _actors(connection: Connection, case_id: str, now: datetime) -> tuple[Person, ...]:
    i = case_item.c
    query = select(i.actor, func.count()).where(i.case == case_id, i.actor != "").group_by(i.actor)
    busiest = connection.execute(query.order_by(func.count().desc(), i.actor).limit(_MOST_ACTORS)).all()
    return tuple(
        Person(actor, here, _history(connection, actor, now), _decided(connection, actor))
        for actor, here in busiest
    )


def _history(connection: Connection, actor: str, now: datetime) -> Actor:
    newest = select(item.c.verdict, item.c.action).where(item.c.actor == actor)
    newest = newest.where(item.c.received_at >= now - HISTORY).order_by(item.c.received_at.desc())
    last = newest.limit(_MOST_OF_ACTOR).subquery()
    counts = (
        func.count(),
        func.count(case(((verdict.c.matches > 0) & ~verdict.c.benign, 1))),
        func.count(case((last.c.action == "review", 1))),
        func.count(case((last.c.action == "block", 1))),
    )
    joined = last.outerjoin(verdict, verdict.c.id == last.c.verdict)
    return Actor(*connection.execute(select(*counts).select_from(joined)).one())


def _decided(connection: Connection, actor: str) -> dict[str, int]:
    newest = select(case_item.c.case).where(case_item.c.actor == actor)
    last = newest.order_by(case_item.c.added_at.desc()).limit(_MOST_OF_ACTOR).subquery()
    joined = last.join(review_case, review_case.c.id == last.c.case)
    joined = joined.join(decision, decision.c.id == review_case.c.decision)
    query = (
        select(decision.c.finding, func.count().label("count"))
        .select_from(joined)
        .group_by(decision.c.finding)
    )
    return {row.finding: int(row._mapping["count"]) for row in connection.execute(query)}


def _neighbours(connection: Connection, of: Case) -> tuple[Neighbour, ...]:
    n = case_neighbour.c
    query = select(n.other, n.how, n.distance, review_case.c.decision)
    query = query.join(review_case, review_case.c.id == n.other)
    rows = connection.execute(query.where(n.case == of.id, review_case.c.decision.is_not(None))).all()
    if not rows:
        return ()
    finals = final_decisions(connection, [row.decision for row in rows], with_items=False)
    found = [Neighbour(row.other, row.how, row.distance, finals[row.decision]) for row in rows]
    return tuple(sorted(found, key=lambda each: (each.how != "exact", each.distance or 0, each.case)))


def _once(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))
