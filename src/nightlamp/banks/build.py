"""Hash lists in, a catalog out."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from nightlamp.banks.catalog import Catalog, ListRecord
from nightlamp.banks.columns import Categories, Growing
from nightlamp.banks.options import ListOptions
from nightlamp.banks.reading import Reading
from nightlamp.banks.shelf import Shelf, shelf_of_texts, shelf_of_values
from nightlamp.errors import ListError
from nightlamp.signals import Signal, installed
from nightlamp.values import Bank

Progress = Callable[[Path, int], None]
BAD_ROWS_NAMED = 20


@dataclass(frozen=True, slots=True)
class ListFile:
    """A list's file, the bank that its entries go to, and how to read it."""

    path: Path
    bank: Bank
    options: ListOptions = field(default_factory=ListOptions)


def build_catalog(
    lists: Sequence[ListFile],
    progress: Progress | None = None,
    *,
    signals: Mapping[str, Signal] | None = None,
    read_at: datetime | None = None,
) -> Catalog:
    """Read lists into a catalog in memory.

    Several lists may share one bank. A bank of known files (``benign``) takes exact digests only. Entries of
    signals that are not installed are kept as they stand, and work once the plug-in is there.

    Args:
        lists: in order; the order of equal matches follows it.
        progress: called with a list's path and the rows read of it so far, now and then.
        signals: by name; by default the installed ones.
        read_at: noted as the time of reading.

    Raises:
        ListError: a list cannot be read, is not what it should be, or has bad rows and is ``strict``; or two
            different banks have one name.
    """
    signals = installed() if signals is None else signals
    banks: dict[str, Bank] = {}
    for list_file in lists:
        if banks.setdefault(list_file.bank.name, list_file.bank) != list_file.bank:
            raise ListError("two different banks have this name", where=f"bank {list_file.bank.name!r}")
    growing: dict[str, Growing] = {}
    categories = Categories()
    records = [
        _read(at, list_file, growing, categories, signals, progress, read_at)
        for at, list_file in enumerate(lists)
    ]
    shelves: dict[str, Shelf] = {}
    for name in sorted(growing):
        grown = growing.pop(name)
        columns, texts = grown.columns(len(lists)), grown.texts()
        if texts is not None:
            shelves[name] = shelf_of_texts(name, columns, texts, None)
        else:
            values = np.concatenate(grown.values)
            grown.values.clear()
            shelves[name] = shelf_of_values(signals[name], columns, values)
    return Catalog(tuple(banks.values()), tuple(records), tuple(categories.texts), shelves)


def _read(
    at: int,
    list_file: ListFile,
    growing: dict[str, Growing],
    categories: Categories,
    signals: Mapping[str, Signal],
    progress: Progress | None,
    read_at: datetime | None,
) -> ListRecord:
    path, bank = Path(list_file.path), list_file.bank
    reading = Reading(path, list_file.options, signals)
    if reading.format in ("nsrl", "nsrl-sqlite") and not bank.benign:
        raise ListError("the NSRL names known files, not abuse", where=str(path), hint="a benign bank")
    before = _identity(path)
    entries: Counter[str] = Counter()
    ignored: Counter[str] = Counter()
    for parsed in reading:
        for batch in parsed.batches:
            signal = signals.get(batch.signal)
            if bank.benign and (signal is None or signal.index != "exact"):
                ignored[f"{batch.signal} of a benign bank (only exact digests count)"] += len(batch)
                continue
            growing.setdefault(batch.signal, Growing()).add(at, batch, categories)
            entries[batch.signal] += len(batch)
        if progress is not None:
            progress(path, reading.rows)
    if reading.bad and not reading.entries and not reading.ignored:
        raise ListError(
            f"none of its {reading.rows:,} rows could be read; the first: {reading.bad_rows[0].reason}",
            where=str(path),
            hint="is it a hash list? Look at it with: nightlamp bank inspect",
        )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if _identity(path) != before:
        raise ListError("it changed while it was read", where=str(path), hint="try again")
    return ListRecord(
        path.name,
        bank.name,
        before[0],
        digest,
        reading.format,
        reading.rows,
        dict(sorted(entries.items())),
        reading.bad,
        tuple(reading.bad_rows[:BAD_ROWS_NAMED]),
        dict(sorted((reading.ignored + ignored).items())),
        read_at.isoformat() if read_at is not None else "",
    )


def _identity(path: Path) -> tuple[int, int, int]:
    status = os.stat(path)  # noqa: PTH116 - one call for all three
    return status.st_size, status.st_mtime_ns, status.st_ino
