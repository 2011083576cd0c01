"""CSV and its kin: wide form (a column per signal) or long form (a column of hashes, one of signals)."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from nightlamp.banks import text
from nightlamp.banks.layout import Layout, RowReader, categoriser, layout_of, quality_of
from nightlamp.banks.names import BARE, is_hex, known_signal
from nightlamp.banks.options import MAX_CATEGORY, MAX_ID, MAX_LINE, MAX_TEXT, ListOptions
from nightlamp.banks.profiles import profile_of
from nightlamp.banks.rows import BadRow, Cells, Piece
from nightlamp.errors import ListError

DELIMITERS = ",;\t|"
MOST_LINES = 50  # of one record, by line breaks within quotes; more is taken for a quote that never closes
_SAMPLE = 50
_OPEN = "a quote that never closes"


def read_table(
    path: Path, options: ListOptions, signals: Collection[str], *, lenient: bool = False
) -> Iterator[Piece]:
    """Pieces of the list.

    Args:
        path: the list.
        options: ``delimiter`` and ``columns`` are of use here.
        signals: names of the installed signals.
        lenient: take undecodable characters for unknown ones; for NSRL, whose file names are of no interest.

    Raises:
        ListError: no column of hashes can be told, or a column that the options name is missing.
    """
    sample = sample_lines(text.head(path))
    delimiter = options.delimiter or sniff_delimiter(sample) or ","
    rows = [row for row in csv.reader(sample, delimiter=delimiter) if row]
    layout, header = _layout(rows, path, options, signals)
    profile = profile_of(options)
    reader = RowReader(path, options, signals, categoriser(profile))
    width = len(rows[0])
    for numbers, cells, bad in _records(path, delimiter, width, lenient):
        piece = Piece(read=len(bad), bad=bad)
        if header and cells:
            header = False
            if cells[0] == rows[0]:
                numbers, cells = numbers[1:], cells[1:]
        simple = layout.value is None and profile is None and set(map(len, cells)) == {width}
        if not (simple and _by_columns(piece, numbers, cells, layout)):
            for number, row in zip(numbers, cells, strict=True):
                _by_row(piece, number, row, width, layout, reader)
        yield piece


def sample_lines(start: bytes) -> list[str]:
    """The first readable lines that are neither blank nor comments; one that may be cut off is left out."""
    raw = start.split(b"\n")
    found: list[str] = []
    for line in raw[:-1] if len(raw) > 1 and len(start) >= 1 << 15 else raw:
        try:
            row = text.decoded(line.removesuffix(b"\r"))
        except ValueError:
            continue
        if row and not row.isspace() and row[0] != "#":
            found.append(row)
        if len(found) == _SAMPLE:
            break
    return found


def sniff_delimiter(sample: Sequence[str]) -> str | None:
    """The delimiter by which nearly all lines fall into the same number of columns, two or more."""
    best: tuple[float, int, str] | None = None
    for delimiter in DELIMITERS:
        widths = Counter(len(row) for row in _safe_rows(sample, delimiter))
        if not widths:
            continue
        width, times = widths.most_common(1)[0]
        share = times / sum(widths.values())
        if width > 1 and share >= 0.8 and (best is None or (share, width) > best[:2]):
            best = share, width, delimiter
    return best[2] if best else None


def _safe_rows(sample: Sequence[str], delimiter: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(sample, delimiter=delimiter) if row]
    except csv.Error:
        return []


def _layout(
    rows: list[list[str]], path: Path, options: ListOptions, signals: Collection[str]
) -> tuple[Layout, bool]:
    """The layout, and whether the first row is a header."""
    if not rows:
        raise ListError("no row in the list", where=str(path), hint="a file with entries")
    first = [cell.strip() for cell in rows[0]]
    wanted = {column.strip().lower() for column in options.columns.values()}
    header = not any(is_hex(cell) for cell in first)
    if header:
        layout = layout_of(first, options, signals)
        missing = wanted - {cell.lower() for cell in first}
    else:
        numbers = [str(at) for at in range(1, len(first) + 1)]
        layout = layout_of(numbers, options, ())
        missing = wanted - set(numbers)
        if not layout:
            layout = _without_header(rows, layout, signals)
    if missing:
        names = ", ".join(repr(name) for name in sorted(missing))
        raise ListError(f"no column {names}", where=str(path), hint="check the mapping of columns")
    if not layout:
        raise ListError(
            "no column of hashes can be told",
            where=str(path),
            hint="map one, e.g. columns={'pdq': '<header>'}, or by its number where there is no header",
        )
    return layout, header


def _without_header(rows: list[list[str]], layout: Layout, signals: Collection[str]) -> Layout:
    """Columns by what stands in them: names of signals beside hashes, or hashes alone."""
    width = len(rows[0])
    full = [[cell.strip() for cell in row] for row in rows if len(row) == width]
    columns = list(zip(*full, strict=True))
    hashes = [at for at, cells in enumerate(columns) if sum(map(is_hex, cells)) * 2 > len(cells)]
    kinds = [
        at
        for at, cells in enumerate(columns)
        if at not in hashes and all(known_signal(c, signals) for c in cells)
    ]
    wide: tuple[tuple[str, int], ...] = ()
    kind: int | None = None
    value: int | None = None
    if kinds and hashes:
        kind, value = kinds[0], hashes[0]
    elif len(hashes) == 1:
        value = hashes[0]
    else:
        sizes = {at: Counter(map(len, columns[at])).most_common(1)[0][0] for at in hashes}
        if not all(size in BARE for size in sizes.values()):
            return layout  # several columns, not all of them plain to see: the mapping must say
        wide = tuple((BARE[size], at) for at, size in sizes.items())
    return Layout(wide, value, kind, False, layout.entry_id, layout.category, layout.quality)


Records = tuple[Sequence[int], list[list[str]], list[BadRow]]


def _records(path: Path, delimiter: str, width: int, lenient: bool) -> Iterator[Records]:
    """Line numbers and cells of records, and bad rows; comments and blank lines are left out."""
    held: list[tuple[int, str]] = []  # lines of a record whose quotes are open at a batch's end
    for first, batch in text.lines(path):
        bad: list[BadRow] = []
        lines = _decode_all(first, batch, bad, lenient)
        lines, held = held + lines, []
        try:
            rows = list(csv.reader([line for _, line in lines], delimiter=delimiter, strict=True))
        except csv.Error:
            rows = []
        if len(rows) == len(lines):
            numbers = [number for number, _ in lines]
        else:
            numbers, rows, held = _one_by_one(lines, delimiter, width, bad)
        yield numbers, rows, bad
    bad = []
    numbers, rows, _ = _one_by_one(held, delimiter, width, bad, last=True)
    yield numbers, rows, bad


def _decode_all(
    first: int, batch: list[bytes | None], bad: list[BadRow], lenient: bool
) -> list[tuple[int, str]]:
    lines: list[tuple[int, str]] = []
    for number, raw in enumerate(batch, first):
        try:
            line = (
                raw.decode("utf-8", "replace") if lenient and raw and b"\0" not in raw else text.decoded(raw)
            )
        except ValueError as why:
            bad.append(BadRow(number, str(why)))
            continue
        if line and not line.isspace() and line[0] != "#":
            lines.append((number, line))
    return lines


def _one_by_one(
    lines: list[tuple[int, str]], delimiter: str, width: int, bad: list[BadRow], last: bool = False
) -> tuple[list[int], list[list[str]], list[tuple[int, str]]]:
    """Records that may span lines.

    A quote that never closes costs its own line, not the rest of the list: a line that is a row in its own
    right is never taken for the rest of the row before.
    """
    numbers: list[int] = []
    rows: list[list[str]] = []
    at = 0
    while at < len(lines):
        number, record = lines[at]
        used = 1
        row = _row(record, delimiter)
        if row == _OPEN:
            while record.count('"') % 2 and used < MOST_LINES and len(record) < MAX_LINE:
                if at + used == len(lines):
                    if not last:
                        return numbers, rows, lines[at:]
                    break
                line = lines[at + used][1]
                if _columns(line, delimiter) == width:
                    break
                record += "\n" + line
                used += 1
            row = _row(record, delimiter)
        if isinstance(row, str):
            bad.append(BadRow(number, row))
            used = 1
        else:
            numbers.append(number)
            rows.append(row)
        at += used
    return numbers, rows, []


def _columns(line: str, delimiter: str) -> int:
    """How many columns the line has if it is taken for a row."""
    try:
        return len(next(csv.reader([line], delimiter=delimiter)))
    except csv.Error:
        return 0


def _row(record: str, delimiter: str) -> list[str] | str:
    """The record's cells, or why it has none."""
    try:
        return next(csv.reader([record], delimiter=delimiter, strict=True))
    except csv.Error as error:
        if "end of data" in str(error):
            return _OPEN
        return "a cell of absurd length" if "limit" in str(error) else "a quote out of place"


