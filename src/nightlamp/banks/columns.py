"""What is known of entries besides their values, as columns: ten million of them are a few arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nightlamp.banks.parsing import Batch
from nightlamp.errors import ListError, SnapshotError

MOST_CATEGORIES = 10_000


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Pool:
    """Texts one behind the other.

    Args:
        ends: (n + 1,) uint64; text i is ``data[ends[i]:ends[i + 1]]``. (0,) if all are empty.
        data: uint8, UTF-8.
    """

    ends: NDArray[np.uint64]
    data: NDArray[np.uint8]

    def __getitem__(self, at: int) -> str:
        """Text number ``at``."""
        if not len(self.ends):
            return ""
        return self.data[int(self.ends[at]) : int(self.ends[at + 1])].tobytes().decode("utf-8", "replace")

    @classmethod
    def join(cls, parts: Sequence[tuple[NDArray[np.uint64], bytes]]) -> Self:
        """One pool of the lengths and bytes of its parts."""
        lengths = np.concatenate([part[0] for part in parts]) if parts else np.empty(0, np.uint64)
        if not lengths.any():
            return cls(np.empty(0, np.uint64), np.empty(0, np.uint8))
        ends = np.zeros(len(lengths) + 1, np.uint64)
        np.cumsum(lengths, out=ends[1:])
        return cls(ends, np.frombuffer(b"".join(part[1] for part in parts), np.uint8))

    def only(self, at: NDArray[np.int64]) -> Self:
        """The texts at these places, (m,) sorted, each once."""
        if not len(self.ends):
            return self
        lengths = np.diff(self.ends)
        kept = np.zeros(len(lengths), bool)
        kept[at] = True
        data = self.data[np.repeat(kept, lengths.astype(np.int64))]
        return self.join([(lengths[at], data.tobytes())])

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """What a snapshot must hold."""
        return {f"{name}_ends": self.ends, f"{name}_data": self.data}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], name: str, n: int) -> Self:
        """The pool of ``n`` texts over ``arrays``, without a copy.

        Raises:
            SnapshotError: they are not the arrays of such a pool.
        """
        ends, data = arrays[f"{name}_ends"], arrays[f"{name}_data"]
        fits = ends.dtype == np.uint64 and data.dtype == np.uint8 and ends.ndim == data.ndim == 1
        if not (fits and len(ends) in (0, n + 1) and (not len(ends) or int(ends[-1]) == len(data))):
            raise SnapshotError(f"the texts of {name!r} make no sense", where="catalog")
        return cls(ends, data)


def encoded(texts: Sequence[str]) -> tuple[NDArray[np.uint64], bytes]:
    """Lengths in UTF-8, and all bytes."""
    joined = "".join(texts).encode("utf-8", "replace")
    lengths = np.fromiter(map(len, texts), np.uint64, len(texts))
    if int(lengths.sum()) != len(joined):
        lengths = np.fromiter((len(t.encode("utf-8", "replace")) for t in texts), np.uint64, len(texts))
    return lengths, joined


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Columns:
    """One signal's entries, by number from 0, list after list.

    Args:
        starts: (lists + 1,) int64; the entries of list k are numbers ``starts[k]`` up to ``starts[k + 1]``.
        rows: (n,) uint32 or uint64, row numbers in the list.
        codes: (n,) uint16, which category; 0 for the bank's own. (0,) if all are.
        ids: of the source; ``""`` stands for ``"row N"``.
    """

    starts: NDArray[np.int64]
    rows: np.ndarray
    codes: NDArray[np.uint16]
    ids: Pool

    def __len__(self) -> int:
        """Entries."""
        return len(self.rows)

    def lists_of(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The list of each of these entries."""
        return np.searchsorted(self.starts, numbers, side="right") - 1

    def entry_id(self, number: int) -> str:
        """The source's id of an entry."""
        return self.ids[number] or f"row {int(self.rows[number])}"

    def code(self, number: int) -> int:
        """Which category."""
        return int(self.codes[number]) if len(self.codes) else 0

    def arrays(self) -> dict[str, np.ndarray]:
        """What a snapshot must hold; ``from_arrays`` takes it back."""
        return {"starts": self.starts, "rows": self.rows, "codes": self.codes, **self.ids.arrays("ids")}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], lists: int, categories: int, *, check: bool
    ) -> Self:
        """The columns over ``arrays``, without a copy; ``check`` looks at the numbers, too.

        Raises:
            SnapshotError: they are not the arrays of such columns.
        """
        starts, rows, codes = arrays["starts"], arrays["rows"], arrays["codes"]
        n = len(rows)
        fits = (
            starts.dtype == np.int64
            and starts.shape == (lists + 1,)
            and rows.dtype in (np.uint32, np.uint64)
            and codes.dtype == np.uint16
            and codes.shape in ((0,), (n,))
        )
        if not fits or starts[0] != 0 or starts[-1] != n or (np.diff(starts) < 0).any():
            raise SnapshotError("the columns of entries make no sense", where="catalog")
        ids = Pool.from_arrays(arrays, "ids", n)
        if check and (
            (len(codes) and int(codes.max()) > categories) or (np.diff(ids.ends.astype(np.int64)) < 0).any()
        ):
            raise SnapshotError("the columns of entries make no sense", where="catalog")
        return cls(starts, rows, codes, ids)


