"""What a case knows without anybody looking at a picture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, func, or_, select

from nightlamp.cases.decision import Case, FinalDecision
from nightlamp.cases.records import final_decisions, get_case
from nightlamp.cases.tables import case_item, case_neighbour, decision, review_case
from nightlamp.errors import CaseError
from nightlamp.intake.deciding import HISTORY
from nightlamp.intake.records import match_of
from nightlamp.intake.submission import Where
from nightlamp.intake.tables import item, match, verdict
from nightlamp.origin import from_json
from nightlamp.policy import Actor
from nightlamp.values import Action, Assessment, Match, Unchecked

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
class Told:
    """What some items say of how they were made, word for word the same; ``item`` is the first of them."""

    assessment: Assessment
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

    Matches, scores, reasons and what is unchecked are those of the first ``MOST_ITEMS`` items.

    Args:
        case: itself.
        hits: which lists, whose, how close; those of the most trusted first, then the closest.
        origin: of the first 20, where it was asked how they were made; each said once.
        scores: of services that were asked: (item, name, score).
        reasons: of the verdicts, without repetition.
        actors: the busiest first, at most 8.
        neighbours: earlier decisions on what looks like it, the very same first; without their items.
        known: how many items all of this was gathered from.
        items: those that were asked for, in the order in which they came.
        unchecked: what could not be examined, without repetition.
    """

    case: Case
    hits: tuple[Hit, ...]
    origin: tuple[Told, ...]
    scores: tuple[tuple[str, str, float], ...]
    reasons: tuple[str, ...]
    actors: tuple[Person, ...]
    neighbours: tuple[Neighbour, ...]
    known: int
    items: tuple[CaseItem, ...]
    unchecked: tuple[Unchecked, ...]


def dossier(
    connection: Connection, case_id: str, *, now: datetime, skip: int = 0, listed: int = MOST_ITEMS
) -> Dossier:
    """Gather it.

    Args:
        connection: any.
        case_id: the case's.
        now: for what its actors did lately.
        skip, listed: which items are wanted in full: so many, behind the first ``skip``.

    Raises:
        CaseError: there is no such case.
    """
    of = get_case(connection, case_id)
    first = connection.execute(_FIRST, {"case": case_id}).all()
    verdicts = {row.verdict: row.item for row in first}
    ruled = connection.execute(_RULED, {"verdicts": list(verdicts)}).all()
    missing = [each for row in (*first, *ruled) for each in row.unchecked]
    return Dossier(
        of,
        _hits(connection, verdicts),
        _origins(connection, [row.item for row in first[:_MOST_ORIGINS]]),
        tuple((row.item, name, score) for row in ruled for name, score in (row.scores or {}).items()),
        _once(reason for row in ruled for reason in row.reasons),
        _actors(connection, case_id, now),
        _neighbours(connection, of),
        len(first),
        tuple(_items(connection, case_id, skip, listed)),
        _once(Unchecked(*each) for each in missing),
    )


def page_case_items(
    connection: Connection,
    case_id: str,
    *,
    after: str | None = None,
    skip: int = 0,
    limit: int = MOST_ITEMS,
) -> list[CaseItem]:
    """Items of a case in the order in which they came, from behind the item ``after``, or the first ``skip``.

    Raises:
        CaseError: there is no such case, or no such item in it.
    """
    get_case(connection, case_id)
    return _items(connection, case_id, skip, limit, after)


_ITEM = (
    item.c.id,
    item.c.platform_id,
    item.c.context,
    item.c.media_type,
    item.c.size,
    item.c.width,
    item.c.height,
    item.c.frames,
    item.c.object,
    item.c.received_at,
    item.c.action,
    case_item.c.how,
    case_item.c.distance,
    case_item.c.actor,
    case_item.c.place,
)


_I = case_item.c
_FIRST = (
    select(_I.item, _I.verdict, item.c.unchecked)
    .join(item, item.c.id == _I.item)
    .where(_I.case == bindparam("case"))
    .order_by(_I.added_at, _I.item)
    .limit(MOST_ITEMS)
)
_RULED = (
    select(verdict.c.item, verdict.c.reasons, verdict.c.unchecked, verdict.c.scores)
    .where(verdict.c.id.in_(bindparam("verdicts", expanding=True)))
    .order_by(verdict.c.id)
)


