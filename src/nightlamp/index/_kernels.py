"""Compiled loops of the Hamming index. No position that comes out of a file is used before it is bounded, so
whatever the file holds, nothing outside the arrays is read.

Shapes, with n entries and K keys (16 of 16 bits, or 32 of 8): codes (n, 4) uint64, directory (K, 2^bits + 1)
uint32, sketches (K·n + 32,) uint16, ids (K·n,) uint32. ``hamming.py`` says what they hold,
``docs/decisions/index-search.md`` why.

A search takes any number of indexes at once, as rows of addresses and lengths: to be asked one by one from
Python, small ones would cost more than what is searched in them.
"""

from __future__ import annotations

import numpy as np
from numba import carray, njit  # type: ignore[attr-defined]

from nightlamp.index.simd_kernels import first_bit, memory, near_mask, popcount, prefetch

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
def _list_slots(  # type: ignore[no-untyped-def]
    query, keys, directory, masks, ends, words, own, probe, slot, want, limit
):
    """Fill ``slot`` (in ``directory``), ``want``, ``limit`` from ``probe`` on with the buckets to look into.

    Returns where they end. All are asked for from memory before one is looked at.
    """
    bits = 256 // keys
    for k in range(keys):
        h = 16 * k // keys
        key = np.int64(query[k * bits >> 6] >> np.uint64(k * bits & 63)) & ((1 << bits) - 1)
        other = np.uint16(query[h >> 2] >> np.uint64(16 * ((h ^ 1) & 3)))
        for t in range(own[k] + 1):
            for m in range(ends[t], ends[t + 1]):
                slot[probe] = k * ((1 << bits) + 1) + (key ^ np.int64(masks[m]))
                want[probe] = other
                limit[probe] = words[h >> 1] - t
                prefetch(directory, slot[probe])
                probe += 1
    return probe


@njit(cache=True, nogil=True)
def _choose_runs(  # type: ignore[no-untyped-def]
    n, buckets, directory, sketches, probe, probes, slot, want, limit, run, start, end
):
    """Fill ``start``, ``end`` (in ``sketches``) from ``run`` on: the entries of the slots from ``probe`` on.

    Returns where they end: empty ones are left out, also of ``slot``, ``want`` and ``limit``, which is what
    makes small indexes quick.
    """
    while probe < probes:
        at = slot[probe]
        first = min(np.int64(directory[at]), n)
        last = min(np.int64(directory[at + 1]), n)
        before = at // buckets * n
        start[run] = before + first
        end[run] = before + last
        slot[run] = at
        want[run] = want[probe]
        limit[run] = limit[probe]
        prefetch(sketches, before + first)
        run += first < last
        probe += 1
    return run


