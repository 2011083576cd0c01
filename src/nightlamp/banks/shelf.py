"""One signal's entries of a catalog: their index, or their texts while the signal is not installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nightlamp.banks.columns import Columns, Pool
from nightlamp.banks.parsing import parse_text
from nightlamp.errors import SignalError, SnapshotError
from nightlamp.index import DigestIndex, FlatIndex, HammingIndex
from nightlamp.signals import Signal
from nightlamp.signals.signal import Distance, IndexKind

AnyIndex = DigestIndex | HammingIndex | FlatIndex


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Shelf:
    """One signal's entries.

    Args:
        name: the signal's.
        columns: of all entries, by number.
        signal: ``None`` if it is not installed, or is another than when the index was built.
        index: over the numbers of ``columns``; ``None`` if the entries cannot be searched now.
        arrays: of the index, as far as there is one; kept so that nothing is lost when it is saved again.
        kind, size: of the signal when the index was built; size 0 if there is none yet.
        texts: of the list, for entries that were read while the signal was not installed.
    """

    name: str
    columns: Columns
    signal: Signal | None
    index: AnyIndex | None
    arrays: Mapping[str, np.ndarray]
    kind: str = ""
    size: int = 0
    texts: Pool | None = None

    @property
    def why_not(self) -> str:
        """Why the entries cannot be searched: ``"not installed"`` or ``"changed"``; ``""`` if they can."""
        if self.index is not None:
            return ""
        return "not installed" if self.signal is None else "changed"

    def unreadable(self) -> np.ndarray:
        """Numbers of the entries that the installed signal's own parser refuses."""
        if self.index is None or len(self.index) == len(self.columns):
            return np.empty(0, np.int64)
        return np.setdiff1d(np.arange(len(self.columns)), self.index.numbers)


def shelf_of_values(signal: Signal, columns: Columns, values: np.ndarray) -> Shelf:
    """The shelf of values that were parsed."""
    index = build_index(signal, values, None)
    return Shelf(signal.name, columns, signal, index, index.arrays(), signal.index, signal.size)


def shelf_of_texts(name: str, columns: Columns, texts: Pool, signal: Signal | None) -> Shelf:
    """The shelf of texts that nobody could parse when they were read; now, if ``signal`` is there."""
    if signal is None:
        return Shelf(name, columns, None, None, {}, texts=texts)
    numbers: list[int] = []
    values: list[bytes] = []
    for number in range(len(columns)):
        try:
            value = parse_text(signal, texts[number])
        except ValueError:
            continue
        numbers.append(number)
        values.append(value)
    array = np.frombuffer(b"".join(values), np.uint8).reshape(len(values), signal.size)
    index = build_index(signal, array, np.array(numbers, np.int64))
    return Shelf(name, columns, signal, index, index.arrays(), signal.index, signal.size, texts)


def shelf_of_arrays(
    name: str,
    columns: Columns,
    signal: Signal | None,
    arrays: Mapping[str, np.ndarray],
    kind: str,
    size: int,
    texts: Pool | None,
    trusted: bool,
) -> Shelf:
    """The shelf of an index that was saved.

    Raises:
        SnapshotError: the arrays make no sense.
    """
    index: AnyIndex | None = None
    if signal is not None and (signal.index, signal.size) == (kind, size):
        index = index_of_arrays(signal, arrays, trusted=trusted)
        entries, numbers = len(columns), index.numbers
        wide = index.digests if isinstance(index, DigestIndex) else getattr(index, "entries", None)
        fits = len(index) == entries or (texts is not None and len(index) < entries)
        if fits and not trusted and len(index):
            fits = 0 <= int(numbers.min()) <= int(numbers.max()) < entries
        if not fits or (wide is not None and wide.shape[1] != size):
            raise SnapshotError(f"the index of {name!r} does not fit its entries", where="catalog")
    return Shelf(name, columns, signal, index, arrays, kind, size, texts)


def build_index(signal: Signal, values: np.ndarray, numbers: np.ndarray | None) -> AnyIndex:
    """The index that fits the signal, over ``values`` (n, size) uint8."""
    kind: IndexKind = signal.index
    if kind == "exact":
        return DigestIndex.build(values, numbers)
    if kind == "hamming":
        return HammingIndex.build(values, numbers)
    return FlatIndex.build(values, numbers, _distance(signal))


def index_of_arrays(signal: Signal, arrays: Mapping[str, np.ndarray], *, trusted: bool) -> AnyIndex:
    """The index over arrays that were saved.

    Raises:
        SnapshotError: they are not those of such an index.
    """
    if signal.index == "exact":
        return DigestIndex.from_arrays(arrays, trusted=trusted)
    if signal.index == "hamming":
        return HammingIndex.from_arrays(arrays, trusted=trusted)
    return FlatIndex.from_arrays(arrays, _distance(signal))


def _distance(signal: Signal) -> Distance:
    if signal.distance is None:
        raise SignalError("a flat signal needs a distance", where=f"signal {signal.name!r}")
    return signal.distance
