"""A whole node behind its API, on a database and a folder of the test's own."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from starlette.testclient import TestClient

from nightlamp.examine import Workers
from nightlamp.origin import Asked
from nightlamp.outbound import Fetcher
from nightlamp.server import Node, create_app
from nightlamp.server.logs import configure
from nightlamp.settings import Settings
from nightlamp.signals import installed


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    """Worker processes for the whole session: they take seconds to start."""
    with Workers(1, origin=Asked()) as workers:
        yield workers


@dataclass
class Service:
    """A client of a node, with a key for each scope."""

    client: httpx.Client
    node: Node
    log: io.StringIO
    admin: str
    keys: dict[str, str] = field(default_factory=dict)

    def key(self, *scopes: str) -> str:
        name = "+".join(scopes)
        if name not in self.keys:
            made = self.post("/v1/keys", json={"name": name, "scopes": list(scopes)}).json()
            self.keys[name] = made["secret"]
        return self.keys[name]

    def call(self, method: str, path: str, key: str | None = "", **rest: Any) -> httpx.Response:
        headers = dict(rest.pop("headers", {}))
        if key is not None:
            headers["authorization"] = f"Bearer {key or self.admin}"
        return self.client.request(method, path, headers=headers, **rest)

    def get(self, path: str, key: str | None = "", **rest: Any) -> httpx.Response:
        return self.call("GET", path, key, **rest)

    def post(self, path: str, key: str | None = "", **rest: Any) -> httpx.Response:
        return self.call("POST", path, key, **rest)

    def submit(self, data: bytes, key: str = "", **fields: str) -> httpx.Response:
        headers = {}
        if "idempotency_key" in fields:
            headers["idempotency-key"] = fields.pop("idempotency_key")
        return self.post("/v1/items", key, files={"file": data}, data=fields, headers=headers)

    def bank(self, name: str, *entries: tuple[str, str], **rest: Any) -> int:
        """A bank with entries in force."""
        number = self.post("/v1/banks", json={"name": name, "source": "test", **rest}).json()["id"]
        rows = [{"signal": s, "value": v, "id": f"{name}-entry-{at}"} for at, (s, v) in enumerate(entries)]
        if rows:
            added = self.post(f"/v1/banks/{number}/entries", json={"entries": rows})
            assert added.status_code == 200, added.text
        return number

    def run(self, loop: str) -> None:
        """One run of a background loop, until it has nothing to do."""
        found = next(each for each in self.node.supervisor.loops if each.name == loop)
        while self.node.supervisor.run_once(found):
            pass
        assert not found.failures, found.failed_by


Start = Callable[..., Service]


@pytest.fixture
def start(tmp_path: Path, workers: Workers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts services; loops do not run by themselves, so that tests say when.

    What is known of the database is therefore not out of date after seconds, as it is in a real node.
    """
    monkeypatch.setattr("nightlamp.server.node._OUT_OF_TOUCH", 600.0)
    with contextlib.ExitStack() as stack:

        def begin(
            url: str,
            fetch: Fetcher | None = None,
            post: Fetcher | None = None,
            pool: Any = None,
            tracing: Any = None,
            folder: str = "data",
            admin: str = "",
            **settings: Any,
        ) -> Service:
            log = io.StringIO()
            configure(log)
            database = {"url": url, **settings.pop("database", {})}
            if isinstance(tracing, dict):
                settings["tracing"], tracing = tracing, None
            made = Settings(data_dir=tmp_path / folder, database=database, **settings)
            node = Node(
                made,
                fetch=fetch,
                post=post,
                workers=pool or (lambda: contextlib.nullcontext(workers)),
                tracing=tracing,
            )
            node.prepare()
            node.banks._stale_seconds = 600.0
            node.supervisor.start = lambda: None  # type: ignore[method-assign]
            client = stack.enter_context(TestClient(create_app(made, node), raise_server_exceptions=False))
            assert (node.first_key is None) == bool(admin)
            return Service(client, node, log, admin or node.first_key.secret.reveal())

        yield begin


@pytest.fixture
def service(start: Start, sqlite_url: str) -> Service:
    """On SQLite."""
    return start(sqlite_url)


@pytest.fixture
def either(start: Start, database_url: str) -> Service:
    """On SQLite and on PostgreSQL; PostgreSQL's vault has its key from the settings."""
    from nightlamp.vault import Identity

    return start(database_url, vault={"recipients": Identity.generate().public})


def picture(seed: int = 0, kind: str = "PNG", size: int = 96) -> bytes:
    """A small picture with enough detail for PDQ."""
    import numpy as np

    rough = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(rough).resize((size, size), Image.Resampling.BICUBIC).save(out, kind)
    return out.getvalue()


def digest(signal: str, data: bytes) -> tuple[str, str]:
    """The data's own digest, as an entry."""
    of = installed()[signal].of_bytes()
    of.update(data)
    return signal, of.digest().hex()
