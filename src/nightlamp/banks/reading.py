"""A list file → its entries, in pieces: the one way in, for inspection and for catalogs alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from os import PathLike
from pathlib import Path

from nightlamp.banks.json_rows import read_json, read_json_lines
from nightlamp.banks.names import known_signal
from nightlamp.banks.nsrl import read_nsrl_sqlite, read_nsrl_text
from nightlamp.banks.options import Format, ListOptions
from nightlamp.banks.parsing import Batch, Parsed, parse
from nightlamp.banks.plain import read_plain
from nightlamp.banks.rows import BadRow, Entry, Piece
from nightlamp.banks.sniff import sniff
from nightlamp.banks.table import read_table
from nightlamp.banks.vics import read_vics
from nightlamp.errors import ListError
from nightlamp.signals import Signal, installed

Reader = Callable[[Path, ListOptions, Collection[str]], Iterator[Piece]]
_READERS: Mapping[Format, Reader] = {
    "plain": read_plain,
    "csv": read_table,
    "jsonl": read_json_lines,
    "json": read_json,
    "vics": read_vics,
    "nsrl": read_nsrl_text,
    "nsrl-sqlite": read_nsrl_sqlite,
}
BAD_ROWS_KEPT = 100  # all are counted; the first ones are named


class Reading:
    """One pass over a list. Iterate to the end; then the counts are complete.

    Attributes:
        path, format: of the list.
        rows: rows read, without blank lines and comments.
        entries: entries by signal, installed or not.
        bad, bad_rows: how many bad rows, and the first of them.
        ignored: rows that are no hits, by reason.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        options: ListOptions | None = None,
        signals: Mapping[str, Signal] | None = None,
    ) -> None:
        """Sniff the format.

        Raises:
            ListError: the file cannot be read, is empty, or is packed.
        """
        self.path = Path(path)
        self.signals = installed() if signals is None else signals
        options = options or ListOptions()
        if options.signal is not None:
            name = known_signal(options.signal, self.signals) or options.signal.strip().lower()
            options = ListOptions(
                options.format, options.columns, name, options.profile, options.delimiter, options.strict
            )
        self.options = options
        self.format = sniff(self.path, self.options, self.signals)
        self.rows = 0
        self.entries: Counter[str] = Counter()
        self.bad = 0
        self.bad_rows: list[BadRow] = []
        self.ignored: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Parsed]:
        """The list in pieces.

        Raises:
            ListError: the list cannot be read; or, after its last piece, it has bad rows and is ``strict``.
        """
        unknown: set[str] = set()
        for piece in _READERS[self.format](self.path, self.options, self.signals):
            parsed = parse(piece, self.signals, unknown)
            self.rows += parsed.read
            self.bad += len(parsed.bad)
            self.bad_rows += parsed.bad[: BAD_ROWS_KEPT - len(self.bad_rows)]
            self.ignored.update(parsed.ignored)
            for batch in parsed.batches:
                self.entries[batch.signal] += len(batch)
            yield parsed
        if self.options.strict and self.bad:
            named = ", ".join(f"row {bad.row} ({bad.reason})" for bad in self.bad_rows[:10])
            more = " …" if self.bad > 10 else ""
            raise ListError(
                f"{self.bad:,} bad rows: {named}{more}",
                where=str(self.path),
                hint="correct them, or read without strict",
            )


def read_list(
    path: str | PathLike[str],
    options: ListOptions | None = None,
    *,
    signals: Mapping[str, Signal] | None = None,
) -> Iterator[Entry | BadRow]:
    """Stream a list's entries and bad rows, in the order of rows, in memory that does not grow with the file.

    Args:
        path: the list.
        options: what it does not say of itself.
        signals: by name; by default the installed ones.

    Raises:
        ListError: the list cannot be read; or, at its end, it has bad rows and ``options.strict`` is set.
    """
    for parsed in Reading(path, options, signals):
        found: list[tuple[int, int, Entry | BadRow]] = [(bad.row, 0, bad) for bad in parsed.bad]
        for order, batch in enumerate(parsed.batches, 1):
            found += [(entry.row, order, entry) for entry in entries_of(batch)]
        found.sort(key=lambda f: f[:2])
        for _, _, row in found:
            yield row


def entries_of(batch: Batch) -> Iterator[Entry]:
    """A batch's entries, one by one."""
    for at, row in enumerate(batch.rows.tolist()):
        if batch.values is not None:
            value = batch.values[at].tobytes()
        else:
            assert batch.texts is not None
            value = batch.texts[at].encode("utf-8", "surrogatepass")
        entry_id = batch.ids[at] if batch.ids is not None else ""
        yield Entry(
            batch.signal,
            value,
            entry_id or f"row {row}",
            batch.categories[at] if batch.categories is not None else "",
            batch.qualities[at] if batch.qualities is not None else None,
            row,
            batch.values is not None,
        )
