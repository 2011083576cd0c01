"""Structured logs: one JSON object a line on standard error, and nothing in it that is a secret.

What may be logged is said here, not at each call: an exception is its type and the places in the code, since
its message may hold whatever was in hand. Other libraries' records lose their arguments in the same way.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import sys
import threading
import time
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO, cast

import structlog

from nightlamp.errors import NightlampError

Logger = structlog.typing.FilteringBoundLogger
_PIECE = 4096  # a pipe takes so much whole, and several processes may write to it
_WAITING = 1 << 20  # characters; whoever has more to say writes it
_bound: Logger | None = None


def configure(out: TextIO | None = None, level: int = logging.INFO, delay: float = 0.0) -> None:
    """Send this process's logs to ``out``, by default standard error.

    ``delay``: seconds for which lines wait for each other. A write lets other threads run, and to come back
    takes a busy process longer than all else about a line.
    """
    global _bound  # one log a process
    stream: Any = _Suffering(out or sys.stderr)
    if delay:
        stream = _Gathering(stream, delay)
        atexit.register(stream.close)
    structlog.configure(
        processors=[_rendered],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", stream)),
        cache_logger_on_first_use=False,
    )
    _bound = None
    root = logging.getLogger()
    root.handlers[:] = [_Passing()]
    root.setLevel(max(level, logging.WARNING))


def logger() -> Logger:
    """Where the service logs to."""
    global _bound
    if _bound is None:
        _bound = structlog.get_logger().bind()
    return _bound


def failure(error: BaseException) -> dict[str, Any]:
    """What may be said of an exception: its type, ours also in words, and where in the code it was raised."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    told: dict[str, Any] = {
        "error": type(error).__name__,
        "code": [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames],
    }
    if isinstance(error, NightlampError):
        told["what"] = error.what
    return told


class _Suffering:
    """Takes lines though the disk of the log may be full: what cannot be said must not stop what is done."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or drop it."""
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or not."""
        with contextlib.suppress(OSError):
            self._stream.flush()


class _Gathering:
    """Lines that are written together, by a thread of their own; ``close`` writes the last."""

    def __init__(self, to: _Suffering, delay: float) -> None:
        self._to = to
        self._delay = delay
        self._lock = threading.Lock()  # of the lines; it is never held while they are written
        self._writing = threading.Lock()
        self._lines: list[str] = []
        self._size = 0
        self._some = threading.Event()
        threading.Thread(target=self._run, name="nightlamp-log", daemon=True).start()

    def write(self, text: str) -> int:
        """Take a line."""
        with self._lock:
            self._lines.append(text)
            self._size += len(text)
            first, full = len(self._lines) == 1, self._size > _WAITING
        if first:
            self._some.set()
        if full:  # the log is slower than what it speaks of: wait for it
            self.close()
        return len(text)

    def flush(self) -> None:
        """Not yet."""

    def close(self) -> None:
        """Write what is there; more may come."""
        with self._writing:
            with self._lock:
                lines, self._lines, self._size = self._lines, [], 0
            piece = ""
            for line in lines:
                if piece and len(piece) + len(line) > _PIECE:
                    self._put(piece)
                    piece = ""
                piece += line
            self._put(piece)

    def _put(self, piece: str) -> None:
        self._to.write(piece)
        self._to.flush()

    def _run(self) -> None:
        while True:
            self._some.wait()
            self._some.clear()
            time.sleep(self._delay)
            self.close()


class _Passing(logging.Handler):
    """Records of other libraries: who and where, not what, which may hold a request's text."""

    def emit(self, record: logging.LogRecord) -> None:
        told = failure(record.exc_info[1]) if record.exc_info and record.exc_info[1] else {}
        place = f"{record.filename}:{record.lineno}"
        logger().warning("library", library=record.name, level_name=record.levelname, place=place, **told)


def _type_alone(value: object) -> str:
    return type(value).__name__


_encoded = json.JSONEncoder(default=_type_alone).encode  # ASCII, so that a character is a byte


def _rendered(_: object, level: str, event: Any) -> str:
    """The line: a request's worth of it is a good part of the request, so all is added here."""
    event["level"] = level
    event["at"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return _encoded(event)
