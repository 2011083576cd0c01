"""The process in which untrusted bytes are decoded: ``python -P -m nightlamp.examine.worker FD MODE``.

It gets open files or bytes over one socket, never a path or a secret, and may not write files, start
processes or leave a core dump. It ends itself when an item takes too long.
"""

from __future__ import annotations

import io
import os
import resource
import signal as unix_signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from nightlamp.dumps import forbid_core_dumps
from nightlamp.errors import ArchiveError, MediaError
from nightlamp.examine import wire
from nightlamp.examine.examination import Shape, examine, steps
from nightlamp.media import Limits
from nightlamp.origin import Asked, prepare
from nightlamp.signals import installed
from nightlamp.values import Assessment

_TOGETHER = 16


def main() -> None:
    """Serve one pool until it closes its end."""
    unix_signal.signal(unix_signal.SIGINT, unix_signal.SIG_IGN)
    unix_signal.signal(unix_signal.SIGXFSZ, unix_signal.SIG_IGN)
    pool = socket.socket(fileno=int(sys.argv[1]))
    incoming = wire.Incoming(pool, descriptors=True)
    settings = incoming.message()
    limits = Limits(**{f.name: settings["limits"][f.name] for f in fields(Limits)})
    origin = wire.unpack_asked(settings["origin"])
    if sys.argv[2] == "examine":
        warm_up(origin)
    elif sys.argv[2] == "render":
        from nightlamp.media import rendering  # noqa: F401 (before the limits hold)
    confine(limits)
    wire.send(pool, ["ready", [signal.name for signal in installed().values() if signal.of_frame]])
    while True:
        try:
            request, fd = incoming.request()
            file: BinaryIO
            file = io.BytesIO(incoming.take(request["inline"])) if fd is None else os.fdopen(fd, "rb")
            with file:
                if sys.argv[2] == "examine":
                    _examine(pool, file, limits, settings["detail"], _asked(origin, request))
                elif sys.argv[2] == "render":
                    _render(pool, file, limits, request)
                else:
                    _unpack(pool, file, limits, request["media_type"])
        except wire.Closed:
            return


def warm_up(origin: Asked | None) -> None:
    """Load or compile every kernel, before the limits hold."""
    from PIL import Image

    picture = Image.linear_gradient("L").resize((160, 120))
    for kind, mode in (("JPEG", "RGB"), ("PNG", "RGBA"), ("PNG", "L")):
        drawn = io.BytesIO()
        picture.convert(mode).save(drawn, kind)
        drawn.seek(0)
        # An operator's model is run only once the limits hold.
        asked = replace(origin, detectors=()) if origin else None
        examine(drawn, installed(), origin=asked)
    if origin is not None:
        prepare(origin.trust, origin.detectors)


def confine(limits: Limits) -> None:
    """Give up what a decoder does not need."""
    forbid_core_dumps()
    for what, most in (
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_AS, _address_space() + limits.memory),
    ):
        _, hard = resource.getrlimit(what)
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        try:
            resource.setrlimit(what, (most, most))
        except (ValueError, OSError):
            # macOS does not bound address space.
            continue


def _address_space() -> int:
    """Bytes of address space in use; 4 GiB where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 4 << 30


def _alarm(seconds: float) -> None:
    """Die by SIGALRM after ``seconds``, even inside a C decoder; 0 calls it off."""
    unix_signal.setitimer(unix_signal.ITIMER_REAL, seconds)


def _examine(pool: socket.socket, file: BinaryIO, limits: Limits, detail: Any, origin: Asked | None) -> None:
    end = time.monotonic() + limits.seconds
    _alarm(limits.seconds)
    waiting: list[Any] = []

    def looked() -> None:
        """What is known so far must not suffer from what comes."""
        wire.send(pool, [*waiting, ["looked"]])
        waiting.clear()
        if origin is not None and origin.seconds is not None:
            _alarm(max(min(origin.seconds, end - time.monotonic()), 0.001))

    def ahead() -> None:
        if waiting:
            wire.send(pool, waiting)
            waiting.clear()

    closer = origin is not None and (origin.forensics or bool(origin.detectors))
    for step in steps(file, installed(), limits, detail, origin, looked, ahead):
        # What is known goes ahead of what may go wrong: decoding, another signal, and then measuring. Each
        # message wakes a thread of the service, so there are no others.
        if isinstance(step, Shape) or len(waiting) >= _TOGETHER:
            ahead()
        waiting.append(wire.pack_step(step, reveal=origin is not None and origin.reveal))
        if isinstance(step, Assessment) and closer:
            ahead()
    _alarm(0)
    wire.send(pool, [*waiting, ["end"]])


def _asked(origin: Asked | None, request: dict[str, Any]) -> Asked | None:
    received = request.get("received")
    if origin is None or received is None:
        return origin
    return replace(origin, received=datetime.fromisoformat(received))


def _unpack(pool: socket.socket, file: BinaryIO, limits: Limits, media_type: str) -> None:
    from nightlamp.media import members

    unpacked = iter(members(file, media_type, limits))
    for name, data, error in _guarded(unpacked, limits.seconds):
        code = error.code if error else None
        wire.send(pool, ["m", name, code, error.detail if error else "", len(data)], data=data)
    wire.send(pool, ["end"])


def _render(pool: socket.socket, file: BinaryIO, limits: Limits, look: dict[str, Any]) -> None:
    from nightlamp.media.rendering import render

    names = ("side", "blur", "grey", "frame", "strip")
    _alarm(limits.seconds)
    try:
        made, numbers = render(file.read(), limits, **{name: look[name] for name in names})
    except MediaError as error:
        wire.send(pool, ["u", error.code, error.detail])
    except MemoryError:
        wire.send(pool, ["u", "out of memory", ""])
    else:
        wire.send(pool, ["p", len(made), numbers], data=made)
    finally:
        _alarm(0)


def _guarded(unpacked: Iterator[Any], seconds: float) -> Iterator[tuple[str, bytes, ArchiveError | None]]:
    """Members one by one, each within ``seconds``; an archive that breaks ends with an error member."""
    while True:
        _alarm(seconds)
        try:
            member = next(unpacked, None)
        except ArchiveError as error:
            yield "", b"", error
            return
        except MemoryError:
            yield "", b"", ArchiveError("out of memory")
            return
        finally:
            _alarm(0)
        if member is None:
            return
        yield member.name, member.data or b"", member.error


if __name__ == "__main__":
    main()
