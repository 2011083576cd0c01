"""Policies in the database: versions that never change, and which of them is in force.

``ActivePolicy`` is a node's copy of the one in force. If it cannot be read, verdicts say so.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, insert, select

from nightlamp import audit
from nightlamp.banks.live.counter import Mark, current_mark, next_generation
from nightlamp.errors import IntakeError, PolicyError
from nightlamp.intake.tables import policy, policy_activation
from nightlamp.policy import Rules, load, profile_text
from nightlamp.store import reading
from nightlamp.values import Unchecked


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """One version of a policy.

    Args:
        id: its number, for good.
        version: 1, 2, 3 … of its name.
        text: the YAML file.
        active: whether it is in force.
    """

    id: int
    name: str
    version: int
    text: str = field(repr=False)
    created_at: datetime
    created_by: str
    active: bool = False


def add_policy(connection: Connection, text: str, *, actor: str, now: datetime) -> StoredPolicy:
    """Store a policy file as a new version of its name; it is not in force yet.

    Raises:
        PolicyError: it has errors.
    """
    name = load(text).name[:100]
    next_generation(connection, at=now)  # the lock: versions are counted one after the other
    newest = connection.scalar(select(func.max(policy.c.version)).where(policy.c.name == name)) or 0
    values = {"name": name, "version": newest + 1, "text": text, "created_at": now, "created_by": actor}
    number = connection.execute(insert(policy).values(values).returning(policy.c.id)).scalar_one()
    facts: dict[str, audit.Detail] = {"name": _safe(name), "version": newest + 1}
    audit.append(connection, actor, "policy.added", f"policy:{number}", facts, at=now)
    return StoredPolicy(number, name, newest + 1, text, now, actor)


def activate_policy(connection: Connection, number: int, *, actor: str, now: datetime) -> StoredPolicy:
    """Put a policy in force, on every node as soon as it sees the change.

    Raises:
        IntakeError: there is no such policy.
        PolicyError: this version of Nightlamp cannot read it.
    """
    return _activate(connection, number, actor=actor, now=now, back=False)


def roll_back_policy(connection: Connection, *, actor: str, now: datetime) -> StoredPolicy:
    """Put the policy in force that was in force before this one.

    Raises:
        IntakeError: there was none.
    """
    next_generation(connection, at=now)
    stack: list[int] = []
    rows = connection.execute(select(policy_activation).order_by(policy_activation.c.id))
    for row in rows:
        if row.back:
            stack.pop()
        else:
            stack.append(row.policy)
    if len(stack) < 2:
        raise IntakeError("conflict", "no other policy was in force before", where="policy")
    return _activate(connection, stack[-2], actor=actor, now=now, back=True)


def get_policy(connection: Connection, number: int) -> StoredPolicy:
    """The policy of that number.

    Raises:
        IntakeError: there is none.
    """
    row = connection.execute(select(policy).where(policy.c.id == number)).one_or_none()
    if row is None:
        raise IntakeError("not found", "there is no such policy", where="policy")
    return _stored(row, _active_number(connection))


def page_policies(
    connection: Connection, *, before: int | None = None, limit: int = 50
) -> list[StoredPolicy]:
    """Policies, the newest first, from below number ``before``."""
    query = select(policy).order_by(policy.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(policy.c.id < before)
    active = _active_number(connection)
    return [_stored(row, active) for row in connection.execute(query)]


def active_policy(connection: Connection) -> StoredPolicy | None:
    """The one in force."""
    number = _active_number(connection)
    return get_policy(connection, number) if number is not None else None


def first_policy(connection: Connection, profile: str, *, now: datetime) -> StoredPolicy | None:
    """Put a shipped policy in force if none ever was; nodes that start together do it once."""
    if _active_number(connection) is not None:
        return None
    next_generation(connection, at=now)
    if _active_number(connection) is not None:
        return None
    made = add_policy(connection, profile_text(profile), actor="system", now=now)
    return activate_policy(connection, made.id, actor="system", now=now)


@dataclass(frozen=True, slots=True)
class InForce:
    """What a verdict is decided by.

    Args:
        id: the policy's number; None if none can be read.
        rules: without any, everything is ``review``.
        unchecked: says so in the verdict.
        why: it cannot be read, for readiness; ``""``: it can.
    """

    id: int | None
    rules: Rules
    unchecked: tuple[Unchecked, ...] = ()
    why: str = ""


def _none(why: str) -> InForce:
    return InForce(None, Rules("none", ()), (Unchecked("policy", "unavailable", why),), why)


class ActivePolicy:
    """The policy in force, as this node knows it. ``refresh`` after a change here, and every 200 ms or so."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen: Mark | None = None
        self._refreshing = threading.Lock()
        self._now = _none("no policy was read yet")

    def current(self) -> InForce:
        """What to decide by."""
        return self._now

    def refresh(self, newest: Mark | None = None) -> bool:
        """Look for changes; True if another policy is in force now.

        Args:
            newest: where the database was just seen to be: if that is known here, it is not asked.
        """
        if newest is not None and newest == self._seen:
            return False
        with self._refreshing, reading(self._engine) as connection:
            seen = current_mark(connection)
            if seen == self._seen:
                return False
            number = _active_number(connection)
            before = self._now
            if number is None:
                self._now = _none("no policy is in force")
            elif number != before.id:
                self._now = _read(connection, number)
            self._seen = seen
            return self._now is not before


def _read(connection: Connection, number: int) -> InForce:
    try:
        return InForce(number, load(get_policy(connection, number).text))
    except PolicyError:
        return _none(f"policy {number} cannot be read by this version")


def _activate(connection: Connection, number: int, *, actor: str, now: datetime, back: bool) -> StoredPolicy:
    load(get_policy(connection, number).text)
    next_generation(connection, at=now)
    values = {"policy": number, "at": now, "by": actor, "back": back}
    connection.execute(insert(policy_activation).values(values))
    audit.append(connection, actor, "policy.activated", f"policy:{number}", {"back": back}, at=now)
    return get_policy(connection, number)


def _active_number(connection: Connection) -> int | None:
    newest = select(policy_activation.c.policy).order_by(policy_activation.c.id.desc()).limit(1)
    return connection.scalar(newest)


def _stored(row: Row[Any], active: int | None) -> StoredPolicy:
    return StoredPolicy(**row._mapping, active=row.id == active)


def _safe(name: str) -> str:
    return "".join(character if character.isprintable() else " " for character in name)
