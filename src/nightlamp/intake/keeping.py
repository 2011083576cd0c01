"""What the intake forgets, and when: items that were allowed, answers to old requests, what died long ago.

A clock that leaps ahead must not delete anything. So time is only believed as far as it passes while somebody
looks: what the clock says beyond a day after it was last believed (or after a longer stop) counts once it has
said so for a day, by the database's own record, which outlives the process.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from nightlamp import lookback
from nightlamp.intake.tables import fetch, forgetting, idempotency, item, match, outbox, verdict
from nightlamp.store import Clock, Writer, utc_now
from nightlamp.store.tables import writer_receipt

AT_ONCE = 500
NAMES = timedelta(days=7)  # how long a request is known again by its idempotency key
RECEIPTS = timedelta(days=30)  # of writers that have written nothing since: a living one does every minute
DAY = timedelta(days=1)


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
        self.why = ""  # why nothing new is forgotten; "": it is

    def run_once(self) -> int:
        """Delete until nothing is past its time; how many items went away."""
        gone = 0
        while True:
            step = self._writer.write(self._step)
            gone += step.items
            if not step.more:
                return gone

    def _step(self, connection: Connection) -> Forgotten:
        clock = self._clock()
        now = believed(connection, clock)
        leapt = now != clock
        self.why = "far ahead of what it was: nothing is forgotten for a day" if leapt else ""
        connection.execute(delete(writer_receipt).where(writer_receipt.c.at < now - RECEIPTS))
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


def believed(connection: Connection, clock: datetime) -> datetime:
    """Up to when things may be forgotten: the clock's time, or an earlier one as long as that is in doubt."""
    known = connection.execute(select(forgetting).with_for_update()).one_or_none()
    if known is None:
        connection.execute(insert(forgetting).values(id=1, believed=clock))
        return clock
    before: datetime = known.believed
    leapt, seen = known.leapt_at, known.seen_at
    if clock > before + DAY:
        if leapt is None or clock < seen or clock - seen > DAY:  # first seen, put right, or leapt once more
            leapt = clock
        if clock - leapt < DAY:
            connection.execute(update(forgetting).values(leapt_at=leapt, seen_at=clock))
            return before
    connection.execute(update(forgetting).values(believed=clock, leapt_at=None, seen_at=None))
    return clock


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
