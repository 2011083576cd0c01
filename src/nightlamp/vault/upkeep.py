"""What keeps place and database in agreement: purge, reconcile, rekey. Each may be killed and run again.

Destruction has one way for all: a row says ``destroying`` (committed first), the bytes are removed and
looked for, and the row says ``destroyed`` together with the audit record. A crash in between leaves
``destroying``, which every one of these finishes. Orphans are *claimed* by a row before they are removed:
a transaction that was about to enter the same blob then fails, instead of referring to bytes that are
gone. So no clock decides whether that is safe.

Only what is *new* at the place can be an orphan. Bytes that were entered, and that this database does not
know, are *strangers*: it was restored from an older backup, or the place is another's too. They are kept, and
told of, until a person removes or adopts them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Row, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from nightlamp import audit
from nightlamp.errors import VaultError
from nightlamp.store.engine import reading
from nightlamp.vault.holds import HoldRequest, holds, lock_kept, place_hold, reference_of, release
from nightlamp.vault.keys import Identity, Recipients
from nightlamp.vault.place import Stored, new_name
from nightlamp.vault.sealing import reseal_to
from nightlamp.vault.tables import vault_blob, vault_hold, vault_object
from nightlamp.vault.vault import Vault

Blob = Row[tuple[str, str, str, str]]
_ACTOR = "system"
_AT_ONCE = 500
_HERE = ("kept", "lost")  # what a purge destroys: lost bytes may come back


@dataclass(frozen=True, slots=True)
class Purged:
    """Blobs ``destroyed``, objects ``due`` that wait for their delay, blobs that ``failed`` to be removed."""

    destroyed: int
    due: int
    failed: int


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What was put right.

    Args:
        orphans: blobs removed that no row spoke of.
        finished: destructions that had been interrupted.
        lost: ids of kept objects whose bytes are not there.
        found: ids of lost objects whose bytes are there again.
        failed: blobs that could not be removed.
        strangers: names of blobs that some database entered, and this one does not know; they stay.
    """

    orphans: int
    finished: int
    lost: tuple[str, ...]
    found: tuple[str, ...]
    failed: int
    strangers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """Objects sealed anew, and those that could not be (their ids); run again until none is left."""

    resealed: int
    failed: tuple[str, ...]


def purge(vault: Vault, *, delay: timedelta = timedelta(0), now: datetime | None = None) -> Purged:
    """Destroy every object that no hold keeps.

    An object whose last hold *expired* is first marked as due, and destroyed by a purge at least ``delay``
    later that still finds it so: a clock that jumps ahead and is put right within the delay destroys nothing.
    An object whose holds were all *released* is destroyed at once.
    """
    moment = now or vault.clock()
    due = 0
    for object_id in _objects_without_hold(vault, moment):
        with vault.engine.begin() as connection:
            due += not _condemn(connection, object_id, moment, delay)
    with vault.engine.begin() as connection:  # the clock was put right: these are held after all
        held = exists().where(vault_hold.c.object == vault_object.c.id, _holding(moment))
        connection.execute(update(vault_object).where(vault_object.c.due.is_not(None), held).values(due=None))
    destroyed, failed = _finish(vault)
    return Purged(destroyed, due, failed)


def destroy(
    vault: Vault,
    object_id: str,
    *,
    actor: str,
    request: str,
    look: Callable[[Connection], Mapping[str, audit.Detail]] | None = None,
) -> bool:
    """Destroy an object now, though holds keep it, because an authority asked for it (18 USC 2258B(c)(2)).

    The order, every hold that it ends and the destruction are in the audit log.

    Args:
        vault: the vault.
        object_id: the object.
        actor: who carries it out.
        request: the authority's reference.
        look: called once nobody else can change the object; what it gives stands in the audit record, and
            what it raises refuses the order.

    Returns:
        Whether its bytes are gone; if not, the storage failed, and the next purge tries again.

    Raises:
        VaultError: it is not kept (any more), or a legal request keeps it: release that hold first.
    """
    now, reference = vault.clock(), reference_of(request)
    with vault.engine.begin() as connection:
        lock_kept(connection, object_id)
        active = [each for each in holds(connection, object_id) if each.released is None]
        if any(each.legal and each.expires > now for each in active):
            raise VaultError(
                "a legal request keeps it", where=f"object {object_id}", hint="nightlamp hold release"
            )
        facts: dict[str, audit.Detail] = {"request": reference, "holds": len(active)}
        facts |= look(connection) if look is not None else {}
        audit.append(connection, actor, "vault.destruction_ordered", f"object:{object_id}", facts, at=now)
        for each in active:
            release(connection, each.id, actor=actor, reason=f"destruction: {reference}", now=now)
        _condemn(connection, object_id, now, timedelta(0))
        names = connection.scalars(select(vault_blob.c.name).where(vault_blob.c.object == object_id)).all()
    _finish(vault)
    return "destroying" not in _states(vault, names).values()


