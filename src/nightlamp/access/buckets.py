"""Token buckets: how much each key may do in a while, on this node.

Each node counts for itself, so a key may do as many times its rate as there are nodes. A shared count would
cost every request a round trip to the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_SWEEP = 10_000


class Buckets:
    """One bucket a key: it holds ``seconds`` worth of its rate, and fills up steadily.

    Args:
        seconds: a rush of so much is let through at once.
        time: a steady clock, in seconds.
    """

    def __init__(self, seconds: float = 2.0, *, time: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._time = time
        self._buckets: dict[str, tuple[float, float]] = {}  # key → tokens, when
        self._lock = threading.Lock()

    def take(self, key: str, rate: float | None, cost: float = 1.0) -> float:
        """Take ``cost`` tokens; 0 if they were there, else the seconds to wait, and nothing was taken.

        A cost above what a full bucket holds is let through by a full one, which then owes the rest: a large
        batch is slowed down, not shut out for ever.
        """
        if rate is None:
            return 0.0
        room = max(rate * self._seconds, 1.0)
        now = self._time()
        with self._lock:
            tokens, then = self._buckets.get(key, (room, now))
            tokens = min(room, tokens + (now - then) * rate)
            needed = min(cost, room)
            if tokens < needed:
                self._buckets[key] = (tokens, now)
                return (needed - tokens) / rate
            if len(self._buckets) >= _SWEEP and key not in self._buckets:
                self._buckets.clear()  # far more keys than anybody has: full buckets again, at worst
            self._buckets[key] = (tokens - cost, now)
            return 0.0
