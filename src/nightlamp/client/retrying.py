"""When a request is sent again, and after how long: pure, the same for both clients."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from nightlamp.client.call import Call
from nightlamp.errors import ClientError

_TRANSIENT = ("too many", "unavailable")
_UNKNOWN = ("unreachable", "timeout")


@dataclass(frozen=True, slots=True)
class Retry:
    """How long to keep trying.

    Args:
        attempts: at most, the first one counted; 1: never again.
        patience: seconds from the first attempt after which no new one begins.
        first: seconds before the second attempt, doubled for each one after it …
        most: … up to so many. Half of each wait is random, so that clients do not come back together.
    """

    attempts: int = 6
    patience: float = 60.0
    first: float = 0.2
    most: float = 10.0

    def wait(
        self, call: Call[Any], error: ClientError, sent: bool, attempt: int, passed: float
    ) -> float | None:
        """Seconds to wait after the ``attempt``-th attempt (from 1) failed, or ``None``: give up.

        Args:
            call: what was sent.
            error: how it failed.
            sent: the service may have seen something of it.
            attempt: attempts made so far.
            passed: seconds since the first.
        """
        if error.code not in _TRANSIENT and error.code not in _UNKNOWN:
            return None
        if error.code in _UNKNOWN and sent and not call.again:
            return None  # it may have been done
        if sent and call.body is not None and not call.body.again:
            return None
        if attempt >= self.attempts:
            return None
        backing_off = min(self.first * 2 ** (attempt - 1), self.most)
        wait = max(backing_off * (0.5 + random.random() / 2), error.retry_after or 0.0)  # noqa: S311 (jitter)
        return wait if passed + wait <= self.patience else None
