"""Planning and doing the work: tasks in the database that nodes lease, so they share it and lose none."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import Connection, Engine, delete, func, insert, or_, select, text, update

from nightlamp.banks.live import Mark, current_mark
from nightlamp.banks.live.counter import last_entry_at
from nightlamp.banks.live.tables import bank, bank_entry
from nightlamp.lookback.hits import keep_hits
from nightlamp.lookback.matching import Prints, Span, near_digests
from nightlamp.lookback.past import purge
from nightlamp.lookback.tables import (
    lookback_behind,
    lookback_hit,
    lookback_item,
    lookback_state,
    lookback_task,
)
from nightlamp.signals import Signal, installed
from nightlamp.store import Clock, reading, utc_now

SPAN_ENTRIES = 500_000  # entries of one task
SPAN_ITEMS = 200_000  # items of one task: seconds of work, which is what a crash costs
LEASE = timedelta(minutes=5)
BARRIER_SECONDS = 2.0  # how long one run waits for transactions that are under way
_BEHIND_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Backlog:
    """How far the look-back is.

    Args:
        behind: changes that are committed and not yet given to tasks.
        tasks: that are not done.
        waiting: hits that nobody has taken.
    """

    behind: int
    tasks: int
    waiting: int


@dataclass(frozen=True, slots=True)
class _Task:
    id: int
    kind: str
    span: Span
    after_ref: int
    last_ref: int


class LookBack:
    """One node's share of the look-back; ``run_once`` is for one thread.

    Args:
        engine: the database.
        signals: by name; by default the installed ones.
        radius: by signal, where it differs from the signal's own; the screener's.
        clock: for expiry and leases. If it jumps, work is done twice, never left out.
        span_entries, span_items: the size of a task.
    """

    def __init__(
        self,
        engine: Engine,
        signals: Mapping[str, Signal] | None = None,
        radius: Mapping[str, int] | None = None,
        *,
        clock: Clock = utc_now,
        span_entries: int = SPAN_ENTRIES,
        span_items: int = SPAN_ITEMS,
    ) -> None:
        self._engine = engine
        self._signals = installed() if signals is None else signals
        self._radius = dict(radius or {})
        self._clock = clock
        self._span_entries = span_entries
        self._span_items = span_items
        self._owner = str(uuid4())
        self._loaded: tuple[Span, Prints] | None = None  # entries of the last task

    def run_once(self) -> bool:
        """Do one piece of work: items that were behind, a task, or planning; whether there was any.

        Raises:
            DBAPIError: the database does not answer; what was not committed is done again later.
        """
        if self._catch_up_behind():
            return True
        task = self._lease()
        if task is None:
            return self._plan()
        self._do(task)
        return True

    def purge(self) -> int:
        """Delete what has expired, piece by piece; how many items."""
        total = 0
        while True:
            with self._engine.begin() as connection:
                purged = purge(connection, self._clock())
            total += purged.items
            if not purged.more:
                return total

    def backlog(self) -> Backlog:
        """How far the look-back is, over all nodes."""

        with reading(self._engine) as connection:
            planned = connection.execute(select(lookback_state)).one()
            tasks = connection.scalar(select(func.count()).select_from(lookback_task)) or 0
            waiting = select(func.count()).where(lookback_hit.c.handled_at.is_(None))
            behind = current_mark(connection).generation - planned.generation
            return Backlog(behind, tasks, connection.scalar(waiting) or 0)

    def _plan(self) -> bool:
        """Give everything that is new to tasks, if there is no task; whether anything was new."""
        with reading(self._engine) as connection:
            now = current_mark(connection)
            done = connection.execute(select(lookback_state)).one()
            if done.generation >= now.generation or connection.scalar(select(lookback_task.c.id).limit(1)):
                return False
        if not self._past_barrier():
            return False
        with self._engine.begin() as connection:
            # Whoever comes second waits here, then finds the work planned.
            locked = connection.execute(select(lookback_state).with_for_update()).one()
            if locked.generation != done.generation:
                return True
            self._make_tasks(connection, locked.generation, locked.last_entry, now)
            connection.execute(
                update(lookback_state).values(generation=now.generation, last_entry=now.last_entry)
            )
        return True

    def _past_barrier(self) -> bool:
        """Wait until every transaction that was writing a moment ago has ended; false if that takes too long.

        It might bring an item that was screened before the newest change, and has not looked at the counter
        since. SQLite has one writer at a time: whoever looked before the change has ended before it.
        """
        if self._engine.dialect.name != "postgresql":
            return True
        newest = text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        oldest = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            barrier = int(connection.execute(newest).scalar_one())
            end = time.monotonic() + BARRIER_SECONDS
            while int(connection.execute(oldest).scalar_one()) < barrier:
                if time.monotonic() > end:
                    return False
                time.sleep(0.01)
        return True

    def _make_tasks(self, connection: Connection, generation: int, last_entry: int, now: Mark) -> None:
        refs = select(func.min(lookback_item.c.id), func.max(lookback_item.c.id))
        first_ref, last_ref = connection.execute(refs).one()
        if last_ref is None:
            return
        b = bank.c
        spans = [Span(after, last) for after, last in _cut(last_entry, now.last_entry, self._span_entries)]
        enabled = select(b.id).where(b.enabled.is_(True), b.enabled_generation > generation)
        for number in connection.scalars(enabled.order_by(b.id)).all():
            spans += [Span(a, z, number) for a, z in _cut(0, last_entry, self._span_entries)]
        rows: list[dict[str, object]] = []
        for span in spans:
            for kind, pieces in (("digests", [(0, last_ref)]), ("prints", None)):
                if not self._any(connection, span, kind):
                    continue
                for after_ref, last in pieces or _cut(first_ref - 1, last_ref, self._span_items):
                    where = {"after_entry": span.after, "last_entry": span.last, "bank": span.bank}
                    rows.append({"kind": kind, **where, "after_ref": after_ref, "last_ref": last})
        if rows:
            connection.execute(insert(lookback_task), rows)

    def _any(self, connection: Connection, span: Span, kind: str) -> bool:
        """Whether a span has entries of that kind at all."""
        e = bank_entry.c
        names = [n for n, signal in self._signals.items() if (signal.index == "exact") == (kind == "digests")]
        query = select(e.id).where(e.id > span.after, e.id <= span.last, e.signal.in_(names))
        if span.bank is not None:
            query = query.where(e.bank == span.bank)
        return connection.scalar(query.limit(1)) is not None

    def _lease(self) -> _Task | None:
        """Take a task that nobody has, or whose holder has not been heard of in time."""
        t, now = lookback_task.c, self._clock()
        free = or_(
            t.until.is_(None), t.until < now, t.until > now + 2 * LEASE
        )  # the last: a clock has jumped
        query = select(lookback_task).where(free).order_by(t.id).limit(1).with_for_update(skip_locked=True)
        with reading(self._engine) as connection:
            if connection.scalar(select(t.id).limit(1)) is None:
                return None
        with self._engine.begin() as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                return None
            held = {"owner": self._owner, "until": now + LEASE}
            connection.execute(update(lookback_task).where(t.id == row.id).values(held))
        span = Span(row.after_entry, row.last_entry, row.bank)
        return _Task(row.id, row.kind, span, row.after_ref, row.last_ref)

    def _do(self, task: _Task) -> None:
        with reading(self._engine) as connection:
            if task.kind == "digests":
                found = near_digests(connection, task.span)
            else:
                found = self._prints(connection, task.span).near(connection, task.after_ref, task.last_ref)
        with self._engine.begin() as connection:
            keep_hits(connection, found, self._clock())
            connection.execute(delete(lookback_task).where(lookback_task.c.id == task.id))

    def _prints(self, connection: Connection, span: Span) -> Prints:
        """The entries of a span, kept from one task to the next.

        What is removed or disabled meanwhile is dropped when hits are taken; what is enabled is planned anew.
        """
        if self._loaded is None or self._loaded[0] != span:
            self._loaded = span, Prints.load(connection, span, self._signals, self._radius)
        return self._loaded[1]

    def _catch_up_behind(self) -> bool:
        """Match items that were committed after changes that they had not seen; whether there were any."""
        with reading(self._engine) as connection:
            if connection.scalar(select(lookback_behind.c.ref).limit(1)) is None:
                return False
        b = bank.c
        chosen = select(lookback_behind).order_by(lookback_behind.c.ref).limit(_BEHIND_AT_ONCE)
        with self._engine.begin() as connection:
            rows = connection.execute(chosen.with_for_update(skip_locked=True)).all()
            if not rows:
                return False
            refs = [row.ref for row in rows]
            oldest = min(row.generation for row in rows)
            now = current_mark(connection)
            spans = [Span(last_entry_at(connection, oldest), now.last_entry)]
            enabled = select(b.id).where(b.enabled.is_(True), b.enabled_generation > oldest)
            spans += [Span(0, spans[0].after, number) for number in connection.scalars(enabled)]
            for span in spans:
                found = near_digests(connection, span, refs=refs)
                prints = Prints.load(connection, span, self._signals, self._radius)
                found += prints.near_refs(connection, refs) if prints else []
                keep_hits(connection, found, self._clock())
            connection.execute(delete(lookback_behind).where(lookback_behind.c.ref.in_(refs)))
        return True


def _cut(after: int, last: int, size: int) -> list[tuple[int, int]]:
    """``after … last`` in pieces of at most ``size``."""
    return [(start, min(start + size, last)) for start in range(after, last, size)]
