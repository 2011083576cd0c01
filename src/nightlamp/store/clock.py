"""The time, as something that can be given: parts take a ``Clock`` so that tests choose it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The wall clock, with its zone. It may jump: never order or count by it."""
    return datetime.now(UTC)
