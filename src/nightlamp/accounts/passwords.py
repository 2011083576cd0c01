"""Passwords: argon2id, with the library's parameters (RFC 9106, the second choice)."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select, update

from nightlamp import audit
from nightlamp.accounts.attempts import TooFastError
from nightlamp.accounts.person import Person
from nightlamp.accounts.tables import account
from nightlamp.errors import AccessError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 12, 200
_AT_ONCE = threading.BoundedSemaphore(2)  # each takes 64 MiB and a core
_IN_LINE = threading.BoundedSemaphore(8)  # threads that wait for that, of those that serve everybody


def hashed(password: str, name: str) -> str:
    """The hash to store. Takes some 50 ms: not within a transaction.

    Raises:
        AccessError: it is too short, too long, or the account's name.
        TooFastError: too many are in line.
    """
    plain = unicodedata.normalize("NFKC", password)
    if not SHORTEST <= len(plain) <= LONGEST:
        raise AccessError("must have 12 to 200 characters", where="password")
    if len(set(plain)) < 5 or plain.casefold().replace(name, "").strip("0123456789!.-_ ") == "":
        raise AccessError("is too easy to guess", where="password")
    with _turn():
        return _hasher().hash(plain)


def right(stored: str | None, password: str) -> bool:
    """Whether it is the password; as slow for an account that has none or is not there.

    Raises:
        TooFastError: too many are in line.
    """
    from argon2.exceptions import Argon2Error, InvalidHashError

    if len(password) > LONGEST:
        return False
    with _turn():
        try:
            _hasher().verify(stored or _nobodys(), unicodedata.normalize("NFKC", password))
        except (Argon2Error, InvalidHashError):
            return False
    return stored is not None


def stored_of(connection: Connection, name: str) -> tuple[str, str | None] | None:
    """Id and hash of an account that is in force, by its normal name."""
    query = select(account.c.id, account.c.password).where(
        account.c.name == name, account.c.disabled_at.is_(None), account.c.issuer == ""
    )
    row = connection.execute(query).one_or_none()
    return (row.id, row.password) if row else None


def store(connection: Connection, person: Person, new: str, *, now: datetime, actor: str = "") -> None:
    """Store a hash made by ``hashed``; ``actor``: by default the person."""
    connection.execute(update(account).where(account.c.id == person.id).values(password=new))
    audit.append(connection, actor or person.actor, "account.password", f"person:{person.id}", at=now)


@contextmanager
def _turn() -> Iterator[None]:
    if not _IN_LINE.acquire(blocking=False):
        raise TooFastError(2)
    try:
        with _AT_ONCE:
            yield
    finally:
        _IN_LINE.release()


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobodys() -> str:
    return _hasher().hash("nobody's")
