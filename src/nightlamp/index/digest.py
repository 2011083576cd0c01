"""Exact digests (md5, sha1, sha256 …): equal or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from nightlamp.errors import SnapshotError
from nightlamp.index.found import Found, address, as_numbers, as_values, read_only

if TYPE_CHECKING:
    import numpy as np

PER_BUCKET = 4  # entries that share a directory slot, if digests are evenly spread


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DigestIndex:
    """Digests in sorted order, with a directory of their leading bits.

    Args:
        digests: (n, size) uint8, sorted; equal ones are all kept.
        numbers: (n,) int64, the caller's number of each.
        directory: (2^b + 1,) uint32, b ≤ 24: ``directory[p]:directory[p + 1]`` are the rows whose leading b
            bits are p.

    Attributes:
        row: (5,) int64, addresses and lengths of all that, for the compiled search.
    """

    digests: np.ndarray
    numbers: np.ndarray
    directory: np.ndarray
    row: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        import numpy as np

        arrays = self.digests, self.numbers, self.directory
        row = np.array([*map(address, arrays), len(self.digests), self._bits], np.int64)
        object.__setattr__(self, "row", row)

    @classmethod
    def build(cls, digests: np.ndarray, numbers: np.ndarray | None = None) -> Self:
        """An index of ``digests`` (n, size) uint8, of any one size.

        Args:
            digests: the entries; equal ones are all kept.
            numbers: (n,) int64, returned for the entries found; by default their rows.

        Raises:
            ValueError: wrong shape or type, or more than 2³² − 1 entries.
        """
        import numpy as np

        if digests.ndim != 2 or digests.shape[1] == 0:
            raise ValueError(f"expected uint8 (n, size), got {digests.dtype} {digests.shape}")
        digests = as_values(digests, digests.shape[1])
        n = len(digests)
        if n >= 1 << 32:
            raise ValueError(f"{n} entries; at most {(1 << 32) - 1} fit into one index")
        order = _sorted_order(digests)
        digests, numbers = digests[order], as_numbers(numbers, n)[order]
        bits = min(24, 8 * digests.shape[1], max(0, (n // PER_BUCKET).bit_length()))
        counts = np.bincount(_prefixes(digests, bits), minlength=1 << bits)
        directory = np.zeros((1 << bits) + 1, np.uint32)
        np.cumsum(counts, out=directory[1:], dtype=np.uint32)
        return cls(read_only(digests), read_only(numbers), read_only(directory))

    def search(self, queries: np.ndarray, radius: int = 0) -> Found:
        """All entries equal to each of the ``queries`` (q, size) uint8; distances are 0.

        Raises:
            ValueError: wrong shape or type, or a radius other than 0.
        """
        return self.together((self,)).search(queries, radius)[0]

    @staticmethod
    def together(indexes: Sequence[DigestIndex]) -> DigestSearch:
        """Several indexes of one size, to be searched in one call."""
        import numpy as np

        return DigestSearch(
            tuple(indexes), np.array([index.row for index in indexes], np.int64).reshape(-1, 5)
        )

    def __len__(self) -> int:
        """How many entries."""
        return len(self.digests)

    def __repr__(self) -> str:
        """Never shows an entry."""
        return f"DigestIndex({len(self)} entries)"

    @property
    def _bits(self) -> int:
        return (len(self.directory) - 1).bit_length() - 1

    @property
    def size(self) -> int:
        """Bytes of a value."""
        return int(self.digests.shape[1])

    @property
    def bytes_per_entry(self) -> float:
        """Memory or disk of all arrays, divided by the number of entries."""
        return sum(a.nbytes for a in self.arrays().values()) / max(1, len(self))

    def values(self) -> np.ndarray:
        """The entries, (n, size) uint8, in the order of ``numbers``."""
        return self.digests

    def with_entries(self, values: np.ndarray, numbers: np.ndarray) -> Self:
        """An index of the same kind over other entries."""
        return self.build(values, numbers)

    @property
    def step(self) -> int:
        """Nothing is joined with this index."""
        return 0

    def beside(self, values: np.ndarray, numbers: np.ndarray, *, joined: bool) -> Self:  # noqa: ARG002
        """An index over other entries that is searched together with this one."""
        return self.build(values, numbers)

    def arrays(self) -> dict[str, np.ndarray]:
        """What a snapshot must hold; ``from_arrays`` takes it back."""
        return {"digests": self.digests, "numbers": self.numbers, "directory": self.directory}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], *, trusted: bool = False) -> Self:
        """The index over ``arrays`` as given by :meth:`arrays`, without a copy.

        Args:
            arrays: by name.
            trusted: they were checked before; look only at types and shapes.

        Raises:
            SnapshotError: they are not the arrays of such an index.
        """
        import numpy as np

        def require(holds: bool | np.bool_, what: str) -> None:
            if not holds:
                raise SnapshotError(what, where="digest index")

        for name in ("digests", "numbers", "directory"):
            require(name in arrays, f"array {name!r} is missing")
        index = cls(*(read_only(arrays[name]) for name in ("digests", "numbers", "directory")))
        digests, numbers, directory = index.digests, index.numbers, index.directory
        require(digests.dtype == np.uint8 and digests.ndim == 2, "'digests' has a wrong type or shape")
        require(digests.shape[1] > 0, "'digests' has a wrong type or shape")
        require(
            numbers.dtype == np.int64 and numbers.shape == digests.shape[:1],
            "'numbers' has a wrong type or shape",
        )
        require(directory.dtype == np.uint32 and directory.ndim == 1, "'directory' has a wrong type or shape")
        slots = len(directory) - 1
        possible = 0 < slots <= min(1 << 24, 1 << 8 * digests.shape[1]) and slots & (slots - 1) == 0
        require(possible, "'directory' has a wrong size")
        if not trusted:
            require(
                directory[0] == 0 and directory[-1] == len(index), "'directory' does not span the entries"
            )
            require((directory[1:] >= directory[:-1]).all(), "'directory' runs backwards")
            counts = np.bincount(_prefixes(digests, index._bits), minlength=slots)
            require(np.array_equal(np.diff(directory), counts), "'directory' does not fit the digests")
            require(_is_sorted(digests), "'digests' is not sorted")
        return index


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DigestSearch:
    """Indexes that are searched in one call.

    Args:
        indexes: at least one; they hold what ``rows`` points to.
        rows: (p, 5) int64, theirs.
    """

    indexes: tuple[DigestIndex, ...]
    rows: np.ndarray

    def search(self, queries: np.ndarray, radius: int = 0) -> tuple[Found, np.ndarray]:
        """All entries equal to each of the ``queries`` (q, size) uint8; distances are 0.

        Returns:
            what was found; and (k,) int64, in which of the indexes.

        Raises:
            ValueError: wrong shape or type, or a radius other than 0.
        """
        import numpy as np

        from nightlamp.index.digest_kernels import equal

        if radius != 0:
            raise ValueError("digests are equal or not: the radius is 0")
        queries = as_values(queries, self.indexes[0].size)
        found = equal(queries, _prefixes(queries, 24), self.rows)
        return Found(found[:, 0], found[:, 1], np.zeros(len(found), np.int32)), found[:, 2]


def _words(digests: np.ndarray) -> list[np.ndarray]:
    """The digests as columns of big-endian 64-bit words, most significant first."""
    import numpy as np

    n, size = digests.shape
    padded = np.zeros((n, -(-size // 8) * 8), np.uint8)
    padded[:, :size] = digests
    return list(padded.view(">u8").astype(np.uint64).T)


def _sorted_order(digests: np.ndarray) -> np.ndarray:
    """The stable order that sorts the rows as byte strings."""
    import numpy as np

    first, *rest = _words(digests)
    order = np.argsort(first, kind="stable")
    ties = first[order][1:] == first[order][:-1]
    return np.lexsort((*rest[::-1], first)) if rest and ties.any() else order


def _is_sorted(digests: np.ndarray) -> bool:
    """Whether the rows are in the order of byte strings."""
    import numpy as np

    later = np.zeros(max(0, len(digests) - 1), bool)  # row i + 1 is greater, by a word seen so far
    for word in _words(digests):
        if ((word[1:] < word[:-1]) & ~later).any():
            return False
        later |= word[1:] > word[:-1]
    return True


def _prefixes(digests: np.ndarray, bits: int) -> np.ndarray:
    """The leading ``bits`` (0..24) of each row, as int64."""
    import numpy as np

    top = np.zeros((len(digests), 4), np.uint8)
    top[:, : min(3, digests.shape[1])] = digests[:, :3]
    return top.view(">u4").reshape(-1).astype(np.int64) >> (32 - bits)
