"""Engines for SQLite and PostgreSQL that behave the same, and say nothing secret in errors."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)

from nightlamp.errors import ConfigError, StoreError, UnavailableError

MODE = "nightlamp_mode"  # execution option: "read", or "alone" (SQLite: no other connection at all)
_POOL_SECONDS = 10.0  # for a connection to become free
_SQLITE_BEGIN = {"read": "BEGIN", "alone": "BEGIN EXCLUSIVE"}
_BUSY = (5, 6)  # SQLITE_BUSY, SQLITE_LOCKED
_SQLITE_ERROR, _SQLITE_FULL, _POSTGRES_FULL = 1, 13, "53100"


def connect(
    url: str, *, busy_seconds: float = 10.0, pool_size: int = 10, silence_seconds: float = 5.0
) -> Engine:
    """An engine for ``url``. Nothing is opened yet, but a SQLite file's folder is made.

    Args:
        url: ``sqlite:///path`` or ``postgresql://…`` (psycopg 3 is used).
        busy_seconds: how long one statement waits for another's lock before it fails.
        pool_size: connections kept open; as many again in a rush.
        silence_seconds: PostgreSQL: without an answer for so long, it is tried whether it answers at all.

    Raises:
        ConfigError: the URL is malformed, names another database, or a SQLite database in memory.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError(
            "not a database URL", where="database.url", hint="sqlite:////path/nightlamp.db"
        ) from None
    common: dict[str, Any] = {
        "hide_parameters": True,
        "pool_size": pool_size,
        "max_overflow": pool_size,
        "pool_timeout": _POOL_SECONDS,
    }
    backend = parsed.get_backend_name()
    try:
        if backend == "sqlite":
            engine = _sqlite(parsed, busy_seconds, common)
        elif backend == "postgresql":
            engine = _postgres(parsed, busy_seconds, silence_seconds, common)
        else:
            raise ConfigError(
                f"{backend} is not supported", where="database.url", hint="sqlite or postgresql"
            )
    except (NoSuchModuleError, ImportError):
        raise ConfigError(
            f"no driver for {parsed.drivername}", where="database.url", hint="postgresql+psycopg://…"
        ) from None
    event.listen(engine, "handle_error", _hide_values)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one snapshot throughout, cannot write, and holds up no writer."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            chosen = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        else:
            chosen = connection.execution_options(**{MODE: "read"})
        with chosen.begin():
            yield chosen


def in_transaction(connection: Connection) -> bool:
    """Whether the database itself is still in a transaction.

    SQLite undoes one by itself after some errors, and every statement after that would commit alone.
    """
    raw: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite":
        return bool(raw.in_transaction)
    return raw.info.transaction_status.name in ("INTRANS", "INERROR", "ACTIVE")


def said(error: DBAPIError, engine: Engine) -> StoreError:
    """``error`` as one of ours: no statement, no parameters."""
    kind, where = type(error.orig).__name__, engine.url.render_as_string(hide_password=True)
    if is_full(error):
        return UnavailableError("the database's disk is full", where=where, hint="free some space")
    if is_passing(error):
        return UnavailableError(
            f"the database does not answer ({kind})", where=where, hint="nightlamp config check"
        )
    return StoreError(f"the database refused ({kind})", where=where, hint="nightlamp db check")


def is_passing(error: DBAPIError) -> bool:
    """Whether the fault is the database's state, not the statement's: away, locked, restarting, full."""
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        # Serialization and deadlock, out of resources, shutting down, system error, lock not to be had.
        return state[:2] in ("40", "53", "57", "58", "08") or state == "55P03"
    wrong_sql = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == _SQLITE_ERROR
    return isinstance(error, OperationalError | InterfaceError) and not wrong_sql


def is_full(error: DBAPIError) -> bool:
    """Whether the database's disk is full."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code == _SQLITE_FULL or getattr(error.orig, "sqlstate", None) == _POSTGRES_FULL


def _sqlite(url: URL, busy_seconds: float, common: dict[str, Any]) -> Engine:
    if url.database in (None, "", ":memory:") or url.database.startswith("file:"):
        raise ConfigError(
            "SQLite needs a plain file", where="database.url", hint="sqlite:////path/nightlamp.db"
        )
    path = Path(url.database)
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": busy_seconds}, **common)

    def on_connect(raw: Any, _record: Any) -> None:
        raw.isolation_level = None  # we say BEGIN ourselves: pysqlite's own rules break savepoints
        _until_free(raw, "PRAGMA journal_mode = WAL", busy_seconds)
        for pragma in ("synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF"):
            raw.execute(f"PRAGMA {pragma}")

    def on_begin(connection: Connection) -> None:
        # IMMEDIATE: the write lock first, so that no transaction fails half-way for want of it.
        mode = connection.get_execution_options().get(MODE, "write")
        connection.exec_driver_sql(_SQLITE_BEGIN.get(mode, "BEGIN IMMEDIATE"))
        if mode == "read":
            connection.exec_driver_sql("PRAGMA query_only = ON")

    def on_commit(connection: Connection) -> None:
        if not in_transaction(connection):
            raise StoreError("the transaction ended before its commit: nothing that it still wrote counts")

    def on_return(raw: Any, _record: Any) -> None:
        if raw is not None:
            with suppress(Exception):
                raw.execute("PRAGMA query_only = OFF")

    def on_first(_dialect: Any, _record: Any, _arguments: Any, _options: Any) -> None:
        if not path.exists():  # WAL and shared-memory files take their mode from it
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

    event.listen(engine, "do_connect", on_first)
    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    event.listen(engine, "commit", on_commit)
    event.listen(engine, "checkin", on_return)
    return engine


def _until_free(raw: Any, statement: str, seconds: float) -> None:
    """Run ``statement``, waiting for a lock where SQLite's own busy timeout does not apply."""
    import sqlite3

    end = time.monotonic() + seconds
    while True:
        try:
            raw.execute(statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def _postgres(url: URL, busy_seconds: float, silence: float, common: dict[str, Any]) -> Engine:
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername != "postgresql+psycopg":
        raise NoSuchModuleError
    milliseconds = int(busy_seconds * 1000)
    options = f"-c timezone=UTC -c lock_timeout={milliseconds} -c synchronous_commit=on"
    # The server's side: it ends the session, and its locks, of a node that the network has cut off.
    options += " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
    given = url.query.get("options")
    arguments = {
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
        "application_name": "nightlamp",
        "options": f"{given} {options}" if isinstance(given, str) else options,
    }
    # Whatever the server's default is: a second look must see what was committed since the first.
    settled = {"isolation_level": "READ COMMITTED", "pool_pre_ping": True}
    engine = create_engine(url, connect_args=arguments, **settled, **common)

    def on_connect(_dialect: Any, _record: Any, given: Any, named: dict[str, Any]) -> Any:
        from nightlamp.store.silence import Watched

        return Watched.connect(*given, silence=silence, **named)

    event.listen(engine, "do_connect", on_connect)
    return engine


def hush(original: BaseException, shown: BaseException | None) -> None:
    """PostgreSQL's DETAIL quotes values ("Key (value)=(…) already exists"): keep the first line alone."""
    primary = getattr(getattr(original, "diag", None), "message_primary", None)
    if primary:
        original.args = (primary, *original.args[1:])
        if shown is not None:
            shown.args = (f"({type(original).__name__}) {primary}",)


def _hide_values(context: ExceptionContext) -> None:
    hush(context.original_exception, context.sqlalchemy_exception)
