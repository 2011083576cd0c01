"""What waits for a case, and what it is grouped by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from nightlamp.cases.prints import SIGNAL
from nightlamp.cases.terms import Terms
from nightlamp.intake.records import matches_of
from nightlamp.intake.submission import Where
from nightlamp.intake.tables import for_review, item, verdict
from nightlamp.signals import installed
from nightlamp.values import Match, Outcome, Priority

STRONGEST = ("sha256", "sha1", "md5")
_OF_PLACES = ("url-host", "url-prefix")  # name a place, not a content
_MOST_PRINTS = 32  # of one signal, evenly spread
_MOST_ENTRIES = 5
_OF_ITEM = (
    item.c.actor,
    item.c.context,
    item.c.frames,
    item.c.origin["outcome"].as_string().label("outcome"),
)


@dataclass(frozen=True, slots=True)
class Print:
    """A fingerprint of an item; ``of``: how many of its signal the item has here, 1 only of a still."""

    signal: str
    value: bytes = field(repr=False)
    frame: int
    quality: int | None
    of: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """An item that waits for a case.

    Args:
        known: an entry of a list of high trust matches it exactly.
        listed: an entry of any list matches it.
        origin: how its content says that it was made; nobody asked: ``unknown``.
        confirms: the policy's rule confirms it by itself.
        prints: the ones that are clear enough to compare.
        entries: a digest for each list entry that it matches closely.
    """

    item: str
    verdict: str
    at: datetime
    actor: str
    place: str
    jurisdiction: str
    rule: str
    queue: str
    priority: Priority
    two_person: bool
    known: bool
    listed: bool
    origin: Outcome
    confirms: bool
    prints: tuple[Print, ...] = field(repr=False)
    entries: tuple[bytes, ...] = field(repr=False)

    @property
    def content(self) -> tuple[str, bytes] | None:
        """The strongest digest of its content: items that share it are the same."""
        digests = {each.signal: each.value for each in self.prints}
        return next(((name, digests[name]) for name in STRONGEST if name in digests), None)

    @property
    def frames(self) -> list[bytes]:
        """Its PDQ prints; none if it moves and all but one of them are unclear: one says too little."""
        mine = [each for each in self.prints if each.signal == SIGNAL]
        return [each.value for each in mine] if len(mine) != 1 or mine[0].of == 1 else []

    def keys(self, burst: timedelta) -> list[tuple[str, bytes]]:
        """What groups it without a picture: the entries that it matches, then a burst of its actor."""
        found = [("entry", entry) for entry in self.entries]
        if self.actor and burst:
            found.append(("burst", _digest(self.actor, self.rule, self.queue, str(self.known))))
        return found


def arrivals(connection: Connection, limit: int, terms: Terms) -> list[tuple[int, Arrival]]:
    """The first ones that wait, with their numbers in ``for_review``."""
    query = (
        select(for_review, verdict.c.rule, verdict.c.handling, *_OF_ITEM)
        .join(verdict, verdict.c.id == for_review.c.verdict)
        .join(item, item.c.id == for_review.c.item)
    )
    rows = connection.execute(query.order_by(for_review.c.id).limit(limit)).all()
    matches = matches_of(connection, [row.verdict for row in rows])
    return [(row.id, _arrival(row, matches[row.verdict], terms)) for row in rows]


def _arrival(row: Any, matches: Sequence[Match], terms: Terms) -> Arrival:
    where = Where.from_json(row.context)
    counted = [match for match in matches if not match.bank.benign]
    close = [
        _digest(match.bank.name, match.entry_id)
        for match in counted
        if match.distance <= terms.radius and match.fingerprint.signal not in _OF_PLACES
    ]
    return Arrival(
        row.item,
        row.verdict,
        row.at,
        row.actor,
        "/".join(filter(None, (where.service, where.room)))[:400],
        where.jurisdiction,
        row.rule,
        row.handling["queue"],
        row.handling["priority"],
        row.handling["two_person"],
        any(match.bank.trust == "high" and match.exact and not match.disputed for match in counted),
        bool(counted),
        row.outcome or "unknown",
        row.handling.get("confirms", False),
        _prints(json.loads(row.prints), row.frames),
        tuple(dict.fromkeys(close))[:_MOST_ENTRIES],
    )


def _prints(stored: Sequence[Sequence[Any]], frames: int) -> tuple[Print, ...]:
    signals = installed()
    by_signal: dict[str, dict[bytes, tuple[int, int | None]]] = {}
    for name, text, frame, quality in stored:
        signal = signals.get(name)
        if signal is not None and (quality is None or quality >= signal.min_quality):
            by_signal.setdefault(name, {}).setdefault(bytes.fromhex(text), (frame, quality))
    found = []
    for name, values in by_signal.items():
        rows = list(values.items())
        step = max(1.0, len(rows) / _MOST_PRINTS)
        chosen = [rows[int(at * step)] for at in range(min(len(rows), _MOST_PRINTS))]
        of = max(len(chosen), min(frames, 2)) if signals[name].of_frame else 1
        found += [Print(name, value, *rest, of) for value, rest in chosen]
    return tuple(found)


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()
