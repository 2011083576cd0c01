"""A body that is written in a stream, so that it is never whole in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is to be sent.

    Args:
        size: in bytes; said to the other side before the first of them.
        fill: writes exactly so many to what it is given; what it raises gets out, and the connection is cut.
    """

    size: int
    fill: Callable[[Callable[[bytes], object]], None]
