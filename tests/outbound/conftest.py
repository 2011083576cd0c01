"""Nothing here leaves the machine: a connection to anything but loopback is recorded and refused."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import pytest
import trustme
from tests.fakes.raw_server import RawServer, Script
from tests.fakes.resolver import FakeResolver

from nightlamp.outbound import Fetcher, Rules


@pytest.fixture(autouse=True)
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Every address that the test tried to connect to; a service of other tests may run beside it."""
    made: list[tuple[str, int]] = []
    real = socket.socket.connect
    ours = threading.get_ident()

    def connect(self: socket.socket, address: tuple[str, int]) -> None:
        if threading.get_ident() == ours:
            made.append(address[:2])
        if not address[0].startswith("127."):
            raise OSError("tests stay on this machine")
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    return made


Serve = Callable[..., RawServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that run until the test ends."""
    with contextlib.ExitStack() as stack:

        def start(script: Script, **options: object) -> RawServer:
            return stack.enter_context(RawServer(script, **options).running())  # type: ignore[arg-type]

        yield start


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that exists for this run only."""
    return trustme.CA()


def fetcher_for(
    *servers: RawServer,
    resolver: FakeResolver | None = None,
    tls: ssl.SSLContext | None = None,
    allow: tuple[str, ...] = ("127.0.0.1/32",),
    **rules: object,
) -> Fetcher:
    """A fetcher that may reach the servers, and nothing but them."""
    ports = frozenset({80, 443, *(server.port for server in servers)})
    return Fetcher(
        Rules(allow=allow, ports=ports, **rules),  # type: ignore[arg-type]
        resolve=resolver or FakeResolver(),
        tls=tls,
    )
