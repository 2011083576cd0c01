"""Banks that can be searched: fingerprints in, matches out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from nightlamp.banks.closest import closest
from nightlamp.banks.columns import Columns, Pool
from nightlamp.banks.rows import BadRow
from nightlamp.banks.shelf import Shelf, shelf_of_arrays, shelf_of_texts
from nightlamp.errors import SnapshotError
from nightlamp.index import open_snapshot, write_snapshot
from nightlamp.signals import Signal, installed
from nightlamp.values import Bank, Fingerprint, Match, Unchecked

SUFFIX = ".nli"
_KIND = "nightlamp catalog"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class ListRecord:
    """Where entries came from.

    Args:
        file: the list's file name, without its folder.
        bank: the bank's name.
        size, sha256: of the file.
        format: as it was read.
        rows: rows read, without blank lines and comments.
        entries: by signal, as far as they are in the catalog.
        bad, bad_rows: how many rows could not be read, and the first of them.
        ignored: rows or entries that are no hits, by reason.
        read_at: when, as the caller said it (ISO 8601); ``""`` if not.
    """

    file: str
    bank: str
    size: int
    sha256: str
    format: str
    rows: int
    entries: Mapping[str, int]
    bad: int = 0
    bad_rows: tuple[BadRow, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)
    read_at: str = ""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Catalog:
    """One or more banks, ready to be searched. Made by ``build_catalog`` or ``Catalog.open``.

    Args:
        banks: in the order in which they were given.
        lists: where the entries came from; also the order of entries.
        categories: texts of the category codes, from 1.
        shelves: entries by signal, in order of the signals' names.
    """

    banks: tuple[Bank, ...]
    lists: tuple[ListRecord, ...]
    categories: tuple[str, ...]
    shelves: Mapping[str, Shelf]

    def __repr__(self) -> str:
        """Banks and how many entries; never an entry."""
        return f"Catalog({len(self.banks)} banks, {len(self):,} entries)"

    def __len__(self) -> int:
        """Entries of all signals, installed or not."""
        return sum(len(shelf.columns) for shelf in self.shelves.values())

    def lookup(
        self, fingerprints: Sequence[Fingerprint], radius: Mapping[str, int] | None = None
    ) -> list[Match]:
        """Every entry within the radius of any of an item's fingerprints, each once, closest first.

        Fingerprints below their signal's ``min_quality`` are not matched. If several fingerprints (views,
        frames) are near one entry, the match names the closest one, the earliest if they are equally close.
        Equal distances are in the order of signal names, then lists, then rows.

        Args:
            fingerprints: of one item.
            radius: by signal, where it should be another than the signal's own; exact digests have none.

        Raises:
            SignalError: a fingerprint has not its signal's size.
        """
        return self.lookup_many([fingerprints], radius)[0]

    def lookup_many(
        self, items: Sequence[Sequence[Fingerprint]], radius: Mapping[str, int] | None = None
    ) -> list[list[Match]]:
        """``lookup`` of many items at once: one search per signal."""
        found: list[list[tuple[int, Match]]] = [[] for _ in items]
        banks = {bank.name: bank for bank in self.banks}
        bank_of = [banks[record.bank] for record in self.lists]
        for shelf in self.shelves.values():
            if shelf.index is None or shelf.signal is None:
                continue
            near = list(closest(items, shelf.signal, shelf.index.search, radius))
            lists = shelf.columns.lists_of(np.array([entry for _, _, entry, _ in near], np.int64))
            for (item, fingerprint, entry, distance), row in zip(near, lists.tolist(), strict=True):
                bank, code = bank_of[row], shelf.columns.code(entry)
                category = self.categories[code - 1] if code else bank.category
                match = Match(fingerprint, bank, shelf.columns.entry_id(entry), category, distance)
                found[item].append((distance, match))
        for matches in found:
            matches.sort(key=lambda m: m[0])  # stable: equal distances stay in the order described above
        return [[match for _, match in matches] for matches in found]

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Entries by bank and signal, installed or not."""
        counts: dict[str, dict[str, int]] = {bank.name: {} for bank in self.banks}
        for name, shelf in self.shelves.items():
            for record, n in zip(self.lists, np.diff(shelf.columns.starts).tolist(), strict=True):
                if n:
                    counts[record.bank][name] = counts[record.bank].get(name, 0) + n
        return counts

    @property
    def unchecked(self) -> tuple[Unchecked, ...]:
        """Entries that no search reaches, by signal and bank: for whoever takes "no match" for an answer."""
        found: list[Unchecked] = []
        for name, shelf in self.shelves.items():
            if shelf.index is None:
                per_list, why = np.diff(shelf.columns.starts), shelf.why_not
            else:
                lists = shelf.columns.lists_of(shelf.unreadable())
                per_list, why = np.bincount(lists, minlength=len(self.lists)), "unreadable"
            for bank in self.banks:
                n = sum(int(k) for k, r in zip(per_list, self.lists, strict=True) if r.bank == bank.name)
                if n:
                    found.append(Unchecked(name, why, f"{n:,} entries of bank {bank.name}"))
        return tuple(found)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the catalog as one file, which appears whole or not at all.

        Args:
            path: ends in ``.nli``; replaced if it exists.

        Raises:
            SnapshotError: another ending, or the file cannot be written.
        """
        path = Path(path)
        if path.suffix != SUFFIX:
            raise SnapshotError("not the name of an index file", where=str(path), hint=f"a name in {SUFFIX}")
        arrays: dict[str, np.ndarray] = {}
        signals: list[dict[str, Any]] = []
        for at, (name, shelf) in enumerate(self.shelves.items()):
            parts = {f"columns/{key}": array for key, array in shelf.columns.arrays().items()}
            parts |= {f"index/{key}": array for key, array in shelf.arrays.items()}
            if shelf.texts is not None:
                parts |= {f"texts/{key}": array for key, array in shelf.texts.arrays("texts").items()}
            arrays |= {f"{at}/{key}": array for key, array in parts.items()}
            texts = shelf.texts is not None
            signals.append({"name": name, "kind": shelf.kind, "size": shelf.size, "texts": texts})
        meta = {
            "kind": _KIND,
            "version": _VERSION,
            "banks": [asdict(bank) for bank in self.banks],
            "lists": [asdict(record) for record in self.lists],
            "categories": list(self.categories),
            "signals": signals,
        }
        try:
            write_snapshot(path, arrays, meta)
        except OSError as error:
            raise SnapshotError(error.strerror or "cannot be written", where=str(path)) from None

    @classmethod
    def open(cls, path: str | PathLike[str], *, signals: Mapping[str, Signal] | None = None) -> Catalog:
        """Map a saved catalog. Entries of signals that were installed since are parsed now.

        Raises:
            SnapshotError: it cannot be read, is damaged, or is no catalog.
        """
        signals = installed() if signals is None else signals
        try:
            snapshot = open_snapshot(path)
        except OSError as error:
            raise SnapshotError(error.strerror or "cannot be read", where=str(path)) from None
        meta = snapshot.meta
        if meta.get("kind") != _KIND or meta.get("version") != _VERSION:
            raise SnapshotError("not a catalog of this version", where=str(path), hint="build it again")
        try:
            banks = tuple(Bank(**bank) for bank in meta["banks"])
            lists = tuple(_record(record) for record in meta["lists"])
            categories = tuple(map(str, meta["categories"]))
            shelves: dict[str, Shelf] = {}
            for at, row in enumerate(meta["signals"]):
                shelf = _shelf(snapshot.under(f"{at}/"), row, signals, lists, categories, snapshot.verified)
                shelves[shelf.name] = shelf
            if {record.bank for record in lists} - {bank.name for bank in banks}:
                raise ValueError
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            raise SnapshotError("its parts do not fit", where=str(path), hint="build it again") from None
        return cls(banks, lists, categories, shelves)


def _record(stored: Mapping[str, Any]) -> ListRecord:
    bad = tuple(BadRow(**row) for row in stored["bad_rows"])
    return ListRecord(**{**stored, "bad_rows": bad})


def _shelf(
    arrays: Mapping[str, np.ndarray],
    row: Mapping[str, Any],
    signals: Mapping[str, Signal],
    lists: Sequence[ListRecord],
    categories: Sequence[str],
    check: bool,
) -> Shelf:
    def under(prefix: str) -> dict[str, np.ndarray]:
        return {name[len(prefix) :]: a for name, a in arrays.items() if name.startswith(prefix)}

    columns = Columns.from_arrays(under("columns/"), len(lists), len(categories), check=check)
    signal = signals.get(row["name"])
    texts = Pool.from_arrays(under("texts/"), "texts", len(columns)) if row["texts"] else None
    index = under("index/")
    if not index and texts is not None:
        return shelf_of_texts(row["name"], columns, texts, signal)
    return shelf_of_arrays(
        row["name"], columns, signal, index, row["kind"], row["size"], texts, trusted=not check
    )
