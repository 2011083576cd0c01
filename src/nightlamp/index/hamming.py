"""Every 256-bit entry within a Hamming radius, exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from nightlamp.errors import SnapshotError
from nightlamp.index.found import Found, address, as_numbers, as_values, read_only
from nightlamp.index.plan import BITS, BUCKETS, BYTES, HALVES, flips, plan_for

if TYPE_CHECKING:
    import numpy as np

SIZE = BITS // 8
PAD = 32  # sketches are read 32 at a time
SMALLEST = 2_048  # below this a scan is as fast as anything
LARGEST = 1 << 32  # entries are counted in 32 bits
BESIDE = 256  # below this, a part beside others is scanned
BY_BYTES = 131_072  # up to this, it is sorted by bytes: fewer and longer runs
STEP_LEAST, STEP_SHARE = 8_192, 64  # what is joined with a larger index grows by so many, or this part of it


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HammingIndex:
    """Entries sorted by each of their keys (16 half-words or 32 bytes), over arrays that may lie in a mapped
    file.

    Args:
        codes: (n, 4) uint64, the entries with their bits arranged.
        numbers: (n,) int64, the caller's number of each entry; need not be unique.
        source: (256,) uint8, where each bit of an arranged code comes from.
        directory: (K, 2^bits + 1) uint32, for key k and its value v: ``directory[k, v]:directory[k, v + 1]``
            are the positions, in that key's order, of the entries whose key k is v. (0, 0) for a small index.
        sketches: (K·n + 32,) uint16, for each key's order: the other half of the same word.
        ids: (K·n,) uint32, for each key's order: the entry's row in ``codes``; of bytes, the row in 24 bits,
            and above them the byte's neighbour in its half.

    Attributes:
        row: (10,) int64, addresses and lengths of all that, for the compiled search.
    """

    codes: np.ndarray
    numbers: np.ndarray
    source: np.ndarray
    directory: np.ndarray
    sketches: np.ndarray
    ids: np.ndarray
    row: np.ndarray = field(init=False)
    _joined: list[Joint] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        import numpy as np

        arrays = self.codes, self.numbers, self.source, self.directory, self.sketches, self.ids
        row = [*map(address, arrays), len(self.codes), len(self.directory), 0, 0]
        object.__setattr__(self, "row", np.array(row, np.int64))

    @classmethod
    def build(
        cls,
        codes: np.ndarray,
        numbers: np.ndarray | None = None,
        *,
        source: np.ndarray | None = None,
        keys: int | None = None,
    ) -> Self:
        """An index of ``codes`` (n, 32) uint8, most significant byte first or any other fixed order.

        Args:
            codes: the entries; equal ones are all kept.
            numbers: (n,) int64, returned for the entries found; by default their rows.
            source: (256,) uint8, an order of the bits to take over; by default a good one is looked for.
            keys: 16 or 32, halves or bytes; by default halves, which is what a snapshot holds, or none if
                there are few.

        Raises:
            ValueError: wrong shape or type, no order of the bits, or too many entries: more than 2³² − 1, by
                bytes 2²⁴ − 1.
        """
        import numpy as np

        codes = as_values(codes, SIZE)
        n = len(codes)
        largest = LARGEST >> 8 if keys == BYTES else LARGEST
        if n >= largest:
            raise ValueError(f"{n} entries; at most {largest - 1} fit into one index")
        numbers = as_numbers(numbers, n)
        if keys is None and n >= SMALLEST:
            keys = HALVES
        if keys is None:
            nothing = np.empty((0, 0), np.uint32), np.empty(0, np.uint16), np.empty(0, np.uint32)
            words = codes.view("<u8").copy()
            return cls._of(words, numbers.copy(), np.arange(BITS, dtype=np.uint8), *nothing)

        from nightlamp.index._kernels import permute_bits
        from nightlamp.index.arrangement import arrange
        from nightlamp.index.order_kernels import sort_keys

        source = read_only(arrange(codes) if source is None else source)
        if not _orders_bits(source):
            raise ValueError("'source' is not an order of the bits")
        words = permute_bits(codes.view("<u8"), source)
        directory = np.zeros((keys, (1 << BITS // keys) + 1), np.uint32)
        sketches = np.empty(keys * n + PAD, np.uint16)
        sketches[-PAD:] = 0
        ids = np.empty(keys * n, np.uint32)
        sort_keys(words.view("<u2"), keys, directory, sketches, ids)
        return cls._of(words, numbers.copy(), source, directory, sketches, ids)

    @classmethod
    def _of(cls, *arrays: np.ndarray) -> Self:
        """The index of these arrays, from now on read-only."""
        return cls(*map(read_only, arrays))

    def search(self, queries: np.ndarray, radius: int = 31) -> Found:
        """All entries within ``radius`` bits (0..256) of each of the ``queries`` (q, 32) uint8.

        Raises:
            ValueError: wrong shape or type, or a negative radius.
        """
        return self.together((self,)).search(queries, radius)[0]

    @staticmethod
    def together(indexes: Sequence[HammingIndex]) -> HammingSearch:
        """Several indexes, to be searched in one call."""
        return HammingSearch.of(indexes)

    def __len__(self) -> int:
        """How many entries."""
        return len(self.codes)

    def __repr__(self) -> str:
        """Never shows an entry."""
        return f"HammingIndex({len(self)} entries)"

    @property
    def size(self) -> int:
        """Bytes of a value."""
        return SIZE

    @property
    def bytes_per_entry(self) -> float:
        """Memory or disk of all arrays, divided by the number of entries."""
        return sum(a.nbytes for a in self.arrays().values()) / max(1, len(self))

    def values(self) -> np.ndarray:
        """The entries as they were given, (n, 32) uint8, in their order."""
        import numpy as np

        from nightlamp.index._kernels import permute_bits

        back = read_only(np.argsort(self.source, kind="stable").astype(np.uint8))
        values: np.ndarray = permute_bits(self.codes, back).view(np.uint8)
        return values

    def with_entries(self, values: np.ndarray, numbers: np.ndarray) -> Self:
        """An index of the same kind over other entries, with the bits in the same order if one was chosen."""
        return self.build(values, numbers, source=self.source if self.directory.size else None)

    @property
    def step(self) -> int:
        """By how many entries what is joined with this index should grow at once; 0 if nothing can be."""
        return max(STEP_LEAST, len(self) // STEP_SHARE) if len(self.directory) == HALVES else 0

    def beside(self, values: np.ndarray, numbers: np.ndarray, *, joined: bool) -> Self:
        """An index over few entries that is searched together with this one, and costs little there.

        Args:
            values, numbers: as ``build``.
            joined: it is the next behind this one, and may be joined with it.
        """
        n = len(values)
        source = self.source if self.directory.size or n < SMALLEST else None
        most = self.step if joined and self.step else BY_BYTES
        keys = None if n < BESIDE else BYTES if n <= most else HALVES
        return self.build(values, numbers, source=source, keys=keys)

    def arrays(self) -> dict[str, np.ndarray]:
        """What a snapshot must hold; ``from_arrays`` takes it back."""
        return {name: getattr(self, name) for name in _SHAPES}

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

        try:
            n = len(arrays["numbers"])
            small = arrays["directory"].size == 0
            orders, padded = (0, 0) if small else (HALVES * n, HALVES * n + PAD)
            sides: dict[str | int, int] = {"n": n, "16n": orders, "16n+32": padded}
            for name, (kind, shape) in _SHAPES.items():
                want = tuple(sides.get(side, side) for side in shape)
                if name == "directory" and small:
                    want = (0, 0)
                if arrays[name].dtype != np.dtype(kind) or arrays[name].shape != want:
                    raise SnapshotError(f"array {name!r} has a wrong type or shape", where="hamming index")
        except KeyError as error:
            raise SnapshotError(f"array {error.args[0]!r} is missing", where="hamming index") from None
        index = cls._of(*(arrays[name] for name in _SHAPES))
        if not trusted:
            index._check()
        return index

    def _check(self) -> None:
        """Refuse numbers that make no sense, whatever the checksums say."""

        def require(holds: bool | np.bool_, what: str) -> None:
            if not holds:
                raise SnapshotError(what, where="hamming index")

        n = len(self)
        require(_orders_bits(self.source), "'source' is not an order of the bits")
        if self.directory.size:
            require((self.directory[:, 0] == 0).all(), "'directory' does not start at 0")
            require((self.directory[:, -1] == n).all(), "'directory' does not end at the last entry")
            require((self.directory[:, 1:] >= self.directory[:, :-1]).all(), "'directory' runs backwards")
            for h in range(HALVES):
                require(self.ids[h * n : (h + 1) * n].max() < n, "'ids' points behind the last entry")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Joint:
    """The orders of two indexes by halves as one, so that a search looks into each run once.

    Args:
        base: the first of the two.
        directory: (16, 65537) uint32, of both.
        sketches: (16·(n + m) + 32,) uint16, of each run those of the first index before those of the second.
    """

    base: HammingIndex
    directory: np.ndarray
    sketches: np.ndarray

    @classmethod
    def of(cls, base: HammingIndex, other: HammingIndex) -> Joint | None:
        """Made once, and kept by ``other``; ``None`` if their bits are arranged differently."""
        import numpy as np

        from nightlamp.index.order_kernels import join_orders

        if not np.array_equal(base.source, other.source):
            return None
        for joint in other._joined:
            if joint.base is base:
                return joint
        directory = np.empty((HALVES, BUCKETS + 1), np.uint32)
        sketches = np.zeros(HALVES * (len(base) + len(other)) + PAD, np.uint16)
        join_orders(
            len(base),
            len(other),
            base.directory,
            other.directory,
            base.sketches,
            other.sketches,
            directory,
            sketches,
        )
        joint = cls(base, directory, sketches)
        other._joined[:] = [joint]
        return joint


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HammingSearch:
    """Indexes that are searched in one call.

    Args:
        indexes: they hold what ``rows`` points to.
        rows: (p, 10) int64, theirs.
        joint: of the first two, if both are sorted by halves.
    """

    indexes: tuple[HammingIndex, ...]
    rows: np.ndarray
    joint: Joint | None
    _ways: dict[int, tuple[np.ndarray, int]] = field(init=False, default_factory=dict)

    @classmethod
    def of(cls, indexes: Sequence[HammingIndex]) -> Self:
        """To be made once for many searches."""
        import numpy as np

        rows = np.array([index.row for index in indexes], np.int64).reshape(-1, 10)
        joint = None
        if len(indexes) > 1 and len(indexes[0]) and all(len(i.directory) == HALVES for i in indexes[:2]):
            joint = Joint.of(*indexes[:2])
        if joint is not None:
            rows[0, 8:] = address(joint.directory), address(joint.sketches)
            rows[1, 8] = -1
        return cls(tuple(indexes), rows, joint)

    def search(self, queries: np.ndarray, radius: int) -> tuple[Found, np.ndarray]:
        """All entries of all indexes within ``radius`` of each of the ``queries`` (q, 32) uint8.

        Returns:
            what was found; and (k,) int64, in which of the indexes.

        Raises:
            ValueError: wrong shape or type, or a negative radius.
        """
        import numpy as np

        from nightlamp.index._kernels import search

        if radius < 0:
            raise ValueError("the radius is negative")
        radius = min(radius, BITS)
        by_scan, most = self._ways.get(radius) or self._way(radius)
        plan = plan_for(radius)
        by_bytes = plan_for(radius, BYTES).keys
        found = search(
            as_values(queries, SIZE).view("<u8"),
            self.rows,
            by_scan,
            most,
            *flips(16),
            *flips(8),
            plan.words,
            plan.halves,
            by_bytes,
            radius,
        )
        return Found(found[:, 0], found[:, 1], found[:, 2].astype(np.int32)), found[:, 3]

    def _way(self, radius: int) -> tuple[np.ndarray, int]:
        """Which indexes are scanned, and how many probes the others take at most."""
        import numpy as np

        by_scan, most = [], 0
        for index in self.indexes:
            plan = plan_for(radius, len(index.directory) or HALVES)
            by_scan.append(not index.directory.size or not plan.cheaper_than_scan(len(index)))
            most += 0 if by_scan[-1] else plan.probes
        if self.joint is not None:
            by_scan[1] = by_scan[0]
        self._ways[radius] = way = np.array(by_scan, bool), most
        return way


def _orders_bits(source: np.ndarray) -> bool:
    """Whether each of the 256 bits is taken once."""
    import numpy as np

    return source.dtype == np.uint8 and np.array_equal(np.sort(source), np.arange(BITS))


_SHAPES: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "codes": ("<u8", ("n", 4)),
    "numbers": ("<i8", ("n",)),
    "source": ("u1", (BITS,)),
    "directory": ("<u4", (HALVES, BUCKETS + 1)),
    "sketches": ("<u2", ("16n+32",)),
    "ids": ("<u4", ("16n",)),
}
