"""What a node knows of all banks at one moment: immutable, so that a screening sees one state throughout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nightlamp.banks.closest import closest
from nightlamp.banks.live.counter import Mark
from nightlamp.banks.live.editing import StoredBank
from nightlamp.banks.live.gathering import Unsearchable
from nightlamp.banks.live.ledger import Ledger
from nightlamp.banks.shelf import AnyIndex
from nightlamp.index import IndexView
from nightlamp.signals import Signal
from nightlamp.values import Bank, Fingerprint, Match, Unchecked


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class View:
    """A ``nightlamp.screening.Lookup`` over all banks as they were at ``generation``.

    Args:
        mark: the moment.
        banks: by number, without deleted ones.
        shelves: by signal's name: the signal and its entries.
        ledger: what else is known of entries.
        disputed: numbers of disputed entries.
        unchecked: entries and banks that no item is checked against.
        degraded: why, for people and readiness; empty if all is well.
    """

    mark: Mark | None
    banks: Mapping[int, StoredBank]
    shelves: Mapping[str, tuple[Signal, IndexView[AnyIndex]]]
    ledger: Ledger
    disputed: frozenset[int]
    unchecked: tuple[Unchecked, ...]
    degraded: tuple[str, ...] = ()

    @property
    def generation(self) -> int:
        """Every change up to this one is in force here, and none after it; −1 if nothing was loaded yet."""
        return self.mark.generation if self.mark else -1

    def lookup(
        self, fingerprints: Sequence[Fingerprint], radius: Mapping[str, int] | None = None
    ) -> list[Match]:
        """Every entry in force within the radius of any of an item's fingerprints, as ``Catalog.lookup``.

        Equal distances are in the order of signals' names, then of entries' numbers.

        Raises:
            SignalError: a fingerprint has not its signal's size.
        """
        return self.lookup_many([fingerprints], radius)[0]

    def lookup_many(
        self, items: Sequence[Sequence[Fingerprint]], radius: Mapping[str, int] | None = None
    ) -> list[list[Match]]:
        """``lookup`` of many items at once: one search per signal."""
        numbered = self.lookup_numbered(items, radius)
        return [[match for _, match in found] for found in numbered]

    def lookup_numbered(
        self, items: Sequence[Sequence[Fingerprint]], radius: Mapping[str, int] | None = None
    ) -> list[list[tuple[int, Match]]]:
        """As ``lookup_many``, each match with its entry's number."""
        found: list[list[tuple[int, Match]]] = [[] for _ in items]
        for _, (signal, index) in sorted(self.shelves.items()):
            for item, fingerprint, number, distance in closest(items, signal, index.search, radius):
                match = self._match(fingerprint, number, distance)
                if match is not None:
                    found[item].append((number, match))
        for matches in found:
            matches.sort(key=lambda m: m[1].distance)  # stable
        return found

    def _match(self, fingerprint: Fingerprint, number: int, distance: int) -> Match | None:
        known = self.ledger.find(number)
        assert known is not None  # an index never holds an entry that the ledger does not
        bank, category, source_id = known
        stored = self.banks.get(bank)
        if stored is None or not stored.enabled:
            return None
        return Match(
            fingerprint,
            stored.bank,
            source_id or f"entry {number}",
            category or stored.bank.category,
            distance,
            number in self.disputed,
        )

    def __repr__(self) -> str:
        """Never shows an entry."""
        return f"View(generation {self.generation}, {len(self.banks)} banks)"


NOTHING_LOADED = View(
    None,
    {},
    {},
    Ledger(),
    frozenset(),
    (Unchecked("banks", "not loaded", "no entry was read yet"),),
    ("banks are not loaded yet",),
)


def unchecked_entries(
    banks: Mapping[int, StoredBank], ledger: Ledger, unsearchable: Mapping[Unsearchable, np.ndarray]
) -> tuple[Unchecked, ...]:
    """Entries of enabled banks that no search reaches, by signal and bank."""
    found: list[Unchecked] = []
    for (signal, why), numbers in sorted(unsearchable.items()):
        which, counts = np.unique(ledger.banks_of(numbers), return_counts=True)
        for number, n in zip(which.tolist(), counts.tolist(), strict=True):
            stored = banks.get(number)
            if stored is not None and stored.enabled:
                found.append(Unchecked(signal, why, f"{n:,} entries of bank {stored.bank.name}"))
    return tuple(found)


def out_of_date(banks: Sequence[Bank], why: str, detail: str) -> tuple[Unchecked, ...]:
    """Every bank as one whose changes are not known."""
    named = tuple(Unchecked(f"bank {bank.name}", why, detail) for bank in banks)
    return named or (Unchecked("banks", why, detail),)
