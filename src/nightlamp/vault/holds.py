"""Holds: why and until when an object is kept.

The US (18 USC 2258A(h)) and the UK (SI 2026/268, reg. 8) ask for one year. For other jurisdictions the
operator says the date. Not legal advice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from nightlamp import audit
from nightlamp.errors import VaultError
from nightlamp.vault.place import new_name
from nightlamp.vault.tables import vault_blob, vault_hold, vault_object

_YEARS = {"US": 1, "UK": 1}


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """A hold to be made.

    Args:
        reason: a few words, e.g. ``"reported to NCMEC"``; no content.
        jurisdiction: ``"US"``, ``"UK"``, or any other short name.
        expires: by default the jurisdiction's term from now; must be given where none is known.
    """

    reason: str
    jurisdiction: str
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold as it stands; times are UTC."""

    id: str
    object: str
    reason: str
    jurisdiction: str
    created: datetime
    expires: datetime
    released: datetime | None


def term(jurisdiction: str, start: datetime) -> datetime:
    """The end of the legal term from ``start``; from 29 February it is 1 March.

    Raises:
        VaultError: no term is known for the jurisdiction.
    """
    years = _YEARS.get(jurisdiction)
    if years is None:
        known = ", ".join(_YEARS)
        raise VaultError(
            "no legal term is known for this jurisdiction", hint=f"give a date, or one of {known}"
        )
    try:
        return start.replace(year=start.year + years)
    except ValueError:
        return (start + timedelta(days=1)).replace(year=start.year + years)


def place_hold(
    connection: Connection, object_id: str, request: HoldRequest, *, actor: str, now: datetime
) -> Hold:
    """Make a hold, in the caller's transaction.

    Raises:
        VaultError: the object is not kept (any more), or the hold would be over at once.
    """
    _lock(connection, object_id)
    expires = request.expires or term(request.jurisdiction, now)
    if expires <= now:
        raise VaultError("a hold must end in the future", where=f"object {object_id}")
    hold = Hold(new_name(), object_id, request.reason, request.jurisdiction, now, expires, None)
    row = {name: getattr(hold, name) for name in Hold.__slots__}
    connection.execute(insert(vault_hold).values(row))
    connection.execute(update(vault_object).where(vault_object.c.id == object_id).values(due=None))
    facts: dict[str, audit.Detail] = {
        "hold": hold.id,
        "reason": hold.reason,
        "jurisdiction": hold.jurisdiction,
    }
    _record(connection, actor, "vault.held", object_id, {**facts, "expires": _text(expires)}, now)
    return hold


def extend(
    connection: Connection, hold_id: str, expires: datetime, *, actor: str, reason: str, now: datetime
) -> None:
    """Move a hold's end to a later date.

    Raises:
        VaultError: there is no such hold, it is released, its object is gone, or the date is not later.
    """
    hold = _active(connection, hold_id)
    _lock(connection, hold.object)
    if expires <= max(hold.expires, now):
        raise VaultError(
            "an extension must be later than the present end", where=f"hold {hold_id}", hint="release"
        )
    connection.execute(update(vault_hold).where(vault_hold.c.id == hold_id).values(expires=expires))
    connection.execute(update(vault_object).where(vault_object.c.id == hold.object).values(due=None))
    facts: dict[str, audit.Detail] = {
        "hold": hold.id,
        "reason": reason,
        "from": _text(hold.expires),
        "to": _text(expires),
    }
    _record(connection, actor, "vault.extended", hold.object, facts, now)


def release(connection: Connection, hold_id: str, *, actor: str, reason: str, now: datetime) -> None:
    """End a hold before its time. An object without any other is destroyed by the next purge, without delay.

    Raises:
        VaultError: there is no such hold, or it is released already.
    """
    hold = _active(connection, hold_id)
    connection.execute(update(vault_hold).where(vault_hold.c.id == hold_id).values(released=now))
    _record(connection, actor, "vault.released", hold.object, {"hold": hold_id, "reason": reason}, now)


def holds(connection: Connection, object_id: str) -> list[Hold]:
    """All holds of an object, the oldest first."""
    query = select(vault_hold).where(vault_hold.c.object == object_id)
    rows = connection.execute(query.order_by(vault_hold.c.created, vault_hold.c.id))
    return [Hold(**row._mapping) for row in rows]


def running(connection: Connection, *, before: datetime | None = None) -> list[Hold]:
    """The holds that are not released, those that end first above; ``before``: that end by then."""
    query = select(vault_hold).where(vault_hold.c.released.is_(None))
    if before is not None:
        query = query.where(vault_hold.c.expires < before)
    rows = connection.execute(query.order_by(vault_hold.c.expires, vault_hold.c.id))
    return [Hold(**row._mapping) for row in rows]


def _active(connection: Connection, hold_id: str) -> Hold:
    row = connection.execute(
        select(vault_hold).where(vault_hold.c.id == hold_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise VaultError("there is no such hold", where=f"hold {hold_id}")
    if row.released is not None:
        raise VaultError("this hold is released already", where=f"hold {hold_id}")
    return Hold(**row._mapping)


def _lock(connection: Connection, object_id: str) -> None:
    """Lock the object against a purge, and see that it is kept."""
    connection.execute(select(vault_object.c.id).where(vault_object.c.id == object_id).with_for_update())
    kept = select(vault_blob.c.name).where(vault_blob.c.object == object_id, vault_blob.c.state == "kept")
    if connection.scalar(kept) is None:
        raise VaultError("the vault does not keep this object (any more)", where=f"object {object_id}")


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _record(
    connection: Connection,
    actor: str,
    action: str,
    object_id: str,
    facts: dict[str, audit.Detail],
    now: datetime,
) -> None:
    audit.append(connection, actor, action, f"object:{object_id}", facts, at=now)
