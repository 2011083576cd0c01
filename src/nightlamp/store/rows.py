"""Many rows into one table, as cheaply as the driver takes them.

SQLAlchemy binds each row by itself, which takes longer than SQLite takes to store it. Here the statement is
written once for each kind of database, and values are converted column by column, by the column's own type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import JSON, Connection, Table
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

_Convert = Callable[[Any], Any]


class Rows:
    """``INSERT`` into ``table``: every column of ``columns``, by default all of them."""

    def __init__(self, table: Table, columns: Sequence[str] | None = None) -> None:
        self._table = table
        self._columns = tuple(columns) if columns is not None else tuple(table.c.keys())
        self._made: dict[str, tuple[str, tuple[_Convert | None, ...]]] = {}

    def add(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert ``rows``, each with every column by name; none is fine.

        Raises:
            KeyError: a row lacks a column.
            DBAPIError: as for ``Connection.execute``.
        """
        if not rows:
            return
        dialect = connection.dialect
        made = self._made.get(dialect.name)
        if made is None:
            made = self._made[dialect.name] = self._prepared(dialect)
        statement, converts = made
        columns = []
        for name, convert in zip(self._columns, converts, strict=True):
            values = [row[name] for row in rows]
            columns.append(values if convert is None else map(convert, values))
        connection.exec_driver_sql(statement, list(zip(*columns, strict=True)))

    def _prepared(self, dialect: Dialect) -> tuple[str, tuple[_Convert | None, ...]]:
        write = dialect.identifier_preparer
        of = [self._table.c[name] for name in self._columns]
        names = ", ".join(write.format_column(column) for column in of)
        marks = ", ".join(["?" if dialect.paramstyle == "qmark" else "%s"] * len(of))
        statement = f"INSERT INTO {write.format_table(self._table)} ({names}) VALUES ({marks})"  # noqa: S608
        converts = tuple(_convert(column.type, dialect) for column in of)
        return statement, converts


def _convert(kind: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    """How values of a type are bound; None: as they are."""
    convert: _Convert | None = kind.dialect_impl(dialect).bind_processor(dialect)
    if convert is None or not isinstance(kind, JSON):
        return convert
    every = convert
    nothing: dict[type, Any] = {list: every([]), dict: every({})}  # most of the JSON in an item's rows
    return lambda value: every(value) if value or type(value) not in nothing else nothing[type(value)]
