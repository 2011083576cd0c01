"""What changed in a bank since a place in its history, in pages: for those who follow it.

A place is where the last page ended, by number for what was added, by generation and number for what was
removed or flagged since. Each row comes in its newest state; rows that change meanwhile come again, later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select

from nightlamp.banks.live.counter import Mark, current_mark, is_past
from nightlamp.banks.live.tables import bank_entry
from nightlamp.errors import BankError

Step = tuple[int, int]  # generation, entry


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a bank's history.

    Args:
        mark: where the whole database stood then.
        added: the last entry that was read of those added.
        removed, flagged: the last one of those removed, or flagged, since reading began.
    """

    mark: Mark
    added: int
    removed: Step
    flagged: Step

    @classmethod
    def beginning(cls, mark: Mark) -> Self:
        """Before the first entry; what was removed or flagged until now shows in the rows themselves."""
        return cls(mark, 0, (mark.generation, 2**62), (mark.generation, 2**62))

    def text(self) -> str:
        """For whoever follows; opaque to them."""
        numbers = (self.mark.generation, self.added, *self.removed, *self.flagged)
        return ".".join((self.mark.database, self.mark.token, *map(str, numbers)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of ``text``.

        Raises:
            ValueError: it is none.
        """
        database, token, *rest = text.split(".")
        if len(rest) != 6 or not all(part.isascii() and part.isdigit() and len(part) < 20 for part in rest):
            raise ValueError("not a place in a bank's history")
        generation, added, *steps = map(int, rest)
        mark = Mark(database, generation, token, 0)
        return cls(mark, added, (steps[0], steps[1]), (steps[2], steps[3]))


@dataclass(frozen=True, slots=True)
class Changes:
    """A page of changes.

    Args:
        rows: of ``bank_entry``, each in its newest state.
        place: behind them.
        more: whether there may be more at once.
    """

    rows: Sequence[Row[Any]] = field(repr=False)
    place: Place
    more: bool


def page_changes(
    connection: Connection, number: int, place: Place | None, *, limit: int, owners: bool
) -> Changes:
    """The changes of bank ``number`` behind ``place``.

    Args:
        connection: whose reads are of one moment.
        number: the bank's.
        place: of the page before; ``None`` for the first.
        limit: rows at most.
        owners: also of entries that feeds keep.

    Raises:
        BankError: this database was never at that place.
    """
    mark = current_mark(connection)
    if place is None:
        place = Place.beginning(mark)
    elif not is_past(connection, place.mark):
        raise BankError("not a place in this bank's history", hint="begin anew")
    e = bank_entry.c
    mine = e.bank == number if owners else and_(e.bank == number, e.owner == 0)

    def read(where: ColumnElement[bool], *order: ColumnElement[Any]) -> list[Row[Any]]:
        left = limit - len(rows)
        if left <= 0:
            return []
        return list(connection.execute(select(bank_entry).where(mine, where).order_by(*order).limit(left)))

    rows: list[Row[Any]] = []
    added = read(and_(e.id > place.added, e.removed_generation.is_(None)), e.id)
    rows += added
    removed = read(_behind(e.removed_generation, place.removed), e.removed_generation, e.id)
    rows += removed
    flagged = read(_behind(e.flagged_generation, place.flagged), e.flagged_generation, e.id)
    rows += flagged
    return Changes(
        rows,
        Place(
            mark,
            added[-1].id if added else place.added,
            (removed[-1].removed_generation, removed[-1].id) if removed else place.removed,
            (flagged[-1].flagged_generation, flagged[-1].id) if flagged else place.flagged,
        ),
        len(rows) >= limit,
    )


def _behind(column: ColumnElement[Any], step: Step) -> ColumnElement[bool]:
    return or_(column > step[0], and_(column == step[0], bank_entry.c.id > step[1]))
