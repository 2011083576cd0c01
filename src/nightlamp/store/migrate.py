"""Bringing the schema up to date, once, however many nodes start together.

All pending migrations run in one transaction under a lock: a PostgreSQL advisory lock, or SQLite's exclusive
transaction. The others wait, then find nothing to do. A crash leaves the schema as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from nightlamp.errors import StoreError
from nightlamp.store.engine import MODE, reading, said

if TYPE_CHECKING:
    from alembic.config import Config

_LOCK = 0x6E69676874  # "night": the advisory lock's number, the same on every node
_LOCK_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema's revision in the database (``""``: empty) and the one that this version brings."""

    found: str
    wanted: str

    @property
    def current(self) -> bool:
        """Nothing is to be done."""
        return self.found == self.wanted


def schema(engine: Engine) -> Schema:
    """Look at the schema, and change nothing.

    Raises:
        StoreError: the database's schema is not one that this version knows: it is newer.
        UnavailableError: the database does not answer.
    """
    try:
        with reading(engine) as connection:
            return _schema(connection)
    except DBAPIError as error:
        raise said(error, engine) from None


def upgrade(engine: Engine) -> Schema:
    """Run all pending migrations; give the schema as it was found.

    Raises:
        StoreError: the database's schema is newer than this version, or a migration failed.
        UnavailableError: the database does not answer, or another node holds the lock for ten minutes.
    """
    from alembic import command

    try:
        with engine.connect().execution_options(**{MODE: "alone"}) as connection, connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            found = _schema(connection)
            if not found.current:
                config = _config()
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
            return found
    except DBAPIError as error:
        raise said(error, engine) from error


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "nightlamp.store:migrations")
    return config


def _schema(connection: Connection) -> Schema:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_config())
    wanted = scripts.get_current_head() or ""
    found = ""
    if inspect(connection).has_table("alembic_version"):
        found = connection.scalar(text("SELECT version_num FROM alembic_version")) or ""
    if found and found not in {script.revision for script in scripts.walk_revisions()}:
        raise StoreError(
            f"the database's schema ({found}) is newer than this version of Nightlamp ({wanted})",
            where=connection.engine.url.render_as_string(hide_password=True),
            hint="install the version that wrote it, or a newer one; going back is not supported",
        )
    return Schema(found, wanted)
