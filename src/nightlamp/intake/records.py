"""Items, verdicts and matches as they stand in the database: packed, unpacked, listed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from nightlamp.errors import IntakeError
from nightlamp.intake.submission import Ruling, State, Where
from nightlamp.intake.tables import item, match, verdict
from nightlamp.origin import from_json
from nightlamp.policy import Actor, Context, Facts, Item, Origin
from nightlamp.values import Action, Assessment, Bank, Fingerprint, Handling, Hold, Match, Unchecked, Verdict


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item as it stands.

    Args:
        key: id of the API key that submitted it.
        object: its id in the vault, if it is held.
        verdict: id of the newest one.
        action: of that verdict.
        origin: what its content says of how it was made; None: not asked, or not read from the table.
    """

    id: str
    key: str
    kind: str
    platform_id: str
    actor: str
    where: Where
    state: State
    wait: bool
    media_type: str
    size: int
    width: int
    height: int
    frames: int
    unchecked: tuple[Unchecked, ...]
    url: str | None
    object: str | None
    received_at: datetime
    verdict: str | None
    action: Action | None
    origin: Assessment | None = None


def get_item(connection: Connection, item_id: str, *, key: str | None = None) -> StoredItem:
    """One item.

    Args:
        connection: any.
        item_id: its id.
        key: only if this API key submitted it.

    Raises:
        IntakeError: there is none, or it is another key's.
    """
    row = connection.execute(select(item).where(item.c.id == item_id)).one_or_none()
    if row is None or (key is not None and row.key != key):
        raise IntakeError("not found", "there is no such item", where="item")
    return _item(row)


def page_items(
    connection: Connection,
    *,
    before: str | None = None,
    limit: int = 50,
    action: str | None = None,
    state: str | None = None,
    actor: str | None = None,
    platform_id: str | None = None,
    key: str | None = None,
) -> list[StoredItem]:
    """Items, the newest first, from behind ``before``; the others narrow it down."""
    wanted = {"action": action, "state": state, "actor": actor, "platform_id": platform_id, "key": key}
    shown = [column for column in item.c if column is not item.c.origin]  # which may be long
    query = select(*shown).order_by(item.c.id.desc()).limit(limit)
    for name, value in wanted.items():
        if value is not None:
            query = query.where(item.c[name] == value)
    if before is not None:
        query = query.where(item.c.id < before)
    return [_item(row) for row in connection.execute(query)]


def get_ruling(connection: Connection, verdict_id: str) -> Ruling:
    """One verdict with its stored matches.

    Raises:
        IntakeError: there is none.
    """
    row = connection.execute(select(verdict).where(verdict.c.id == verdict_id)).one_or_none()
    if row is None:
        raise IntakeError("not found", "there is no such verdict", where="verdict")
    return _ruling(row, matches_of(connection, [verdict_id])[verdict_id])


def rulings_of(connection: Connection, item_id: str) -> list[Ruling]:
    """All verdicts on an item, the newest first."""
    rows = connection.execute(
        select(verdict)
        .where(verdict.c.item == item_id)
        .order_by(verdict.c.decided_at.desc(), verdict.c.id.desc())
    ).all()
    found = matches_of(connection, [row.id for row in rows])
    return [_ruling(row, found[row.id]) for row in rows]


def matches_of(connection: Connection, verdicts: Sequence[str]) -> dict[str, list[Match]]:
    """The stored matches of each verdict, the closest first; fingerprints without their values."""
    found: dict[str, list[Match]] = {each: [] for each in verdicts}
    query = select(match).where(match.c.verdict.in_(verdicts)).order_by(match.c.id)
    for row in connection.execute(query):
        found[row.verdict].append(match_of(row))
    return found


def match_of(row: Any) -> Match:
    """A row of ``match``; its fingerprint without the value."""
    bank = Bank(row.bank, row.source, row.bank_category, row.trust, row.benign)
    fingerprint = Fingerprint(row.signal, b"", row.view, row.frame, row.quality, row.seconds)
    return Match(fingerprint, bank, row.entry_id, row.category, row.distance, row.disputed)


