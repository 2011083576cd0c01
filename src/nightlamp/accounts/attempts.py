"""Slowing down whoever guesses, without locking anybody out.

Failures are counted by account and address together, by account, and by address. Only the first makes waits
long; the others, which strangers can cause, have short longest waits. From an address at which the person has
signed in within a month, only the first counts: a flood of guesses from elsewhere does not slow the team.
An attempt is counted before it is checked, so that many at once are many.
"""

from __future__ import annotations

import hashlib
import importlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from nightlamp.accounts.tables import attempt
from nightlamp.errors import AccessError


@dataclass(frozen=True, slots=True)
class _Rule:
    free: int  # failures that cost no wait
    longest: int  # seconds


_RULES: Mapping[str, _Rule] = {
    "both": _Rule(5, 900),
    "account": _Rule(20, 30),
    "address": _Rule(50, 30),
}
_FORGOTTEN = timedelta(hours=1)
_KNOWN = timedelta(days=30)


class TooFastError(AccessError):
    """Too many failures: nothing was checked. ``seconds`` says how long to wait."""

    def __init__(self, seconds: int) -> None:
        super().__init__("too many attempts", where="sign-in", hint=f"again in {seconds} seconds")
        self.seconds = seconds


def reserve(connection: Connection, name: str, address: str, *, now: datetime) -> None:
    """Count an attempt as a failure, before it is checked; ``settle`` takes that back.

    Args:
        connection: in a transaction that commits whatever comes of the attempt.
        name: whose; also one that is nobody's.
        address: whence.

    Raises:
        TooFastError: not now; nothing was counted.
    """
    keys = _keys(name, address)
    strangers = attempt.c.good_at.is_(None) & (attempt.c.last_at < now - _FORGOTTEN)
    connection.execute(delete(attempt).where(strangers | (attempt.c.last_at < now - _KNOWN)))
    found = connection.execute(select(attempt).where(attempt.c.digest.in_(keys.values())).with_for_update())
    rows = {bytes(row.digest): row for row in found}
    both = rows.get(keys["both"])
    known = both is not None and both.good_at is not None and both.good_at > now - _KNOWN
    counted = ["both"] if known else list(keys)
    wait = max(_wait(_RULES[kind], rows.get(keys[kind]), now) for kind in counted)
    if wait > 0:
        raise TooFastError(wait)
    dialect = importlib.import_module(f"sqlalchemy.dialects.{connection.dialect.name}")
    for kind in counted:
        row, digest = rows.get(keys[kind]), keys[kind]
        if row is None:
            new = {"digest": digest, "failures": 0, "last_at": now}
            connection.execute(dialect.insert(attempt).on_conflict_do_nothing(), new)
        stale = row is not None and row.last_at < now - _FORGOTTEN
        failures: Any = 1 if stale else attempt.c.failures + 1
        this = attempt.c.digest == digest
        connection.execute(update(attempt).where(this).values(failures=failures, last_at=now))


def settle(connection: Connection, name: str, address: str, *, now: datetime) -> None:
    """The attempt was good: what ``reserve`` counted is taken back, and the address is known."""
    keys = _keys(name, address)
    good_at = connection.scalar(select(attempt.c.good_at).where(attempt.c.digest == keys["both"]))
    if good_at is None or good_at <= now - _KNOWN:  # else ``reserve`` counted nothing there
        others = attempt.c.digest.in_([keys["account"], keys["address"]]) & (attempt.c.failures > 0)
        connection.execute(update(attempt).where(others).values(failures=attempt.c.failures - 1))
    welcome(connection, name, address, now=now)


def welcome(connection: Connection, name: str, address: str, *, now: datetime) -> None:
    """Somebody has come in by what cannot be guessed, and was not counted: the address is known."""
    keys = _keys(name, address)
    dialect = importlib.import_module(f"sqlalchemy.dialects.{connection.dialect.name}")
    good = {"failures": 0, "last_at": now, "good_at": now}
    known = dialect.insert(attempt).values(digest=keys["both"], **good)
    connection.execute(known.on_conflict_do_update(index_elements=[attempt.c.digest], set_=good))


def _wait(rule: _Rule, row: Row[Any] | None, now: datetime) -> int:
    if row is None or row.failures < rule.free or row.last_at < now - _FORGOTTEN:
        return 0
    pause = min(rule.longest, 2 ** min(row.failures - rule.free + 1, 20))
    return max(0, int((row.last_at + timedelta(seconds=pause) - now).total_seconds() + 0.999))


def _keys(name: str, address: str) -> dict[str, bytes]:
    place = _network(address)
    texts = {"both": f"both:{name}:{place}", "account": f"account:{name}", "address": f"address:{place}"}
    return {kind: hashlib.sha256(text.encode()).digest() for kind, text in texts.items()}


def _network(address: str) -> str:
    """An IPv6 address stands for its /64, which one customer has all of."""
    try:
        given = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((given, 64), strict=False)) if given.version == 6 else str(given)
