"""What stands in a list: rows for people (``Entry``, ``BadRow``), columns for speed (``Piece``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from nightlamp.banks.options import MAX_CATEGORY, MAX_ID, MAX_TEXT


@dataclass(frozen=True, slots=True)
class Entry:
    """One fingerprint of a list.

    Args:
        signal: the signal's name.
        value: canonical bytes; of a signal that is not installed, the list's own text in UTF-8.
        entry_id: the source's id, or ``"row 12"``.
        category: the list's own, in our words; ``""`` if it gives none, and the bank's counts.
        quality: of the fingerprint, if the list gives it.
        row: number of its line (of its object in JSON, of its record in SQLite), from 1.
        parsed: ``False`` if the signal is not installed, so that nobody could check the value.
    """

    signal: str
    value: bytes = field(repr=False)
    entry_id: str = field(repr=False)
    category: str = ""
    quality: int | None = None
    row: int = 0
    parsed: bool = True


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row, or one hash of it, that could not be read.

    Args:
        row: number of its line (of its object in JSON, of its record in SQLite), from 1.
        reason: why; never quotes the row.
    """

    row: int
    reason: str


@dataclass(slots=True, repr=False)
class Cells:
    """The texts of one signal in a piece of a list; all columns are as long as ``rows``, or absent."""

    rows: Sequence[int]
    texts: list[str]
    ids: list[str] | None = None  # "" stands for "row N"
    categories: list[str] | None = None
    qualities: list[int | None] | None = None


@dataclass(slots=True, repr=False)
class Piece:
    """A piece of a list as the readers give it: texts that nobody has parsed yet, by signal."""

    read: int = 0  # rows, without blank lines and comments
    cells: dict[str, Cells] = field(default_factory=dict)
    bad: list[BadRow] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)

    def add(
        self,
        row: int,
        signal: str,
        text: str,
        entry_id: str = "",
        category: str = "",
        quality: int | None = None,
    ) -> None:
        """Take one hash; a hash or an id of absurd length is a bad row."""
        if len(text) > MAX_TEXT or len(entry_id) > MAX_ID:
            self.bad.append(BadRow(row, f"a {'value' if len(text) > MAX_TEXT else 'id'} of absurd length"))
            return
        cells = self.cells.get(signal)
        if cells is None:
            cells = self.cells[signal] = Cells([], [], [], [], [])
        assert isinstance(cells.rows, list)
        cells.rows.append(row)
        cells.texts.append(text)
        for column, value in ((cells.ids, entry_id), (cells.categories, category[:MAX_CATEGORY])):
            assert column is not None
            column.append(value)
        assert cells.qualities is not None
        cells.qualities.append(quality)
