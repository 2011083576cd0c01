"""What is kept of past items: fingerprints under the platform's pseudonym, until they expire."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, delete, func, select

from nightlamp.banks.live import current_generation
from nightlamp.lookback.tables import (
    lookback_behind,
    lookback_digest,
    lookback_hit,
    lookback_item,
    lookback_print,
)
from nightlamp.signals import Signal, installed
from nightlamp.store.direct import Prepared
from nightlamp.store.rows import Rows
from nightlamp.values import Fingerprint

AT_ONCE = 1_000  # items of one transaction that forgets
_CHILDREN = (lookback_digest, lookback_print, lookback_behind)
_ITEM, _BEHIND = Rows(lookback_item), Rows(lookback_behind)
_DIGEST, _PRINT = Rows(lookback_digest), Rows(lookback_print)
_LAST = Prepared(select(func.max(lookback_item.c.id)))
_PLACES = Prepared(
    select(func.nextval(func.pg_get_serial_sequence("lookback_item", "id"))).select_from(
        func.generate_series(1, bindparam("count", type_=Integer))
    )
)


def remember(
    connection: Connection,
    item: str,
    fingerprints: Sequence[Fingerprint],
    expires_at: datetime,
    *,
    generation: int,
    signals: Mapping[str, Signal] | None = None,
) -> None:
    """Keep an item's fingerprints, in the transaction that makes the item durable.

    Fingerprints that nothing could match are left out: of signals not installed, or of too low a quality.

    Args:
        connection: in a transaction that may write.
        item: its id, at most 64 characters; once.
        fingerprints: all of it.
        expires_at: from then on it is not matched, and soon deleted.
        generation: of the ``View`` that the item was screened with.
        signals: by name; by default the installed ones.
    """
    remember_all(connection, [Past(item, fingerprints, expires_at, generation)], signals)


@dataclass(frozen=True, slots=True)
class Past:
    """An item to be remembered; see ``remember``."""

    item: str
    fingerprints: Sequence[Fingerprint]
    expires_at: datetime
    generation: int


def remember_all(
    connection: Connection, items: Sequence[Past], signals: Mapping[str, Signal] | None = None
) -> None:
    """As ``remember``, for many items in one go."""
    if not items:
        return
    signals = installed() if signals is None else signals
    refs = _numbers(connection, len(items))
    _ITEM.add(
        connection,
        [
            {"id": ref, "item": p.item, "generation": p.generation, "expires_at": p.expires_at}
            for ref, p in zip(refs, items, strict=True)
        ],
    )
    digests: list[dict[str, Any]] = []
    prints: list[dict[str, Any]] = []
    for ref, past in zip(refs, items, strict=True):
        _sort(past.fingerprints, ref, signals, digests, prints)
    _DIGEST.add(connection, digests)
    _PRINT.add(connection, prints)
    # The look at the counter must come after the first write: see docs/decisions/look-back-never-misses.md.
    now = current_generation(connection)
    behind = [
        {"ref": ref, "generation": past.generation}
        for ref, past in zip(refs, items, strict=True)
        if now > past.generation
    ]
    _BEHIND.add(connection, behind)


def _numbers(connection: Connection, count: int) -> list[int]:
    """So many places in the scan that nobody else takes."""
    if connection.dialect.name == "postgresql":
        return [place for (place,) in _PLACES.rows(connection, count=count)]
    last = _LAST.rows(connection)[0][0] or 0  # SQLite: no other can write now
    return list(range(last + 1, last + 1 + count))


def _sort(
    fingerprints: Sequence[Fingerprint],
    ref: int,
    signals: Mapping[str, Signal],
    digests: list[dict[str, Any]],
    prints: list[dict[str, Any]],
) -> None:
    """One item's fingerprints as rows of the two tables."""
    exact: dict[tuple[str, bytes, str], dict[str, Any]] = {}
    near: dict[str, list[Fingerprint]] = {}
    for f in fingerprints:
        signal = signals.get(f.signal)
        if signal is None or (f.quality is not None and f.quality < signal.min_quality):
            continue
        if signal.index == "exact":
            row = {"signal": f.signal, "value": f.value, "ref": ref, "view": f.view}
            exact[f.signal, f.value, f.view] = row
        else:
            near.setdefault(f.signal, []).append(f)
    digests += exact.values()
    for name, some in near.items():
        rows = [[f.view, f.frame, f.quality] + ([] if f.seconds is None else [f.seconds]) for f in some]
        details = json.dumps(rows, separators=(",", ":"))
        prints.append(
            {"ref": ref, "signal": name, "values": b"".join(f.value for f in some), "details": details}
        )


def recall(connection: Connection, item: str) -> tuple[Fingerprint, ...]:
    """The fingerprints kept of an item; empty if it is not remembered."""
    ref = connection.scalar(select(lookback_item.c.id).where(lookback_item.c.item == item))
    if ref is None:
        return ()
    found = [
        Fingerprint(row.signal, bytes(row.value), row.view)
        for row in connection.execute(select(lookback_digest).where(lookback_digest.c.ref == ref))
    ]
    for row in connection.execute(select(lookback_print).where(lookback_print.c.ref == ref)):
        found += unpack(row.signal, bytes(row._mapping["values"]), row.details)
    return tuple(found)


def unpack(signal: str, values: bytes, details: str) -> list[Fingerprint]:
    """The fingerprints of one row of ``lookback_print``."""
    rows = json.loads(details)
    size = len(values) // max(1, len(rows))
    return [Fingerprint(signal, values[at * size : (at + 1) * size], *told) for at, told in enumerate(rows)]


def forget(connection: Connection, item: str) -> bool:
    """Delete what is kept of one item before its time; whether there was anything."""
    refs = list(connection.scalars(select(lookback_item.c.id).where(lookback_item.c.item == item)))
    _delete(connection, refs)
    connection.execute(delete(lookback_hit).where(lookback_hit.c.item == item))
    return bool(refs)


@dataclass(frozen=True, slots=True)
class Purged:
    """How many items were forgotten, and whether there may be more."""

    items: int
    more: bool


def purge(connection: Connection, now: datetime) -> Purged:
    """Delete what has expired, at most ``AT_ONCE`` items; call it again while there is more."""
    late = select(lookback_item.c.id).where(lookback_item.c.expires_at <= now)
    refs = list(connection.scalars(late.order_by(lookback_item.c.expires_at).limit(AT_ONCE)))
    _delete(connection, refs)
    connection.execute(delete(lookback_hit).where(lookback_hit.c.expires_at <= now))
    return Purged(len(refs), len(refs) == AT_ONCE)


def _delete(connection: Connection, refs: Sequence[int]) -> None:
    for table in _CHILDREN:
        connection.execute(delete(table).where(table.c.ref.in_(refs)))
    connection.execute(delete(lookback_item).where(lookback_item.c.id.in_(refs)))
