"""What was found: once for each item and entry, until the intake has made a late verdict of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from nightlamp.banks.live.tables import bank, bank_entry
from nightlamp.lookback.matching import Candidate
from nightlamp.lookback.past import unpack
from nightlamp.lookback.tables import lookback_hit, lookback_item, lookback_print
from nightlamp.values import AS_IS, Bank, Fingerprint, Match

_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Late:
    """A past item that entries added since match.

    Args:
        item: its id.
        matches: with each entry's number; closest first.
    """

    item: str
    matches: tuple[tuple[int, Match], ...]


def keep_hits(connection: Connection, candidates: Sequence[Candidate], now: datetime) -> int:
    """Keep what was found, except pairs that are kept already, items that expired, and pairs that the item's
    own screening saw; how many were new."""
    kept = 0
    for first in range(0, len(candidates), _AT_ONCE):
        rows = _rows(connection, candidates[first : first + _AT_ONCE], now)
        if rows:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            kept += connection.execute(dialect.insert(lookback_hit).on_conflict_do_nothing(), rows).rowcount
    return kept


def take(connection: Connection, now: datetime, limit: int = 100) -> list[Late]:
    """Take hits to make late verdicts of, in the transaction that stores these verdicts.

    If it is undone, they come again; if it commits, they never do. Hits whose entry is no longer in force are
    dropped. Several nodes that take at the same time get different ones.

    Args:
        connection: in a transaction that may write.
        now: noted as the time at which they were taken.
        limit: hits, at most, up to 500; an item whose hits are cut comes again with the rest.
    """
    h, e, b = lookback_hit.c, bank_entry.c, bank.c
    waiting = select(h.item, h.entry).where(h.handled_at.is_(None)).order_by(h.found_at, h.item, h.entry)
    chosen = connection.execute(waiting.limit(min(limit, 500)).with_for_update(skip_locked=True)).all()
    if not chosen:
        return []
    query = (
        select(lookback_hit, e.source_id, e.category, e.disputed)
        .add_columns(b.name, b.source, b.category.label("bank_category"), b.trust, b.benign)
        .join(bank_entry, e.id == h.entry)
        .join(bank, b.id == e.bank)
        .where(
            _pairs({(item, entry) for item, entry in chosen}),
            e.removed_generation.is_(None),
            b.enabled.is_(True),
        )
        .order_by(h.distance, h.entry)
    )
    found: dict[str, list[tuple[int, Match]]] = {}
    for row in connection.execute(query):
        found.setdefault(row.item, []).append((row.entry, _match(row)))
    taken = {(item, entry) for item, matches in found.items() for entry, _ in matches}
    if taken:
        connection.execute(update(lookback_hit).where(_pairs(taken)).values(handled_at=now))
    # What is dropped leaves no trace: it may come into force again, and be found again.
    if dropped := {(item, entry) for item, entry in chosen} - taken:
        connection.execute(delete(lookback_hit).where(_pairs(dropped)))
    return [Late(item, tuple(matches)) for item, matches in found.items()]


def _pairs(pairs: Collection[tuple[str, int]]) -> ColumnElement[bool]:
    return or_(*(and_(lookback_hit.c.item == item, lookback_hit.c.entry == entry) for item, entry in pairs))


def _rows(connection: Connection, candidates: Sequence[Candidate], now: datetime) -> list[dict[str, Any]]:
    """What to keep of these candidates, as rows of ``lookback_hit``."""
    i, e, b, p = lookback_item.c, bank_entry.c, bank.c, lookback_print.c
    refs = {c.ref for c in candidates}
    items = {row.id: row for row in connection.execute(select(lookback_item).where(i.id.in_(refs)))}
    since = case((b.enabled_generation > e.added_generation, b.enabled_generation), else_=e.added_generation)
    wanted = select(e.id, e.value, since.label("since")).join(bank, b.id == e.bank)
    entries = {
        row.id: row for row in connection.execute(wanted.where(e.id.in_({c.entry for c in candidates})))
    }
    packed = select(lookback_print).where(p.ref.in_({c.ref for c in candidates if c.place >= 0}))
    prints = {
        (row.ref, row.signal): unpack(row.signal, bytes(row._mapping["values"]), row.details)
        for row in connection.execute(packed)
    }
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for c in candidates:
        item, entry = items.get(c.ref), entries.get(c.entry)
        if item is None or entry is None or item.expires_at <= now or item.generation >= entry.since:
            continue
        if c.place < 0:
            fingerprint = Fingerprint(c.signal, bytes(entry.value), c.view)
        elif (c.ref, c.signal) in prints:
            fingerprint = prints[c.ref, c.signal][c.place]
        else:
            continue  # forgotten since it was read
        row = {
            "item": item.item,
            "entry": c.entry,
            "signal": c.signal,
            "value": fingerprint.value,
            "view": fingerprint.view,
            "frame": fingerprint.frame,
            "seconds": fingerprint.seconds,
            "quality": fingerprint.quality,
            "distance": c.distance,
            "found_at": now,
            "expires_at": item.expires_at,
        }
        # The same digest may stand there as a whole and as a part: the whole counts.
        if (item.item, c.entry) not in rows or c.view == AS_IS:
            rows[item.item, c.entry] = row
    return list(rows.values())


def _match(row: Row[Any]) -> Match:
    fingerprint = Fingerprint(row.signal, bytes(row.value), row.view, row.frame, row.quality, row.seconds)
    of = Bank(row.name, row.source, row.bank_category, row.trust, row.benign)
    entry_id = row.source_id or f"entry {row.entry}"
    return Match(fingerprint, of, entry_id, row.category or of.category, row.distance, row.disputed)
