"""Work in a process of its own, which gives way to the service and ends with it.

Such work holds up no match: it shares neither the interpreter's lock nor, as far as there is another, the
processor. It may be killed at any instant.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from threading import Event

_LOOK = 0.5  # seconds
_NICE = 10  # what is asked of the service comes first


def run_elsewhere(work: Callable[..., None], *args: object, name: str, stopping: Event) -> bool:
    """Call ``work(*args)`` in another process and wait for it, or kill it once ``stopping`` is set.

    Args:
        work: a function of a module; neither it nor ``args`` may need anything of this process.
        args: that can be pickled.
        name: of the process, for people.
        stopping: looked at twice a second.

    Returns:
        whether it came to its end without an error.
    """
    child = multiprocessing.get_context("spawn").Process(
        target=_begin, args=(os.getpid(), work, args), name=name, daemon=True
    )
    child.start()
    while child.is_alive():
        child.join(_LOOK)
        if stopping.is_set():
            child.kill()
            child.join()
    ended = child.exitcode == 0
    child.close()
    return ended


def _begin(parent: int, work: Callable[..., None], args: tuple[object, ...]) -> None:
    os.nice(_NICE)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    work(*args)
