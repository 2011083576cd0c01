"""Holds: why and until when an object is kept.

The US (18 USC 2258A(h)) and the UK (SI 2026/268, reg. 8) ask for one year. For other jurisdictions the
operator says the date. Not legal advice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, tuple_, update

from nightlamp import audit
from nightlamp.errors import VaultError
from nightlamp.vault.place import new_name
from nightlamp.vault.tables import vault_blob, vault_hold, vault_object

_YEARS = {"US": 1, "UK": 1}
_LEGAL = "legal request "
_LONGEST_REFERENCE = 150


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

    @property
    def legal(self) -> bool:
        """A court or an authority asked for it: no destruction passes over it."""
        return self.reason.startswith(_LEGAL)


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
    lock_kept(connection, object_id)
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


def hold_for_request(
    connection: Connection,
    object_id: str,
    reference: str,
    *,
    until: datetime,
    jurisdiction: str,
    actor: str,
    now: datetime,
) -> Hold:
    """Keep an object until a date because a court or an authority asked for it.

    The same reference once more moves the end to the later of the two dates.

    Args:
        connection: in a transaction that may write.
        object_id: the object.
        reference: the legal process's own; no personal data.
        until: the end.
        jurisdiction: whose process it is.
        actor: for the audit.
        now: the time.

    Raises:
        VaultError: the object is not kept (any more), or ``until`` is past.
    """
    reason = _LEGAL + reference_of(reference)
    for each in holds(connection, object_id):
        if each.reason == reason and each.released is None and each.expires > now:
            if until > each.expires:
                extend(connection, each.id, until, actor=actor, reason=reason, now=now)
            return replace(each, expires=max(until, each.expires))
    request = HoldRequest(reason, jurisdiction, until)
    return place_hold(connection, object_id, request, actor=actor, now=now)


def reference_of(text: str) -> str:
    """The reference of a legal process as it may stand in holds and in the audit log.

    Raises:
        VaultError: it is empty, too long, or has control characters.
    """
    tidy = " ".join(text.split())
    if not tidy or len(tidy) > _LONGEST_REFERENCE or not tidy.isprintable():
        raise VaultError(
            f"a reference has 1 to {_LONGEST_REFERENCE} printable characters", where="the legal process"
        )
    return tidy


def extend(
    connection: Connection, hold_id: str, expires: datetime, *, actor: str, reason: str, now: datetime
) -> None:
    """Move a hold's end to a later date.

    Raises:
        VaultError: there is no such hold, it is released, its object is gone, or the date is not later.
    """
    hold = _active(connection, hold_id)
    lock_kept(connection, hold.object)
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


def page_holds(
    connection: Connection,
    *,
    after: str | None = None,
    limit: int = 50,
    object_id: str | None = None,
    before: datetime | None = None,
) -> list[Hold]:
    """As ``running``, from behind the hold ``after``; of one object also those that are over.

    Raises:
        VaultError: ``after`` is no hold.
    """
    c = vault_hold.c
    query = select(vault_hold).order_by(c.expires, c.id).limit(limit)
    query = query.where(c.released.is_(None) if object_id is None else c.object == object_id)
    if before is not None:
        query = query.where(c.expires < before)
    if after is not None:
        last = connection.execute(select(c.expires, c.id).where(c.id == after)).one_or_none()
        if last is None:
            raise VaultError("there is no such hold", where="cursor")
        query = query.where(tuple_(c.expires, c.id) > tuple_(*last))
    return [Hold(**row._mapping) for row in connection.execute(query)]


def _active(connection: Connection, hold_id: str) -> Hold:
    row = connection.execute(
        select(vault_hold).where(vault_hold.c.id == hold_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise VaultError("there is no such hold", where=f"hold {hold_id}")
    if row.released is not None:
        raise VaultError("this hold is released already", where=f"hold {hold_id}")
    return Hold(**row._mapping)


def lock_kept(connection: Connection, object_id: str) -> None:
    """Lock the object against a purge, and see that it is kept.

    Raises:
        VaultError: it is not.
    """
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
