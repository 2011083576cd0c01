"""Rows of the database → what an index and a ledger are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from nightlamp.banks.live.ledger import Page
from nightlamp.banks.live.tables import bank_entry, in_force_by_number
from nightlamp.banks.parsing import parse_text
from nightlamp.signals import Signal

AT_ONCE = 10_000

Unsearchable = tuple[str, str]  # a signal and why its entries cannot be searched


class Gathering:
    """Entries by signal, read in pieces."""

    def __init__(self, signals: Mapping[str, Signal]) -> None:
        """Begin with none; ``signals`` are those that this node can match."""
        self.count = 0
        self.disputed: list[int] = []
        self.unsearchable: defaultdict[Unsearchable, list[int]] = defaultdict(list)
        self._signals = signals
        self._values: defaultdict[str, list[bytes]] = defaultdict(list)
        self._numbers: defaultdict[str, list[np.ndarray]] = defaultdict(list)
        self._pages: list[Page] = []

    def read(
        self,
        connection: Connection,
        after: int,
        last: int,
        banks: Sequence[int],
        only: Sequence[str] | None = None,
    ) -> None:
        """Take these banks' entries in force of numbers ``after + 1 … last``, of all signals or these."""
        e = bank_entry.c
        query = (
            select(e.id, e.bank, e.category, e.source_id, e.signal, e.value, e.parsed, e.disputed)
            # Not the plain column: SQLite would walk a bank's whole index instead of a few new numbers.
            .where(e.id > after, e.id <= last, in_force_by_number, (e.bank + 0).in_(banks))
            .order_by(e.id)
            .execution_options(yield_per=AT_ONCE)
        )
        if only is not None:
            query = query.where(e.signal.in_(only))
        for rows in connection.execute(query).partitions():
            self._take(rows)

    def indexed(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """For each signal that has any: (n, size) uint8 values and their (n,) int64 numbers."""
        for name, values in self._values.items():
            joined = np.frombuffer(b"".join(values), np.uint8)
            yield name, joined.reshape(-1, self._signals[name].size), np.concatenate(self._numbers[name])

    def page(self) -> Page:
        """All entries, searchable or not."""
        return Page.join(self._pages) if self._pages else Page.of([], [], [], [])

    def _take(self, rows: Sequence[Any]) -> None:
        numbers, banks, categories, ids, signals, values, parsed, disputed = zip(*rows, strict=True)
        self.count += len(rows)
        self._pages.append(Page.of(numbers, banks, categories, ids))
        if any(disputed):
            self.disputed += [n for n, yes in zip(numbers, disputed, strict=True) if yes]
        for name in set(signals):
            signal = self._signals.get(name)
            mine = [at for at, s in enumerate(signals) if s == name]
            some = [values[at] for at in mine]
            if signal is not None and all(parsed) and all(len(v) == signal.size for v in some):
                self._keep(name, b"".join(some), [numbers[at] for at in mine])
                continue
            for at in mine:
                value, why = _searchable(signal, bytes(values[at]), parsed[at])
                if why:
                    self.unsearchable[name, why].append(numbers[at])
                else:
                    self._keep(name, value, [numbers[at]])

    def _keep(self, name: str, values: bytes, numbers: Sequence[int]) -> None:
        self._values[name].append(values)
        self._numbers[name].append(np.array(numbers, np.int64))


def _searchable(signal: Signal | None, value: bytes, parsed: bool) -> tuple[bytes, str]:
    """A value as its signal has it, or why there is none."""
    if signal is None:
        return b"", "not installed"
    if not parsed:
        try:
            return parse_text(signal, value.decode("utf-8", "surrogatepass")), ""
        except ValueError:
            return b"", "unreadable"
    return (value, "") if len(value) == signal.size else (b"", "changed")
