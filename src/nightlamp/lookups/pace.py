"""When a service may be asked: how often at most, and not at all for a while after it failed. Pure values."""

from __future__ import annotations


class Pace:
    """So many calls a second, evenly.

    Args:
        rate: calls a second.
    """

    def __init__(self, rate: float) -> None:
        self._gap = 1.0 / rate
        self._next = float("-inf")

    def wait(self, now: float) -> float:
        """Seconds to wait before the call that is now planned."""
        at = max(now, self._next)
        self._next = at + self._gap
        return at - now


class Circuit:
    """Opens after failures in a row; after a pause one call is tried, and closes it or opens it again.

    Args:
        failures: in a row.
        pause: seconds.
    """

    def __init__(self, failures: int, pause: float) -> None:
        self._most = failures
        self._pause = pause
        self._failures = 0
        self._until = float("-inf")
        self._trying = False
        self.why = ""

    def allows(self, now: float) -> bool:
        """Whether a call may be made; ask once a call."""
        if not self.why:
            return True
        if now < self._until or self._trying:
            return False
        self._trying = True
        return True

    def worked(self) -> None:
        """A call was answered."""
        self._failures, self._trying, self.why = 0, False, ""

    def failed(self, now: float, why: str, wait: float | None = None) -> None:
        """A call failed; with ``wait`` the service has said for how long it wants no other."""
        self._failures += 1
        if wait is not None or self._trying or self._failures >= self._most:
            self._until = now + max(self._pause, wait or 0.0)
            self.why = why
        self._trying = False
