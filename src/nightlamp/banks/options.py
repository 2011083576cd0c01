"""How a list is to be read, and the limits that keep a hostile one cheap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from nightlamp.errors import ListError

Format = Literal["plain", "csv", "jsonl", "json", "vics", "nsrl", "nsrl-sqlite"]
FORMATS: tuple[Format, ...] = get_args(Format)

MAX_LINE = 1 << 20  # bytes; a longer line is one bad row, and is skipped without being held
MAX_TEXT = 1 << 16  # characters of one value; the largest inline hashes in the field have a few hundred
MAX_ID = 1 << 10  # characters of an entry's id
MAX_CATEGORY = 100  # characters; what is longer is cut, since a category is a word and no essay


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What the list does not say of itself. Everything may be left out; then it is sniffed from the content.

    Args:
        format: one of ``FORMATS``.
        columns: our word → the list's column (CSV header, JSON key with dots for nesting, or the column's
            number from 1 where there is no header). Our words: any signal's name, ``value`` and ``signal``
            (long form: a column of hashes and one that names their signal), ``id``, ``category``,
            ``quality``. Columns that are not named here are still found by their usual names.
        signal: the signal of bare hashes, where the list does not name it.
        profile: what the list's category numbers or words mean: ``"us"``, ``"uk"``, ``"canada"``, or a
            mapping of category → our category, ``None`` for "not a hit". Project VIC and CAID lists need one.
        delimiter: of a CSV list.
        strict: refuse a list that has bad rows.
    """

    format: Format | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    signal: str | None = None
    profile: str | Mapping[int | str, str | None] | None = None
    delimiter: str | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        """Refuse what no list can satisfy.

        Raises:
            ListError: an unknown format, or a delimiter of other than one character.
        """
        if self.format is not None and self.format not in FORMATS:
            raise ListError(f"no list format {self.format!r}", hint="one of " + ", ".join(FORMATS))
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n\0'):
            raise ListError("the delimiter must be one character", hint="one of , ; | or a tab")