class Categories:
    """Category texts and their codes; 0 is the bank's own."""

    def __init__(self) -> None:
        """Begin with none."""
        self.texts: list[str] = []
        self._codes: dict[str, int] = {"": 0}

    def codes(self, texts: Sequence[str]) -> NDArray[np.uint16]:
        """Codes of these texts.

        Raises:
            ListError: too many different ones.
        """
        for text in dict.fromkeys(texts):
            if text not in self._codes:
                if len(self.texts) == MOST_CATEGORIES:
                    raise ListError(
                        f"more than {MOST_CATEGORIES:,} categories", hint="check the mapping of columns"
                    )
                self.texts.append(text)
                self._codes[text] = len(self.texts)
        return np.fromiter(map(self._codes.__getitem__, texts), np.uint16, len(texts))


class Growing:
    """One signal's entries while lists are read: values (or texts, if it is not installed) and columns."""

    def __init__(self) -> None:
        """Begin with none."""
        self.count = 0
        self.ends: dict[int, int] = {}  # by list: the number behind its last entry
        self.values: list[NDArray[np.uint8]] = []
        self._texts: list[tuple[NDArray[np.uint64], bytes]] = []
        self._rows: list[np.ndarray] = []
        self._codes: list[NDArray[np.uint16]] = []
        self._ids: list[tuple[NDArray[np.uint64], bytes]] = []

    def add(self, at: int, batch: Batch, categories: Categories) -> None:
        """Take entries of list number ``at``; lists come one after another."""
        n = len(batch)
        large = n and int(batch.rows.max()) >= 1 << 32
        self._rows.append(batch.rows.astype(np.uint64 if large else np.uint32))
        has = batch.categories is not None
        self._codes.append(categories.codes(batch.categories or ()) if has else np.zeros(n, np.uint16))
        self._ids.append(encoded(batch.ids) if batch.ids is not None else (np.zeros(n, np.uint64), b""))
        if batch.values is not None:
            self.values.append(batch.values)
        else:
            self._texts.append(encoded(batch.texts or ()))
        self.count += n
        self.ends[at] = self.count

    def columns(self, lists: int) -> Columns:
        """The columns of all entries so far; frees what they were made of."""
        starts = np.zeros(lists + 1, np.int64)
        for at in range(lists):
            starts[at + 1] = self.ends.get(at, starts[at])
        codes = np.concatenate(self._codes)
        columns = Columns(
            starts,
            np.concatenate(self._rows),
            codes if codes.any() else np.empty(0, np.uint16),
            Pool.join(self._ids),
        )
        self._rows, self._codes, self._ids = [], [], []
        return columns

    def texts(self) -> Pool | None:
        """The texts, if the signal is not installed."""
        return Pool.join(self._texts) if self._texts else None
