"""PDQ once more, slow and literal, in float64: what the tests hold the fast one against.

A line-by-line reading of the reference (``downscaling.cpp``, ``pdqhashing.cpp``) with its running sums; it
shares no code with ``nightlamp.signals.pdq``.
"""

from __future__ import annotations

import math

import numpy as np


def box(line: np.ndarray, window: int) -> np.ndarray:
    """One pass of the box filter along the first axis, in the reference's four phases."""
    half = (window + 2) // 2
    out = np.zeros_like(line)
    total = np.zeros_like(line[0])
    left = right = written = inside = 0
    for _ in range(half - 1):
        total = total + line[right]
        inside += 1
        right += 1
    for _ in range(window - half + 1):
        total = total + line[right]
        inside += 1
        out[written] = total / inside
        right += 1
        written += 1
    for _ in range(len(line) - window):
        total = total + line[right] - line[left]
        out[written] = total / inside
        left += 1
        right += 1
        written += 1
    for _ in range(half - 1):
        total = total - line[left]
        inside -= 1
        out[written] = total / inside
        left += 1
        written += 1
    assert written == len(line)
    return out


def image64(luma: np.ndarray) -> np.ndarray:
    """(h, w) luma → (64, 64) float64: two passes along each axis, then the middles of 64 × 64 cells."""
    blurred = luma.astype(np.float64)
    height, width = blurred.shape
    for _ in range(2):
        blurred = box(blurred.T, (width + 127) // 128).T
        blurred = box(blurred, (height + 127) // 128)
    rows = [int((i + 0.5) * height / 64) for i in range(64)]
    columns = [int((j + 0.5) * width / 64) for j in range(64)]
    return blurred[np.ix_(rows, columns)]


def quality(image: np.ndarray) -> int:
    """The sum of gradients, each cut towards zero to a whole percentage of white, over 90."""
    total = 0
    for first, second in ((image[:-1], image[1:]), (image[:, :-1], image[:, 1:])):
        total += int(np.abs(np.trunc((first - second) * 100 / 255)).sum())
    return min(100, total // 90)


def spectrum(image: np.ndarray) -> np.ndarray:
    """(64, 64) → (16, 16): frequencies 1 to 16 of the DCT-II both ways."""
    matrix = np.array(
        [
            [math.sqrt(2 / 64) * math.cos(math.pi / 128 * (i + 1) * (2 * j + 1)) for j in range(64)]
            for i in range(16)
        ]
    )
    return matrix @ image @ matrix.T


def value(image: np.ndarray) -> bytes:
    """(64, 64) → 32 bytes, bit 16·i + j set where frequency (i, j) is above the lower median."""
    frequencies = spectrum(image)
    median = sorted(frequencies.ravel())[127]
    number = sum(1 << k for k, frequency in enumerate(frequencies.ravel()) if frequency > median)
    return number.to_bytes(32, "big")


def luma_of(rgb: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 → (h, w) float32, unrounded, as the reference and ``pdqhash`` make it."""
    return (rgb[..., 0] * 0.299 + rgb[..., 1] * 0.587 + rgb[..., 2] * 0.114).astype(np.float32)


def bits_apart(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def undecided(image: np.ndarray, error: float) -> int:
    """How many frequencies lie within ``error`` of the median: their bits may go either way."""
    frequencies = spectrum(image)
    return int((np.abs(frequencies - np.sort(frequencies.ravel())[127]) <= error).sum())
