"""A proxy on loopback that breaks connections on purpose, one planned fault a request.

It speaks just enough HTTP/1.1: one request a connection, a body with Content-Length.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from typing import Literal, Self, get_args

Fault = Literal[
    "none",
    "refuse",  # the connection is closed at once
    "lose request",  # the request is taken and goes nowhere
    "cut request",  # the service gets half of the request
    "lose answer",  # the service has done it, and nobody hears of it
    "cut answer",  # … or half of it
    "busy",  # 503 in the service's stead
    "slow down",  # 429 in the service's stead
]
FAULTS: tuple[Fault, ...] = get_args(Fault)
_BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_SLOW = b"HTTP/1.1 429 Slow\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class FaultProxy:
    """Passes requests on to ``port``; ``plan`` says what happens to the next ones, and then nothing does."""

    def __init__(self, port: int) -> None:
        self._upstream = ("127.0.0.1", port)
        self._plan: deque[Fault] = deque()
        self.seen: list[Fault] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def plan(self, *faults: Fault) -> None:
        self._plan = deque(faults)
        self.seen = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            fault = self._plan.popleft() if self._plan else "none"
            self.seen.append(fault)
            threading.Thread(target=self._serve, args=(connection, fault), daemon=True).start()

    def _serve(self, client: socket.socket, fault: Fault) -> None:
        with client, contextlib.suppress(OSError):  # either side went away: so be it
            client.settimeout(60)
            self._pass(client, fault)

    def _pass(self, client: socket.socket, fault: Fault) -> None:
        if fault == "refuse":
            return
        request = _request(client)
        if fault == "lose request" or not request:
            return
        if fault in ("busy", "slow down"):
            client.sendall(_BUSY if fault == "busy" else _SLOW)
            return
        with socket.create_connection(self._upstream, timeout=60) as service:
            if fault == "cut request":
                service.sendall(request[: len(request) // 2])
                return
            service.sendall(request)
            answer = b"".join(iter(lambda: service.recv(65_536), b""))
        if fault == "cut answer":
            client.sendall(answer[: len(answer) // 2])
        elif fault == "none":
            client.sendall(answer)


def _request(client: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = client.recv(65_536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    length = next(
        (int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        piece = client.recv(65_536)
        if not piece:
            return b""
        body += piece
    return b"\r\n".join([*lines, b"Connection: close", b"", body])
