"""Many rows into one table, as cheaply as the driver takes them.

SQLAlchemy binds each row by itself, which takes longer than SQLite takes to store it. Here the statement is
written once for each kind of database, and values are converted column by column, by the column's own type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.engine import Dialect

from nightlamp.store.direct import Convert, conversion, execute_many


class Rows:
    """``INSERT`` into ``table``: every column of ``columns``, by default all of them."""

    def __init__(self, table: Table, columns: Sequence[str] | None = None) -> None:
        self._table = table
        self._columns = tuple(columns) if columns is not None else tuple(table.c.keys())
        self._made: dict[str, tuple[str, tuple[Convert | None, ...]]] = {}

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
        execute_many(connection, statement, list(zip(*columns, strict=True)))

    def _prepared(self, dialect: Dialect) -> tuple[str, tuple[Convert | None, ...]]:
        write = dialect.identifier_preparer
        of = [self._table.c[name] for name in self._columns]
        names = ", ".join(write.format_column(column) for column in of)
        marks = ", ".join(["?" if dialect.paramstyle == "qmark" else "%s"] * len(of))
        statement = f"INSERT INTO {write.format_table(self._table)} ({names}) VALUES ({marks})"  # noqa: S608
        converts = tuple(conversion(column.type, dialect) for column in of)
        return statement, converts
