"""Background loops: each a name, a pause and a function; one thread each, none ends before it is told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nightlamp.server.logs import failure, logger

Trace = Callable[[str, float, Exception | None], None]

_PATIENCE = 3  # failures in a row before the node calls itself degraded
_FIRST = 0.5  # seconds of rest after the first failure
_LONG = 1.0  # seconds of a run that are worth a trace


@dataclass(slots=True)
class Loop:
    """Something that is done again and again.

    Args:
        name: for logs, metrics and readiness.
        every: seconds of rest after a run that found nothing to do.
        run: does a piece of work; something true means that there may be more, so it is run again at once.
        longest: seconds between attempts while it fails; they begin with less.
    """

    name: str
    every: float
    run: Callable[[], object]
    longest: float = 5.0
    failures: int = field(default=0, init=False)
    failed_by: str = field(default="", init=False)

    @property
    def why(self) -> str:
        """Why it is not well; ``""``: it is."""
        return (
            f"failed {self.failures} times in a row ({self.failed_by})" if self.failures >= _PATIENCE else ""
        )


class Supervisor:
    """Runs loops until it is stopped.

    Args:
        loops: what to run.
        count: called after each run with the loop's name and ``"ok"`` or ``"failed"``.
        trace: told each run that is worth it: the loop's name, its seconds, and what it failed by.
    """

    def __init__(
        self,
        loops: Sequence[Loop],
        count: Callable[[str, str], None] | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.loops = tuple(loops)
        self._count = count
        self._trace = trace
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start every loop in a thread of its own."""
        for loop in self.loops:
            thread = threading.Thread(
                target=self._run, args=(loop,), name=f"nightlamp-{loop.name}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def stop(self, seconds: float = 30.0) -> None:
        """Let every loop finish its run, and wait for them no longer than ``seconds``."""
        self._stopping.set()
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(end - time.monotonic(), 0.0))

    def run_once(self, loop: Loop) -> bool:
        """One run; whether there may be more to do. Nothing that it raises gets out."""
        begun = time.monotonic()
        try:
            more = bool(loop.run())
        except Exception as error:  # noqa: BLE001 (a loop goes on whatever happens, and says that it failed)
            self._tell(loop, begun, error)
            loop.failures += 1
            loop.failed_by = type(error).__name__
            self._note(loop, "failed")
            if loop.failures in (1, _PATIENCE) or loop.failures % 100 == 0:
                logger().error("loop failed", loop=loop.name, times=loop.failures, **failure(error))
            return False
        if loop.failures >= _PATIENCE:
            logger().info("loop recovered", loop=loop.name, times=loop.failures)
        if more or time.monotonic() - begun > _LONG:
            self._tell(loop, begun, None)
        loop.failures, loop.failed_by = 0, ""
        self._note(loop, "ok")
        return more

    def _tell(self, loop: Loop, begun: float, error: Exception | None) -> None:
        if self._trace is not None:
            self._trace(loop.name, time.monotonic() - begun, error)

    def _note(self, loop: Loop, result: str) -> None:
        if self._count is not None:
            self._count(loop.name, result)

    def _run(self, loop: Loop) -> None:
        while not self._stopping.is_set():
            if self.run_once(loop):
                continue
            self._stopping.wait(pause_of(loop))


def pause_of(loop: Loop) -> float:
    """Seconds until the next run: after a failure soon, then less and less often."""
    if not loop.failures:
        return loop.every
    first = min(loop.every, _FIRST)
    return float(min(first * 2 ** min(loop.failures - 1, 20), loop.longest))
