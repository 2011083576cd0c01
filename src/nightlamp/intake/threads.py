"""Threads that are there before the first item comes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor


def started(threads: int, name: str) -> ThreadPoolExecutor:
    """A pool whose threads run already: if one cannot be started, that is no item's trouble.

    Raises:
        RuntimeError: they cannot be started.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
    all_there = threading.Barrier(threads)
    try:
        for _ in range(threads):
            pool.submit(all_there.wait)
    except RuntimeError:
        all_there.abort()
        pool.shutdown()
        raise
    return pool
