"""Compiled loops of the indexes. No position that comes out of a file is used before it is bounded, so
whatever the file holds, nothing outside the arrays is read.

Shapes, with n entries: codes (n, 4) uint64, directory (16, 65537) uint32, sketches (16·n + 32,) uint16,
ids (16·n,) uint32. ``hamming.py`` says what they hold, ``docs/decisions/index-search.md`` why.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from nightlamp.index.simd_kernels import first_bit, near_mask, popcount, prefetch

LANES = 32
AHEAD = 12  # runs that are on their way from memory while one is being read
LINES = 6  # cache lines of a run that are asked for ahead; then the processor's own prefetcher takes over
BLOCK = 2048  # candidates or entries that are compared before results are written out


@njit(cache=True, nogil=True)
def _permute(code, source, out):  # type: ignore[no-untyped-def]
    """``out`` (4,) becomes ``code`` with bit j taken from bit ``source[j]`` ((256,) uint8)."""
    for w in range(4):
        word = np.uint64(0)
        for b in range(64):
            s = source[w * 64 + b]
            word |= ((code[s >> 6] >> np.uint64(s & 63)) & np.uint64(1)) << np.uint64(b)
        out[w] = word


@njit(cache=True, nogil=True)
def permute_bits(codes, source):  # type: ignore[no-untyped-def]
    """All ``codes`` (n, 4) with bit j taken from bit ``source[j]``."""
    out = np.empty((len(codes), 4), np.uint64)
    for i in range(len(codes)):
        _permute(codes[i], source, out[i])
    return out


@njit(cache=True, nogil=True)
def sort_halves(halves, directory, sketches, ids):  # type: ignore[no-untyped-def]
    """For each of the 16 halves: entries sorted by it, into ``directory``, ``sketches`` and ``ids``.

    ``halves`` is codes as (n, 16) uint16; ``directory`` comes zeroed.
    """
    n = len(halves)
    cursor = np.empty(65536, np.int64)
    for h in range(16):
        starts = directory[h]
        for i in range(n):
            starts[np.int64(halves[i, h]) + 1] += np.uint32(1)
        total = np.uint32(0)
        for k in range(65536):
            cursor[k] = h * n + np.int64(total)
            total += starts[k + 1]
            starts[k + 1] = total
        for i in range(n):
            key = halves[i, h]
            to = cursor[key]
            cursor[key] = to + 1
            ids[to] = i
            sketches[to] = halves[i, h ^ 1]


@njit(cache=True, nogil=True)
def _choose_runs(query, n, directory, masks, ends, words, halves, start, end, want, limit):  # type: ignore[no-untyped-def]
    """Fill ``start``, ``end`` (in ``sketches``), ``want``, ``limit`` with the runs of entries to look at.

    Returns how many there are: empty ones are left out, which is what makes small indexes quick.
    """
    run = 0
    for h in range(16):
        word = query[h >> 2]
        key = np.uint16(word >> np.uint64(16 * (h & 3)))
        other = np.uint16(word >> np.uint64(16 * ((h ^ 1) & 3)))
        for t in range(halves[h] + 1):
            for k in range(ends[t], ends[t + 1]):
                bucket = np.int64(key ^ masks[k])
                first = min(np.int64(directory[h, bucket]), n)
                last = min(np.int64(directory[h, bucket + 1]), n)
                start[run] = h * n + first
                end[run] = h * n + last
                want[run] = other
                limit[run] = words[h >> 1] - t
                run += first < last
    return run


@njit(cache=True, nogil=True)
def _read_runs(run, at, runs, sketches, ids, start, end, want, limit, pending):  # type: ignore[no-untyped-def]
    """Collect positions of entries that are near in the whole word, until ``pending`` is full.

    Returns (run, position) to go on from, and how many are pending; run == runs at the end.
    """
    waiting = 0
    while run < runs:
        ahead = run + AHEAD
        if ahead < runs:
            first = start[ahead]
            for line in range(min((end[ahead] - first + LANES + 31) >> 5, LINES)):
                prefetch(sketches, first + 32 * line)
        last = end[run]
        while at < last:
            if waiting > BLOCK - LANES:
                return run, at, waiting
            near = near_mask(sketches, at, want[run], limit[run])
            if last - at < LANES:
                near &= (np.uint32(1) << np.uint32(last - at)) - np.uint32(1)
            while near != np.uint32(0):
                position = at + np.int64(first_bit(near))
                prefetch(ids, position)
                pending[waiting] = position
                waiting += 1
                near &= near - np.uint32(1)
            at += LANES
        run += 1
        if run < runs:
            at = start[run]
    return run, at, waiting


@njit(cache=True, nogil=True)
def _found_earlier(x, half, words, halves):  # type: ignore[no-untyped-def]
    """Whether a probe of an earlier half finds this entry too; ``x`` (4,) uint64 is query XOR code."""
    for h in range(half):
        both = (x[h >> 2] >> np.uint64(32 * ((h >> 1) & 1))) & np.uint64(0xFFFFFFFF)
        one = (both >> np.uint64(16 * (h & 1))) & np.uint64(0xFFFF)
        if popcount(one) <= halves[h] and popcount(both) <= words[h >> 1]:
            return True
    return False


@njit(cache=True, nogil=True)
def _compare_pending(query, codes, flat, ids, pending, waiting, words, halves, radius, rows, distances):  # type: ignore[no-untyped-def]
    """Which pending entries are near in all 256 bits, each taken from the first half that finds it."""
    n = len(codes)
    x = np.empty(4, np.uint64)
    for k in range(waiting):
        rows[k] = min(np.int64(ids[pending[k]]), n - 1)
        prefetch(flat, 4 * rows[k])
    hits = 0
    for k in range(waiting):
        row = rows[k]
        distance = 0
        for w in range(4):
            x[w] = query[w] ^ codes[row, w]
            distance += popcount(x[w])
        if distance <= radius and not _found_earlier(x, pending[k] // n, words, halves):
            rows[hits] = row
            distances[hits] = distance
            hits += 1
    return hits


@njit(cache=True, nogil=True)
def _scan_block(query, codes, first, last, radius, rows, distances):  # type: ignore[no-untyped-def]
    """Which entries of codes[first:last] are near."""
    hits = 0
    q0, q1, q2, q3 = query[0], query[1], query[2], query[3]
    for row in range(first, last):
        distance = (
            popcount(q0 ^ codes[row, 0])
            + popcount(q1 ^ codes[row, 1])
            + popcount(q2 ^ codes[row, 2])
            + popcount(q3 ^ codes[row, 3])
        )
        if distance <= radius:
            rows[hits] = row
            distances[hits] = distance
            hits += 1
    return hits


@njit(cache=True, nogil=True)
def search(  # type: ignore[no-untyped-def]
    queries, source, codes, numbers, directory, sketches, ids, masks, ends, words, halves, radius, by_scan
):
    """All results within ``radius``: by the plan ``words``, ``halves``, or ``by_scan``.

    ``queries`` (q, 4) are not yet permuted. Returns (k, 3) int64: query, number, distance.
    """
    n = np.int64(len(codes))
    most = np.int64(1)  # one more than there may be: the place behind the last is written to
    if not by_scan:
        for h in range(16):
            most += ends[halves[h] + 1]
    start, end = np.empty(most, np.int64), np.empty(most, np.int64)
    want, limit = np.empty(most, np.uint16), np.empty(most, np.uint16)
    pending, rows, distances = np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64)
    flat = codes.reshape(-1)
    query = np.empty(4, np.uint64)
    found = np.empty((64, 3), np.int64)
    count = 0
    for q in range(len(queries)):
        _permute(queries[q], source, query)
        run, runs, at = np.int64(0), np.int64(0), np.int64(0)
        if not by_scan:
            runs = _choose_runs(query, n, directory, masks, ends, words, halves, start, end, want, limit)
            if runs:
                at = start[0]
        while run < runs or (by_scan and at < n):
            if by_scan:
                last = min(at + BLOCK, n)
                hits = _scan_block(query, codes, at, last, radius, rows, distances)
                at = last
            else:
                run, at, waiting = _read_runs(run, at, runs, sketches, ids, start, end, want, limit, pending)
                hits = _compare_pending(
                    query, codes, flat, ids, pending, waiting, words, halves, radius, rows, distances
                )
            if count + hits > len(found):
                larger = np.empty((2 * (count + hits), 3), np.int64)
                for k in range(count):  # a slice assignment takes seconds to compile
                    for column in range(3):
                        larger[k, column] = found[k, column]
                found = larger
            for k in range(hits):
                found[count, 0] = q
                found[count, 1] = numbers[rows[k]]
                found[count, 2] = distances[k]
                count += 1
    return found[:count]


@njit(cache=True, nogil=True)
def _less(a, b):  # type: ignore[no-untyped-def]
    """Whether row ``a`` comes before row ``b``, as byte strings of one length."""
    for i in range(len(a)):
        if a[i] != b[i]:
            return a[i] < b[i]
    return False


@njit(cache=True, nogil=True)
def equal_rows(queries, prefixes, digests, directory):  # type: ignore[no-untyped-def]
    """For each query: the first row of ``digests`` that equals it, and how many do.

    Binary search within the directory's slot: crafted digests that share a prefix cost a logarithm.
    """
    n = len(digests)
    start = np.zeros(len(queries), np.int64)
    count = np.zeros(len(queries), np.int64)
    for q in range(len(queries)):
        want = queries[q]
        low = np.int64(min(directory[prefixes[q]], n))
        last = np.int64(min(directory[prefixes[q] + 1], n))
        high = last
        while low < high:
            middle = (low + high) >> 1
            if _less(digests[middle], want):
                low = middle + 1
            else:
                high = middle
        start[q] = low
        high = last
        while low < high:
            middle = (low + high) >> 1
            if _less(want, digests[middle]):
                high = middle
            else:
                low = middle + 1
        count[q] = max(low - start[q], 0)
    return start, count
