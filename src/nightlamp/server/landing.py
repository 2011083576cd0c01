"""Results of threads on the event loop: all that are there come at one waking.

``asyncio.wrap_future`` wakes the loop for each result, which costs a system call and the GIL each time; a
group commit brings a hundred results at once.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


def landed(of: Future[T]) -> asyncio.Future[T]:
    """``of`` on the running loop. To cancel it leaves ``of`` alone: what was begun is finished."""
    loop = asyncio.get_running_loop()
    strip = _strips.get(loop)
    if strip is None:
        strip = _strips[loop] = _Strip()
    here: asyncio.Future[T] = loop.create_future()
    # Not the loop in the strip: the dictionary would never let go of it.
    of.add_done_callback(lambda done: strip.take(loop, here, done))
    return here


class _Strip:
    """What waits for one loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[asyncio.Future[Any], Future[Any]]] = []

    def take(self, loop: asyncio.AbstractEventLoop, here: asyncio.Future[Any], done: Future[Any]) -> None:
        """From any thread: ``done`` is."""
        with self._lock:
            self._waiting.append((here, done))
            first = len(self._waiting) == 1
        if first:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for here, done in waiting:
            if here.done():
                continue  # whoever waited has gone
            if done.cancelled():
                here.cancel()
            elif (error := done.exception()) is not None:
                here.set_exception(error)
            else:
                here.set_result(done.result())


_strips: WeakKeyDictionary[asyncio.AbstractEventLoop, _Strip] = WeakKeyDictionary()
