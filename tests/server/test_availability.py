"""A database that does not answer, and a vault's disk that fails, while the service runs."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import make_url

from .conftest import Service, Start, digest, picture


@contextlib.contextmanager
def locked(url: str) -> Iterator[None]:
    """Somebody else holds the database's write lock."""
    other = sqlite3.connect(make_url(url).database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_database_that_cannot_be_written_is_a_503_and_the_same_request_works_later(
    start: Start, sqlite_url: str
) -> None:
    # given a node with little patience
    service = start(sqlite_url, database={"busy_seconds": 0.1}, writer={"patience_seconds": 0.3})
    data = picture()
    service.bank("list", digest("md5", data))
    key = service.key("submit")

    # when the database is locked for long
    with locked(sqlite_url):
        answers = [
            service.submit(each, idempotency_key=f"k{at}") for at, each in enumerate((data, picture(2)))
        ]
        limited = service.submit(data, key)
    assert [answer.status_code for answer in answers] == [503, 503]
    assert limited.status_code == 503
    assert set(limited.json()) == {"type", "title", "status", "request_id"}
    assert {answer.json()["type"] for answer in answers} == {"urn:nightlamp:problem:unavailable"}
    assert service.get("/v1/items").json()["items"] == []

    # then the same requests work once it is free, and each is there once
    again = [service.submit(each, idempotency_key=f"k{at}") for at, each in enumerate((data, picture(2)))]
    assert [answer.json()["action"] for answer in again] == ["block", "allow"]
    assert len(service.get("/v1/items").json()["items"]) == 2
    service.run("destruction")
    assert service.get("/v1/audit/verify").json()["intact"]


def test_a_database_that_is_gone_makes_the_node_not_ready_until_it_is_back(
    service: Service, sqlite_url: str
) -> None:
    path = Path(str(make_url(sqlite_url).database))
    away = path.with_suffix(".away")
    service.node.engine.dispose()
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        if name.exists():
            name.rename(away.with_name(away.name + name.name[len(path.name) :]))
    path.mkdir()  # so that no new file is made in its place
    try:
        assert service.get("/v1/items").status_code == 503
        service.node._in_touch -= 3600
        ready = service.get("/v1/health/ready", None)
        assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
        assert service.get("/metrics", None).status_code == 200
        assert service.get("/v1/health/live", None).status_code == 200
    finally:
        path.rmdir()
        for name in path.parent.glob(away.name + "*"):
            name.rename(path.with_name(path.name + name.name[len(away.name) :]))
    service.run("changes")
    assert service.get("/v1/health/ready", None).status_code == 200
    assert service.submit(picture()).json()["action"] == "allow"


def test_a_vault_whose_disk_fails_refuses_what_must_be_held_and_readiness_says_so(service: Service) -> None:
    data = picture()
    service.bank("list", digest("md5", data))
    folder = service.node.settings.vault_path
    folder.parent.mkdir(exist_ok=True)
    moved = folder.with_name("elsewhere")
    if folder.exists():
        folder.rename(moved)
    folder.write_text("no folder")
    try:
        assert service.submit(data, idempotency_key="k").status_code == 503
        assert service.submit(picture(2)).json()["action"] == "allow"
        loop = next(each for each in service.node.supervisor.loops if each.name == "vault")
        service.node.supervisor.run_once(loop)
        ready = service.get("/v1/health/ready").json()
        assert ready["status"] == "degraded"
        assert not next(c for c in ready["checks"] if c["check"] == "vault")["well"]
    finally:
        folder.unlink()
        if moved.exists():
            moved.rename(folder)
    assert service.submit(data, idempotency_key="k").json()["action"] == "block"
    service.run("vault")
    assert service.get("/v1/health/ready").json()["status"] == "ready"
