"""Taking content in, and giving it out."""

from __future__ import annotations

import io

from sqlalchemy import Connection, Engine, insert, select

from nightlamp import audit
from nightlamp.errors import VaultError
from nightlamp.store.clock import Clock, utc_now
from nightlamp.vault.holds import HoldRequest, place_hold
from nightlamp.vault.keys import Identity, Recipients
from nightlamp.vault.place import Place, Sink, Source, new_name
from nightlamp.vault.sealing import Content, Sealed, seal_into, seal_to, through, unseal_to
from nightlamp.vault.tables import vault_blob, vault_object


class Vault:
    """A place, the table of what is there, and the public keys for what comes in.

    Args:
        engine: the database.
        place: where sealed bytes lie.
        recipients: the keys to seal for; ``None``: this node does not take content in.
        clock: the time of records and holds.
    """

    def __init__(
        self, engine: Engine, place: Place, recipients: Recipients | None = None, *, clock: Clock = utc_now
    ) -> None:
        self.engine = engine
        self.place = place
        self.recipients = recipients
        self.clock = clock
        self.fault = ""  # why the last content could not be sealed; "": it could

    def seal(self, content: bytes | Source) -> Sealed:
        """Seal content and make the sealed bytes durable. Slow: call it outside any transaction.

        What is not given to ``keep`` afterwards is an orphan, which ``reconcile`` removes.

        Args:
            content: all of it, or something to read it from.

        Raises:
            VaultError: there is no key to seal for, or the storage failed.
        """
        if self.recipients is None:
            raise VaultError(
                "no public key to seal for", hint="nightlamp vault keygen, then vault.recipients"
            )
        source = io.BytesIO(content) if isinstance(content, bytes) else content
        try:
            sealed = seal_to(self.place, new_name(), source, self.recipients)
        except VaultError as error:
            self.fault = error.what
            raise
        self.fault = ""
        return sealed

    def keep(self, connection: Connection, sealed: Sealed, hold: HoldRequest, *, actor: str) -> str:
        """Enter sealed content and its first hold, in the caller's transaction; gives the object's id.

        Safe to run again for the same ``sealed`` if the transaction was rolled back.
        """
        now = self.clock()
        object_id = new_name()
        connection.execute(insert(vault_object).values(id=object_id, created=now))
        connection.execute(
            insert(vault_blob).values(
                name=sealed.name,
                object=object_id,
                state="kept",
                sha256=sealed.sha256,
                size=sealed.size,
                recipients=sealed.recipients,
                created=now,
            )
        )
        facts: dict[str, audit.Detail] = {
            "blob": sealed.name,
            "size": sealed.size,
            "recipients": sealed.recipients,
        }
        audit.append(connection, actor, "vault.kept", f"object:{object_id}", facts, at=now)
        place_hold(connection, object_id, hold, actor=actor, now=now)
        return object_id

    def enter(self, name: str) -> None:
        """After the commit: have the place know that these bytes were entered.

        Then no restored backup of the database makes an orphan of them. If it fails, ``reconcile`` does it.
        """
        try:
            self.place.enter(name)
        except VaultError as error:
            self.fault = error.what

    def open_to(self, out: Sink, object_id: str, identity: Identity, *, actor: str, why: str) -> None:
        """Write an object's clear content to ``out``, after an audit record of who asks and why.

        Args:
            out: must not be a disk. After an error it has a part: drop it.

        Raises:
            VaultError: it is not kept, damaged, or sealed for other keys.
        """
        now = self.clock()
        with self.engine.begin() as connection:
            found = connection.execute(
                select(vault_blob).where(vault_blob.c.object == object_id, vault_blob.c.state == "kept")
            ).one_or_none()
            if found is None:
                raise VaultError(
                    "the vault does not keep this object (any more)", where=f"object {object_id}"
                )
            audit.append(connection, actor, "vault.opened", f"object:{object_id}", {"why": why}, at=now)
        with self.place.open(found.name) as sealed:
            unseal_to(out, sealed, found.sha256, identity)

    def open(self, object_id: str, identity: Identity, *, actor: str, why: str) -> Content:
        """An object's clear content in memory; otherwise as ``open_to``."""
        out = io.BytesIO()
        self.open_to(out, object_id, identity, actor=actor, why=why)
        return Content(out.getvalue())

    def hand_over(
        self,
        out: Sink,
        object_id: str,
        identity: Identity,
        recipients: Recipients,
        *,
        actor: str,
        why: str,
        watch: Sink,
    ) -> tuple[str, int]:
        """Seal an object's content for somebody else into ``out``; gives SHA-256 and size of what is sealed.

        It is never whole in memory, and never clear on a disk.

        Args:
            watch: is given the clear content, e.g. to hash it; must not be a disk.

        Raises:
            VaultError: as ``open_to``; else what ``out`` raised. ``out`` has a part then: drop it.
        """

        def give(pipe: Sink) -> None:
            self.open_to(_Both(watch, pipe), object_id, identity, actor=actor, why=why)

        return through(give, lambda pipe: seal_into(out, pipe, recipients))


class _Both:
    def __init__(self, *sinks: Sink) -> None:
        self._sinks = sinks

    def write(self, data: bytes, /) -> int:
        for each in self._sinks:
            each.write(data)
        return len(data)
