"""Making, changing and deleting banks, each in the caller's transaction, with its audit record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import Connection, Row, func, insert, select, update

from nightlamp.audit import append
from nightlamp.banks.live.counter import next_generation
from nightlamp.banks.live.tables import bank, bank_entry
from nightlamp.errors import BankError
from nightlamp.store.clock import utc_now
from nightlamp.values import Bank, Trust


@dataclass(frozen=True, slots=True)
class StoredBank:
    """A bank as it stands in the database.

    Args:
        id: its number, for good.
        bank: name, source, category, trust, benign.
        enabled: whether its entries match.
        enabled_generation: since which change they do.
        created_at: when it was made.
    """

    id: int
    bank: Bank
    enabled: bool
    enabled_generation: int
    created_at: datetime


def create_bank(connection: Connection, new: Bank, *, actor: str, enabled: bool = True) -> StoredBank:
    """Make an empty bank.

    Raises:
        BankError: the name is taken, or a field is empty, too long or of no known value.
    """
    _check(new)
    now = utc_now()
    mark = next_generation(connection, at=now)  # takes the lock, so that nobody can take the name meanwhile
    _check_free(connection, new.name)
    values: dict[str, Any] = {
        "name": new.name,
        "source": new.source,
        "category": new.category,
        "trust": new.trust,
        "benign": new.benign,
        "enabled": enabled,
        "enabled_generation": mark.generation,
        "created_at": now,
    }
    number = connection.execute(insert(bank).values(values).returning(bank.c.id)).scalar_one()
    _record(connection, actor, "banks.created", number, mark.generation, name=new.name, enabled=enabled)
    return StoredBank(number, new, enabled, mark.generation, now)


def rename_bank(connection: Connection, number: int, name: str, *, actor: str) -> StoredBank:
    """Give a bank another name; past matches keep the old one.

    Raises:
        BankError: there is no such bank, or the name is taken or makes no sense.
    """
    mark = next_generation(connection)
    old = get_bank(connection, number)
    if name != old.bank.name:
        _check(Bank(name, old.bank.source, old.bank.category, old.bank.trust, old.bank.benign))
        _check_free(connection, name)
    connection.execute(update(bank).where(bank.c.id == number).values(name=name))
    _record(connection, actor, "banks.renamed", number, mark.generation, name=name)
    return get_bank(connection, number)


def set_trust(connection: Connection, number: int, trust: Trust, *, actor: str) -> StoredBank:
    """Say how far a single match of a bank may be relied on.

    Raises:
        BankError: there is no such bank, or no such trust.
    """
    mark = next_generation(connection)
    _check(Bank(get_bank(connection, number).bank.name, trust=trust))
    connection.execute(update(bank).where(bank.c.id == number).values(trust=trust))
    _record(connection, actor, "banks.trust_set", number, mark.generation, trust=trust)
    return get_bank(connection, number)


def enable_bank(connection: Connection, number: int, *, actor: str) -> StoredBank:
    """Put a bank's entries in force; the look-back takes them for new ones.

    Raises:
        BankError: there is no such bank.
    """
    mark = next_generation(connection)
    if not get_bank(connection, number).enabled:
        change = update(bank).where(bank.c.id == number)
        connection.execute(change.values(enabled=True, enabled_generation=mark.generation))
        _record(connection, actor, "banks.enabled", number, mark.generation)
    return get_bank(connection, number)


def disable_bank(connection: Connection, number: int, *, actor: str) -> StoredBank:
    """Take a bank's entries out of force, and keep them.

    Raises:
        BankError: there is no such bank.
    """
    mark = next_generation(connection)
    if get_bank(connection, number).enabled:
        connection.execute(update(bank).where(bank.c.id == number).values(enabled=False))
        _record(connection, actor, "banks.disabled", number, mark.generation)
    return get_bank(connection, number)


def delete_bank(connection: Connection, number: int, *, actor: str) -> None:
    """Take a bank away for good; its rows stay for the audit, its name is free again.

    Raises:
        BankError: there is no such bank.
    """
    mark = next_generation(connection)
    old = get_bank(connection, number)
    change = update(bank).where(bank.c.id == number)
    connection.execute(change.values(enabled=False, deleted_at=utc_now()))
    _record(connection, actor, "banks.deleted", number, mark.generation, name=old.bank.name)


def get_bank(connection: Connection, number: int) -> StoredBank:
    """The bank of that number.

    Raises:
        BankError: there is none, or it was deleted.
    """
    query = select(bank).where(bank.c.id == number, bank.c.deleted_at.is_(None))
    return _the_one(connection, query, f"bank {number}")


def find_bank(connection: Connection, name: str) -> StoredBank:
    """The bank of that name.

    Raises:
        BankError: there is none.
    """
    query = select(bank).where(bank.c.name == name, bank.c.deleted_at.is_(None))
    return _the_one(connection, query, f"bank {name!r}")


def all_banks(connection: Connection) -> list[StoredBank]:
    """All banks that were not deleted, in the order in which they were made."""
    query = select(bank).where(bank.c.deleted_at.is_(None)).order_by(bank.c.id)
    return [_stored(row) for row in connection.execute(query)]


def count_entries(connection: Connection, number: int) -> dict[str, int]:
    """Entries of a bank in force, by signal; takes time in proportion to their number."""
    e = bank_entry.c
    query = select(e.signal, func.count()).where(e.bank == number, e.removed_generation.is_(None))
    rows = connection.execute(query.group_by(e.signal).order_by(e.signal))
    return {signal: int(n) for signal, n in rows}


def _the_one(connection: Connection, query: Any, where: str) -> StoredBank:
    row = connection.execute(query).one_or_none()
    if row is None:
        raise BankError("there is no such bank", where=where)
    return _stored(row)


def _stored(row: Row[Any]) -> StoredBank:
    known = Bank(row.name, row.source, row.category, row.trust, row.benign)
    return StoredBank(row.id, known, row.enabled, row.enabled_generation, row.created_at)


def _check(new: Bank) -> None:
    texts = (("name", new.name, 100), ("source", new.source, 200), ("category", new.category, 100))
    for what, text, most in texts:
        if len(text) > most or not text.isprintable():
            raise BankError(f"the {what} must be printable and of at most {most} characters", where="bank")
    if not new.name.strip():
        raise BankError("a bank needs a name", where="bank")
    if new.trust not in get_args(Trust):
        raise BankError("no such trust", where=f"bank {new.name!r}", hint="low, medium or high")


def _check_free(connection: Connection, name: str) -> None:
    taken = select(bank.c.id).where(bank.c.name == name, bank.c.deleted_at.is_(None))
    if connection.scalar(taken) is not None:
        raise BankError("there is a bank of this name", where=f"bank {name!r}", hint="another name")


def _record(
    connection: Connection, actor: str, action: str, number: int, generation: int, **details: Any
) -> None:
    append(connection, actor, action, f"bank:{number}", {"generation": generation, **details})
