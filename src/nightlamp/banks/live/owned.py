"""Entries that a feed keeps in step with its source: each belongs to one owner, and no other touches it.

Rows are the reference counts: a value that two feeds name, or one feed under two keys, is two rows, and
matches as long as one of them is in force.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, insert, select, update

from nightlamp.audit import append
from nightlamp.banks.live.counter import next_generation
from nightlamp.banks.live.entries import MOST, batches, bury
from nightlamp.banks.live.tables import bank_entry
from nightlamp.errors import BankError
from nightlamp.store.clock import utc_now


class Value(NamedTuple):
    """A fingerprint of a wanted entry: canonical bytes, or (``parsed`` false) a list's own text."""

    signal: str
    value: bytes
    parsed: bool

    def __repr__(self) -> str:
        """Never shows the value."""
        return f"Value({self.signal!r}, …)"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one of the source's ids should stand for from now on.

    Args:
        values: no two the same; none: nothing of it stays in force.
        category: ``""`` is the bank's.
        disputed: its matches say so.
    """

    values: Sequence[Value] = field(default=(), repr=False)
    category: str = ""
    disputed: bool = False


GONE = Wanted()


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of ``set_owned``: how many entries were added, replaced (same value, another category),
    removed and flagged; how many of the replaced and flagged are disputed now or have left their category
    (``weakened``); ``generation`` puts it in force, and is 0 if there was nothing to do."""

    generation: int = 0
    added: int = 0
    replaced: int = 0
    removed: int = 0
    flagged: int = 0
    weakened: int = 0


def set_owned(
    connection: Connection,
    number: int,
    owner: int,
    wanted: Mapping[str, Wanted],
    *,
    actor: str,
    fresh: Collection[str] = frozenset(),
    now: datetime | None = None,
) -> Kept:
    """Bring what ``owner`` keeps in bank ``number`` under some of the source's ids to what is wanted.

    In the caller's transaction, with one generation and one audit record for everything. Of what stands under
    other ids, or belongs to another owner, nothing is touched. The caller checks values, ids and categories.

    Args:
        connection: in a transaction that may write.
        number: the bank's.
        owner: a feed's number.
        wanted: by the source's id.
        actor: for the audit.
        fresh: ids of which it is known that the owner keeps nothing under them.
        now: by default the wall clock.

    Raises:
        BankError: more than ``MOST`` values at once.
    """
    if sum(len(each.values) for each in wanted.values()) > MOST:
        raise BankError(f"more than {MOST:,} entries in one change", hint="several changes")
    present = owned_rows(connection, number, owner, [key for key in wanted if key not in fresh])
    buried: list[int] = []
    flags: dict[bool, list[int]] = {True: [], False: []}
    missing: list[tuple[str, Wanted, Value]] = []
    replaced = weakened = 0
    for key, each in wanted.items():
        held = present.get(key)
        if not held:
            missing += [(key, each, value) for value in each.values]
            continue
        left = {(row.signal, row.value): row for row in held}
        for value in each.values:
            row = left.pop((value.signal, value.value), None)
            weakened += row is not None and weakens(row, each)
            if row is not None and row.category == each.category:
                if row.disputed != each.disputed:
                    flags[each.disputed].append(row.id)
                continue
            missing.append((key, each, value))
            if row is not None:
                buried.append(row.id)
                replaced += 1
        buried += [row.id for row in left.values()]
    if not (buried or missing or flags[True] or flags[False]):
        return Kept()
    now = now or utc_now()
    mark = next_generation(connection, len(missing), at=now)
    bury(connection, buried, mark.generation, now)
    e = bank_entry.c
    for disputed, ids in flags.items():
        for some in batches(ids):
            change = update(bank_entry).where(e.id.in_(some))
            connection.execute(change.values(disputed=disputed, flagged_generation=mark.generation))
    _put(connection, number, owner, missing, mark.last_entry - len(missing) + 1, mark.generation, now)
    flagged = len(flags[True]) + len(flags[False])
    kept = Kept(mark.generation, len(missing) - replaced, replaced, len(buried) - replaced, flagged, weakened)
    details = {"added": kept.added, "replaced": replaced, "removed": kept.removed, "flagged": flagged}
    append(connection, actor, "banks.synced", f"bank:{number}", {"generation": mark.generation, **details})
    return kept


def weakens(row: Any, wanted: Wanted) -> bool:
    """Whether an entry in force would be disputed that was not, or leave its category."""
    return bool(wanted.disputed > row.disputed or (row.category and row.category != wanted.category))


def owned_rows(
    connection: Connection, number: int, owner: int, source_ids: Collection[str]
) -> dict[str, list[Any]]:
    """Rows in force that ``owner`` keeps under these ids: id, signal, value, category, disputed."""
    e = bank_entry.c
    columns = select(e.source_id, e.id, e.signal, e.value, e.category, e.disputed)
    alive = and_(e.bank == number, e.owner == owner, e.removed_generation.is_(None))
    found: dict[str, list[Any]] = {}
    for some in batches(source_ids):
        for row in connection.execute(columns.where(alive, e.source_id.in_(some))):
            found.setdefault(row.source_id, []).append(row)
    return found


def _put(
    connection: Connection,
    number: int,
    owner: int,
    missing: Sequence[tuple[str, Wanted, Value]],
    first: int,
    generation: int,
    now: datetime,
) -> None:
    if not missing:
        return
    rows = [
        {
            "id": at,
            "bank": number,
            "signal": value.signal,
            "value": value.value,
            "source_id": key,
            "category": each.category,
            "parsed": value.parsed,
            "owner": owner,
            "added_at": now,
            "added_generation": generation,
            "disputed": each.disputed,
        }
        for at, (key, each, value) in enumerate(missing, first)
    ]
    connection.execute(insert(bank_entry), rows)
