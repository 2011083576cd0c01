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
    """Send one message, with an open file and raw bytes after it if given."""
    body = json.dumps(message, separators=(",", ":")).encode()
    packet = _LENGTH.pack(len(body)) + body
    try:
        if fd is None:
            to.sendall(packet)
        else:
            socket.send_fds(to, [packet], [fd])
        if data is not None:
            to.sendall(data)
    except (BrokenPipeError, ConnectionError) as error:
        raise Closed from error


def receive(of: socket.socket) -> Any:
    """The next message.

    Raises:
        Closed: end of stream, or not a message.
        TimeoutError: the socket's time-out passed.
    """
    (length,) = _LENGTH.unpack(receive_bytes(of, _LENGTH.size))
    if length > _MOST:
        raise Closed
    try:
        return json.loads(receive_bytes(of, length))
    except ValueError as error:
        raise Closed from error


def receive_request(of: socket.socket) -> tuple[Any, int | None]:
    """The next message and the open file that came with it; the receiver closes it."""
    # The descriptor comes with the message's first bytes; raw bytes may follow right after its last.
    head, fds, _, _ = socket.recv_fds(of, _LENGTH.size, 1)
    fd = fds[0] if fds else None
    if len(head) < _LENGTH.size:
        head += receive_bytes(of, _LENGTH.size - len(head)) if head else b""
    if len(head) < _LENGTH.size:
        raise Closed
    return json.loads(receive_bytes(of, _LENGTH.unpack(head)[0])), fd


def receive_bytes(of: socket.socket, length: int) -> bytearray:
    """Exactly ``length`` bytes."""
    data = bytearray(length)
    view = memoryview(data)
    while view:
        try:
            got = of.recv_into(view)
        except ConnectionError as error:
            raise Closed from error
        if not got:
            raise Closed
        view = view[got:]
    return data


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
