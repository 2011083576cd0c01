"""Adding, removing, flagging and reading entries, each in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, and_, insert, select, update

from nightlamp.audit import append
from nightlamp.banks.live.counter import next_generation
from nightlamp.banks.live.editing import get_bank
from nightlamp.banks.live.tables import bank, bank_entry, in_force_by_number
from nightlamp.banks.rows import Entry
from nightlamp.errors import BankError
from nightlamp.signals import Signal, installed
from nightlamp.store.clock import utc_now
from nightlamp.values import Bank

MOST = 50_000  # entries of one change: every other change waits for it
PAGE = 1_000
_AT_ONCE = 5_000  # parameters of one statement
_CATEGORY, _SOURCE_ID = 100, 1024

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Added:
    """What came of adding entries.

    Args:
        generation: that puts them in force.
        added: were not there.
        replaced: were there with another category; the old row is a tombstone now.
        known: were there as they are.
    """

    generation: int
    added: int
    replaced: int
    known: int


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """One entry as it stands in the database; value and source's id are secrets."""

    id: int
    bank: int
    signal: str
    value: bytes = field(repr=False)
    source_id: str = field(repr=False)
    category: str
    parsed: bool
    disputed: bool
    list: int | None
    added_at: datetime
    removed_at: datetime | None


def add_entries(
    connection: Connection,
    number: int,
    entries: Sequence[Entry],
    *,
    actor: str,
    list_id: int | None = None,
    signals: Mapping[str, Signal] | None = None,
) -> Added:
    """Put entries into bank ``number``; those that are there already stay as they are.

    An entry is the same if bank, signal, value and the source's id are. Of several the first counts. What a
    feed keeps there is its own (``set_owned``): an entry that a person adds besides outlives the feed's.

    Args:
        connection: in a transaction that may write.
        number: the bank's.
        entries: at most ``MOST``.
        actor: for the audit.
        list_id: the import that they come from.
        signals: by name; by default the installed ones.

    Raises:
        BankError: there is no such bank, or an entry does not fit its signal or the bank; nothing was added.
    """
    stored = get_bank(connection, number)
    _check(stored.bank, entries, installed() if signals is None else signals)
    now = utc_now()
    mark = next_generation(connection, len(entries), at=now)  # the lock comes before the look
    wanted: dict[tuple[str, bytes, str], Entry] = {}
    for entry in entries:
        wanted.setdefault((entry.signal, entry.value, entry.entry_id), entry)
    present = _present(connection, number, entries)
    known = {k for k, entry in wanted.items() if k in present and present[k].category == entry.category}
    old = [present[key].id for key in wanted if key in present and key not in known]
    bury(connection, old, mark.generation, now)
    fresh = [entry for key, entry in wanted.items() if key not in known]
    first = mark.last_entry - len(entries) + 1
    rows = [
        {
            "id": first + at,
            "bank": number,
            "signal": entry.signal,
            "value": entry.value,
            "source_id": entry.entry_id,
            "category": entry.category,
            "parsed": entry.parsed,
            "list": list_id,
            "added_at": now,
            "added_generation": mark.generation,
            "disputed": False,
        }
        for at, entry in enumerate(fresh)
    ]
    if rows:
        connection.execute(insert(bank_entry), rows)
    added = Added(mark.generation, len(fresh) - len(old), len(old), len(entries) - len(fresh))
    details = {"generation": added.generation, "added": added.added, "replaced": added.replaced}
    append(connection, actor, "banks.entries_added", f"bank:{number}", details)
    return added


def remove_entries(connection: Connection, number: int, ids: Collection[int], *, actor: str) -> int:
    """Take entries of bank ``number`` out of force by their numbers; their rows stay, as tombstones.

    Returns:
        how many were in force.

    Raises:
        BankError: there is no such bank, or more than ``MOST`` numbers.
    """
    get_bank(connection, number)
    _check_many(ids)
    mark = next_generation(connection)
    e = bank_entry.c
    mine: list[int] = []
    for some in batches(ids):
        query = select(e.id).where(_in_force(number), e.id.in_(some))
        mine += connection.scalars(query)
    bury(connection, mine, mark.generation, utc_now())
    details = {"generation": mark.generation, "removed": len(mine)}
    append(connection, actor, "banks.entries_removed", f"bank:{number}", details)
    return len(mine)


def set_disputed(
    connection: Connection, number: int, ids: Collection[int], disputed: bool, *, actor: str
) -> int:
    """Flag entries of bank ``number``, or take the flag away; their matches say so.

    Returns:
        how many were changed.

    Raises:
        BankError: there is no such bank, or more than ``MOST`` numbers.
    """
    get_bank(connection, number)
    _check_many(ids)
    mark = next_generation(connection)
    e = bank_entry.c
    changed = 0
    for some in batches(ids):
        mine = and_(_in_force(number), e.id.in_(some), e.disputed.is_not(disputed))
        values = {"disputed": disputed, "flagged_generation": mark.generation}
        changed += connection.execute(update(bank_entry).where(mine).values(values)).rowcount
    action = "banks.entries_disputed" if disputed else "banks.entries_undisputed"
    append(connection, actor, action, f"bank:{number}", {"generation": mark.generation, "changed": changed})
    return changed


