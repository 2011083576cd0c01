"""API keys: made, listed, revoked.

A key is ``nlk_<id>_<secret>``: the id is public and finds the row, the secret has 256 random bits. A plain
SHA-256 of it is enough, as nobody can guess it; a slow hash would only slow down every request.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast, get_args

from sqlalchemy import Connection, Row, func, insert, select, update

from nightlamp import audit
from nightlamp.access.tables import access_key
from nightlamp.banks.live.counter import next_generation
from nightlamp.errors import AccessError

Scope = Literal["submit", "read", "review", "report", "disclose", "admin", "audit", "share"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
_FORM = re.compile(r"nlk_([a-z2-7]{12})_([a-z2-7]{52})")


class Secret:
    """A whole key in clear. Nothing shows it by accident: ask ``reveal()`` on purpose, once."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> Any:
        raise TypeError("a secret does not travel")

    def reveal(self) -> str:
        """The text, to be handed to its owner."""
        return self._text

    def parts(self) -> tuple[str, bytes] | None:
        """The id, and the hash of the secret part; None if it has not the form of a key."""
        found = _FORM.fullmatch(self._text)
        return (found[1], hashlib.sha256(found[2].encode()).digest()) if found else None


@dataclass(frozen=True, slots=True)
class Key:
    """What is stored of a key; times are UTC.

    Args:
        digest: SHA-256 of the secret part.
        rate: items a second, on each node; None: no limit.
    """

    id: str
    name: str
    digest: bytes = field(repr=False)
    scopes: frozenset[Scope]
    rate: float | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None

    def in_force(self, now: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made, with its secret: the only time that it is there."""

    key: Key
    secret: Secret


def create(
    connection: Connection,
    name: str,
    scopes: Iterable[str],
    *,
    actor: str,
    now: datetime,
    expires_at: datetime | None = None,
    rate: float | None = None,
) -> NewKey:
    """Make a key, in the caller's transaction.

    Raises:
        AccessError: a scope is unknown, there is none, the name is empty or too long, the rate is not
            positive, or it would expire at once.
    """
    wanted = frozenset(scopes)
    if not wanted or not wanted <= set(SCOPES):
        raise AccessError("a key has one or more known scopes", where="scopes", hint=", ".join(SCOPES))
    if not 0 < len(name) <= 100 or not name.isprintable():
        raise AccessError("must be 1 to 100 printable characters", where="name")
    if rate is not None and not 0 < rate < 1e9:
        raise AccessError("must be more than 0", where="rate")
    if expires_at is not None and expires_at <= now:
        raise AccessError("must be in the future", where="expires_at")
    identity, text = _random(8)[:12], _random(32)
    key = Key(
        identity,
        name,
        hashlib.sha256(text.encode()).digest(),
        cast("frozenset[Scope]", wanted),
        rate,
        now,
        actor,
        expires_at,
        None,
    )
    row = {name: getattr(key, name) for name in Key.__slots__} | {"scopes": _ordered(key.scopes)}
    connection.execute(insert(access_key).values(row))
    next_generation(connection, at=now)
    facts: dict[str, audit.Detail] = {
        "scopes": _ordered(key.scopes),
        "expires": expires_at.isoformat(timespec="seconds") if expires_at else None,
    }
    audit.append(connection, actor, "key.created", f"key:{key.id}", facts, at=now)
    return NewKey(key, Secret(f"nlk_{identity}_{text}"))


def first(connection: Connection, *, now: datetime) -> NewKey | None:
    """The first key of an empty database, with every scope; None if there ever was a key.

    Nodes that start together make one: the counter's row is locked before the table is looked at.
    """
    if connection.scalar(select(func.count()).select_from(access_key)):
        return None
    next_generation(connection, at=now)
    if connection.scalar(select(func.count()).select_from(access_key)):
        return None
    return create(connection, "first", SCOPES, actor="system", now=now)


def revoke(connection: Connection, key_id: str, *, actor: str, now: datetime) -> Key:
    """Put a key out of force, in the caller's transaction; doing it again changes nothing.

    Raises:
        AccessError: there is no such key.
    """
    mine = access_key.c.id == key_id
    alive = mine & access_key.c.revoked_at.is_(None)
    if connection.execute(update(access_key).where(alive).values(revoked_at=now)).rowcount:
        next_generation(connection, at=now)
        audit.append(connection, actor, "key.revoked", f"key:{key_id}", at=now)
    return named(connection, key_id)


def named(connection: Connection, key_id: str) -> Key:
    """One key by its id.

    Raises:
        AccessError: there is no such key.
    """
    row = connection.execute(select(access_key).where(access_key.c.id == key_id)).one_or_none()
    if row is None:
        raise AccessError("there is no such key", where="key")
    return _key(row)


def every(connection: Connection) -> list[Key]:
    """All keys, revoked ones too, the oldest first."""
    order = (access_key.c.created_at, access_key.c.id)
    return [_key(row) for row in connection.execute(select(access_key).order_by(*order))]


def _key(row: Row[Any]) -> Key:
    return Key(**{**row._mapping, "digest": bytes(row.digest), "scopes": frozenset(row.scopes)})


def _ordered(scopes: Iterable[Scope]) -> list[str]:
    return [scope for scope in SCOPES if scope in set(scopes)]


def _random(size: int) -> str:
    return base64.b32encode(secrets.token_bytes(size)).decode().rstrip("=").lower()
