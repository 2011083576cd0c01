"""What every index answers, and how values and numbers come in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Found:
    """All results of a search, one row each, never cut; ordered by query.

    Args:
        query: (k,) int64, the row of the query.
        number: (k,) int64, the entry's number.
        distance: (k,) int32, between the two; at most the radius.
    """

    query: np.ndarray
    number: np.ndarray
    distance: np.ndarray

    def __len__(self) -> int:
        """How many results."""
        return len(self.query)

    def __repr__(self) -> str:
        """Never shows a result."""
        return f"Found({len(self)} results)"


def read_only(array: np.ndarray) -> np.ndarray:
    """A view that cannot be written through; also lets one compiled kernel serve built and mapped arrays."""
    view = array.view()
    view.flags.writeable = False
    return view


def address(array: np.ndarray) -> int:
    """Where a contiguous array lies in memory, for a compiled loop; hold the array for as long.

    Raises:
        ValueError: it has gaps, or another order; a loop would read what is not its.
    """
    if not array.flags.c_contiguous:
        raise ValueError("an array that is not contiguous")
    place: int = array.__array_interface__["data"][0]
    return place


def as_values(values: np.ndarray, size: int) -> np.ndarray:
    """``values`` as a contiguous, read-only (n, size) uint8 array.

    Raises:
        ValueError: it has another shape or type; a single value must be given as (1, size).
    """
    import numpy as np

    values = np.asarray(values)
    if values.dtype != np.uint8 or values.ndim != 2 or values.shape[1] != size:
        raise ValueError(f"expected uint8 (n, {size}), got {values.dtype} {values.shape}")
    return read_only(np.ascontiguousarray(values))


def as_numbers(numbers: np.ndarray | None, n: int) -> np.ndarray:
    """``numbers`` as (n,) int64; ``None`` means 0, 1, 2 …

    Raises:
        ValueError: it has another shape, or is not of integers.
    """
    import numpy as np

    if numbers is None:
        return np.arange(n, dtype=np.int64)
    numbers = np.asarray(numbers)
    if numbers.shape != (n,) or (n and numbers.dtype.kind not in "iu"):
        raise ValueError(f"expected integers ({n},), got {numbers.dtype} {numbers.shape}")
    return np.ascontiguousarray(numbers, np.int64)