def reconcile(vault: Vault, *, older_than: timedelta = timedelta(hours=1)) -> Reconciled:
    """Make place and database agree: remove orphans, finish destructions, name what is lost or strange.

    Args:
        older_than: leave younger orphans alone: their transaction may be about to commit. A shorter time is
            safe, but such a transaction then fails.
    """
    finished, _ = _finish(vault)
    there = {stored.name: stored for stored in vault.place.names()}
    states = _states(vault, list(there))
    for name, stored in there.items():
        state = states.get(name)
        if state == "destroyed":  # bytes that came back, e.g. with a restored backup
            with vault.engine.begin() as connection:
                _set_state(connection, name, state, "destroying")
        elif state is None and not stored.entered and vault.clock() - stored.at >= older_than:
            _claim(vault, name)
    orphans, failed = _finish(vault)
    found = tuple(blob.object for blob in _blobs(vault, "lost") if _is_found(vault, blob, there))
    kept = _blobs(vault, "kept")
    for blob in kept:
        if blob.name in there and not there[blob.name].entered:  # it died between its commit and this
            vault.enter(blob.name)
    lost = tuple(blob.object for blob in kept if _is_lost(vault, blob, there))
    strange = tuple(name for name, stored in there.items() if stored.entered and name not in states)
    return Reconciled(orphans, finished, lost, found, failed, strange)


def strangers(vault: Vault) -> list[Stored]:
    """What some database entered, and this one does not know, the oldest first."""
    there = {stored.name: stored for stored in vault.place.names() if stored.entered}
    strange = [there[name] for name in still_strange(vault, list(there))]
    return sorted(strange, key=lambda stored: stored.at)


def still_strange(vault: Vault, names: Sequence[str]) -> tuple[str, ...]:
    """Those of ``names`` that the database still has no row of."""
    known = _states(vault, names)
    return tuple(name for name in names if name not in known)


def remove_stranger(vault: Vault, name: str, *, actor: str, reason: str) -> bool:
    """Destroy bytes that the database does not know, on a person's word; ``False`` if they could not be."""
    now = vault.clock()
    with vault.engine.begin() as connection:
        connection.execute(insert(vault_blob).values(name=name, state="destroying", created=now))
        audit.append(connection, actor, "vault.removed", f"blob:{name}", {"reason": reason}, at=now)
    return _finish(vault)[1] == 0


def adopt_stranger(vault: Vault, name: str, hold: HoldRequest, *, actor: str) -> str:
    """Take bytes that the database does not know into it, as an object of its own; gives the object's id.

    Whoever has the private key they were sealed for can open it; no item refers to it.
    """
    digest, size, now, object_id = hashlib.sha256(), 0, vault.clock(), new_name()
    with vault.place.open(name) as sealed:
        while piece := sealed.read(1 << 20):
            digest.update(piece)
            size += len(piece)
    with vault.engine.begin() as connection:
        connection.execute(insert(vault_object).values(id=object_id, created=now))
        connection.execute(
            insert(vault_blob).values(
                name=name,
                object=object_id,
                state="kept",
                sha256=digest.hexdigest(),
                size=size,
                recipients="",  # it does not say
                created=now,
            )
        )
        facts: dict[str, audit.Detail] = {"blob": name, "size": size}
        audit.append(connection, actor, "vault.adopted", f"object:{object_id}", facts, at=now)
        place_hold(connection, object_id, hold, actor=actor, now=now)
    return object_id


def rekey(
    vault: Vault,
    identity: Identity,
    recipients: Recipients,
    *,
    actor: str,
    progress: Callable[[str], None] | None = None,
) -> Rekeyed:
    """Seal every object for ``recipients`` that is not yet, and destroy what was sealed for others.

    Afterwards the old identity opens nothing in the vault. May be stopped and run again at any time.

    Args:
        identity: opens what is there now.
        recipients: the new keys; put them in the settings of every intake node first.
        progress: called with each object's id.
    """
    resealed, failed = 0, []
    _finish(vault)
    for blob in _blobs(vault, "kept"):
        if blob.recipients == recipients.fingerprint:
            continue
        try:
            with vault.place.open(blob.name) as sealed:
                fresh = reseal_to(vault.place, new_name(), sealed, blob.sha256, identity, recipients)
        except VaultError:
            failed.append(blob.object)
            continue
        now, entered = vault.clock(), False
        with vault.engine.begin() as connection:
            if _set_state(connection, blob.name, "kept", "destroying"):
                connection.execute(
                    insert(vault_blob).values(
                        name=fresh.name,
                        object=blob.object,
                        state="kept",
                        sha256=fresh.sha256,
                        size=fresh.size,
                        recipients=fresh.recipients,
                        created=now,
                    )
                )
                facts: dict[str, audit.Detail] = {
                    "blob": fresh.name,
                    "old_recipients": blob.recipients,
                    "recipients": fresh.recipients,
                }
                audit.append(connection, actor, "vault.resealed", f"object:{blob.object}", facts, at=now)
                entered = True
        if entered:
            vault.enter(fresh.name)
            resealed += 1
        _finish(vault)  # a blob that lost the race to a purge is an orphan now: reconcile removes it
        if progress:
            progress(blob.object)
    return Rekeyed(resealed, tuple(failed))