@njit(cache=True, nogil=True)
def _read_runs(  # type: ignore[no-untyped-def]
    run, at, runs, sketches, ids, start, end, want, limit, pending, origin
):
    """Collect positions of entries that are near in the whole word, and their runs, until there is no room.

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
                origin[waiting] = run
                waiting += 1
                near &= near - np.uint32(1)
            at += LANES
        run += 1
        if run < runs:
            at = start[run]
    return run, at, waiting


@njit(cache=True, nogil=True)
def _divide(  # type: ignore[no-untyped-def]
    n, m, directory, behind, slot, start, pending, origin, waiting, beyond
):
    """Positions in two joined orders → positions in the first's own (``pending``), and in the second's.

    Returns how many there are of each.
    """
    first = second = 0
    for c in range(waiting):
        run = origin[c]
        at, offset = slot[run], pending[c] - start[run]
        half = at // 65537
        begins = min(np.int64(directory[at]), n)
        length = min(np.int64(directory[at + 1]), n) - begins
        if offset < length:
            pending[first] = half * n + begins + offset
            first += 1
        else:
            beyond[second] = half * m + min(np.int64(behind[at]) + offset - length, m - 1)
            second += 1
    return first, second


@njit(cache=True, nogil=True)
def _found_first(x, key, keys, words, halves, own):  # type: ignore[no-untyped-def]
    """Whether ``key`` is the first by which this entry is found; ``x`` (4,) uint64 is query XOR code.

    A key finds what is near in its own bits, in its half and in its word.
    """
    for k in range(key + 1):
        h = 16 * k // keys
        word = (x[h >> 2] >> np.uint64(32 * ((h >> 1) & 1))) & np.uint64(0xFFFFFFFF)
        half = (word >> np.uint64(16 * (h & 1))) & np.uint64(0xFFFF)
        if popcount(word) <= words[h >> 1] and popcount(half) <= halves[h]:
            mine = half if keys == 16 else (half >> np.uint64(8 * (k & 1))) & np.uint64(0xFF)
            if popcount(mine) <= own[k]:
                return k == key
    return False


@njit(cache=True, nogil=True)
def _compare_pending(  # type: ignore[no-untyped-def]
    query, codes, flat, ids, pending, waiting, keys, words, halves, own, radius, rows, distances
):
    """Which pending entries are near in all 256 bits, each taken from the first key that finds it."""
    n = len(codes)
    x = np.empty(4, np.uint64)
    left = 0
    for c in range(waiting):
        row = np.int64(ids[pending[c]])
        if keys == 32:
            key = pending[c] // n
            neighbour = np.int64(query[key >> 3] >> np.uint64(8 * ((key ^ 1) & 7))) & 0xFF
            if popcount(np.uint64(row >> 24 ^ neighbour)) > halves[key >> 1]:
                continue
            row &= 0xFFFFFF
        row = min(row, np.int64(n - 1))
        prefetch(flat, 4 * row)
        rows[left] = row
        pending[left] = pending[c]
        left += 1
    hits = 0
    for c in range(left):
        row = rows[c]
        distance = 0
        for w in range(4):
            x[w] = query[w] ^ codes[row, w]
            distance += popcount(x[w])
        if distance <= radius and _found_first(x, pending[c] // n, keys, words, halves, own):
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
def with_room(found, count, hits):  # type: ignore[no-untyped-def]
    """``found`` with ``count`` rows taken, or a larger copy, so that ``hits`` more fit."""
    if count + hits <= len(found):
        return found
    larger = np.empty((2 * (count + hits), found.shape[1]), np.int64)
    for k in range(count):  # a slice assignment takes seconds to compile
        for column in range(found.shape[1]):
            larger[k, column] = found[k, column]
    return larger


@njit(cache=True, nogil=True)
def search(  # type: ignore[no-untyped-def]
    queries, parts, by_scan, most, wide, wide_ends, narrow, narrow_ends, words, halves, bytes_, radius
):
    """All results within ``radius`` in all parts: each by the plan, or ``by_scan`` (p,) bool.

    ``queries`` (q, 4) are not yet permuted. ``parts`` (p, 10) int64 are rows of ``HammingIndex.row``:
    addresses of codes, numbers, source, directory, sketches and ids, n, K; then, if the part and the next are
    searched as one, the addresses of their joint directory and sketches, and in the next row −1. ``most``
    probes are made of a query at most. ``wide`` and ``narrow`` are ``flips`` of 16 and 8 bits. Returns (k, 4)
    int64: query, number, distance, part.
    """
    # One more than there may be: the place behind the last is written to.
    slot, start, end = (
        np.empty(most + 1, np.int64),
        np.empty(most + 1, np.int64),
        np.empty(most + 1, np.int64),
    )
    want, limit = np.empty(most + 1, np.uint16), np.empty(most + 1, np.uint16)
    probes, runs = np.zeros(len(parts) + 1, np.int64), np.zeros(len(parts) + 1, np.int64)
    pending, origin, beyond = np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64)
    rows, distances = np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64)
    arranged = np.empty((len(parts), 4), np.uint64)
    found = np.empty((64, 4), np.int64)
    count = 0
    for q in range(len(queries)):
        for p in range(len(parts)):
            if p and parts[p, 2] == parts[p - 1, 2]:
                for w in range(4):
                    arranged[p, w] = arranged[p - 1, w]
            else:
                _permute(queries[q], carray(memory(parts[p, 2]), (256,), np.uint8), arranged[p])
            probes[p + 1] = probes[p]
            keys, place = parts[p, 7], parts[p, 8]
            if by_scan[p] or place == -1:
                continue
            own, masks, ends = bytes_, narrow, narrow_ends
            if keys == 16:
                own, masks, ends = halves, wide, wide_ends
            slots = keys * ((1 << (256 // keys)) + 1)
            directory = carray(memory(place if place else parts[p, 3]), (slots,), np.uint32)
            probes[p + 1] = _list_slots(
                arranged[p], keys, directory, masks, ends, words, own, probes[p], slot, want, limit
            )
        for p in range(len(parts)):
            runs[p + 1] = runs[p]
            n, keys, place = parts[p, 6], parts[p, 7], parts[p, 8]
            if by_scan[p] or place == -1:
                continue
            if place:
                n += parts[p + 1, 6]
            slots = (1 << (256 // keys)) + 1
            directory = carray(memory(place if place else parts[p, 3]), (keys * slots,), np.uint32)
            sketches = carray(memory(parts[p, 9] if place else parts[p, 4]), (keys * n + LANES,), np.uint16)
            runs[p + 1] = _choose_runs(
                n,
                slots,
                directory,
                sketches,
                probes[p],
                probes[p + 1],
                slot,
                want,
                limit,
                runs[p],
                start,
                end,
            )
        for p in range(len(parts)):
            n, keys, m = parts[p, 6], parts[p, 7], np.int64(0)
            place = parts[p, 4]
            if parts[p, 8] > 0 and not by_scan[p]:
                m, place = parts[p + 1, 6], parts[p, 9]
            sketches = carray(memory(place), (keys * (n + m) + LANES,), np.uint16)
            ids = carray(memory(parts[p, 5]), (keys * n,), np.uint32)
            own = halves if keys == 16 else bytes_
            run = runs[p]
            at = start[run] if run < runs[p + 1] else np.int64(0)
            while run < runs[p + 1] or (by_scan[p] and at < n):
                waiting, others, first = 0, 0, at
                if by_scan[p]:
                    at = min(at + BLOCK, n)
                else:
                    run, at, waiting = _read_runs(
                        run, at, runs[p + 1], sketches, ids, start, end, want, limit, pending, origin
                    )
                if m:
                    directory = carray(memory(parts[p, 3]), (keys * 65537,), np.uint32)
                    behind = carray(memory(parts[p + 1, 3]), (keys * 65537,), np.uint32)
                    waiting, others = _divide(
                        n, m, directory, behind, slot, start, pending, origin, waiting, beyond
                    )
                for side in range(2 if m else 1):
                    part = p + side
                    size = parts[part, 6]
                    flat = carray(memory(parts[part, 0]), (4 * size,), np.uint64)
                    codes = flat.reshape((size, 4))
                    if by_scan[p]:
                        hits = _scan_block(arranged[p], codes, first, at, radius, rows, distances)
                    else:
                        hits = _compare_pending(
                            arranged[p],
                            codes,
                            flat,
                            carray(memory(parts[part, 5]), (keys * size,), np.uint32),
                            beyond if side else pending,
                            others if side else waiting,
                            keys,
                            words,
                            halves,
                            own,
                            radius,
                            rows,
                            distances,
                        )
                    numbers = carray(memory(parts[part, 1]), (size,), np.int64)
                    found = with_room(found, count, hits)
                    for k in range(hits):
                        found[count, 0] = q
                        found[count, 1] = numbers[rows[k]]
                        found[count, 2] = distances[k]
                        found[count, 3] = part
                        count += 1
    return found[:count]
