"""Statements that are run as the driver takes them: made once, and bound without SQLAlchemy's work each time.

For the few statements that every item needs; SQLAlchemy takes longer to run one than SQLite does. They are
part of the caller's transaction, and fail as SQLAlchemy's own do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import JSON, Connection
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.expression import ClauseElement
from sqlalchemy.types import TypeEngine

from nightlamp.store.engine import hush

Convert = Callable[[Any], Any]


class Prepared:
    """A statement without ``IN`` lists, whose parameters are named by ``bindparam``.

    What it gives is as the driver gives it: numbers, text and bytes, but for times.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._made: dict[str, tuple[str, tuple[tuple[str, Any, Convert | None], ...], bool]] = {}

    def run(self, connection: Connection, **values: Any) -> int:
        """Run it; how many rows it touched.

        Raises:
            DBAPIError: as for ``Connection.execute``.
        """
        return int(self._executed(connection, values).rowcount)

    def rows(self, connection: Connection, **values: Any) -> list[tuple[Any, ...]]:
        """Run it, for what it gives.

        Raises:
            DBAPIError: as for ``Connection.execute``.
        """
        cursor = self._executed(connection, values)
        with translated(connection, cursor):
            found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

    def _executed(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        dialect = connection.dialect
        made = self._made.get(dialect.name)
        if made is None:
            made = self._made[dialect.name] = self._prepared(dialect)
        text, parameters, by_place = made
        bound = []
        for name, default, convert in parameters:
            value = values.get(name, default)
            bound.append((name, value if convert is None else convert(value)))
        return execute(connection, text, tuple(value for _, value in bound) if by_place else dict(bound))

    def _prepared(self, dialect: Dialect) -> tuple[str, tuple[tuple[str, Any, Convert | None], ...], bool]:
        compiled: Any = self._statement.compile(dialect=dialect)
        by_place = bool(compiled.positional)
        names = compiled.positiontup if by_place else list(compiled.params)
        parameters = tuple(
            (name, compiled.params[name], conversion(compiled.binds[name].type, dialect)) for name in names
        )
        return str(compiled), parameters, by_place


def execute(connection: Connection, text: str, parameters: Any) -> Any:
    """The driver's cursor, after it has run ``text``."""
    cursor: Any = connection.connection.cursor()
    with translated(connection, cursor):
        cursor.execute(text, parameters)
    return cursor


def execute_many(connection: Connection, text: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run ``text`` once for each of ``rows``."""
    cursor: Any = connection.connection.cursor()
    with translated(connection, cursor):
        if len(rows) == 1:
            cursor.execute(text, rows[0])
        else:
            cursor.executemany(text, rows)


class translated:  # noqa: N801 (used as a function)
    """What the driver raises is raised as SQLAlchemy would: a ``DBAPIError`` of its kind, with no parameters.

    A class, as a generator would cost more than many a statement.
    """

    __slots__ = ("_connection", "_cursor")

    def __init__(self, connection: Connection, cursor: Any = None) -> None:
        self._connection = connection
        self._cursor = cursor

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        connection = self._connection
        driver = connection.dialect.loaded_dbapi
        if not isinstance(error, driver.Error):
            return
        gone = connection.dialect.is_disconnect(error, connection.connection.dbapi_connection, self._cursor)
        if gone:
            connection.invalidate(error)
        made = DBAPIError.instance(
            None,
            None,
            error,
            driver.Error,
            hide_parameters=True,
            connection_invalidated=gone,
            dialect=connection.dialect,
        )
        hush(error, made)
        raise made from None


@contextmanager
def together(connection: Connection) -> Iterator[None]:
    """On PostgreSQL, ``Prepared`` and ``Rows`` in here are sent without waiting for each one's answer.

    What fails may be raised by a later one, or at the end. Nothing else may use the connection in here.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    raw: Any = connection.connection.dbapi_connection
    failed: BaseException | None = None
    with translated(connection):
        try:
            with raw.pipeline():
                try:
                    yield
                except BaseException as error:  # noqa: BLE001 (raised below)
                    failed = error  # psycopg would log what fails besides, with its values
        except connection.dialect.loaded_dbapi.Error:
            if failed is None:
                raise
    if failed is not None:
        raise failed


def conversion(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    """How values of a type are bound; None: as they are."""
    convert: Convert | None = kind.dialect_impl(dialect).bind_processor(dialect)
    if convert is None or not isinstance(kind, JSON):
        return convert
    every = convert
    nothing: dict[type, Any] = {list: every([]), dict: every({})}  # most of the JSON in an item's rows
    return lambda value: every(value) if value or type(value) not in nothing else nothing[type(value)]