def page_matches(
    connection: Connection, *, before: int | None = None, limit: int = 50, bank: str | None = None
) -> list[tuple[int, str, str, Match]]:
    """Matches of all items, the newest first: number, item's id, verdict's id, match."""
    query = select(match, verdict.c.item).join(verdict, verdict.c.id == match.c.verdict)
    query = query.order_by(match.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(match.c.id < before)
    if bank is not None:
        query = query.where(match.c.bank == bank)
    rows = connection.execute(query)
    return [(int(row.id), str(row.item), str(row.verdict), match_of(row)) for row in rows]


def page_rulings(
    connection: Connection, *, before: str | None = None, limit: int = 50, action: str | None = None
) -> list[Ruling]:
    """Verdicts on all items, the newest first."""
    query = select(verdict).order_by(verdict.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(verdict.c.id < before)
    if action is not None:
        query = query.where(verdict.c.action == action)
    rows = connection.execute(query).all()
    found = matches_of(connection, [row.id for row in rows])
    return [_ruling(row, found[row.id]) for row in rows]


def stored_facts(connection: Connection, limit: int) -> Iterator[tuple[str, Facts]]:
    """What the newest verdicts were decided upon, with the items' ids, the newest first.

    Of an item with very many matches the closest are known alone.
    """
    newest = select(verdict, item).join(item, item.c.verdict == verdict.c.id)
    newest = newest.with_only_columns(
        verdict.c.id, verdict.c.unchecked, verdict.c.history, verdict.c.scores, verdict.c.late, *_OF_ITEM
    )
    before: str | None = None
    while limit > 0:
        query = newest.order_by(item.c.id.desc()).limit(min(limit, 500))
        rows = connection.execute(query if before is None else query.where(item.c.id < before)).all()
        found = matches_of(connection, [row.id for row in rows])
        for row in rows:
            where = Where.from_json(row.context)
            yield (
                row.item_id,
                Facts(
                    found[row.id],
                    tuple(Unchecked(*each) for each in row.unchecked),
                    Item(row.media_type, row.size, row.width, row.height, row.frames),
                    Origin.of(from_json(row.origin) if row.origin is not None else None),
                    scores=row.scores or {},
                    actor=Actor(*row.history),
                    context=Context(where.service, where.room, where.submitted_at, row.late),
                    jurisdiction=where.jurisdiction,
                ),
            )
        if not rows:
            return
        before, limit = rows[-1].item_id, limit - len(rows)


_OF_ITEM = (
    item.c.id.label("item_id"),
    item.c.media_type,
    item.c.size,
    item.c.width,
    item.c.height,
    item.c.frames,
    item.c.context,
    item.c.origin,
)


def pack_ruling(ruling: Ruling) -> dict[str, Any]:
    """A verdict's row."""
    given = ruling.verdict
    return {
        "id": ruling.id,
        "item": ruling.item,
        "action": given.action,
        "rule": given.rule,
        "policy": ruling.policy,
        "generation": ruling.generation,
        "late": ruling.late,
        "benign": given.benign,
        "reasons": list(given.reasons),
        "unchecked": [[u.what, u.why, u.detail] for u in given.unchecked],
        "handling": _handling(given.handling),
        "history": [
            ruling.history.items,
            ruling.history.matches,
            ruling.history.reviews,
            ruling.history.blocks,
        ],
        "scores": dict(ruling.scores) or None,
        "matches": ruling.matches,
        "decided_at": ruling.decided_at,
    }


def _handling(handling: Handling) -> dict[str, Any]:
    hold = handling.hold
    return {
        "hold": {"months": hold.months, "seconds": hold.seconds} if hold is not None else None,
        "priority": handling.priority,
        "queue": handling.queue,
        "two_person": handling.two_person,
        "confirms": handling.confirms,
    }


def pack_matches(ruling: Ruling, most: int) -> Iterator[dict[str, Any]]:
    """The rows of a verdict's closest matches."""
    for each in ruling.verdict.matches[:most]:
        yield {
            "verdict": ruling.id,
            "bank": each.bank.name,
            "source": each.bank.source,
            "trust": each.bank.trust,
            "benign": each.bank.benign,
            "category": each.category,
            "bank_category": each.bank.category,
            "entry_id": each.entry_id,
            "signal": each.fingerprint.signal,
            "distance": each.distance,
            "view": each.fingerprint.view,
            "frame": each.fingerprint.frame,
            "seconds": each.fingerprint.seconds,
            "quality": each.fingerprint.quality,
            "disputed": each.disputed,
        }


def _item(row: Row[Any]) -> StoredItem:
    values = dict(row._mapping)
    where = Where.from_json(values.pop("context"))
    unchecked = tuple(Unchecked(*each) for each in values.pop("unchecked"))
    origin = values.pop("origin", None)
    assessment = from_json(origin) if origin is not None else None
    return StoredItem(where=where, unchecked=unchecked, origin=assessment, **values)


def _ruling(row: Row[Any], matches: Sequence[Match]) -> Ruling:
    handling = dict(row.handling)
    hold = handling.pop("hold", None)
    given = Verdict(
        row.action,
        tuple(row.reasons),
        tuple(matches),
        tuple(Unchecked(*each) for each in row.unchecked),
        row.benign,
        row.rule,
        Handling(hold=Hold(**hold) if hold else None, **handling),
    )
    return Ruling(
        row.id,
        row.item,
        given,
        row.policy,
        row.generation,
        row.late,
        row.matches,
        row.decided_at,
        Actor(*row.history),
        row.scores or {},
    )


def scores_of(connection: Connection, verdict_id: str | None) -> dict[str, float]:
    """What look-up services said of an item, as its verdict has it."""
    found = connection.scalar(select(verdict.c.scores).where(verdict.c.id == verdict_id))
    return dict(found or {})
