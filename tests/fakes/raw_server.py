"""A web server on loopback that answers as scripted, byte by byte, so that it can break every rule of HTTP.

Follows RFC 9112 only as far as reading a request goes: head up to the blank line, body by Content-Length.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class Request:
    """One request as it came in; header names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


class Conversation:
    """What a script has of one connection: the request, and a way to answer until the other side is gone."""

    def __init__(self, connection: socket.socket, request: Request, stopping: threading.Event) -> None:
        self.request = request
        self.sent = 0
        self._connection = connection
        self._stopping = stopping

    def send(self, data: bytes) -> bool:
        """Send; whether the other side still listens."""
        try:
            self._connection.sendall(data)
        except OSError:
            return False
        self.sent += len(data)
        return not self._stopping.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait; whether the server still runs."""
        return not self._stopping.wait(seconds)


Script = Callable[[Conversation], None]


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> Script:
    """A script that answers properly; ``content_type="…"`` is the header Content-Type."""
    fields = {"content_length": str(len(body)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())

    def script(conversation: Conversation) -> None:
        conversation.send(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)

    return script


@dataclass
class RawServer:
    """Each connection gets one request read and the script run; ``silent`` ones are accepted and no more."""

    script: Script
    host: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    silent: bool = False
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    conversations: list[Conversation] = field(default_factory=list)
    connections: int = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[RawServer]:
        stopping = threading.Event()
        threads: list[threading.Thread] = []
        with socket.create_server((self.host, self.port)) as listener:
            listener.settimeout(0.05)
            self.port = listener.getsockname()[1]

            def accept() -> None:
                while not stopping.is_set():
                    try:
                        connection, _ = listener.accept()
                    except OSError:
                        continue
                    self.connections += 1
                    threads.append(threading.Thread(target=self._serve, args=(connection, stopping)))
                    threads[-1].start()

            accepting = threading.Thread(target=accept)
            accepting.start()
            try:
                yield self
            finally:
                stopping.set()
                with contextlib.suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)  # wakes it at once where the system can
                accepting.join()
                for thread in threads:
                    thread.join()

    def _serve(self, connection: socket.socket, stopping: threading.Event) -> None:
        with connection:
            connection.settimeout(60)
            if self.silent:
                stopping.wait(60)
                return
            with contextlib.suppress(OSError):
                if self.tls:
                    connection = self.tls.wrap_socket(connection, server_side=True)
                request = _read(connection)
                if request:
                    self.requests.append(request)
                    conversation = Conversation(connection, request, stopping)
                    self.conversations.append(conversation)
                    self.script(conversation)
                    connection.close()


def _read(connection: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in fields)}
    while len(body) < int(headers.get("content-length", 0)):
        piece = connection.recv(65536)
        if not piece:
            return None
        body += piece
    return Request(line, headers, body)