def _by_columns(piece: Piece, numbers: Sequence[int], rows: list[list[str]], layout: Layout) -> bool:
    """The fast way, for the wide form: whole columns at once; ``False`` if a row needs a closer look."""
    columns = {at: [row[at].strip() for row in rows] for at in layout.columns()}
    hashes = [columns[at] for _, at in layout.signals]
    ids = columns[layout.entry_id] if layout.entry_id is not None else None
    if len({signal for signal, _ in layout.signals}) < len(layout.signals):
        return False
    if any(min(map(len, column)) < 8 or max(map(len, column)) > MAX_TEXT for column in hashes):
        return False
    if ids is not None and max(map(len, ids)) > MAX_ID:
        return False
    categories = columns[layout.category] if layout.category is not None else None
    if categories is not None and max(map(len, categories)) > MAX_CATEGORY:
        return False
    piece.read += len(rows)
    qualities = [quality_of(cell) for cell in columns[layout.quality]] if layout.quality is not None else None
    for (signal, _), column in zip(layout.signals, hashes, strict=True):
        piece.cells[signal] = Cells(numbers, column, ids, categories, qualities)
    return True


def _by_row(piece: Piece, number: int, row: list[str], width: int, layout: Layout, reader: RowReader) -> None:
    piece.read += 1
    if (len(row) > width and any(cell.strip() for cell in row[width:])) or len(row) <= max(layout.columns()):
        piece.bad.append(BadRow(number, f"{len(row)} columns instead of {width}"))
    else:
        reader.take(piece, number, layout, [cell.strip() for cell in row])
