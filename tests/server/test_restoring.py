"""A database restored from an older backup, beside a vault that has gone on."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

from sqlalchemy import make_url

from nightlamp.store import utc_now
from nightlamp.vault import Identity

from .conftest import Start, digest, picture


def test_what_was_sealed_after_the_backup_stays_and_is_told_of(
    start: Start, sqlite_url: str, tmp_path: Path
) -> None:
    # given a service that holds content, a backup of its database, and more content held after it
    settings = {"vault": {"path": tmp_path / "vault", "recipients": Identity.generate().public}}
    service = start(sqlite_url, **settings)
    pictures = [picture(seed) for seed in range(4)]
    service.bank("list", *(digest("md5", data) for data in pictures))
    assert service.submit(pictures[0]).json()["action"] == "block"
    backup = tmp_path / "backup.db"
    with sqlite3.connect(str(make_url(sqlite_url).database)) as now, sqlite3.connect(backup) as then:
        now.backup(then)
    for data in pictures[1:]:
        assert service.submit(data).json()["action"] == "block"
    orphan = service.node.vault.seal(b"of a process that died before its commit").name
    held = {stored.name for stored in service.node.vault.place.names()} - {orphan}
    assert len(held) == 4

    # when the backup is restored, and every loop that touches the vault runs again and again, much later
    service.client.close()
    restored = start(f"sqlite:///{backup}", admin=service.admin, folder="restored", **settings)
    for hours in (3, 30, 300):
        restored.node.vault.clock = lambda hours=hours: utc_now() + timedelta(hours=hours)
        for loop in ("destruction", "vault", "destruction"):
            restored.run(loop)

    # then nothing that was held is gone, only the orphan is, and readiness says what is strange
    assert {stored.name for stored in restored.node.vault.place.names()} == held
    ready = restored.get("/v1/health/ready").json()
    [check] = [each for each in ready["checks"] if each["check"] == "strangers"]
    assert (ready["status"], check["well"], check["detail"][:2]) == ("degraded", False, "3;")
    assert restored.submit(pictures[2]).json()["action"] == "block"
    assert restored.get("/v1/audit/verify").json()["intact"]
