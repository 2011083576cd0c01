"""One request and its answer over an open connection; HTTP/1.1 by h11, limits by us."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import h11

from nightlamp.errors import OutboundError
from nightlamp.outbound.connection import Deadline
from nightlamp.outbound.outgoing import Outgoing

_RECEIVE = 1 << 16
_UNPACK = 1 << 18  # bytes of one piece
_MAX_HEAD = 1 << 16  # bytes of a status line and its headers
_MAX_WAIT = 24 * 3600.0  # seconds
_MAX_INTERIM = 8  # 1xx answers before the real one


class Answer:
    """The answer to one request: its head at once, its body on demand."""

    def __init__(
        self, connection: socket.socket, request: h11.Request, body: bytes | Outgoing, deadline: Deadline
    ) -> None:
        """Send the request and read the answer's head; raises ``OutboundError``."""
        self._connection = connection
        self._deadline = deadline
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)
        self._send(request)
        try:
            if isinstance(body, Outgoing):
                body.fill(lambda piece: self._send(h11.Data(data=piece)))
            elif body:
                self._send(h11.Data(data=body))
            self._send(h11.EndOfMessage())
        except h11.LocalProtocolError:
            raise OutboundError("bad request", "the body is not as long as was said") from None
        self._head = self._response()
        self.status: int = self._head.status_code

    def header(self, name: bytes) -> str | None:
        """The values of a header, joined by commas (RFC 9110 §5.3), or ``None``; ``name`` in lower case."""
        values = [value for key, value in self._head.headers if key == name]
        return b", ".join(values).decode("utf-8", "replace") if values else None

    def retry_after(self) -> float | None:
        """Seconds that it wants us to wait: a number, or a date by its own clock (RFC 9110 §10.2.3)."""
        wait = (self.header(b"retry-after") or "").strip()
        if wait.isascii() and wait.isdigit():
            return min(float(wait[:9]), _MAX_WAIT)
        until, now = date(wait), date(self.header(b"date"))
        if until is None or now is None:
            return None
        return min(max((until - now).total_seconds(), 0.0), _MAX_WAIT)

    def body(self, most: int) -> bytes:
        """The body, unpacked, of at most ``most`` bytes; raises ``OutboundError``."""
        return b"".join(self.pieces(most))

    def pieces(self, most: int) -> Iterator[bytes]:
        """The body in pieces, unpacked, of at most ``most`` bytes together; raises ``OutboundError``."""
        length = self.header(b"content-length") or "0"  # h11 has seen that it is one number
        if len(length) > 18 or int(length) > most:
            raise OutboundError("too large", f"more than {most} bytes")
        encoding = (self.header(b"content-encoding") or "identity").strip().lower()
        chunks = _at_most(self._chunks(), most)
        if encoding == "identity":
            return chunks
        if encoding in ("gzip", "x-gzip", "deflate"):
            return _unpacked(chunks, encoding == "deflate", most)
        raise OutboundError("bad answer", "a content encoding that was not asked for")

    def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        assert data is not None
        try:
            self._connection.settimeout(self._deadline.left())
            self._connection.sendall(data)
        except TimeoutError:
            raise OutboundError("timeout") from None
        except OSError:
            raise OutboundError("unreachable", "the connection broke") from None

    def _event(self) -> object:
        while True:
            try:
                event = self._http.next_event()
                if event is not h11.NEED_DATA:
                    return event
                self._connection.settimeout(self._deadline.left())
                self._http.receive_data(self._connection.recv(_RECEIVE))
            except h11.RemoteProtocolError:
                raise OutboundError("bad answer", "not HTTP, or cut short") from None
            except TimeoutError:
                raise OutboundError("timeout") from None
            except OSError:
                raise OutboundError("unreachable", "the connection broke") from None

    def _response(self) -> h11.Response:
        for _ in range(_MAX_INTERIM + 1):
            event = self._event()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                break
        raise OutboundError("bad answer", "no final answer")

    def _chunks(self) -> Iterator[bytes]:
        while isinstance(event := self._event(), h11.Data):
            yield bytes(event.data)
        if not isinstance(event, h11.EndOfMessage):
            raise OutboundError("bad answer", "cut short")


def date(text: str | None) -> datetime | None:
    """A date of HTTP in UTC, if it is one."""
    try:
        found = parsedate_to_datetime(text or "")
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _at_most(chunks: Iterable[bytes], most: int) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > most:
            raise OutboundError("too large", f"more than {most} bytes")
        yield chunk


def _unpacked(chunks: Iterable[bytes], deflate: bool, most: int) -> Iterator[bytes]:
    """One gzip member or zlib stream (RFC 9110 §8.4.1), a little at a time, however well it was packed."""
    decoder = zlib.decompressobj(zlib.MAX_WBITS if deflate else zlib.MAX_WBITS | 16)
    room = most
    started = False
    for chunk in chunks:
        started = started or bool(chunk)
        packed, full = chunk, True
        while packed or full:  # what is unpacked may fill the piece when all that is packed was read
            try:
                data = decoder.decompress(packed, _UNPACK)
            except zlib.error:
                raise OutboundError("bad answer", "the body cannot be unpacked") from None
            packed, full = decoder.unconsumed_tail, len(data) == _UNPACK
            room -= len(data)
            if room < 0:
                raise OutboundError("too large", f"more than {most} bytes once unpacked")
            if decoder.unused_data:
                raise OutboundError("bad answer", "more after the packed body's end")
            yield data
    if started and not decoder.eof:
        raise OutboundError("bad answer", "the packed body is cut short")
