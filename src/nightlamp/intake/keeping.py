"""What the intake forgets, and when: items that were allowed, answers to old requests, delivered webhooks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select

from nightlamp import lookback
from nightlamp.intake.tables import fetch, idempotency, item, match, outbox, verdict
from nightlamp.store import Clock, Writer, utc_now

AT_ONCE = 500
NAMES = timedelta(days=7)  # how long a request is known again by its idempotency key


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many of each went away in one go, and whether there may be more."""

    items: int
    names: int
    fingerprints: int
    more: bool


class Forgetting:
    """Deletes what is past its time, a little at once.

    An item that was never more than allowed goes with its fingerprints; what was reviewed or blocked stays,
    for the cases and reports that stand on it.

    Args:
        writer: commits.
        keep: how long items and fingerprints are kept.
        clock: the time.
    """

    def __init__(self, writer: Writer, keep: timedelta, *, clock: Clock = utc_now) -> None:
        self._writer = writer
        self._keep = keep
        self._clock = clock

    def run_once(self) -> int:
        """Delete until nothing is past its time; how many items went away."""
        gone = 0
        while True:
            step = self._writer.write(self._step)
            gone += step.items
            if not step.more:
                return gone

    def _step(self, connection: Connection) -> Forgotten:
        now = self._clock()
        purged = lookback.purge(connection, now)
        items = _forget_items(connection, now - self._keep)
        old = (
            select(idempotency.c.key, idempotency.c.name).where(idempotency.c.at < now - NAMES).limit(AT_ONCE)
        )
        names = connection.execute(old).all()
        for key, name in names:
            mine = (idempotency.c.key == key) & (idempotency.c.name == name)
            connection.execute(delete(idempotency).where(mine))
        more = purged.more or items == AT_ONCE or len(names) == AT_ONCE
        return Forgotten(items, len(names), purged.items, more)


def _forget_items(connection: Connection, before: datetime) -> int:
    earlier = select(verdict.c.id).where(verdict.c.item == item.c.id, verdict.c.action != "allow").exists()
    waits = select(outbox.c.id).where(outbox.c.item == item.c.id, outbox.c.state == "pending").exists()
    old = select(item.c.id).where(item.c.action == "allow", item.c.received_at < before, ~earlier, ~waits)
    ids = list(connection.scalars(old.limit(AT_ONCE)))
    verdicts = select(verdict.c.id).where(verdict.c.item.in_(ids))
    connection.execute(delete(match).where(match.c.verdict.in_(verdicts)))
    connection.execute(delete(idempotency).where(idempotency.c.item.in_(ids)))
    for table in (outbox, fetch):
        column = table.c.item if "item" in table.c else table.c.id
        connection.execute(delete(table).where(column.in_(ids)))
    connection.execute(delete(verdict).where(verdict.c.item.in_(ids)))
    connection.execute(delete(item).where(item.c.id.in_(ids)))
    return len(ids)
