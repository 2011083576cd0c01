"""Figures that neither a busy machine nor other threads of the test run disturb."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from math import inf

_TRIES = 5


def peak_of(work: Callable[[], object], enough: float = inf) -> int:
    """Bytes that Python allocates for ``work`` at most, at one time.

    What other threads allocate meanwhile counts too, and can only add. So ``work`` is done again until the
    figure is below ``enough``, and a few times at most; the least figure is told.
    """
    peaks: list[int] = []
    for _ in range(_TRIES):
        tracemalloc.start()
        try:
            work()
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        if peaks[-1] < enough:
            break
    return min(peaks)
