"""The PDQ prints of items that are in cases, in memory: what a new item looks like, compared exactly.

50 bytes for each picture or frame. Those of all open cases are here, and of the decided ones the newest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Connection, Engine, func, select

from nightlamp.cases.records import WAITING
from nightlamp.cases.tables import case_item, case_print, review_case
from nightlamp.store import reading

if TYPE_CHECKING:
    import numpy as np

SIGNAL = "pdq"
MOST = 250_000  # prints before those of the oldest decided cases are let go
SAME_VIDEO = 0.8  # so much of the frames of either must be in the other
_PAGE = 10_000
_P = case_print.c
_COLUMNS = (_P.id, _P.item, _P.value, _P.of)


@dataclass(frozen=True, slots=True)
class Similar:
    """An item that looks like a new one, and by how many bits it differs."""

    item: str
    distance: int


class Prints:
    """Follows the table, whose rows are numbered in the order of their commits: who writes them is alone.

    Args:
        most: prints kept, as far as there are decided ones to let go.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._stills, self._frames = _Rows(), _Rows()
        self._last = 0
        self._sure = (0, 0, 0)

    def load(self, engine: Engine) -> None:
        """Read what is committed, before the transaction that needs it: the first time takes a while."""
        self.rewind()
        if len(self) > self._most:
            self._stills, self._frames, self._last = _Rows(), _Rows(), 0
        if not self._last:
            with reading(engine) as connection:
                self._load_first(connection)
        more = True
        while more:
            with reading(engine) as connection:
                more = self.follow(connection) == _PAGE
        self._sure = (self._last, len(self._stills), len(self._frames))

    def rewind(self) -> None:
        """Forget what was read in a transaction that may not have been committed."""
        self._last, stills, frames = self._sure
        self._stills.cut(stills)
        self._frames.cut(frames)

    def follow(self, connection: Connection) -> int:
        """Read what is new, this transaction's own too; how much it was, at most a page."""
        query = select(*_COLUMNS).where(_P.signal == SIGNAL, _P.id > self._last).order_by(_P.id)
        rows = connection.execute(query.limit(_PAGE)).all()
        self.add(rows)
        self._last = rows[-1].id if rows else self._last
        return len(rows)

    def similar(self, values: Sequence[bytes], radius: int) -> list[Similar]:
        """The items that look like ``values``, the closest first.

        Of one value: pictures within ``radius``. Of several, the frames of something that moves: what has
        most of them too, and little else.
        """
        import numpy as np

        if len(values) == 1:
            rows, far = self._stills.near(values[0], radius)
            order = np.argsort(far, kind="stable")
            return [Similar(self._stills.item(rows[at]), int(far[at])) for at in order]
        found: dict[bytes, tuple[set[int], set[int], int, int]] = {}
        for query, value in enumerate(values):
            rows, far = self._frames.near(value, radius)
            for row, distance in zip(rows.tolist(), far.tolist(), strict=True):
                key = self._frames.items[row].tobytes()
                mine, theirs, least, of = found.get(key, (set(), set(), distance, self._frames.of[row]))
                found[key] = (mine | {query}, theirs | {row}, min(least, distance), of)
        same = [
            Similar(str(UUID(bytes=key)), least)
            for key, (mine, theirs, least, of) in found.items()
            if len(mine) >= SAME_VIDEO * len(values) and len(theirs) >= SAME_VIDEO * of
        ]
        return sorted(same, key=lambda each: each.distance)

    def add(self, rows: Iterable[Any]) -> None:
        """Take rows of the table: item, value, of."""
        for row in rows:
            if len(row.value) == 32:
                (self._stills if row.of == 1 else self._frames).add(bytes(row.value), row.item, row.of)

    def __len__(self) -> int:
        """How many prints."""
        return len(self._stills) + len(self._frames)

    def _load_first(self, connection: Connection) -> None:
        """Those of cases that are not decided, then of the others as many as there is room for."""
        end = int(connection.scalar(select(func.max(_P.id))) or 0)
        mine = select(*_COLUMNS).where(_P.signal == SIGNAL, _P.id <= end)
        mine = mine.join(case_item, case_item.c.item == _P.item)
        mine = mine.join(review_case, review_case.c.id == case_item.c.case)
        paged = connection.execution_options(yield_per=_PAGE)
        for some in paged.execute(mine.where(WAITING)).partitions():
            self.add(some)
        room = max(self._most // 2 - len(self), 0)
        for some in paged.execute(mine.where(~WAITING).order_by(_P.id.desc()).limit(room)).partitions():
            self.add(some)
        self._last = end


class _Rows:
    """Arrays that grow by doubling."""

    def __init__(self) -> None:
        import numpy as np

        self._n = 0
        self.values: np.ndarray = np.empty((1024, 4), np.uint64)
        self.items: np.ndarray = np.empty((1024, 2), np.uint64)  # UUIDs
        self.of: np.ndarray = np.empty(1024, np.int16)

    def add(self, value: bytes, item: str, of: int) -> None:
        import numpy as np

        if self._n == len(self.of):
            for name in ("values", "items", "of"):
                old = getattr(self, name)
                setattr(self, name, np.concatenate([old, np.empty_like(old)]))
        self.values[self._n] = np.frombuffer(value, np.uint64)
        self.items[self._n] = np.frombuffer(UUID(item).bytes, np.uint64)
        self.of[self._n] = of
        self._n += 1

    def cut(self, length: int) -> None:
        self._n = min(self._n, length)

    def near(self, value: bytes, radius: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows within ``radius`` of ``value``, and their distances."""
        import numpy as np

        different = self.values[: self._n] ^ np.frombuffer(value, np.uint64)
        far = np.bitwise_count(different).sum(axis=1, dtype=np.int32)
        rows = np.flatnonzero(far <= radius)
        return rows, far[rows]

    def item(self, row: int) -> str:
        return str(UUID(bytes=self.items[row].tobytes()))

    def __len__(self) -> int:
        return self._n
