"""What a node knows of entries besides their values, by number: bank, category, the source's id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from nightlamp.banks.columns import Pool, encoded
from nightlamp.errors import SnapshotError

SMALL = 1_024  # pages up to this size are merged at once
GROWTH = 4  # else a page is merged into the one before it, unless that is so many times larger


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Page:
    """Entries by rising number, as columns.

    Args:
        numbers: (n,) int64, sorted.
        banks: (n,) int32.
        codes: (n,) uint32, places in ``categories``.
        categories: texts; ``""`` is the bank's own.
        ids: the source's ids.
    """

    numbers: np.ndarray
    banks: np.ndarray
    codes: np.ndarray
    categories: tuple[str, ...]
    ids: Pool

    @classmethod
    def of(
        cls, numbers: Sequence[int], banks: Sequence[int], categories: Sequence[str], ids: Sequence[str]
    ) -> Self:
        """The page of these columns of equal length."""
        n = len(numbers)
        place = {text: at for at, text in enumerate(dict.fromkeys(categories))}
        codes = np.fromiter(map(place.__getitem__, categories), np.uint32, n)
        pool = Pool.join([encoded(ids)])
        return cls(
            np.fromiter(numbers, np.int64, n), np.fromiter(banks, np.int32, n), codes, tuple(place), pool
        )

    @classmethod
    def join(cls, pages: Sequence[Page]) -> Self:
        """One page of several, each of larger numbers than the one before it."""
        place: dict[str, int] = {}
        codes = []
        for page in pages:
            new = [place.setdefault(text, len(place)) for text in page.categories]
            codes.append(np.array(new, np.uint32)[page.codes] if new else page.codes)
        parts = [
            (
                np.diff(page.ids.ends) if len(page.ids.ends) else np.zeros(len(page.numbers), np.uint64),
                page.ids.data.tobytes(),
            )
            for page in pages
        ]
        return cls(
            np.concatenate([page.numbers for page in pages]),
            np.concatenate([page.banks for page in pages]),
            np.concatenate(codes),
            tuple(place),
            Pool.join(parts),
        )

    def only(self, numbers: np.ndarray) -> Self:
        """The page of these of its entries; ``numbers`` (m,) int64 sorted, each once."""
        at = np.searchsorted(self.numbers, numbers)
        if len(at) == len(self.numbers):
            return self
        ids = self.ids.only(at)
        return type(self)(numbers, self.banks[at], self.codes[at], self.categories, ids)

    def knows(self, numbers: np.ndarray) -> bool:
        """Whether all of these entries are here."""
        if not len(self.numbers):
            return not len(numbers)
        at = np.minimum(np.searchsorted(self.numbers, numbers), len(self.numbers) - 1)
        return bool((self.numbers[at] == numbers).all())

    def arrays(self) -> dict[str, np.ndarray]:
        """What a snapshot must hold, besides ``categories``."""
        columns = {"numbers": self.numbers, "banks": self.banks, "codes": self.codes}
        return {**columns, **self.ids.arrays("ids")}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], categories: tuple[str, ...], *, trusted: bool
    ) -> Self:
        """The page over ``arrays``, without a copy.

        Raises:
            SnapshotError: they are not the arrays of a page.
        """
        numbers, banks, codes = arrays["numbers"], arrays["banks"], arrays["codes"]
        n = len(numbers)
        kinds = ((numbers, np.int64), (banks, np.int32), (codes, np.uint32))
        fits = all(column.dtype == kind and column.shape == (n,) for column, kind in kinds)
        if fits and not trusted and n:
            fits = bool((np.diff(numbers) > 0).all()) and int(codes.max()) < len(categories)
        if not fits:
            raise SnapshotError("the columns of entries make no sense", where="live banks")
        return cls(numbers, banks, codes, categories, Pool.from_arrays(arrays, "ids", n))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Ledger:
    """Pages, each of larger numbers than the one before it; also of entries removed since."""

    pages: tuple[Page, ...] = ()

    def with_page(self, page: Page) -> Ledger:
        """The ledger with a page of larger numbers behind it."""
        if not len(page.numbers):
            return self
        pages = [*self.pages, page]
        # The first page lies in a mapped snapshot: it stays as it is.
        while len(pages) > 2 and len(pages[-2].numbers) <= max(SMALL, GROWTH * len(pages[-1].numbers)):
            pages[-2:] = [Page.join(pages[-2:])]
        return Ledger(tuple(pages))

    def find(self, number: int) -> tuple[int, str, str] | None:
        """Bank, category (``""``: the bank's) and the source's id of an entry."""
        for page in reversed(self.pages):
            if number >= page.numbers[0]:
                at = int(np.searchsorted(page.numbers, number))
                if at == len(page.numbers) or page.numbers[at] != number:
                    return None
                return int(page.banks[at]), page.categories[int(page.codes[at])], page.ids[at]
        return None

    def banks_of(self, numbers: np.ndarray) -> np.ndarray:
        """(n,) int32 banks of these entries, all of which are known."""
        banks = np.zeros(len(numbers), np.int32)
        for page in self.pages:
            at = np.minimum(np.searchsorted(page.numbers, numbers), len(page.numbers) - 1)
            here = page.numbers[at] == numbers
            banks[here] = page.banks[at[here]]
        return banks