def find_entries(
    connection: Connection,
    number: int,
    *,
    source_ids: Collection[str] = (),
    values: Collection[tuple[str, bytes]] = (),
) -> list[int]:
    """Numbers of the entries in force with any of these source's ids, or of these (signal, value) pairs."""
    e = bank_entry.c
    alive = _in_force(number)
    found: set[int] = set()
    for ids in batches(source_ids):
        found |= set(connection.scalars(select(e.id).where(alive, e.source_id.in_(ids))))
    for signal in {signal for signal, _ in values}:
        for some in batches([value for name, value in values if name == signal]):
            query = select(e.id).where(alive, e.signal == signal, e.value.in_(some))
            found |= set(connection.scalars(query))
    return sorted(found)


def page_entries(
    connection: Connection, number: int, *, after: int = 0, limit: int = PAGE, removed: bool = False
) -> list[StoredEntry]:
    """Entries of bank ``number`` by rising number, behind ``after``; the last one's number is the cursor.

    Args:
        connection: any.
        number: the bank's.
        after: 0, or the number of the last entry of the page before.
        limit: at most so many.
        removed: tombstones, too.
    """
    e = bank_entry.c
    query = select(bank_entry).where(e.bank == number, e.id > after)
    if not removed:
        query = query.where(in_force_by_number)
    return [_stored(row) for row in connection.execute(query.order_by(e.id).limit(limit))]


def get_entries(connection: Connection, ids: Collection[int]) -> dict[int, StoredEntry]:
    """The entries of these numbers, as far as there are any, removed or not."""
    found: dict[int, StoredEntry] = {}
    for some in batches(ids):
        for row in connection.execute(select(bank_entry).where(bank_entry.c.id.in_(some))):
            found[row.id] = _stored(row)
    return found


def still_stand(connection: Connection, name: str, source_ids: Collection[str]) -> set[str]:
    """Which of the source's ids have an entry in the enabled bank of this name, in force and undisputed."""
    query = select(bank_entry.c.source_id).join(bank, bank.c.id == bank_entry.c.bank)
    query = query.where(bank.c.name == name, bank.c.deleted_at.is_(None), bank.c.enabled)
    query = query.where(in_force_by_number, ~bank_entry.c.disputed).distinct()
    found: set[str] = set()
    for some in batches(source_ids):
        found.update(connection.scalars(query.where(bank_entry.c.source_id.in_(some))))
    return found


def _in_force(number: int) -> ColumnElement[bool]:
    return and_(bank_entry.c.bank == number, bank_entry.c.removed_generation.is_(None))


def _present(
    connection: Connection, number: int, entries: Sequence[Entry]
) -> dict[tuple[str, bytes, str], Any]:
    """The rows in force that hold any of these values."""
    e = bank_entry.c
    columns = select(e.id, e.signal, e.value, e.source_id, e.category)
    present: dict[tuple[str, bytes, str], Any] = {}
    for signal in {entry.signal for entry in entries}:
        for values in batches({entry.value for entry in entries if entry.signal == signal}):
            held = and_(_in_force(number), e.signal == signal, e.value.in_(values), e.owner == 0)
            for row in connection.execute(columns.where(held)):
                present[row.signal, bytes(row.value), row.source_id] = row
    return present


def bury(connection: Connection, ids: Collection[int], generation: int, now: datetime) -> None:
    """Make tombstones of these entries."""
    tombstone = {"removed_at": now, "removed_generation": generation}
    e = bank_entry.c
    for some in batches(ids):
        alive = and_(e.id.in_(some), e.removed_generation.is_(None))
        connection.execute(update(bank_entry).where(alive).values(tombstone))


def _check(bank: Bank, entries: Sequence[Entry], signals: Mapping[str, Signal]) -> None:
    _check_many(entries)
    for at, entry in enumerate(entries, 1):
        signal = signals.get(entry.signal)
        if entry.parsed and signal is not None and len(entry.value) != signal.size:
            what = f"{len(entry.value)} bytes instead of {signal.size}"
            raise BankError(f"entry {at}: a value of {what}", where=f"signal {signal.name!r}")
        if bank.benign and (signal is None or signal.index != "exact"):
            what = "a benign bank takes exact digests only"
            raise BankError(f"entry {at}: {what}", where=f"bank {bank.name!r}")
        fits = 0 < len(entry.signal) <= 40 and len(entry.category) <= _CATEGORY
        if not fits or len(entry.entry_id) > _SOURCE_ID or "\0" in entry.entry_id + entry.category:
            raise BankError(f"entry {at}: a field is empty or too long", where=f"bank {bank.name!r}")


def _check_many(some: Collection[object]) -> None:
    if len(some) > MOST:
        raise BankError(f"more than {MOST:,} entries in one change", hint="several changes")


def batches(all_of_them: Collection[T]) -> Iterator[list[T]]:
    """Pieces that fit into one statement."""
    rest = iter(all_of_them)
    while some := list(islice(rest, _AT_ONCE)):
        yield some


def _stored(row: Row[Any]) -> StoredEntry:
    return StoredEntry(
        row.id,
        row.bank,
        row.signal,
        bytes(row.value),
        row.source_id,
        row.category,
        row.parsed,
        row.disputed,
        row.list,
        row.added_at,
        row.removed_at,
    )
