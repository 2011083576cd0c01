"""One run of a feed: pages in, bank in step, and at any instant a state from which the run goes on.

A run is *direct* if it begins where the last one ended, or with nothing at all: each page's records, the
bank's changes and the cursor are one transaction. It is *staged* if the whole list is fetched anew (a full
list, a stale checkpoint): pages go into ``feed_staged`` while the old list goes on matching; once complete,
the difference is applied (*applying*): in one transaction if it is of at most ``SWAP_AT_ONCE`` keys, else in
several, what is new before what is gone. Whatever both lists hold matches throughout.

Everything that a run needs to go on is in its feed's row. Whoever works on it holds its lease, and every
transaction begins by locking the row and checking that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from threading import Event
from typing import Any

from sqlalchemy import Connection, Engine, select, update

from nightlamp.audit import append
from nightlamp.banks.live import get_bank
from nightlamp.errors import ExchangeError
from nightlamp.feeds import entries
from nightlamp.feeds.entries import Change, Owner
from nightlamp.feeds.exchange import Exchange, Json, Page
from nightlamp.feeds.ran import EndedError, HoldError, Ran
from nightlamp.feeds.states import State, read_states
from nightlamp.feeds.tables import feed
from nightlamp.signals import Signal, installed
from nightlamp.store import Clock, new_id, reading, utc_now

LEASE = timedelta(minutes=2)  # renewed with every page, and by schedule.keeping while one is on its way
SWAP_AT_ONCE = 20_000  # keys of one transaction
MOST_RECORDS = 10_000  # of a page
MOST_JSON = 64 << 10  # bytes of a cursor or checkpoint
MOST_OF_RUN = 200_000_000  # records
CURSOR_KEEPS = timedelta(hours=12)  # while nothing goes on; exchanges promise no more
WINDOW = timedelta(days=1)  # in which the loss is counted
_RESTARTS = 2  # of a run whose cursor or checkpoint is refused, before it is a fault


class Sync:
    """One process's share of a run.

    Args:
        engine: the database.
        number: the feed's.
        lease: of the feed, which the caller has taken.
        exchange: its client.
        clock: for leases and times.
        signals: that are installed; by default as found.
        stop: to end between two pages.
        progress: called with (pages, records, total or ``None``) of the run after each page.
    """

    def __init__(
        self,
        engine: Engine,
        number: int,
        lease: str,
        exchange: Exchange,
        *,
        clock: Clock = utc_now,
        signals: Mapping[str, Signal] | None = None,
        stop: Event | None = None,
        progress: Callable[[int, int, int | None], None] | None = None,
    ) -> None:
        self._engine = engine
        self._number = number
        self._lease = lease
        self._exchange = exchange
        self._clock = clock
        self._signals = installed() if signals is None else signals
        self._stop = stop or Event()
        self._progress = progress
        self._pages = 0
        self._change = Change()

    def run(self) -> Ran:
        """Begin a run, or go on with the one that broke off, to its end.

        Raises:
            ExchangeError: as its client says; what was committed stands, and the run goes on later.
            DBAPIError: the database does not answer; the same.
        """
        try:
            return self._run()
        except EndedError as end:
            return Ran(end.how, self._pages, self._change, end.why)

    def _run(self) -> Ran:
        for attempt in range(_RESTARTS + 1):
            row = self._begun()
            if row.run_mode == "applying":
                break
            try:
                self._fetch(row)
                break
            except ExchangeError as error:
                if error.kind != "stale" or attempt == _RESTARTS:
                    raise
                self._step_back()
        with self._locked() as (_, row):
            applying = row.run_mode == "applying"
        if applying:
            self._swap(row)
        self._clear_staged()
        return Ran("done", self._pages, self._change)

    # Beginning.

    def _begun(self) -> Any:
        """The feed's row, with a run under way."""
        with self._locked() as (connection, row):
            if row.run is not None and row.run_mode != "applying":
                self._forget_old(connection, row)
                row = self._row(connection)
        if row.run is not None:
            return row
        self._clear_staged()
        with self._locked() as (connection, row):
            now = self._clock()
            checkpoint = None if row.run_whole else row.checkpoint
            if checkpoint is not None and self._exchange.stale(checkpoint, now):
                checkpoint = None
            whole = checkpoint is None or self._exchange.full
            fresh = row.guard_since is None or not row.guard_since <= now < row.guard_since + WINDOW
            self._set(
                connection,
                run=new_id(),
                run_mode="staged" if whole and entries.any_entries(connection, row.id) else "direct",
                run_started_at=now,
                run_whole=checkpoint is None,
                run_checkpoint=checkpoint,
                run_cursor=None,
                run_pages=0,
                run_records=0,
                run_total=None,
                run_unreadable=0,
                run_at=now,
                **({"guard_since": now, "guard_base": row.prints, "guard_lost": 0} if fresh else {}),
            )
            return self._row(connection)

    def _forget_old(self, connection: Connection, row: Any) -> None:
        """A run that rested for long cannot just go on: its source may have forgotten withdrawals since."""
        now = self._clock()
        if row.run_checkpoint is not None and self._exchange.stale(row.run_checkpoint, now):
            self._set(connection, run=None, run_mode="", run_cursor=None, run_whole=True)
        elif row.run_cursor is not None and abs(now - row.run_at) > CURSOR_KEEPS:
            self._drop_cursor(connection, row)

    def _step_back(self) -> None:
        """A cursor was refused: go on without. If there was none, the checkpoint was: fetch everything."""
        with self._locked() as (connection, row):
            if row.run_cursor is not None:
                self._drop_cursor(connection, row)
            else:
                self._set(connection, run=None, run_mode="", run_whole=True)

    def _drop_cursor(self, connection: Connection, row: Any) -> None:
        """Go on from the run's checkpoint; a list that is fetched whole is begun anew."""
        if row.run_checkpoint is not None and not self._exchange.full:
            self._set(connection, run_cursor=None)
        else:
            self._set(connection, run=None, run_mode="", run_cursor=None)

    # Fetching.

    def _fetch(self, row: Any) -> None:
        """Take pages to the last one."""
        checkpoint, cursor = row.run_checkpoint, row.run_cursor
        with reading(self._engine) as connection:
            benign = get_bank(connection, row.bank).bank.benign
        for page in self._exchange.pages(checkpoint, cursor):
            self._check(page, cursor, first=row.run_pages == 0 and cursor is None)
            states, left_out = read_states(page.records, self._signals, benign=benign)
            self._commit(page, states, left_out)
            self._pages += 1
            if page.cursor is None:
                return
            cursor = page.cursor
            if self._stop.is_set():
                raise EndedError("stopped")
        raise ExchangeError("malformed", "its answers ended before the last page")

    def _check(self, page: Page, cursor: Json | None, *, first: bool) -> None:
        if len(page.records) > MOST_RECORDS:
            raise ExchangeError("hostile", f"a page of more than {MOST_RECORDS:,} records")
        if page.cursor is not None and page.cursor == cursor:
            raise ExchangeError("hostile", "its pages lead in a circle")
        for told in (page.cursor, page.checkpoint):
            if told is not None and len(json.dumps(told)) > MOST_JSON:
                raise ExchangeError("hostile", "a cursor or checkpoint of absurd length")
        if page.unchanged and not (first and page.cursor is None and not page.records):
            raise ExchangeError("malformed", "a list that is unchanged, and yet has pages")

    def _commit(self, page: Page, states: Mapping[str, State], left_out: int) -> None:
        """One page: its records, the bank's changes, and where the run stands, as one transaction."""
        with self._locked() as (connection, row):
            if row.run_mode == "direct" or page.unchanged:
                change = entries.put_states(connection, self._owner(row), states, self._clock())
            else:
                entries.stage_states(connection, row.id, states)
                change = Change()
            self._guard(row, change.removed, change.weakened)
            checkpoint = page.checkpoint if page.checkpoint is not None else row.run_checkpoint
            values: dict[str, Any] = {
                "run_cursor": page.cursor,
                "run_checkpoint": checkpoint,
                "run_at": self._clock(),
                "run_pages": row.run_pages + 1,
                "run_records": row.run_records + len(page.records),
                "run_total": page.total if page.total is not None else row.run_total,
                "run_unreadable": row.run_unreadable + left_out + page.unreadable,
                **_counted(row, change),
            }
            if values["run_records"] > MOST_OF_RUN:
                raise ExchangeError("hostile", "its list does not end")
            if row.run_mode == "direct" and not self._exchange.full:
                values["checkpoint"] = checkpoint
            self._set(connection, **values)
            if page.cursor is None:
                if row.run_mode == "direct" or page.unchanged:
                    self._finish(connection, self._row(connection))
                else:
                    self._set(connection, run_mode="applying")
        self._change += change
        if self._progress is not None:
            self._progress(values["run_pages"], values["run_records"], values["run_total"])

    # Swapping.

    def _swap(self, row: Any) -> None:
        """Put the staged list in the place of the old one."""
        owner = self._owner(row)
        lost, weakened, keys = self._measure(owner)
        with self._locked() as (connection, row):
            self._guard(row, lost, weakened)
            if keys <= SWAP_AT_ONCE:
                change = Change()
                for piece in self._difference(connection):
                    change += entries.put_states(connection, owner, piece, self._clock(), force=True)
                self._set(connection, **_counted(row, change))
                self._finish(connection, self._row(connection))
                self._change += change
                return
        for step in (entries.changed, entries.vanished):
            after: str | None = ""
            while after is not None:
                after = self._piece(owner, step, after)
        with self._locked() as (connection, row):
            self._finish(connection, row)

    def _piece(self, owner: Owner, step: Callable[..., dict[str, State]], after: str) -> str | None:
        """Apply a piece of a large difference; the last key, or ``None`` if there was nothing left."""
        with self._locked() as (connection, row):
            piece = step(connection, owner.feed, after, SWAP_AT_ONCE)
            if not piece:
                return None
            change = entries.put_states(connection, owner, piece, self._clock(), force=True)
            self._set(connection, **_counted(row, change))
        self._change += change
        if self._stop.is_set():
            raise EndedError("stopped")
        return _last(piece)

    def _measure(self, owner: Owner) -> tuple[int, int, int]:
        """How many fingerprints the swap would remove and weaken, and how many keys it touches."""
        lost = weakened = keys = 0
        with reading(self._engine) as connection:
            for piece in self._difference(connection):
                gone, less = entries.count_lost(connection, owner, piece)
                lost, weakened, keys = lost + gone, weakened + less, keys + len(piece)
        return lost, weakened, keys

    def _difference(self, connection: Connection) -> Iterator[dict[str, State]]:
        for step in (entries.changed, entries.vanished):
            after = ""
            while piece := step(connection, self._number, after, SWAP_AT_ONCE):
                yield piece
                after = _last(piece)

    # Every transaction.

    @contextmanager
    def _locked(self) -> Iterator[tuple[Connection, Any]]:
        """A transaction in which the feed's row is ours; its lease is renewed."""
        held: HoldError | None = None
        try:
            with self._engine.begin() as connection:
                query = select(feed).where(feed.c.id == self._number)
                row = connection.execute(query.with_for_update(key_share=True)).one()
                if row.lease != self._lease or row.removed_at is not None:
                    raise EndedError("lost")
                if row.paused:
                    raise EndedError("stopped")
                self._set(connection, lease_until=self._clock() + LEASE)
                yield connection, row
        except HoldError as error:
            held = error  # the transaction is undone: nothing was removed
        if held is not None:
            self._hold(held)

    @staticmethod
    def _guard(row: Any, lost: int, weakened: int) -> None:
        """Stop before more is lost than may be; what is disputed or leaves its category is lost to rules."""
        base = max(row.guard_base, row.prints)
        total = row.guard_lost + lost + weakened
        if (lost or weakened) and total > row.max_loss * base + row.accept_loss:
            how = "lose, dispute or recategorise" if weakened else "lose"
            why = f"it would {how} {total:,} of {base:,} fingerprints within a day"
            raise HoldError(why, total)

    def _hold(self, held: HoldError) -> None:
        now = self._clock()
        with self._engine.begin() as connection:
            row = self._row(connection)
            mine = update(feed).where(feed.c.id == self._number, feed.c.lease == self._lease)
            connection.execute(
                mine.values(paused="loss", paused_why=held.why, paused_at=now, guard_shown=held.lost)
            )
            append(connection, f"feed:{row.name}", "feeds.paused", f"feed:{row.name}", {"by": "loss"})
        raise EndedError("held", held.why)

    def _finish(self, connection: Connection, row: Any) -> None:
        """The run is complete: what it brought is the feed's list."""
        values: dict[str, Any] = {
            "checkpoint": row.run_checkpoint,
            "run": None,
            "run_mode": "",
            "run_whole": False,
            "run_cursor": None,
            "last_ok_at": row.run_started_at,
            "accept_loss": 0,
        }
        if row.accept_loss:
            values["guard_since"] = None
        earlier = 0 if row.run_whole or self._exchange.full else row.unreadable
        values["unreadable"] = earlier + row.run_unreadable
        self._set(connection, **values)

    def _clear_staged(self) -> None:
        """Throw away a staged list, piece by piece."""
        while True:
            with self._locked() as (connection, _):
                if not entries.clear_staged(connection, self._number, SWAP_AT_ONCE):
                    return

    def _set(self, connection: Connection, **values: Any) -> None:
        connection.execute(update(feed).where(feed.c.id == self._number).values(values))

    def _row(self, connection: Connection) -> Any:
        return connection.execute(select(feed).where(feed.c.id == self._number)).one()

    @staticmethod
    def _owner(row: Any) -> Owner:
        return Owner(row.id, row.bank, f"feed:{row.name}")


def _last(piece: Mapping[str, State]) -> str:
    """The last key, in the database's order."""
    return list(piece)[-1]


def _counted(row: Any, change: Change) -> dict[str, Any]:
    """The feed's counts after a change."""
    prints = row.prints + change.added - change.removed
    return {
        "records": row.records + change.records,
        "prints": prints,
        "guard_base": max(row.guard_base, prints),
        "guard_lost": row.guard_lost + change.removed + change.weakened,
    }
