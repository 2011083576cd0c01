"""Every call to the disk and every commit fails once in turn, or the process dies there; then all must agree.

One round keeps two objects, releases and purges one, leaves an orphan, reconciles and rekeys. It is run again
and again with the fault one call later, until it runs clean. After each round the vault is put right as an
operator would (reconcile, purge) and database, audit log and disk are compared with each other and with what
the round had been promised.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import DBAPIError, OperationalError
from tests.forking import FORKING

from nightlamp import audit
from nightlamp.audit import PublicKeys
from nightlamp.audit.tables import audit_record
from nightlamp.errors import NightlampError
from nightlamp.store import connect, reading
from nightlamp.vault import (
    DiskPlace,
    HoldRequest,
    Identity,
    Recipients,
    Vault,
    holds,
    purge,
    reconcile,
    rekey,
)
from nightlamp.vault.tables import vault_blob, vault_hold

KILLED = 77
AT_ONCE = timedelta(days=-1)
A, B, ORPHAN = b"content of a", b"content of b", b"nobody's content"


class Faults:
    """Counts calls under ``root`` and commits of ``engine``; at number ``at`` it fails or kills."""

    def __init__(self, engine, root: Path, at: int, kill: bool) -> None:
        self.engine, self.root, self.at, self.kill = engine, str(root), at, kill
        self.count = 0
        self.files: set[int] = set()

    def hit(self, error: Exception) -> None:
        self.count += 1
        if self.count == self.at:
            if self.kill:
                os._exit(KILLED)
            raise error

    def install(self, patch: pytest.MonkeyPatch) -> None:
        for name in ("open", "write", "fsync", "replace", "unlink", "mkdir"):
            patch.setattr(os, name, self._faulty(name, getattr(os, name)))
        real_commit = self.engine.dialect.do_commit
        lost = OperationalError("COMMIT", {}, RuntimeError("planted"))

        def commit(raw):
            self.hit(lost)  # before it took place …
            real_commit(raw)
            self.hit(lost)  # … or after, so that the caller believes that it failed

        patch.setattr(self.engine.dialect, "do_commit", commit)

    def _faulty(self, name, real):
        def call(what, *rest, **options):
            ours = what in self.files if isinstance(what, int) else os.fspath(what).startswith(self.root)
            if ours:
                self.hit(OSError(5, f"planted in {name}"))
            result = real(what, *rest, **options)
            if ours and name == "open":
                self.files.add(result)
            elif name == "open":
                self.files.discard(result)
            return result

        return call


def play(vault: Vault, old: Identity, new: Recipients, promised: list[str]) -> None:
    """One round; notes what it was promised."""
    for label, content in (("a", A), ("b", B)):
        sealed = vault.seal(content)
        with vault.engine.begin() as connection:
            object_id = vault.keep(connection, sealed, HoldRequest("test", "US"), actor="key:test")
        promised.append(f"{label} {object_id}")
    with vault.engine.begin() as connection:
        hold = holds.holds(connection, object_id)[0]
        holds.release(connection, hold.id, actor="key:test", reason="test", now=vault.clock())
    promised.append("released")
    purge(vault)
    vault.seal(ORPHAN)
    reconcile(vault, older_than=AT_ONCE)
    if not rekey(vault, old, new, actor="admin:test").failed:
        promised.append("rekeyed")
    promised.append("end")


def promises(vault, old, new, faults, monkeypatch, kill, tmp_path) -> list[str]:
    """Play a round with its fault, in this process or in one that dies; gives what it had been promised."""
    if not kill:
        noted: list[str] = []
        with monkeypatch.context() as patch:
            faults.install(patch)
            with suppress(NightlampError, OSError, DBAPIError):
                play(vault, old, new, noted)
        return noted
    notes, key = tmp_path / "promises", tmp_path / "old.key"
    notes.write_text("")
    key.unlink(missing_ok=True)
    old.write(key)
    url = vault.engine.url.render_as_string(hide_password=False)
    given = (url, faults.root, faults.at, key, new.names, vault.clock(), notes)
    process = FORKING.Process(target=play_and_die, args=given)
    process.start()
    process.join()
    assert process.exitcode in (0, KILLED)
    return notes.read_text().splitlines()


def play_and_die(
    url: str, root: str, at: int, key: Path, new: Sequence[str], now: datetime, notes: Path
) -> None:
    """What the process does that is killed."""

    class Notes(list):
        def append(self, line):
            with notes.open("a") as file:
                file.write(line + "\n")

    engine, old = connect(url), Identity.read(key)
    vault = Vault(engine, DiskPlace(Path(root)), Recipients.of([old.public]), clock=lambda: now)
    with pytest.MonkeyPatch.context() as patch:
        Faults(engine, Path(root), at, kill=True).install(patch)
        play(vault, old, Recipients.of(new), Notes())


def agree(vault: Vault) -> None:
    """Disk, database and audit log say the same."""
    with reading(vault.engine) as connection:
        assert audit.verify_log(connection, PublicKeys({})).intact
        blobs = connection.execute(select(vault_blob)).all()
        records = connection.execute(
            select(audit_record.c.action, audit_record.c.details, func.count()).group_by(
                audit_record.c.action, audit_record.c.details
            )
        ).all()
    on_disk = {path.name: path for path in vault.place._root.rglob("*") if path.is_file()}
    kept = {blob.name: blob for blob in blobs if blob.state == "kept"}
    assert {blob.state for blob in blobs} <= {"kept", "destroyed"}
    assert set(on_disk) == set(kept)
    for name, path in on_disk.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == kept[name].sha256
    said = {
        action: [
            name for blob in blobs for name in [blob.name] for r in records if r[0] == action and name in r[1]
        ]
        for action in ("vault.kept", "vault.resealed", "vault.destroyed", "vault.lost")
    }
    assert said["vault.lost"] == []
    assert sorted(said["vault.destroyed"]) == sorted(b.name for b in blobs if b.state == "destroyed")
    entered = said["vault.kept"] + said["vault.resealed"]
    assert sorted(entered) == sorted(b.name for b in blobs if b.object is not None)


def opened(vault: Vault, object_id: str, identities: list[Identity]) -> bytes:
    for identity in identities:
        try:
            return vault.open(object_id, identity, actor="test", why="test").data
        except NightlampError as error:
            if "does not open" not in str(error):
                raise
    raise AssertionError("no identity opens it")


@pytest.mark.parametrize(
    "stride", [pytest.param(5, id="every fifth"), pytest.param(1, id="every", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("kill", [False, True], ids=["fails", "killed"])
def test_after_a_fault_at_any_call_all_agree(engine, tmp_path, clock, monkeypatch, kill, stride):
    keys = [Identity.generate(), Identity.generate()]
    root = tmp_path / "vault"
    at, clean = (2 * kill + (engine.dialect.name == "sqlite")) % stride, False
    while not clean:
        at += stride
        old, new = keys
        keys.reverse()
        vault = Vault(engine, DiskPlace(root), Recipients.of([old.public]), clock=clock)
        faults = Faults(engine, root, at, kill)
        promised = promises(vault, old, Recipients.of([new.public]), faults, monkeypatch, kill, tmp_path)
        clean = "end" in promised and (kill or faults.count < at)
        # when it is put right
        assert reconcile(vault, older_than=AT_ONCE).failed == 0
        assert purge(vault).failed == 0
        # then all agree, and what was promised is so
        agree(vault)
        for label, object_id in (line.split() for line in promised if " " in line):
            if label == "a" or (
                label == "b" and "released" not in promised and not _is_released(engine, object_id)
            ):
                assert (
                    opened(vault, object_id, [new] if "rekeyed" in promised else keys)
                    == {"a": A, "b": B}[label]
                )
        if "released" in promised:
            assert _kept(engine) == 1
        # and the next round begins with an empty vault
        _release_all(vault)
        purge(vault)
        agree(vault)
        assert _kept(engine) == 0
    assert at > 60, "the faults did not reach the code"


def _kept(engine) -> int:
    with reading(engine) as connection:
        return connection.scalar(select(func.count()).where(vault_blob.c.state == "kept"))


def _is_released(engine, object_id) -> bool:
    with reading(engine) as connection:
        return all(hold.released for hold in holds.holds(connection, object_id))


def _release_all(vault) -> None:
    with vault.engine.begin() as connection:
        for hold in connection.scalars(select(vault_hold.c.id).where(vault_hold.c.released.is_(None))).all():
            holds.release(connection, hold, actor="test", reason="end of the round", now=vault.clock())


def test_a_fault_in_the_database_leaves_an_orphan_that_is_found(engine, tmp_path, clock, recipients):
    vault = Vault(engine, DiskPlace(tmp_path / "vault"), recipients, clock=clock)
    sealed = vault.seal(A)
    event.listen(engine, "commit", lambda _: (_ for _ in ()).throw(OSError("planted")), once=True)
    with pytest.raises(OSError, match="planted"), engine.begin() as connection:
        vault.keep(connection, sealed, HoldRequest("test", "US"), actor="key:test")
    assert reconcile(vault, older_than=AT_ONCE).orphans == 1
    agree(vault)
