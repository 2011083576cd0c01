"""The counter of changes: its row's lock puts all changes of all nodes into one order.

Whoever holds the lock keeps it to the end of the transaction, so generations are committed in their order:
who sees generation g sees everything up to g, and nothing later takes a smaller number.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from nightlamp.banks.live.tables import bank_change, bank_counter
from nightlamp.errors import StoreError
from nightlamp.store.clock import utc_now
from nightlamp.store.direct import Prepared

_GENERATION = Prepared(select(bank_counter.c.generation))


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment in a database's history of changes.

    Args:
        database: which one.
        generation: how many changes there had been.
        token: random, made with that change; a restored database that goes on has others.
        last_entry: the largest entry number given out.
    """

    database: str
    generation: int
    token: str
    last_entry: int


def next_generation(connection: Connection, entries: int = 0, *, at: datetime | None = None) -> Mark:
    """Take the next generation, and the numbers ``last_entry - entries + 1 … last_entry``.

    From here to the end of the transaction every other change waits: commit soon. Also for changes of other
    parts that nodes must notice (policies, keys).
    """
    token = secrets.token_hex(8)
    row = connection.execute(
        update(bank_counter)
        .values(
            generation=bank_counter.c.generation + 1,
            last_entry=bank_counter.c.last_entry + entries,
            token=token,
        )
        .returning(bank_counter.c.database, bank_counter.c.generation, bank_counter.c.last_entry)
    ).one_or_none()
    if row is None:
        raise _lost()
    shown = {"generation": row.generation, "token": token, "last_entry": row.last_entry}
    connection.execute(insert(bank_change).values(at=at or utc_now(), **shown))
    return Mark(row.database, row.generation, token, row.last_entry)


def current_mark(connection: Connection) -> Mark:
    """Where the database stands."""
    c = bank_counter.c
    row = connection.execute(select(c.database, c.generation, c.token, c.last_entry)).one_or_none()
    if row is None:
        raise _lost()
    return Mark(*row)


def current_generation(connection: Connection) -> int:
    """``current_mark``'s generation alone, which every item's transaction asks for."""
    found = _GENERATION.rows(connection)
    if not found:
        raise _lost()
    return int(found[0][0])


def is_past(connection: Connection, mark: Mark) -> bool:
    """Whether this database was once where ``mark`` says."""
    now = current_mark(connection)
    if mark.database != now.database or mark.generation > now.generation:
        return False
    if mark.generation == 0:
        return True
    stored = select(bank_change.c.token).where(bank_change.c.generation == mark.generation)
    return bool(connection.scalar(stored) == mark.token)


def last_entry_at(connection: Connection, generation: int) -> int:
    """The largest entry number that had been given out at that generation."""
    then = select(bank_change.c.last_entry).where(bank_change.c.generation == generation)
    return int(connection.scalar(then) or 0)


def _lost() -> StoreError:
    return StoreError("the counter of changes is gone", where="bank_counter", hint="restore the database")
