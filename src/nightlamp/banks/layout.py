"""Which column of a row is what: headers of a table, or keys of a JSON object."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nightlamp.banks.names import BARE, column_word, is_hex, known_signal, signal_name
from nightlamp.banks.options import ListOptions
from nightlamp.banks.profiles import Profile
from nightlamp.banks.rows import BadRow, Piece
from nightlamp.errors import ListError

_NOTHING = {"", "null", "none", "nan", "-", "n/a"}  # how exporters write an empty cell
_WORDS = ("value", "signal", "id", "category", "quality")
_NAMES_KEPT = 100
Categorise = Callable[[str], str]


class Ignored(Exception):  # noqa: N818 - not an error: the row is fine, but no hit
    """A row that is no hit; its text says why."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Column numbers from 0. ``signals``: wide form; ``value`` (and ``kind``): long form, or bare hashes.

    ``weak_kind``: the kind's column may speak of something else, and counts only where it names a signal.
    """

    signals: tuple[tuple[str, int], ...] = ()
    value: int | None = None
    kind: int | None = None
    weak_kind: bool = False
    entry_id: int | None = None
    category: int | None = None
    quality: int | None = None

    def __bool__(self) -> bool:
        """Whether any column holds hashes."""
        return bool(self.signals) or self.value is not None

    def columns(self) -> list[int]:
        """Every column that is read."""
        others = (self.value, self.kind, self.entry_id, self.category, self.quality)
        return [at for _, at in self.signals] + [at for at in others if at is not None]


def layout_of(names: Sequence[str], options: ListOptions, signals: Collection[str]) -> Layout:
    """Find the columns by their names: first those that the options name, then by the field's usual names."""
    found: dict[str, int] = {}
    wide: list[tuple[str, int]] = []
    taken: set[int] = set()
    exact = {name: at for at, name in reversed(list(enumerate(names)))}
    loose = {name.strip().lower(): at for at, name in reversed(list(enumerate(names)))}
    for word, column in options.columns.items():
        at = exact.get(column, loose.get(column.strip().lower()))
        if at is None:
            continue
        taken.add(at)
        if word in _WORDS:
            found[word] = at
        else:
            wide.append((known_signal(word, signals) or word, at))
    for at, name in enumerate(names):
        if at in taken:
            continue
        signal, column_is = known_signal(name, signals), column_word(name)
        if signal is not None:
            wide.append((signal, at))
        elif column_is is not None:
            found.setdefault(column_is, at)
    value = found.get("value")
    weak = "signal" not in found
    kind = found.get("type" if weak else "signal") if value is not None else None
    others = (found.get(word) for word in ("id", "category", "quality"))
    return Layout(tuple(wide), value, kind, weak, *others)


def categoriser(profile: Profile | None) -> Categorise:
    """The list's category → ours; raises ``Ignored`` for no hit, ``ValueError`` for what no profile names."""
    if profile is None:
        return lambda text: text

    def categorise(text: str) -> str:
        if text in profile.hits:
            return profile.hits[text]
        if text in profile.ignored:
            raise Ignored(profile.ignored[text])
        raise ValueError("no category" if not text else "a category that the profile does not name")

    return categorise


def bare_signal(text: str, options: ListOptions, where: Path) -> str:
    """The signal of a hash that stands alone, by its length.

    Raises:
        ListError: the length fits several signals, and the options do not say which.
        ValueError: the length fits none.
    """
    if options.signal is not None:
        return options.signal
    if is_hex(text):
        if len(text) in BARE:
            return BARE[len(text)]
        if len(text) == 64:
            raise ListError(
                "hashes of 64 digits may be sha256 or pdq, and the list does not say which",
                where=str(where),
                hint="name the signal (signal='sha256' or signal='pdq')",
            )
    raise ValueError("not a hash, or of a signal that the list does not name")


@dataclass(frozen=True, slots=True)
class RowReader:
    """Rows of a given layout → hashes of a piece; what is wrong with a row is noted in the piece."""

    path: Path
    options: ListOptions
    signals: Collection[str]
    categorise: Categorise
    _names: dict[str, str | None] = field(default_factory=dict)  # what cells of long form call signals

    def take(self, piece: Piece, row: int, layout: Layout, cells: Sequence[str]) -> None:
        """Read one row; ``cells`` has at least as many columns as the layout reads."""
        try:
            category = self.categorise("" if layout.category is None else cells[layout.category])
        except Ignored as why:
            piece.ignored[str(why)] += 1
            return
        except ValueError as why:
            piece.bad.append(BadRow(row, str(why)))
            return
        entry_id = "" if layout.entry_id is None else cells[layout.entry_id]
        quality = None if layout.quality is None else quality_of(cells[layout.quality])
        found = False
        for signal, at in layout.signals:
            if cells[at].lower() not in _NOTHING:
                piece.add(row, signal, cells[at], entry_id, category, quality)
                found = True
        if layout.value is not None and cells[layout.value].lower() not in _NOTHING:
            try:
                signal = self._signal(layout, cells)
            except ValueError as why:
                piece.bad.append(BadRow(row, str(why)))
            else:
                piece.add(row, signal, cells[layout.value], entry_id, category, quality)
            found = True
        if not found:
            piece.bad.append(BadRow(row, "no hash in this row"))

    def _signal(self, layout: Layout, cells: Sequence[str]) -> str:
        assert layout.value is not None
        cell = "" if layout.kind is None else cells[layout.kind]
        if cell.lower() not in _NOTHING:
            if cell not in self._names:
                if len(self._names) == _NAMES_KEPT:
                    self._names.clear()
                name_of = known_signal if layout.weak_kind else signal_name
                self._names[cell] = name_of(cell, self.signals)
            name = self._names[cell]
            if name is not None:
                return name
            if not layout.weak_kind:
                raise ValueError("not the name of a signal")
        return bare_signal(cells[layout.value], self.options, self.path)


def quality_of(text: str) -> int | None:
    """A quality as a list writes it, or ``None``."""
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        return None
