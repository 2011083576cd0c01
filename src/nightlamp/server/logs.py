"""Structured logs: one JSON object a line on standard error, and nothing in it that is a secret.

What may be logged is said here, not at each call: an exception is its type and the places in the code, since
its message may hold whatever was in hand. Other libraries' records lose their arguments in the same way.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
from typing import Any, TextIO, cast

import structlog

from nightlamp.errors import NightlampError

Logger = structlog.typing.FilteringBoundLogger


def configure(out: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send this process's logs to ``out``, by default standard error."""
    stream = out or sys.stderr
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.JSONRenderer(ensure_ascii=True, default=_type_alone),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _Suffering(stream))),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Passing()]
    root.setLevel(max(level, logging.WARNING))


def logger() -> Logger:
    """Where the service logs to."""
    found: Logger = structlog.get_logger()
    return found


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


class _Passing(logging.Handler):
    """Records of other libraries: who and where, not what, which may hold a request's text."""

    def emit(self, record: logging.LogRecord) -> None:
        told = failure(record.exc_info[1]) if record.exc_info and record.exc_info[1] else {}
        place = f"{record.filename}:{record.lineno}"
        logger().warning("library", library=record.name, level_name=record.levelname, place=place, **told)


def _type_alone(value: object) -> str:
    return type(value).__name__
