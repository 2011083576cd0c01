"""Compiled search of the digest index. No position that comes out of a file is used before it is bounded."""

from __future__ import annotations

import numpy as np
from numba import carray, njit  # type: ignore[attr-defined]

from nightlamp.index._kernels import with_room
from nightlamp.index.simd_kernels import memory


@njit(cache=True, nogil=True)
def _less(a, b):  # type: ignore[no-untyped-def]
    """Whether row ``a`` comes before row ``b``, as byte strings of one length."""
    for i in range(len(a)):
        if a[i] != b[i]:
            return a[i] < b[i]
    return False


@njit(cache=True, nogil=True)
def equal(queries, tops, parts):  # type: ignore[no-untyped-def]
    """All entries of all parts that equal a query, whose leading 24 bits are ``tops`` (q,) int64.

    ``parts`` (p, 5) int64 are rows of ``DigestIndex.row``. Binary search within the directory's slot: crafted
    digests that share a prefix cost a logarithm. Returns (k, 3) int64: query, number, part.
    """
    found = np.empty((64, 3), np.int64)
    count = 0
    size = queries.shape[1]
    for q in range(len(queries)):
        wanted = queries[q]
        for p in range(len(parts)):
            n, bits = parts[p, 3], parts[p, 4]
            digests = carray(memory(parts[p, 0]), (n, size), np.uint8)
            numbers = carray(memory(parts[p, 1]), (n,), np.int64)
            directory = carray(memory(parts[p, 2]), ((np.int64(1) << bits) + 1,), np.uint32)
            slot = tops[q] >> (24 - bits)
            low = min(np.int64(directory[slot]), n)
            last = min(np.int64(directory[slot + 1]), n)
            high = last
            while low < high:
                middle = (low + high) >> 1
                if _less(digests[middle], wanted):
                    low = middle + 1
                else:
                    high = middle
            while low < last and not _less(wanted, digests[low]):
                found = with_room(found, count, 1)
                found[count, 0] = q
                found[count, 1] = numbers[low]
                found[count, 2] = p
                count += 1
                low += 1
    return found[:count]
