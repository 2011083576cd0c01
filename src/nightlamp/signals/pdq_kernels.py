"""PDQ's arithmetic, compiled: pixels → 64×64 luma → 16×16 DCT → eight hashes.

The reference (``pdqhashing.cpp``, ``downscaling.cpp``) blurs every pixel with two box passes along each axis
and keeps 64×64 of them. Blur and choice are linear and separable, so the kept ones are ``A · X · Bᵀ`` with
banded, tent-shaped rows; only those are computed. The rest follows the reference's float32 order of
operations, so that the same 64×64 luma gives the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_SCALE = np.float32(np.sqrt(2.0 / 64))
_ANGLES = (np.pi / 2 / 64) * np.arange(1, 17)[:, None] * (2 * np.arange(64) + 1)[None, :]
_DCT = (_SCALE * np.cos(_ANGLES)).astype(np.float32)  # (16, 64): rows 1 to 16 of the DCT-II
_DCT_T = np.ascontiguousarray(_DCT.T)

NEAR = np.float32(0.3)  # what rounding luma to bytes and a reduced JPEG scale may do to a frequency, twofold


@njit(cache=True, nogil=True)
def tent_weights(size: int, scale: int, reverse: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How the pixels of one axis add up to the 64 samples.

    Args:
        size: pixels along the axis at full resolution, at least 1.
        scale: 1, 2, 4 or 8: each given pixel is the mean of so many.
        reverse: the axis is given back to front.

    Returns:
        ``first`` (64,) and ``count`` (64,) int64, the band of given pixels that makes each sample, and
        ``weights`` (64, widest band) float32.
    """
    window = (size + 127) // 128
    right = window // 2  # an even window reaches one further to the right, as in the reference
    left = window - 1 - right
    first = np.empty(64, np.int64)
    count = np.empty(64, np.int64)
    weights = np.zeros((64, 2 * window // scale + 2), np.float32)
    steps = np.empty(2 * window + 1, np.float64)
    for i in range(64):
        center = (2 * i + 1) * size // 128
        low, high = max(0, center - left), min(size - 1, center + right)  # of the second pass
        start, stop = max(0, low - left), min(size - 1, high + right) + 1  # of the first
        steps[: stop - start + 1] = 0.0
        for p in range(low, high + 1):
            a, b = max(0, p - left), min(size - 1, p + right) + 1
            share = 1.0 / ((high - low + 1) * (b - a))
            steps[a - start] += share
            steps[b - start] -= share
        first[i] = ((size - stop) if reverse else start) // scale
        count[i] = ((size - 1 - start) if reverse else (stop - 1)) // scale + 1 - first[i]
        weight = 0.0
        for x in range(start, stop):
            weight += steps[x - start]
            weights[i, ((size - 1 - x) if reverse else x) // scale - first[i]] += np.float32(weight)
    return first, count, weights


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def downsample(
    luma: np.ndarray, height: int, width: int, scale: int, reverse_rows: bool, reverse_columns: bool
) -> np.ndarray:
    """(h, w) luma → (64, 64) float32, blurred and sampled as the reference does at ``height`` × ``width``."""
    top, rows, row_weights = tent_weights(height, scale, reverse_rows)
    begin, columns, column_weights = tent_weights(width, scale, reverse_columns)
    out = np.empty((64, 64), np.float32)
    line = np.empty(luma.shape[1], np.float32)
    for i in range(64):
        line[:] = np.float32(0)
        y, k, end = top[i], 0, rows[i]
        while k + 4 <= end:  # four rows at a time, so that the line is read and written less
            w0, w1 = row_weights[i, k], row_weights[i, k + 1]
            w2, w3 = row_weights[i, k + 2], row_weights[i, k + 3]
            r0, r1, r2, r3 = luma[y + k], luma[y + k + 1], luma[y + k + 2], luma[y + k + 3]
            for x in range(line.shape[0]):
                line[x] += (w0 * np.float32(r0[x]) + w1 * np.float32(r1[x])) + (
                    w2 * np.float32(r2[x]) + w3 * np.float32(r3[x])
                )
            k += 4
        while k < end:
            w0 = row_weights[i, k]
            r0 = luma[y + k]
            for x in range(line.shape[0]):
                line[x] += w0 * np.float32(r0[x])
            k += 1
        for j in range(64):
            x0 = begin[j]
            total = np.float32(0)
            for k in range(columns[j]):
                total += column_weights[j, k] * line[x0 + k]
            out[i, j] = total
    return out


@njit(cache=True, nogil=True)
def quality_of(image: np.ndarray) -> int:
    """(64, 64) float32 → 0 to 100: the sum of gradients, each cut to a whole percentage, over 90."""
    hundred, white = np.float32(100), np.float32(255)
    total = 0
    for i in range(63):
        for j in range(64):
            total += abs(int((image[i, j] - image[i + 1, j]) * hundred / white))
    for i in range(64):
        for j in range(63):
            total += abs(int((image[i, j] - image[i, j + 1]) * hundred / white))
    return min(100, total // 90)


@njit(cache=True, nogil=True)
def dct(image: np.ndarray) -> np.ndarray:
    """(64, 64) float32 → (16, 16) float32, frequencies 1 to 16 both ways, summed in the reference's order."""
    half = np.zeros((16, 64), np.float32)
    for i in range(16):
        for k in range(64):
            factor = _DCT[i, k]
            for j in range(64):
                half[i, j] += factor * image[k, j]
    out = np.zeros((16, 16), np.float32)
    for i in range(16):
        for k in range(64):
            factor = half[i, k]
            for j in range(16):
                out[i, j] += factor * _DCT_T[k, j]
    return out


@njit(cache=True, nogil=True)
def _lower_median(values: np.ndarray) -> Any:
    """The 128th smallest of 256 values, by quickselect; it reorders them."""
    low, high, wanted = 0, 255, 127
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if wanted <= j:
            high = j
        elif wanted >= i:
            low = i
        else:
            break
    return values[wanted]


@njit(cache=True, nogil=True)
def dihedral_bits(image: np.ndarray) -> tuple[np.ndarray, int]:
    """The hashes of a (64, 64) float32 luma and of its seven turned and mirrored variants.

    Turning a picture over transposes its DCT and changes the sign of its odd rows or columns: four patterns
    of signs, each read along rows and along columns, are the eight views.

    Returns:
        (8, 32) uint8 in the order of ``nightlamp.signals.pdq.VIEWS``, and how many of the 256 frequencies lie
        within ``NEAR`` of the median.
    """
    spectrum = dct(image)
    out = np.zeros((8, 32), np.uint8)
    signed = np.empty((16, 16), np.float32)
    scratch = np.empty(256, np.float32)
    near = 0
    for upended in range(2):
        for mirrored in range(2):
            for i in range(16):
                for j in range(16):
                    # frequency i + 1 is odd where i is even
                    negative = (upended & ~i & 1) ^ (mirrored & ~j & 1)
                    signed[i, j] = -spectrum[i, j] if negative else spectrum[i, j]
                    scratch[16 * i + j] = signed[i, j]
            median = _lower_median(scratch)
            if not upended and not mirrored:
                near = (np.abs(scratch - median) < NEAR).sum()
            if upended:
                upright, turned = (2, 7) if mirrored else (5, 3)
            else:
                upright, turned = (4, 1) if mirrored else (0, 6)
            for i in range(16):
                for j in range(16):
                    if signed[i, j] > median:  # bit k stands in byte 31 − k / 8
                        out[upright, 31 - (2 * i + j // 8)] |= np.uint8(1 << (j % 8))
                        out[turned, 31 - (2 * j + i // 8)] |= np.uint8(1 << (i % 8))
    return out, near
