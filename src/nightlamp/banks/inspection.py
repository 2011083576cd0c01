"""What a hash list holds, and what is wrong with it, before anybody relies on it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nightlamp.banks.options import Format, ListOptions
from nightlamp.banks.parsing import Batch
from nightlamp.banks.reading import Reading
from nightlamp.banks.rows import BadRow
from nightlamp.signals import Signal, installed

# PDQ sets the bits above the median, so about half of them, whatever the picture. A value this far from it
# was made from next to nothing (a blank picture), or is a placeholder; it matches its like without meaning.
FEWEST_BITS, MOST_BITS = 96, 160
MOST_CATEGORIES = 1_000


@dataclass(frozen=True, slots=True)
class Inspection:
    """What ``inspect_list`` found.

    Args:
        path, format: of the list.
        rows: rows read, without blank lines and comments.
        entries: by signal, installed or not.
        not_installed: by signal, those entries that nothing here can match.
        duplicates: by signal, entries whose value stood in the list before.
        degenerate: by signal, perceptual hashes with far too few or too many bits set (as of blank pictures),
            and digests of no bytes at all (they match empty files).
        low_quality: by signal, entries whose quality the list itself gives as too low to be matched.
        categories: entries by category, in our words; ``""`` for none. At most a thousand are told apart.
        bad, bad_rows: how many rows could not be read, and the first hundred of them.
        ignored: rows that are no hits, by reason.
    """

    path: Path
    format: Format
    rows: int
    entries: Mapping[str, int]
    not_installed: Mapping[str, int]
    duplicates: Mapping[str, int]
    degenerate: Mapping[str, int]
    low_quality: Mapping[str, int]
    categories: Mapping[str, int]
    bad: int
    bad_rows: tuple[BadRow, ...]
    ignored: Mapping[str, int]


def inspect_list(
    path: str | PathLike[str],
    options: ListOptions | None = None,
    *,
    signals: Mapping[str, Signal] | None = None,
    progress: Callable[[Path, int], None] | None = None,
) -> Inspection:
    """Read a list for its own sake. Holds eight bytes an entry; reads it twice if it has duplicates.

    Args:
        path: the list.
        options: what it does not say of itself.
        signals: by name; by default the installed ones.
        progress: called with the path and the rows read so far, now and then.

    Raises:
        ListError: the list cannot be read, or has bad rows and ``options.strict`` is set.
    """
    signals = installed() if signals is None else signals
    reading = Reading(path, options, signals)
    keys: dict[str, list[NDArray[np.uint64]]] = {}
    degenerate: Counter[str] = Counter()
    low_quality: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    for parsed in reading:
        for batch in parsed.batches:
            signal = signals.get(batch.signal)
            keys.setdefault(batch.signal, []).append(_keys(_comparable(batch)))
            if signal is not None and batch.values is not None:
                degenerate[signal.name] += _degenerate(signal, batch.values)
            if signal is not None and batch.qualities is not None:
                low = sum(q is not None and q < signal.min_quality for q in batch.qualities)
                low_quality[signal.name] += low
            _count_categories(categories, batch)
        if progress is not None:
            progress(reading.path, reading.rows)
    return Inspection(
        reading.path,
        reading.format,
        reading.rows,
        dict(sorted(reading.entries.items())),
        {name: n for name, n in sorted(reading.entries.items()) if name not in signals},
        _duplicates(reading, keys),
        dict(+degenerate),
        dict(+low_quality),
        dict(sorted(categories.items())),
        reading.bad,
        tuple(reading.bad_rows),
        dict(sorted(reading.ignored.items())),
    )


def _degenerate(signal: Signal, values: NDArray[np.uint8]) -> int:
    if signal.index == "hamming":
        bits = np.bitwise_count(values).sum(axis=1, dtype=np.int64)
        return int(((bits < FEWEST_BITS) | (bits > MOST_BITS)).sum())
    if signal.of_bytes is not None:
        nothing = np.frombuffer(signal.of_bytes().digest(), np.uint8)
        return int((values == nothing).all(axis=1).sum())
    return 0


def _count_categories(categories: Counter[str], batch: Batch) -> None:
    if batch.categories is None:
        categories[""] += len(batch)
        return
    for name, n in Counter(batch.categories).items():
        if name in categories or len(categories) < MOST_CATEGORIES:
            categories[name] += n
        else:
            categories["(others)"] += n


def _comparable(batch: Batch) -> NDArray[np.uint8]:
    """(n, size) values; of texts that cannot be parsed, a digest of 16 bytes."""
    if batch.values is not None:
        return batch.values
    digests = [
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        for text in batch.texts or ()
    ]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 16)


def _keys(values: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """(n,) 64-bit keys: equal values have equal keys, and different ones nearly always different keys."""
    n, size = values.shape
    padded = np.zeros((n, -(-size // 8) * 8), np.uint8)
    padded[:, :size] = values
    key = np.zeros(n, np.uint64)
    for lane in padded.view("<u8").T:
        key = (key ^ lane) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    return key


def _duplicates(reading: Reading, keys: dict[str, list[NDArray[np.uint64]]]) -> dict[str, int]:
    """Exact: equal keys only say where to look, in a second pass that compares whole values."""
    suspects: dict[str, NDArray[np.uint64]] = {}
    for name in list(keys):
        ordered = np.concatenate(keys.pop(name))
        ordered.sort()
        again = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        if len(again):
            suspects[name] = again
    if not suspects:
        return {}
    held: dict[str, list[NDArray[np.uint8]]] = {name: [] for name in suspects}
    for parsed in Reading(reading.path, reading.options, reading.signals):
        for batch in parsed.batches:
            if batch.signal in suspects:
                values = _comparable(batch)
                held[batch.signal].append(values[np.isin(_keys(values), suspects[batch.signal])])
    counts: dict[str, int] = {}
    for name, parts in sorted(held.items()):
        values = np.concatenate(parts)
        whole = np.ascontiguousarray(values).view(np.dtype((np.void, values.shape[1]))).ravel()
        if found := len(whole) - len(np.unique(whole)):
            counts[name] = found
    return counts
