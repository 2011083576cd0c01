"""What the pool and its worker processes say to each other, over one socket pair each.

A message is four bytes of length, then JSON; content follows raw where the message says so, and an open file
travels as a descriptor. Nothing is unpickled: a worker that hostile bytes have taken over can lie about the
item it holds, and do no more.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nightlamp.examine.examination import Shape, Step
from nightlamp.media import LATEST
from nightlamp.origin import Asked, TrustList, from_json, to_json
from nightlamp.values import Assessment, Fingerprint, Unchecked

_LENGTH = struct.Struct("<I")
_DESCRIPTOR = struct.Struct("@i")
_AT_ONCE = 1 << 16
_MOST = 64 << 20


class Closed(Exception):  # noqa: N818
    """The other side is gone, or broke the protocol."""


def send(
    to: socket.socket,
    message: Any,
    *,
    fd: int | None = None,
    data: bytes | bytearray | memoryview | None = None,
) -> None:
    """Send one message, with an open file and raw bytes after it if given.

    Raises:
        Closed: nobody is there to take it.
        TimeoutError: nobody has taken it within the time of ``limit_time``.
    """
    body = json.dumps(message, separators=(",", ":")).encode()
    packet = _LENGTH.pack(len(body)) + body
    try:
        if fd is not None:
            socket.send_fds(to, [packet], [fd])
        elif data is None:
            to.sendall(packet)
        else:  # at once, so that the other side wakes once
            sent = to.sendmsg([packet, data])
            if sent < len(packet):
                to.sendall(packet[sent:])
            if sent < len(packet) + len(data):
                to.sendall(memoryview(data)[max(sent - len(packet), 0) :])
    except BlockingIOError:
        raise TimeoutError from None
    except ConnectionError as error:
        raise Closed from error


def limit_time(of: socket.socket, which: int, seconds: float) -> None:
    """From now on a blocking ``of`` waits no longer than so, by ``SO_RCVTIMEO`` or ``SO_SNDTIMEO``.

    The kernel's own limit takes one system call for each wait; Python's time-out takes three, and lets other
    threads run at each.
    """
    whole, part = divmod(max(int(seconds * 1e6), 1), 1_000_000)
    of.setsockopt(socket.SOL_SOCKET, which, struct.pack("@ll", whole, part))


class Incoming:
    """What comes over a socket; each system call takes whatever is there.

    Args:
        of: a blocking socket.
        descriptors: open files may come with a message.
    """

    def __init__(self, of: socket.socket, *, descriptors: bool = False) -> None:
        self._of = of
        self._descriptors = descriptors
        self._fd: int | None = None
        self._held = bytearray(_AT_ONCE)
        self._from = self._to = 0  # what of it was not taken yet

    def message(self) -> Any:
        """The next message.

        Raises:
            Closed: end of stream, or not a message.
            TimeoutError: the time of ``limit_time`` has passed.
        """
        (length,) = _LENGTH.unpack(self.take(_LENGTH.size))
        if length > _MOST:
            raise Closed
        try:
            return json.loads(self.take(length))
        except (ValueError, RecursionError) as error:
            raise Closed from error

    def request(self) -> tuple[Any, int | None]:
        """The next message and the open file that came with it; the caller closes it."""
        message = self.message()
        fd, self._fd = self._fd, None
        return message, fd

    def take(self, length: int) -> bytearray:
        """Exactly ``length`` bytes.

        Raises:
            Closed, TimeoutError: see ``message``.
        """
        data = bytearray(length)
        done = 0
        while done < length:
            if self._from == self._to:
                if length - done >= _AT_ONCE:
                    done += self._receive(memoryview(data)[done:])
                    continue
                self._from, self._to = 0, self._receive(memoryview(self._held))
            more = min(length - done, self._to - self._from)
            data[done : done + more] = memoryview(self._held)[self._from : self._from + more]
            self._from += more
            done += more
        return data

    def _receive(self, into: memoryview) -> int:
        try:
            if self._descriptors:
                got, files, _, _ = self._of.recvmsg_into([into], socket.CMSG_SPACE(_DESCRIPTOR.size))
                for _, _, packed in files:
                    (self._fd,) = _DESCRIPTOR.unpack(packed[: _DESCRIPTOR.size])
            else:
                got = self._of.recv_into(into)
        except BlockingIOError:
            raise TimeoutError from None
        except ConnectionError as error:
            raise Closed from error
        if not got:
            raise Closed
        return got


def pack_step(step: Step, *, reveal: bool = False) -> list[Any]:
    """A step as JSON; of what an assessment has sealed, nothing without ``reveal``."""
    if isinstance(step, Assessment):
        return ["o", to_json(step, reveal=reveal)]
    if isinstance(step, Fingerprint):
        return ["f", step.signal, step.value.hex(), step.view, step.frame, step.quality, step.seconds]
    if isinstance(step, Unchecked):
        return ["u", step.what, step.why, step.detail]
    return ["s", step.media_type, step.size, step.width, step.height, step.frames]


def unpack_step(packed: Any) -> Step:
    """JSON as a step.

    Raises:
        Closed: not the JSON of a step.
    """
    match packed:
        case [
            "f",
            str(signal),
            str(value),
            str(view),
            int(frame),
            (int() | None) as quality,
            (float() | None) as seconds,
        ]:
            if seconds is not None and not 0 <= seconds <= LATEST:
                raise Closed
            try:
                return Fingerprint(signal, bytes.fromhex(value), view, frame, quality, seconds)
            except ValueError as error:
                raise Closed from error
        case ["u", str(what), str(why), str(detail)]:
            return Unchecked(what, why, detail)
        case ["s", str(media_type), int(size), int(width), int(height), int(frames)]:
            return Shape(media_type, size, width, height, frames)
        case ["o", dict(assessment)]:
            try:
                return from_json(assessment)
            except ValueError as error:
                raise Closed from error
    raise Closed


def pack_asked(origin: Asked | None) -> dict[str, Any] | None:
    """What is asked about the origin, as JSON; when an item arrived goes with the item."""
    if origin is None:
        return None
    return {
        "trust": asdict(origin.trust),
        "reveal": origin.reveal,
        "forensics": origin.forensics,
        "detectors": [os.fspath(path) for path in origin.detectors],
        "seconds": origin.seconds,
    }


def unpack_asked(packed: Any) -> Asked | None:
    """The same, back."""
    if packed is None:
        return None
    trust = packed["trust"]
    trusted = TrustList(trust["anchors"], trust["allowed"], tuple(trust["purposes"]))
    detectors = tuple(map(Path, packed["detectors"]))
    return Asked(
        trusted,
        packed["reveal"],
        forensics=packed["forensics"],
        detectors=detectors,
        seconds=packed["seconds"],
    )
