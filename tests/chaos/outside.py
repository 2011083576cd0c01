"""The world outside on loopback: a receiver of webhooks that also serves pictures, and a cable to cut."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, Self


class Outside:
    """A web server: ``POST`` takes webhooks and counts them, ``GET /x`` gives ``pictures["x"]``.

    Args:
        seed: of its moods.
        moody: how many of its answers to webhooks are errors, 0 to 1.
    """

    def __init__(self, seed: int = 0, moody: float = 0.0) -> None:
        self.pictures: dict[str, bytes] = {}
        self.fetched: dict[str, int] = defaultdict(int)
        self.taken: dict[str, int] = defaultdict(int)  # by the message's id, answered 204
        self.bodies: dict[str, set[bytes]] = defaultdict(set)
        self.headers: list[str] = []
        self.moody = moody
        self.slow = 0.0  # seconds before a picture comes
        self._moods = random.Random(seed)
        self._lock = threading.Lock()
        outside = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers.get("content-length", 0))
                body = self.rfile.read(size)
                if len(body) < size:
                    return  # the sender was killed in the middle of it
                identity = self.headers.get("webhook-id", "")
                with outside._lock:
                    well = outside._moods.random() >= outside.moody
                    outside.bodies[identity].add(body)
                    outside.headers.append(str(self.headers))
                    outside.taken[identity] += well
                self._answer(204 if well else 500)

            def do_GET(self) -> None:
                name = self.path.strip("/")
                with outside._lock:
                    outside.fetched[name] += 1
                time.sleep(outside.slow)
                found = outside.pictures.get(name)
                self._answer(404 if found is None else 200, found or b"")

            def _answer(self, status: int, body: bytes = b"") -> None:
                with contextlib.suppress(OSError):  # who asked may be dead
                    self.send_response(status)
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.address = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


Mode = Literal["pass", "refuse", "hang"]


class Cable:
    """A TCP proxy between a node and its database or store, which can be cut.

    Args:
        upstream: where to: a path of a socket, or host and port.
    """

    def __init__(self, upstream: str | tuple[str, int]) -> None:
        self._upstream = upstream
        self.mode: Mode = "pass"
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._cut()

    @contextlib.contextmanager
    def broken(self, mode: Mode) -> Iterator[None]:
        """``refuse``: connections are cut and no new ones come about; ``hang``: nothing gets through."""
        self.mode = mode
        if mode == "refuse":
            self._cut()
        try:
            yield
        finally:
            self.mode = "pass"
            self._cut()  # what hung is lost

    def _cut(self) -> None:
        with self._lock:
            doomed, self._open = self._open, set()
        for each in doomed:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            if self.mode == "refuse":
                near.close()
                continue
            try:
                far = socket.socket(socket.AF_UNIX if isinstance(self._upstream, str) else socket.AF_INET)
                far.connect(self._upstream)
            except OSError:
                near.close()
                continue
            with self._lock:
                self._open |= {near, far}
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65_536):
                while self.mode == "hang":
                    time.sleep(0.02)
                other.sendall(data)
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
