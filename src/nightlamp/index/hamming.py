"""Every 256-bit entry within a Hamming radius, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from nightlamp.errors import SnapshotError
from nightlamp.index.found import Found, as_numbers, as_values, read_only
from nightlamp.index.plan import BITS, BUCKETS, HALVES, flips, plan_for

if TYPE_CHECKING:
    import numpy as np

SIZE = BITS // 8
PAD = 32  # sketches are read 32 at a time
SMALLEST = 2_048  # below this a scan is as fast as anything
LARGEST = 1 << 32  # entries are counted in 32 bits


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HammingIndex:
    """Entries sorted by each of their 16 half-words, over arrays that may lie in a mapped file.

    Args:
        codes: (n, 4) uint64, the entries with their bits arranged.
        numbers: (n,) int64, the caller's number of each entry; need not be unique.
        source: (256,) uint8, where each bit of an arranged code comes from.
        directory: (16, 65537) uint32, for half h and value v: ``directory[h, v]:directory[h, v + 1]`` are the
            positions, in that half's order, of the entries whose half h is v. (0, 0) for a small index.
        sketches: (16·n + 32,) uint16, for each half's order: the other half of the same word.
        ids: (16·n,) uint32, for each half's order: the entry's row in ``codes``.
    """

    codes: np.ndarray
    numbers: np.ndarray
    source: np.ndarray
    directory: np.ndarray
    sketches: np.ndarray
    ids: np.ndarray

    @classmethod
    def build(
        cls, codes: np.ndarray, numbers: np.ndarray | None = None, *, source: np.ndarray | None = None
    ) -> Self:
        """An index of ``codes`` (n, 32) uint8, most significant byte first or any other fixed order.

        Args:
            codes: the entries; equal ones are all kept.
            numbers: (n,) int64, returned for the entries found; by default their rows.
            source: (256,) uint8, an order of the bits to take over; by default a good one is looked for.

        Raises:
            ValueError: wrong shape or type, no order of the bits, or more than 2³² − 1 entries.
        """
        import numpy as np

        codes = as_values(codes, SIZE)
        n = len(codes)
        if n >= LARGEST:
            raise ValueError(f"{n} entries; at most {LARGEST - 1} fit into one index")
        numbers = as_numbers(numbers, n)
        if n < SMALLEST:
            nothing = np.empty((0, 0), np.uint32), np.empty(0, np.uint16), np.empty(0, np.uint32)
            words = codes.view("<u8").copy()
            return cls._of(words, numbers.copy(), np.arange(BITS, dtype=np.uint8), *nothing)

        from nightlamp.index._kernels import permute_bits, sort_halves
        from nightlamp.index.arrangement import arrange

        source = read_only(arrange(codes) if source is None else source)
        if not _orders_bits(source):
            raise ValueError("'source' is not an order of the bits")
        words = permute_bits(codes.view("<u8"), source)
        directory = np.zeros((HALVES, BUCKETS + 1), np.uint32)
        sketches = np.empty(HALVES * n + PAD, np.uint16)
        sketches[-PAD:] = 0
        ids = np.empty(HALVES * n, np.uint32)
        sort_halves(words.view("<u2"), directory, sketches, ids)
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
        import numpy as np

        from nightlamp.index._kernels import search

        if radius < 0:
            raise ValueError("the radius is negative")
        radius = min(radius, BITS)
        plan = plan_for(radius)
        found = search(
            as_values(queries, SIZE).view("<u8"),
            self.source,
            self.codes,
            self.numbers,
            self.directory,
            self.sketches,
            self.ids,
            *flips(),
            plan.words,
            plan.halves,
            radius,
            not self.directory.size or not plan.cheaper_than_scan(len(self)),
        )
        return Found(found[:, 0], found[:, 1], found[:, 2].astype(np.int32))

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
