"""What the fake exchanges share: a server on loopback, a clock that the test sets, and faults on request.

A fake answers one request as ``respond`` says; ``faults`` are scripts that answer the next requests instead,
one each (``None`` lets one pass). Times in answers are by the fake's own clock.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qs, urlsplit

from tests.fakes.raw_server import Conversation, RawServer, Script
from tests.fakes.resolver import FakeResolver

from nightlamp.outbound import Fetcher, Rules

NOW = datetime(2024, 3, 10, 12, 0, 0, tzinfo=UTC)


@dataclass
class Asked:
    """A request, taken apart; every value of the query as a text."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


@dataclass
class Answer:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def as_json(value: object, status: int = 200) -> Answer:
    return Answer(json.dumps(value).encode(), status, {"Content-Type": "application/json"})


class FakeExchange:
    """Subclasses say ``respond``."""

    def __init__(self) -> None:
        self.now = NOW
        self.skew = timedelta(0)
        self.faults: list[Script | None] = []
        self.asked: list[Asked] = []
        self._server = RawServer(self._script)

    def respond(self, asked: Asked) -> Answer:
        raise NotImplementedError

    def clock(self) -> datetime:
        """For the client."""
        return self.now

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    @contextlib.contextmanager
    def running(self) -> Iterator[FakeExchange]:
        with self._server.running():
            yield self

    def fetcher(self, **rules: object) -> Fetcher:
        """May reach this server and nothing else."""
        ports = frozenset({self._server.port})
        return Fetcher(Rules(allow=("127.0.0.1/32",), ports=ports, **rules), resolve=FakeResolver())  # type: ignore[arg-type]

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    def _script(self, conversation: Conversation) -> None:
        request = conversation.request
        method, target, _ = request.line.split(" ")
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        asked = Asked(method, parts.path, query, request.headers, request.body)
        self.asked.append(asked)
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            fault(conversation)
        else:
            self.send(conversation, self.respond(asked))

    def send(self, conversation: Conversation, answer: Answer) -> None:
        headers = {
            "Content-Length": str(len(answer.body)),
            "Date": format_datetime(self.now + self.skew, usegmt=True),
            **answer.headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        conversation.send(f"HTTP/1.1 {answer.status} X\r\n{head}\r\n".encode() + answer.body)


def basic_of(asked: Asked) -> tuple[str, str]:
    """User and password of a request."""
    kind, _, text = asked.headers.get("authorization", "").partition(" ")
    user, _, password = base64.b64decode(text).decode().partition(":") if kind == "Basic" else ("", "", "")
    return user, password


def status(number: int, **headers: str) -> Script:
    """A fault: this status, and no body to speak of."""

    def script(conversation: Conversation) -> None:
        fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        conversation.send(f"HTTP/1.1 {number} X\r\nContent-Length: 2\r\n{fields}\r\nno".encode())

    return script


def body(data: bytes, **headers: str) -> Script:
    """A fault: these bytes."""

    def script(conversation: Conversation) -> None:
        fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        conversation.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\n{fields}\r\n".encode() + data)

    return script


def half(conversation: Conversation) -> None:
    """A fault: an answer that breaks off."""
    conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<queryResult>{[")


def silence(conversation: Conversation) -> None:
    """A fault: nothing, for as long as the other side waits."""
    conversation.wait(10)


def garbage(conversation: Conversation) -> None:
    """A fault: no HTTP."""
    conversation.send(b"\x00\x01\x02 not HTTP\r\n\r\n")


def drip(conversation: Conversation) -> None:
    """A fault: an answer that comes a byte at a time and would take hours."""
    conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while conversation.send(b" ") and conversation.wait(0.05):
        pass
