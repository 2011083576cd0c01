"""An index that changes: an immutable base, what was added since, and what was removed.

Like a log-structured merge tree. Readers take the current parts, an immutable tuple, with one read; a writer
makes a new tuple and puts it in place. No reader ever waits, and a change is in force when the call returns.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from nightlamp.index.found import Found, as_numbers, as_values

if TYPE_CHECKING:
    import numpy as np

TAIL = 1_024  # entries that one part takes up by copying, before parts are merged as a log
GROWTH = 8  # a part is merged into the one before it, unless that is so many times larger


class Search(Protocol):
    """Several indexes as one."""

    def search(self, queries: np.ndarray, radius: int) -> tuple[Found, np.ndarray]:
        """All entries within ``radius`` of each query; and (k,) int64, in which of the indexes."""


class Index(Protocol):
    """What the three kinds have in common."""

    @property
    def size(self) -> int:
        """Bytes of a value."""

    @property
    def numbers(self) -> np.ndarray:
        """(n,) int64, in the order of ``values()``."""

    def values(self) -> np.ndarray:
        """(n, size) uint8."""

    def with_entries(self, values: np.ndarray, numbers: np.ndarray) -> Self:
        """An index of the same kind over other entries."""

    @property
    def step(self) -> int:
        """By how many entries at least what is joined with this index should grow at once."""

    def beside(self, values: np.ndarray, numbers: np.ndarray, *, joined: bool) -> Self:
        """An index over entries that are searched together with this one, or joined with it."""

    @staticmethod
    def together(indexes: Sequence[Any]) -> Search:
        """Several indexes of one kind, to be searched at once."""

    def __len__(self) -> int:
        """How many entries."""


I = TypeVar("I", bound=Index)  # noqa: E741


@dataclass(frozen=True, slots=True, eq=False)
class _Part(Generic[I]):
    """Some entries, and which of their numbers are removed ((m,) int64, sorted)."""

    index: I
    removed: np.ndarray

    def alive(self, numbers: np.ndarray) -> np.ndarray:
        """Which of ``numbers`` are not removed, as (n,) bool."""
        import numpy as np

        if not len(self.removed):
            return np.ones(len(numbers), bool)
        at = np.searchsorted(self.removed, numbers)
        alive: np.ndarray = self.removed[np.minimum(at, len(self.removed) - 1)] != numbers
        return alive

    def without(self, numbers: np.ndarray) -> _Part[I]:
        """The same with ``numbers`` removed too."""
        import numpy as np

        new = numbers[self.alive(numbers)]
        if not len(new) or not len(self.index):
            return self
        return replace(self, removed=np.insert(self.removed, np.searchsorted(self.removed, new), new))


class IndexView(Generic[I]):
    """What was in force at one moment; later changes do not reach it."""

    def __init__(self, parts: tuple[_Part[I], ...]) -> None:
        self._parts = parts
        self._search = parts[0].index.together([part.index for part in parts])
        self._removed = [at for at, part in enumerate(parts) if len(part.removed)]

    def search(self, queries: np.ndarray, radius: int) -> Found:
        """All entries in force within ``radius`` of each of the ``queries`` (q, size) uint8."""
        import numpy as np

        found, part = self._search.search(queries, radius)
        if not len(found) or not self._removed:
            return found
        alive = np.ones(len(found), bool)
        for at in self._removed:
            here = part == at
            alive[here] = self._parts[at].alive(found.number[here])
        return Found(found.query[alive], found.number[alive], found.distance[alive])

    def __len__(self) -> int:
        """Entries in force; counted anew each time, in time proportional to their number."""
        return sum(int(part.alive(part.index.numbers).sum()) for part in self._parts)

    def __repr__(self) -> str:
        """Never shows an entry."""
        return f"IndexView({len(self._parts)} parts)"


class LiveIndex(Generic[I]):
    """``base`` with entries added and removed; for many readers and writers in threads.

    A number may stand for several entries; removing it removes all of them, and it may be added again.
    """

    def __init__(self, base: I) -> None:
        """Start from ``base``, which is never changed."""
        import numpy as np

        self._nothing = np.empty(0, np.int64)
        self._parts: tuple[_Part[I], ...] = (_Part(base, self._nothing),)
        self._settled = 1  # parts at the front that merging leaves alone: the base, or all that are compacted
        self._compacted = 0  # how many of those are being compacted; 0 if none are
        self._removed_meanwhile = self._nothing
        self._writing = threading.Lock()
        self._compacting = threading.Lock()

    def search(self, queries: np.ndarray, radius: int) -> Found:
        """All entries in force within ``radius`` of each of the ``queries`` (q, size) uint8."""
        return self.view().search(queries, radius)

    def view(self) -> IndexView[I]:
        """What is in force now, as a value that stays as it is."""
        return IndexView(self._parts)

    def add(self, values: np.ndarray, numbers: np.ndarray) -> None:
        """Put entries in force: ``values`` (n, size) uint8 and their ``numbers`` (n,) int64."""
        base = self._parts[0].index
        values = as_values(values, base.size)
        numbers = as_numbers(numbers, len(values))
        with self._writing:
            new = base.beside(values, numbers, joined=len(self._parts) == 1)
            self._parts = (*self._parts, _Part(new, self._nothing))
            self._merge()

    def remove(self, numbers: np.ndarray) -> None:
        """Take all entries of these ``numbers`` (n,) int64 out of force; unknown ones are ignored."""
        import numpy as np

        numbers = np.unique(as_numbers(numbers, len(numbers)))
        with self._writing:
            self._parts = tuple(part.without(numbers) for part in self._parts)
            if self._compacted:
                self._removed_meanwhile = np.union1d(self._removed_meanwhile, numbers)

    def compact(self) -> I:
        """Make one index of all entries in force and go on with it as the base.

        Readers and writers go on meanwhile; what they change stays on top of the new base.

        Returns:
            the new base, without changes made since the call began; to be saved, for example.
        """
        with self._compacting:
            with self._writing:
                parts = self._parts
                self._settled = self._compacted = len(parts)
                self._removed_meanwhile = self._nothing
            try:
                base = parts[0].index.with_entries(*_in_force(parts))
            except BaseException:
                with self._writing:
                    self._settled, self._compacted = 1, 0
                raise
            with self._writing:
                new = _Part(base, self._removed_meanwhile)
                self._parts = (new, *self._parts[self._compacted :])
                self._settled, self._compacted = 1, 0
                self._removed_meanwhile = self._nothing
            return base

    def __len__(self) -> int:
        """Entries in force; counted anew each time, in time proportional to their number."""
        return len(self.view())

    def __repr__(self) -> str:
        """Never shows an entry."""
        return f"LiveIndex({len(self._parts)} parts)"

    def _merge(self) -> None:
        """Merge parts at the end while the last is not far smaller than the one before it."""
        base = self._parts[0].index
        while len(self._parts) - self._settled >= 2:
            *front, before, last = self._parts
            if len(before.index) > max(TAIL, GROWTH * len(last.index)):
                return
            joined = len(front) == 1
            if joined and len(before.index) > base.step > len(last.index):
                return
            index = base.beside(*_in_force((before, last)), joined=joined)
            self._parts = (*front, _Part(index, self._nothing))


def _in_force(parts: Sequence[_Part[I]]) -> tuple[np.ndarray, np.ndarray]:
    """Values and numbers of all that is in force in ``parts``."""
    import numpy as np

    values, numbers = [], []
    for part in parts:
        alive = part.alive(part.index.numbers)
        values.append(part.index.values()[alive])
        numbers.append(part.index.numbers[alive])
    return np.concatenate(values), np.concatenate(numbers)
