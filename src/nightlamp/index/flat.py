"""Signals of any width with a distance of their own: compared one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from nightlamp.errors import SignalError, SnapshotError
from nightlamp.index.found import Found, as_numbers, as_values, read_only

if TYPE_CHECKING:
    import numpy as np

CHUNK_BYTES = 16 << 20  # of entries per call of the distance function, which may need several times as much


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FlatIndex:
    """Entries side by side.

    Args:
        entries: (n, size) uint8.
        numbers: (n,) int64, the caller's number of each.
        distance: (size,) query × (n, size) entries → (n,) distances, as ``Signal.distance``.
    """

    entries: np.ndarray
    numbers: np.ndarray
    distance: Callable[[np.ndarray, np.ndarray], np.ndarray]

    @classmethod
    def build(
        cls,
        entries: np.ndarray,
        numbers: np.ndarray | None,
        distance: Callable[[np.ndarray, np.ndarray], np.ndarray],
    ) -> Self:
        """An index of ``entries`` (n, size) uint8, compared by ``distance``.

        Raises:
            ValueError: wrong shape or type.
        """
        if entries.ndim != 2 or entries.shape[1] == 0:
            raise ValueError(f"expected uint8 (n, size), got {entries.dtype} {entries.shape}")
        entries = as_values(entries, entries.shape[1])
        numbers = as_numbers(numbers, len(entries))
        return cls(read_only(entries.copy()), read_only(numbers.copy()), distance)

    def search(self, queries: np.ndarray, radius: int = 0) -> Found:
        """All entries within ``radius`` of each of the ``queries`` (q, size) uint8; distances are rounded up.

        Raises:
            ValueError: wrong shape or type, or a negative radius.
            SignalError: the distance function gives something else than one number an entry.
        """
        import numpy as np

        queries = as_values(queries, self.entries.shape[1])
        if radius < 0:
            raise ValueError("the radius is negative")
        step = max(1, CHUNK_BYTES // self.entries.shape[1])
        query, row, distance = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int32)]
        for q, value in enumerate(queries):
            for first in range(0, len(self), step):
                chunk = self.entries[first : first + step]
                far = np.asarray(self.distance(value, chunk))
                if far.shape != (len(chunk),) or far.dtype.kind not in "iuf" or (far != far).any():
                    raise SignalError("the distance function does not give one number an entry")
                near = np.flatnonzero(far <= radius)
                query.append(np.full(len(near), q, np.int64))
                row.append(near + first)
                distance.append(np.ceil(far[near]).astype(np.int32))
        return Found(np.concatenate(query), self.numbers[np.concatenate(row)], np.concatenate(distance))

    def __len__(self) -> int:
        """How many entries."""
        return len(self.entries)

    def __repr__(self) -> str:
        """Never shows an entry."""
        return f"FlatIndex({len(self)} entries)"

    @property
    def size(self) -> int:
        """Bytes of a value."""
        return int(self.entries.shape[1])

    @property
    def bytes_per_entry(self) -> float:
        """Memory or disk of all arrays, divided by the number of entries."""
        return sum(a.nbytes for a in self.arrays().values()) / max(1, len(self))

    def values(self) -> np.ndarray:
        """The entries, (n, size) uint8, in the order of ``numbers``."""
        return self.entries

    def with_entries(self, values: np.ndarray, numbers: np.ndarray) -> Self:
        """An index of the same kind over other entries."""
        return self.build(values, numbers, self.distance)

    @property
    def step(self) -> int:
        """Nothing is joined with this index."""
        return 0

    def beside(self, values: np.ndarray, numbers: np.ndarray, *, joined: bool) -> Self:  # noqa: ARG002
        """An index over other entries that is searched together with this one."""
        return self.with_entries(values, numbers)

    @staticmethod
    def together(indexes: Sequence[FlatIndex]) -> FlatSearch:
        """Several indexes, to be searched one after the other."""
        return FlatSearch(tuple(indexes))

    def arrays(self) -> dict[str, np.ndarray]:
        """What a snapshot must hold; ``from_arrays`` takes it back."""
        return {"entries": self.entries, "numbers": self.numbers}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], distance: Callable[[np.ndarray, np.ndarray], np.ndarray]
    ) -> Self:
        """The index over ``arrays`` as given by :meth:`arrays`, without a copy.

        Raises:
            SnapshotError: they are not the arrays of such an index.
        """
        import numpy as np

        entries, numbers = arrays.get("entries"), arrays.get("numbers")
        if entries is None or entries.dtype != np.uint8 or entries.ndim != 2 or entries.shape[1] == 0:
            raise SnapshotError("'entries' is missing, or has a wrong type or shape", where="flat index")
        if numbers is None or numbers.dtype != np.int64 or numbers.shape != entries.shape[:1]:
            raise SnapshotError("'numbers' is missing, or has a wrong type or shape", where="flat index")
        return cls(read_only(entries), read_only(numbers), distance)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FlatSearch:
    """Indexes that are searched together."""

    indexes: tuple[FlatIndex, ...]

    def search(self, queries: np.ndarray, radius: int = 0) -> tuple[Found, np.ndarray]:
        """All entries of all indexes within ``radius``, as ``FlatIndex.search``.

        Returns:
            what was found; and (k,) int64, in which of the indexes.
        """
        import numpy as np

        found = [index.search(queries, radius) for index in self.indexes]
        part = np.repeat(np.arange(len(found)), [len(some) for some in found])
        order = np.argsort(np.concatenate([some.query for some in found]), kind="stable")
        columns = zip(*((some.query, some.number, some.distance) for some in found), strict=True)
        return Found(*(np.concatenate(column)[order] for column in columns)), part[order]