def _holding(moment: datetime) -> ColumnElement[bool]:
    return (vault_hold.c.released.is_(None)) & (vault_hold.c.expires > moment)


def _objects_without_hold(vault: Vault, moment: datetime) -> list[str]:
    held = exists().where(vault_hold.c.object == vault_blob.c.object, _holding(moment))
    query = select(vault_blob.c.object).where(vault_blob.c.state.in_(_HERE), ~held)
    with reading(vault.engine) as connection:
        return list(connection.scalars(query.order_by(vault_blob.c.created)))


def _condemn(connection: Connection, object_id: str, moment: datetime, delay: timedelta) -> bool:
    """Mark an object's blob for destruction if its time has come; ``False`` if it has to wait."""
    row = connection.execute(
        select(vault_object).where(vault_object.c.id == object_id).with_for_update()
    ).one()
    kept_by = select(vault_hold.c.id).where(vault_hold.c.object == object_id)
    if connection.scalar(kept_by.where(_holding(moment)).limit(1)) is not None:
        return True  # a hold came between: nothing to do, and nothing waits
    expired = connection.scalar(kept_by.where(vault_hold.c.released.is_(None)).limit(1)) is not None
    if expired and delay:
        seen = (
            row.due if row.due is not None and row.due <= moment else None
        )  # a mark from the future is void
        if seen is None:
            connection.execute(update(vault_object).where(vault_object.c.id == object_id).values(due=moment))
        if seen is None or moment - seen < delay:
            return False
    mine = (vault_blob.c.object == object_id) & vault_blob.c.state.in_(_HERE)
    connection.execute(update(vault_blob).where(mine).values(state="destroying"))
    return True


def _finish(vault: Vault) -> tuple[int, int]:
    """Remove every blob that is marked, and record it: how many are done, how many could not be removed."""
    with reading(vault.engine) as connection:
        marked = list(connection.execute(select(vault_blob).where(vault_blob.c.state == "destroying")))
    done = failed = 0
    for blob in marked:
        try:
            vault.place.delete(blob.name)
            gone = not vault.place.exists(blob.name)
        except VaultError:
            gone = False
        if not gone:
            failed += 1
            continue
        now = vault.clock()
        with vault.engine.begin() as connection:
            if _set_state(connection, blob.name, "destroying", "destroyed", now):
                subject = f"object:{blob.object}" if blob.object else f"blob:{blob.name}"
                facts: dict[str, audit.Detail] = {
                    "blob": blob.name,
                    "size": blob.size,
                    "orphan": not blob.object,
                }
                audit.append(connection, _ACTOR, "vault.destroyed", subject, facts, at=now)
                done += 1
    return done, failed


def _claim(vault: Vault, name: str) -> None:
    """Enter bytes that no row speaks of as to be destroyed, before its own transaction can enter them."""
    claim = insert(vault_blob).values(name=name, state="destroying", created=vault.clock())
    with suppress(IntegrityError), vault.engine.begin() as connection:  # its own transaction was quicker
        connection.execute(claim)


def _states(vault: Vault, names: Sequence[str]) -> dict[str, str]:
    """The states of those that have a row."""
    c = vault_blob.c
    states: dict[str, str] = {}
    with reading(vault.engine) as connection:
        for at in range(0, len(names), _AT_ONCE):
            query = select(c.name, c.state).where(c.name.in_(names[at : at + _AT_ONCE]))
            states |= {row.name: row.state for row in connection.execute(query)}
    return states


def _is_lost(vault: Vault, blob: Blob, there: Container[str]) -> bool:
    """Mark a kept blob whose bytes are nowhere, after a second look."""
    gone = blob.name not in there and not vault.place.exists(blob.name)
    return gone and _turned(vault, blob, "kept", "lost")


def _is_found(vault: Vault, blob: Blob, there: Container[str]) -> bool:
    """Take back a lost blob that is there again (a folder that was not mounted, a restored backup)."""
    return blob.name in there and _turned(vault, blob, "lost", "kept")


def _turned(vault: Vault, blob: Blob, old: str, new: str) -> bool:
    now = vault.clock()
    action = "vault.lost" if new == "lost" else "vault.found"
    with vault.engine.begin() as connection:
        if not _set_state(connection, blob.name, old, new):
            return False
        audit.append(connection, _ACTOR, action, f"object:{blob.object}", {"blob": blob.name}, at=now)
        return True


def _blobs(vault: Vault, state: str) -> list[Blob]:
    query = select(vault_blob.c.name, vault_blob.c.object, vault_blob.c.sha256, vault_blob.c.recipients)
    with reading(vault.engine) as connection:
        return list(connection.execute(query.where(vault_blob.c.state == state).order_by(vault_blob.c.name)))


def _set_state(connection: Connection, name: str, old: str, new: str, ended: datetime | None = None) -> bool:
    """Move a blob on; ``False`` if another was quicker."""
    mine = (vault_blob.c.name == name) & (vault_blob.c.state == old)
    return connection.execute(update(vault_blob).where(mine).values(state=new, ended=ended)).rowcount == 1
