"""NSRL reference data: v2 text and v3 SQLite. Known files, which is not the same as known good."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from nightlamp.banks.options import ListOptions
from nightlamp.banks.rows import BadRow, Cells, Piece
from nightlamp.banks.table import read_table
from nightlamp.errors import ListError

_DIGESTS = {"md5": 32, "sha1": 40, "sha256": 64}
_PER_PIECE = 50_000


def read_nsrl_text(path: Path, options: ListOptions, signals: Collection[str]) -> Iterator[Piece]:
    """Pieces of an ``NSRLFile.txt``, of either published form.

    Raises:
        ListError: it has no columns of hashes.
    """
    yield from read_table(path, options, signals, lenient=True)


def read_nsrl_sqlite(path: Path, _options: ListOptions, _signals: Collection[str]) -> Iterator[Piece]:
    """Pieces of an NSRL v3 database, read-only; rows are counted by record.

    Raises:
        ListError: it is damaged, still being written, or has neither ``FILE`` nor ``DISTINCT_HASH``.
    """
    for suffix in ("-wal", "-journal"):
        beside = path.with_name(path.name + suffix)
        if beside.exists() and beside.stat().st_size:
            raise ListError(
                "the database is still being written", where=str(path), hint="close it where it is open"
            )
    try:
        address = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as database:
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1 << 20)
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute("PRAGMA cell_size_check = ON")
            database.text_factory = lambda raw: raw.decode("utf-8", "replace")
            table, columns = _source(database, path)
            names = ", ".join(f'"{column}"' for column in columns)
            cursor = database.execute(f'SELECT {names} FROM "{table}"')  # noqa: S608 - names of ours
            first = 1
            while rows := cursor.fetchmany(_PER_PIECE):
                yield _piece(first, rows, list(columns))
                first += len(rows)
    except sqlite3.Error as error:
        raise ListError(
            f"the database cannot be read ({type(error).__name__})", where=str(path), hint="fetch it again"
        ) from None


def _source(database: sqlite3.Connection, path: Path) -> tuple[str, list[str]]:
    """``FILE`` where there is one (the view over it would sort it all), and its columns of digests."""
    found = dict(
        database.execute("SELECT upper(name), type FROM sqlite_master WHERE type IN ('table', 'view')")
    )
    for table in ("FILE", "DISTINCT_HASH"):
        if table in found and (found[table] == "table" or table == "DISTINCT_HASH"):
            there = {row[1].lower() for row in database.execute(f'PRAGMA table_info("{table}")')}
            columns = [name for name in _DIGESTS if name in there]
            if columns:
                return table, columns
    raise ListError(
        "neither a table FILE nor DISTINCT_HASH with digests", where=str(path), hint="an NSRL v3 database"
    )


def _piece(first: int, rows: list[tuple[object, ...]], columns: list[str]) -> Piece:
    piece = Piece(read=len(rows))
    for signal, column in zip(columns, zip(*rows, strict=True), strict=True):
        if all(isinstance(value, str) and value for value in column):
            piece.cells[signal] = Cells(range(first, first + len(rows)), list(column))
            continue
        for row, value in enumerate(column, first):
            if isinstance(value, str) and value:
                piece.add(row, signal, value)
            elif value is not None and value != "":
                piece.bad.append(BadRow(row, "a digest that is no text"))
    for row, values in enumerate(rows, first):
        if not any(values):
            piece.bad.append(BadRow(row, "no hash in this row"))
    return piece
