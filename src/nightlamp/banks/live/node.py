"""``LiveBanks``: one node's searchable banks, kept in step with the database by polling one row.

Readers take ``current()``, an immutable view; nothing they do waits for a change, a poll or a snapshot.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from nightlamp.banks.live.building import build_elsewhere
from nightlamp.banks.live.counter import Mark, current_mark, is_past
from nightlamp.banks.live.snapshots import Found, SnapshotFolder
from nightlamp.banks.live.state import State
from nightlamp.banks.live.view import NOTHING_LOADED, View, out_of_date
from nightlamp.errors import NightlampError, SnapshotError, UnavailableError
from nightlamp.signals import Signal, installed
from nightlamp.store import reading
from nightlamp.values import Unchecked

STALE_SECONDS = 5.0
DUE_LEAST = 50_000  # changed entries before a new snapshot is worth while
DUE_SHARE = 8  # … or this part of all entries, if that is more


@dataclass(frozen=True, slots=True)
class Status:
    """How a node stands.

    Args:
        generation: in force here.
        age: seconds since the database was last seen to be no newer; infinite if never.
        changed: entries changed since the snapshot in use.
        snapshot: the snapshot in use, ``""`` if none.
        ignored: snapshots that were not used, and why, since the last good one.
        degraded: why verdicts may say "not checked"; empty if all is well.
    """

    generation: int
    age: float
    changed: int
    snapshot: str
    ignored: tuple[str, ...]
    degraded: tuple[str, ...]


class LiveBanks:
    """All banks of a database, as one node sees them; for many threads.

    Args:
        engine: the database; its schema must be there.
        signals: by name; by default the installed ones.
        cache_dir: folder for snapshots; nodes may share it. ``None``: always read from the database.
        elsewhere: ``maintain`` builds snapshots in a process of its own, with the installed signals.
        stale_seconds: without news of the database for so long, verdicts say "not checked".
        now: seconds that never jump.
    """

    def __init__(
        self,
        engine: Engine,
        signals: Mapping[str, Signal] | None = None,
        cache_dir: Path | None = None,
        *,
        elsewhere: bool = False,
        stale_seconds: float = STALE_SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is loaded before the first ``poll``."""
        self._engine = engine
        self._signals = installed() if signals is None else signals
        self._folder = SnapshotFolder(cache_dir, self._signals) if cache_dir is not None else None
        self._elsewhere = elsewhere
        self._stopping = threading.Event()
        self._stale_seconds = stale_seconds
        self._now = now
        self._polling = threading.Lock()  # guards everything below but the reads of _view, _seen and _failure
        self._state: State | None = None
        self._snapshot: Found | None = None
        self._ignored: tuple[str, ...] = ()
        self._view: View = NOTHING_LOADED
        self._told: View = NOTHING_LOADED  # the view with what was noted
        self._noted: tuple[tuple[int, Unchecked], ...] = ()
        self._stale: tuple[View, str, View] | None = (
            None  # a view, why it is not to be trusted, and it saying so
        )
        self._seen = float("-inf")  # when the database was last seen to be no newer than the view
        self._failure = ""  # of the last poll
        self._behind = False  # the database is known to be newer than the view

    def current(self) -> View:
        """What to match against: a ``Lookup`` that stays as it is. Ask for it once an item or batch.

        If changes could not be applied, or none could be asked for in a while, its ``unchecked`` says so.
        """
        view, why = self._told, self._why_unreliable()
        if not why or view is NOTHING_LOADED:
            return replace(view, degraded=(*view.degraded, why)) if why else view
        stale = self._stale
        if stale is None or stale[0] is not view or stale[1] != why:
            enabled = [stored.bank for stored in view.banks.values() if stored.enabled]
            unchecked = (*view.unchecked, *out_of_date(enabled, "out of date", why))
            stale = view, why, replace(view, unchecked=unchecked, degraded=(*view.degraded, why))
            self._stale = stale
        return stale[2]

    def poll(self) -> bool:
        """Apply every change that was committed before the call; one small query if there is none.

        Returns:
            whether the view changed.

        Raises:
            UnavailableError: the database did not answer; the view stays, and says so.
            NightlampError: a change could not be applied; the next poll begins anew.
        """
        with self._polling:
            begun = self._now()
            try:
                with reading(self._engine) as connection:
                    changed = self._catch_up(connection)
            except DBAPIError as error:
                self._failure = f"the database does not answer ({type(error.orig).__name__})"
                raise UnavailableError(self._failure, where="live banks") from None
            except Exception as error:
                self._failure = f"a change could not be applied ({type(error).__name__})"
                raise
            self._failure, self._behind = "", False
            self._seen = begun
            return changed

    def applied(self, generation: int) -> None:
        """Return once ``generation``, which is committed, is in force here; at once if it is.

        Raises:
            NightlampError: as ``poll``.
        """
        if self._view.generation < generation:
            self.poll()
        if self._view.generation < generation:
            raise NightlampError(f"generation {generation} is not committed", where="live banks")

    def note(self, found: Iterable[tuple[int, Unchecked]]) -> None:
        """What else no item is checked against, each with the number of its bank: a list that is out of date.

        Takes the place of what was noted before; of disabled banks nothing is said.
        """
        with self._polling:
            self._noted = tuple(found)
            self._show(self._view)

    def status(self) -> Status:
        """How this node stands."""
        state, snapshot, why = self._state, self._snapshot, self._why_unreliable()
        reasons = self.current().degraded
        if self._failure and not why:
            reasons = (*reasons, f"the last poll failed: {self._failure}")
        reasons += tuple(str(u) for u in self._view.unchecked if self._view is not NOTHING_LOADED)
        return Status(
            self._view.generation,
            self._now() - self._seen,
            state.changed if state else 0,
            snapshot.path.name if snapshot else "",
            self._ignored,
            reasons,
        )

    def snapshot_due(self) -> bool:
        """Whether so much has changed since the snapshot in use that a new one is worth while."""
        state = self._state
        if self._folder is None or state is None:
            return False
        entries = sum(len(base) for base in state.bases.values())
        changed = state.changed if self._snapshot else state.changed + entries
        return bool(self._ignored) or changed >= max(DUE_LEAST, entries // DUE_SHARE if self._snapshot else 0)

    def build_snapshot(self) -> Path | None:
        """Save the newest snapshot with what changed since, unless another process is at it.

        Neither readers nor polls wait. Needs memory for all entries once more while it runs.

        Raises:
            SnapshotError: it cannot be written.
            UnavailableError: the database does not answer.
        """
        if self._folder is None:
            return None
        with self._folder.building() as ours:
            if not ours:
                return None
            try:
                with reading(self._engine) as connection:
                    mark = current_mark(connection)
                    newest, _, _ = self._from_snapshot(connection, newer_than=-1)
                    state = newest or State(self._signals)
                    state.catch_up(connection, mark)
            except DBAPIError as error:
                what = f"the database does not answer ({type(error.orig).__name__})"
                raise UnavailableError(what, where="live banks") from None
            path = self._folder.write(state.compacted())
            self._folder.prune(mark.database, path)
            return path

    def adopt_snapshot(self) -> bool:
        """Go on from the newest whole snapshot if it is newer than the one in use; frees what is in memory.

        Returns:
            whether there was one.
        """
        if self._folder is None or self._state is None:
            return False
        in_use = self._snapshot.generation if self._snapshot else -1
        with reading(self._engine) as connection:
            fresh, found, ignored = self._from_snapshot(connection, newer_than=in_use)
            if fresh is None:
                self._ignored = ignored or self._ignored
                return False
            fresh.catch_up(connection, current_mark(connection))
        with self._polling, reading(self._engine) as connection:
            mark = current_mark(connection)
            assert fresh.mark is not None
            if not is_past(connection, fresh.mark):
                return False
            fresh.catch_up(connection, mark)
            self._state, self._snapshot, self._ignored = fresh, found, ()
            self._show(fresh.view())
        return True

    def maintain(self) -> bool:
        """For the service's loop: build a snapshot if one is due, and go on from the newest.

        Returns:
            whether there was anything to do.
        """
        if not self.snapshot_due() or self.adopt_snapshot() or self._folder is None:
            return False
        if self._elsewhere:
            build_elsewhere(self._engine, self._folder.folder, self._stopping)
        else:
            self.build_snapshot()
        return self.adopt_snapshot()

    def stop(self) -> None:
        """Break off what ``maintain`` has begun elsewhere."""
        self._stopping.set()

    def _show(self, view: View) -> None:
        self._view = view
        noted = [what for bank, what in self._noted if bank in view.banks and view.banks[bank].enabled]
        self._told = replace(view, unchecked=(*view.unchecked, *noted)) if noted else view

    def _catch_up(self, connection: Connection) -> bool:
        """Bring state and view to what ``connection`` sees; whether there was anything to do."""
        now = current_mark(connection)
        state = self._state
        if state is not None and state.mark == now:
            return False
        self._behind = self._view is not NOTHING_LOADED
        self._state = None  # if anything fails from here on, the next poll begins anew
        if state is None or state.mark is None or not is_past(connection, state.mark):
            state, self._snapshot, self._ignored = self._from_snapshot(connection, newer_than=-1)
            state = state or State(self._signals)
        state.catch_up(connection, now)
        self._show(state.view())
        self._state = state
        return True

    def _from_snapshot(
        self, connection: Connection, *, newer_than: int
    ) -> tuple[State | None, Found | None, tuple[str, ...]]:
        """The newest usable snapshot, and why newer ones were not usable."""
        ignored: list[str] = []
        if self._folder is None:
            return None, None, ()
        now = current_mark(connection)
        for found in self._folder.newest(now.database):
            if found.generation <= newer_than:
                break
            mark = Mark(now.database, found.generation, found.token, 0)
            if not is_past(connection, mark):
                ignored.append(f"{found.path.name}: not of this database's past")
                continue
            try:
                return self._folder.open(found, now.database), found, tuple(ignored)
            except SnapshotError as error:
                ignored.append(f"{found.path.name}: {error.what}")
        return None, None, tuple(ignored)

    def _why_unreliable(self) -> str:
        """Why the view may lack changes; empty if it cannot lack any that matter."""
        if self._behind and self._failure:
            return f"changes are known but not in force: {self._failure}"
        age = self._now() - self._seen
        if age > self._stale_seconds:
            since = f"no news of changes for {age:.0f} s" if age != float("inf") else "never in step"
            return since + (f": {self._failure}" if self._failure else "")
        return ""
