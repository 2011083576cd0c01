"""The database: one engine, one schema, one way to write durably.

Promises: a transaction that has committed survives kill -9 and power loss; times are UTC and come back
with their zone; errors and reprs show no parameters. Takes a SQLAlchemy URL of SQLite (a file) or
PostgreSQL (psycopg 3). Gives ``Connection``s in a transaction: ``engine.begin()`` to write,
``reading(engine)`` to read a snapshot, and ``Writer`` for many small writes that share one commit. Must
never hold content in clear.

Tables are declared in each part's ``tables.py`` on ``metadata``; migrations are in ``store/migrations``.
"""

from nightlamp.store.clock import Clock, utc_now
from nightlamp.store.engine import connect, reading
from nightlamp.store.ids import new_id
from nightlamp.store.migrate import Schema, schema, upgrade
from nightlamp.store.tables import UtcDateTime, metadata
from nightlamp.store.writer import Writer

__all__ = [
    "Clock",
    "Schema",
    "UtcDateTime",
    "Writer",
    "connect",
    "metadata",
    "new_id",
    "reading",
    "schema",
    "upgrade",
    "utc_now",
]