def _items(
    connection: Connection, case_id: str, skip: int, limit: int, after: str | None = None
) -> list[CaseItem]:
    of = select(_I.item).where(_I.case == case_id)
    if after is not None:
        at = connection.scalar(select(_I.added_at).where(_I.item == after, _I.case == case_id))
        if at is None:
            raise CaseError("not found", "there is no such item in the case", where="after")
        of = of.where(or_(_I.added_at > at, and_(_I.added_at == at, _I.item > after)))
    wanted = of.order_by(_I.added_at, _I.item).offset(skip).limit(limit).subquery()
    query = select(*_ITEM).join(item, item.c.id == _I.item).join(wanted, wanted.c.item == _I.item)
    return [_item(row) for row in connection.execute(query.order_by(_I.added_at, _I.item))]


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
    closest: dict[tuple[str, str, str], Any] = {}
    items: dict[tuple[str, str, str], set[str]] = {}
    for row in connection.execute(_MATCHES, {"verdicts": list(verdicts)}):
        kind = (row.bank, row.category, row.signal)
        items.setdefault(kind, set()).add(verdicts[row.verdict])
        before = closest.get(kind)
        if before is None or (row.disputed, row.distance) < (before.disputed, before.distance):
            closest[kind] = row
    hits = [Hit(match_of(row), verdicts[row.verdict], len(items[kind])) for kind, row in closest.items()]
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


_MATCHES = (
    select(match)
    .where(match.c.verdict.in_(bindparam("verdicts", expanding=True)))
    .order_by(match.c.id)
    .limit(_MOST_MATCHES)
)


def _origins(connection: Connection, items: Sequence[str]) -> tuple[Told, ...]:
    stored = select(item.c.id, item.c.origin).where(item.c.id.in_(items), item.c.origin.is_not(None))
    same: dict[str, list[Any]] = {}
    for row in connection.execute(stored.order_by(item.c.id)):
        same.setdefault(json.dumps(row.origin, sort_keys=True), []).append(row)
    return tuple(Told(from_json(rows[0].origin), rows[0].id, len(rows)) for rows in same.values())


def _actors(connection: Connection, case_id: str, now: datetime) -> tuple[Person, ...]:
    query = select(_I.actor, func.count()).where(_I.case == case_id, _I.actor != "").group_by(_I.actor)
    busiest = connection.execute(query.order_by(func.count().desc(), _I.actor).limit(_MOST_ACTORS)).all()
    since = now - HISTORY
    found = []
    for actor, here in busiest:
        lately = connection.execute(_HISTORY, {"actor": actor, "since": since}).one()
        decided = connection.execute(_DECIDED, {"actor": actor}).all()
        found.append(Person(actor, here, Actor(*lately), dict(map(tuple, decided))))
    return tuple(found)


def _history() -> Any:
    """Counts of what an actor did lately."""
    newest = select(item.c.verdict, item.c.action).where(
        item.c.actor == bindparam("actor"), item.c.received_at >= bindparam("since")
    )
    last = newest.order_by(item.c.received_at.desc()).limit(_MOST_OF_ACTOR).subquery()
    joined = last.outerjoin(verdict, verdict.c.id == last.c.verdict)
    return select(
        func.count(),
        func.count(case(((verdict.c.matches > 0) & ~verdict.c.benign, 1))),
        func.count(case((last.c.action == "review", 1))),
        func.count(case((last.c.action == "block", 1))),
    ).select_from(joined)


def _decided() -> Any:
    """How an actor's last items were decided: how many by each finding."""
    newest = select(_I.case).where(_I.actor == bindparam("actor"))
    last = newest.order_by(_I.added_at.desc()).limit(_MOST_OF_ACTOR).subquery()
    joined = last.join(review_case, review_case.c.id == last.c.case)
    joined = joined.join(decision, decision.c.id == review_case.c.decision)
    return select(decision.c.finding, func.count()).select_from(joined).group_by(decision.c.finding)


# Made once: putting such a statement together takes longer than running it.
_HISTORY, _DECIDED = _history(), _decided()


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
