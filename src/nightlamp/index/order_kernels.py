"""Compiled loops that bring the Hamming index's entries into their orders; shapes as in ``_kernels.py``."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def sort_keys(halves, keys, directory, sketches, ids):  # type: ignore[no-untyped-def]
    """For each of the 16 or 32 keys: entries sorted by it, into ``directory``, ``sketches`` and ``ids``.

    ``halves`` is codes as (n, 16) uint16; ``directory`` comes zeroed. Ids of 32 keys have the other byte of
    the half on top: most candidates fail by it, without a look at their code.
    """
    n = len(halves)
    mask = (1 << (256 // keys)) - 1
    cursor = np.empty(mask + 1, np.int64)
    for k in range(keys):
        h = 16 * k // keys
        shift = 8 * (k & 1) if keys == 32 else 0
        starts = directory[k]
        for i in range(n):
            starts[(np.int64(halves[i, h]) >> shift & mask) + 1] += np.uint32(1)
        total = np.uint32(0)
        for v in range(mask + 1):
            cursor[v] = k * n + np.int64(total)
            total += starts[v + 1]
            starts[v + 1] = total
        for i in range(n):
            half = np.int64(halves[i, h])
            key = half >> shift & mask
            to = cursor[key]
            cursor[key] = to + 1
            ids[to] = i
            if keys == 32:
                ids[to] |= np.uint32((half >> (8 - shift) & 0xFF) << 24)
            sketches[to] = halves[i, h ^ 1]


@njit(cache=True, nogil=True)
def join_orders(n, m, directory, behind, sketches, others, joint, joined):  # type: ignore[no-untyped-def]
    """Two indexes by halves, of n and m entries, as one: each run of the second behind that of the first.

    ``joint`` (16, 65537) and ``joined`` (16·(n + m) + 32,) are filled.
    """
    for h in range(16):
        first = h * (n + m)
        to, full = first, first + n + m
        for v in range(65536):
            joint[h, v] = to - first
            for at in range(min(np.int64(directory[h, v]), n), min(np.int64(directory[h, v + 1]), n)):
                if to < full:
                    joined[to] = sketches[h * n + at]
                    to += 1
            for at in range(np.int64(behind[h, v]), np.int64(behind[h, v + 1])):
                if to < full:
                    joined[to] = others[h * m + at]
                    to += 1
        joint[h, 65536] = to - first
