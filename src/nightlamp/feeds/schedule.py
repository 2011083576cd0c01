"""When feeds run, and on which node: a lease in the database, jitter, and back-off after faults."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import PurePath
from threading import Event, Thread
from typing import Any

from sqlalchemy import Connection, Engine, and_, or_, select, update
from sqlalchemy.exc import DBAPIError

from nightlamp.errors import ExchangeError, FeedError, NightlampError
from nightlamp.feeds import entries
from nightlamp.feeds.entries import Owner
from nightlamp.feeds.exchange import Kind
from nightlamp.feeds.opening import open_exchange
from nightlamp.feeds.ran import Ran
from nightlamp.feeds.registry import EXCHANGES
from nightlamp.feeds.subscriptions import MOST_EVERY, StoredFeed, feed_of_id, get_feed
from nightlamp.feeds.sync import LEASE, SWAP_AT_ONCE, Sync
from nightlamp.feeds.tables import feed
from nightlamp.outbound import Fetcher
from nightlamp.signals import Signal
from nightlamp.store import Clock, reading, utc_now
from nightlamp.store.leases import take

FIRST_PAUSE, LONGEST_PAUSE = 60.0, 6 * 3600.0  # seconds between attempts after faults
_SLOW = (
    "credentials",
    "environment",
    "gone",
    "hostile",
)  # trying again soon helps nobody, and may lock us out
_SLOW_PAUSE = 3600.0

Progress = Callable[[int, int, int | None], None]


class Feeds:
    """One node's share of the feeds; ``run_once`` may be called by several threads.

    Args:
        engine: the database.
        http: for requests to exchanges, within its rules.
        kinds: of exchanges that there are.
        clock: for leases and due times.
        signals: that are installed; by default as found.
        chance: gives numbers of 0 … 1, for jitter.
    """

    def __init__(
        self,
        engine: Engine,
        http: Fetcher,
        *,
        kinds: Mapping[str, Kind] = EXCHANGES,
        clock: Clock = utc_now,
        signals: Mapping[str, Signal] | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.engine = engine
        self.http = http
        self.kinds = kinds
        self.clock = clock
        self._signals = signals
        self._chance = chance
        self._stopping = Event()

    def stop(self) -> None:
        """End runs under way between two pages; they go on at the next start."""
        self._stopping.set()

    def run_once(self) -> bool:
        """Run the feed that is most overdue and nobody works on, or clear a removed one.

        Returns:
            whether there was one.

        Raises:
            DBAPIError: the database does not answer.
        """
        if self._stopping.is_set():
            return False
        if self._clear_removed():
            return True
        with self.engine.begin() as connection:
            ready = and_(feed.c.removed_at.is_(None), feed.c.paused == "")
            rows = take(
                connection,
                feed,
                now=self.clock(),
                seconds=LEASE.total_seconds(),
                limit=1,
                where=ready,
                farthest=timedelta(seconds=2 * MOST_EVERY),
            )
        for row in rows:
            self._work(row, None)
        return bool(rows)

    def any_due(self) -> bool:
        """Whether ``run_once`` would find something to do."""
        now = self.clock()
        free = or_(feed.c.lease.is_(None), feed.c.lease_until < now)
        due = and_(feed.c.removed_at.is_(None), feed.c.paused == "", feed.c.due <= now, free)
        ended = and_(feed.c.removed_at.is_not(None), feed.c.cleared_at.is_(None))
        with reading(self.engine) as connection:
            return connection.scalar(select(feed.c.id).where(or_(due, ended)).limit(1)) is not None

    def sync(self, name: str, *, progress: Progress | None = None) -> Ran:
        """Run one feed here and now, due or not.

        Raises:
            FeedError: there is no such feed, it is paused, or another process works on it.
            ExchangeError: as its client says; it is also kept with the feed.
        """
        with self.engine.begin() as connection:
            stored = get_feed(connection, name)
            if stored.paused:
                what = f"it is paused: {stored.paused_why}"
                raise FeedError(what, where=f"feed {name}", hint=f"nightlamp feed resume {name}")
            rows = take(
                connection,
                feed,
                now=self.clock(),
                seconds=LEASE.total_seconds(),
                limit=1,
                where=feed.c.id == stored.id,
                farthest=-timedelta(days=36_500),  # due or not
            )
        if not rows:
            what = "another process works on it"
            raise FeedError(what, where=f"feed {name}", hint=f"nightlamp feed show {name}, in two minutes")
        ran = self._work(rows[0], progress)
        if isinstance(ran, Ran):
            return ran
        raise ran

    def _work(self, row: Any, progress: Progress | None) -> Ran | NightlampError:
        """Run a feed whose lease we have, keep what came of it, and give the lease back."""
        with self.engine.begin() as connection:
            stored = feed_of_id(connection, row.id)
        try:
            exchange = open_exchange(stored, self.http, kinds=self.kinds, clock=self.clock)
            sync = Sync(
                self.engine,
                row.id,
                row.lease,
                exchange,
                clock=self.clock,
                signals=self._signals,
                stop=self._stopping,
                progress=progress,
            )
            with keeping(self.engine, row.id, row.lease, self.clock):
                ran = sync.run()
        except DBAPIError:
            raise
        except NightlampError as error:
            self._failed(stored, row.lease, error)
            return error
        except Exception as error:  # noqa: BLE001 (a client's fault is its feed's, and no other's)
            fault = ExchangeError("malformed", f"a fault in its client ({_place(error)})")
            self._failed(stored, row.lease, fault)
            return fault
        values: dict[str, Any] = {}
        if ran.ended == "done":
            pause = stored.every * (0.9 + 0.2 * self._chance())
            values = {"due": self.clock() + timedelta(seconds=pause), "failures": 0}
            values |= {"error_kind": "", "error": "", "error_at": None}
        self._give_back(row.id, row.lease, values)
        return ran

    def _failed(self, stored: StoredFeed, lease: str, error: NightlampError) -> None:
        kind = error.kind if isinstance(error, ExchangeError) else "setup"
        pause = back_off(stored.failures + 1, kind, getattr(error, "retry_after", None), self._chance())
        now = self.clock()
        text = f"{error.what}. Try: {error.hint}" if error.hint else error.what
        values = {
            "failures": stored.failures + 1,
            "error_kind": kind,
            "error": text[:500],
            "error_at": now,
            "due": now + timedelta(seconds=pause),
        }
        self._give_back(stored.id, lease, values)

    def _give_back(self, number: int, lease: str, values: Mapping[str, Any]) -> None:
        with self.engine.begin() as connection:
            ours = and_(feed.c.id == number, feed.c.lease == lease)
            connection.execute(update(feed).where(ours).values(**values, lease=None, lease_until=None))

    def _clear_removed(self) -> bool:
        """Take a piece of what a removed feed brought out of force."""
        with self.engine.begin() as connection:
            now = self.clock()
            ended = and_(feed.c.removed_at.is_not(None), feed.c.cleared_at.is_(None))
            query = select(feed.c.id).where(ended).order_by(feed.c.id).limit(1)
            number = connection.scalar(query.with_for_update(skip_locked=True, key_share=True))
            if number is None:
                return False
            clear(connection, feed_of_id(connection, number), now)
            return True

    def clear(self, number: int) -> None:
        """Take everything that a removed feed brought out of force, piece by piece."""
        done = False
        while not done:
            with self.engine.begin() as connection:
                done = clear(connection, feed_of_id(connection, number), self.clock())


def clear(connection: Connection, stored: StoredFeed, now: datetime) -> bool:
    """Take a piece of what a removed feed brought out of force; whether that was the last."""
    owner = Owner(stored.id, stored.bank, stored.actor)
    left = entries.clear_entries(connection, owner, SWAP_AT_ONCE // 2, now)
    left += entries.clear_staged(connection, stored.id, SWAP_AT_ONCE // 2)
    if not left:
        done = update(feed).where(feed.c.id == stored.id)
        connection.execute(done.values(cleared_at=now, records=0, prints=0))
    return not left


@contextmanager
def keeping(engine: Engine, number: int, lease: str, clock: Clock) -> Iterator[None]:
    """Renew a feed's lease while its pages are on their way, however long one takes; not once we are dead."""
    done = Event()

    def renew() -> None:
        mine = update(feed).where(feed.c.id == number, feed.c.lease == lease)
        while not done.wait(LEASE.total_seconds() / 4):
            with suppress(DBAPIError), engine.begin() as connection:
                connection.execute(mine.values(lease_until=clock() + LEASE))

    thread = Thread(target=renew, name="feed lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def back_off(failures: int, kind: str, retry_after: float | None, chance: float) -> float:
    """Seconds until the next attempt after so many failures in a row."""
    pause = min(FIRST_PAUSE * 2.0 ** min(failures - 1, 20), LONGEST_PAUSE)
    if kind in _SLOW:
        pause = max(pause, _SLOW_PAUSE)
    pause *= 0.75 + 0.5 * chance
    return max(pause, min(retry_after or 0.0, 86_400.0))


def _place(error: Exception) -> str:
    """Kind and place of a fault; never its message, which may quote an entry."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {PurePath(frame.filename).name}:{frame.lineno}"
