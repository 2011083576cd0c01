"""A node of the real service on loopback, and clients of it."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from PIL import Image

from nightlamp.client import Client, Retry
from nightlamp.server import Node, create_app
from nightlamp.settings import Settings

QUICK = Retry(attempts=8, first=0.001, most=0.01)


@dataclass
class Service:
    """A running node, its port, and its first key."""

    node: Node
    port: int
    key: str

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """With SQLite and one worker; tests keep apart by names of their own."""
    folder: Path = tmp_path_factory.mktemp("service")
    settings = Settings(
        data_dir=folder,
        server={"port": 0, "stop_seconds": 5},
        intake={"workers": 1},
        outbound={
            "webhook_http": True,
            "webhook_allow": ["127.0.0.0/8"],
            "webhook_ports": list(range(1024, 65536)),
        },
    )
    node = Node(settings)
    node.prepare()
    node.banks._stale_seconds = 600.0  # not out of date because the machine is busy
    assert node.first_key is not None
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings, node), host="127.0.0.1", port=0, log_config=None, access_log=False
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    yield Service(node, server.servers[0].sockets[0].getsockname()[1], node.first_key.secret.reveal())
    server.should_exit = True
    thread.join(60)


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    """With the first key, which may do everything."""
    with Client(service.address, service.key, retry=QUICK) as client:
        yield client


def picture(seed: int = 0, size: int = 96) -> bytes:
    """A small picture with enough detail for PDQ."""
    import numpy as np

    rough = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(rough).resize((size, size), Image.Resampling.BICUBIC).save(out, "PNG")
    return out.getvalue()
