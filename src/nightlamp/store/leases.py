"""Work in a table that several nodes share: whoever takes a row has it until its lease ends.

A node whose clock is wrong may take a row that another still works on. Whoever finishes a row checks, in the
transaction that says so, that the lease is still its own: the slower one's work is then thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, or_, select, true, update

from nightlamp.store.ids import new_id

FARTHEST = timedelta(days=2)  # longer than any wait between two attempts


def take(
    connection: Connection,
    table: Table,
    *,
    now: datetime,
    seconds: float,
    limit: int,
    where: ColumnElement[bool] | None = None,
    farthest: timedelta = FARTHEST,
    renewed: float = 0.0,
) -> Sequence[Row[Any]]:
    """Take up to ``limit`` rows that are due and free; each then has a ``lease`` of its own.

    A time further ahead than anybody sets one was set by a clock that was ahead: it has come too.
    ``renewed``: seconds for which whoever has a row may renew its lease, if more than ``seconds``.
    """
    t = table.c
    far = t.lease_until > now + timedelta(seconds=2 * max(seconds, renewed))
    free = or_(t.lease.is_(None), t.lease_until < now, far)
    come = or_(t.due <= now, t.due > now + farthest)
    due = select(t.id).where(come, free, where if where is not None else true())
    ids = list(connection.scalars(due.order_by(t.due).limit(limit).with_for_update(skip_locked=True)))
    if not ids:
        return ()
    values = {"lease": new_id(), "lease_until": now + timedelta(seconds=seconds)}
    taken = update(table).where(t.id.in_(ids)).values(values).returning(table)
    return connection.execute(taken).all()
