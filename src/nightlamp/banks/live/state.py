"""A node's own copy of all banks, brought up to date from the database; one thread at a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sqlalchemy import Connection, select

from nightlamp.banks.live.counter import Mark
from nightlamp.banks.live.editing import StoredBank, all_banks
from nightlamp.banks.live.gathering import Gathering, Unsearchable
from nightlamp.banks.live.ledger import Ledger, Page
from nightlamp.banks.live.tables import bank_entry
from nightlamp.banks.live.view import View, unchecked_entries
from nightlamp.banks.shelf import AnyIndex, build_index
from nightlamp.index import LiveIndex
from nightlamp.signals import Signal


class State:
    """Begins empty or from a snapshot; ``catch_up`` brings what is newer.

    Attributes:
        mark: up to where it is complete; ``None`` if it is empty.
        changed: entries that were added or removed since it was begun.
        bases: by signal, the indexes that it was begun with.
        ledger, disputed, unsearchable: of all entries.
    """

    def __init__(
        self,
        signals: Mapping[str, Signal],
        mark: Mark | None = None,
        bases: Mapping[str, AnyIndex] | None = None,
        ledger: Ledger | None = None,
        disputed: frozenset[int] = frozenset(),
        unsearchable: Mapping[Unsearchable, np.ndarray] | None = None,
    ) -> None:
        """By default empty; otherwise what a snapshot of ``mark`` holds."""
        self.signals = signals
        self.mark = mark
        self.bases = dict(bases or {})
        self.ledger = ledger or Ledger()
        self.disputed = disputed
        self.unsearchable = dict(unsearchable or {})
        self.changed = 0
        self._banks: dict[int, StoredBank] = {}
        self._lives: dict[str, LiveIndex[AnyIndex]] = {
            name: LiveIndex(base) for name, base in self.bases.items()
        }

    def catch_up(self, connection: Connection, now: Mark) -> None:
        """Apply every change between ``mark`` and ``now``; ``connection`` sees the database of that moment.

        If it raises, part of the changes may be in: throw this object away.
        """
        self._banks = {stored.id: stored for stored in all_banks(connection)}
        before, last = (self.mark.generation, self.mark.last_entry) if self.mark else (0, 0)
        gathered = Gathering(self.signals)
        if now.last_entry > last:
            gathered.read(connection, last, now.last_entry, list(self._banks))
        for name, values, numbers in gathered.indexed():
            self._add(name, values, numbers)
        self.ledger = self.ledger.with_page(gathered.page())
        for key, some in gathered.unsearchable.items():
            old = self.unsearchable.get(key, np.empty(0, np.int64))
            self.unsearchable[key] = np.concatenate([old, np.array(some, np.int64)])
        self.disputed |= frozenset(gathered.disputed)
        if self.mark is not None:
            removed = self._remove(connection, before, last)
            self._flag(connection, before, last)
            self.changed += gathered.count + removed
        self.mark = now

    def view(self) -> View:
        """What is in force now."""
        unchecked = unchecked_entries(self._banks, self.ledger, self.unsearchable)
        shelves = {name: (self.signals[name], live.view()) for name, live in self._lives.items()}
        return View(self.mark, dict(self._banks), shelves, self.ledger, self.disputed, unchecked)

    def compacted(self) -> State:
        """The same in one piece each, without what was removed or is of banks that are gone."""
        banks = np.array(list(self._banks), np.int32)
        bases: dict[str, AnyIndex] = {}
        for name, live in self._lives.items():
            index = live.compact()
            mine = np.isin(self.ledger.banks_of(index.numbers), banks)
            if not mine.all():
                index = index.with_entries(index.values()[mine], index.numbers[mine])
            bases[name] = index
        unsearchable = {
            key: numbers[np.isin(self.ledger.banks_of(numbers), banks)]
            for key, numbers in self.unsearchable.items()
        }
        left = [*(index.numbers for index in bases.values()), *unsearchable.values()]
        numbers = np.unique(np.concatenate(left)) if left else np.empty(0, np.int64)
        page = Page.join(self.ledger.pages).only(numbers) if len(numbers) else Page.of([], [], [], [])
        disputed = self.disputed.intersection(numbers.tolist()) if self.disputed else self.disputed
        ledger = Ledger().with_page(page)
        return State(self.signals, self.mark, bases, ledger, disputed, unsearchable)

    def _add(self, name: str, values: np.ndarray, numbers: np.ndarray) -> None:
        if name in self._lives:
            self._lives[name].add(values, numbers)
        else:
            self.bases[name] = build_index(self.signals[name], values, numbers)
            self._lives[name] = LiveIndex(self.bases[name])

    def _remove(self, connection: Connection, generation: int, last: int) -> int:
        """Take out what we have and was removed since; what was added and removed since never came in."""
        e = bank_entry.c
        # Numbers are compared here: with them in the query, SQLite would walk the whole table.
        query = select(e.id).where(e.removed_generation > generation)
        numbers = np.array([number for number in connection.scalars(query) if number <= last], np.int64)
        if len(numbers):
            for live in self._lives.values():
                live.remove(numbers)
            for key, some in self.unsearchable.items():
                self.unsearchable[key] = np.setdiff1d(some, numbers)
        return len(numbers)

    def _flag(self, connection: Connection, generation: int, last: int) -> None:
        e = bank_entry.c
        query = select(e.id, e.disputed).where(e.flagged_generation > generation)
        for number, disputed in connection.execute(query):
            if number > last:
                continue
            self.disputed = self.disputed | {number} if disputed else self.disputed - {number}
