"""Measurements of a picture's luma that may hint at how it was made. Each gives one number; what a number is
worth was measured (``forensics.py``). None looks at more than ``SIDE`` × ``SIDE`` pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SIDE = 1024
_TILE = 128
_TILES = 24


def middle(luma: np.ndarray) -> np.ndarray:
    """At most ``SIDE`` × ``SIDE`` pixels from the middle, as float, on the 8 × 8 grid of JPEG."""
    import numpy as np

    top, left = (max(0, (side - SIDE) // 2 // 8 * 8) for side in luma.shape)
    height, width = (min(side, SIDE) // 8 * 8 for side in luma.shape)
    return luma[top : top + height, left : left + width].astype(np.float32)


def double_compression(luma: np.ndarray, table: np.ndarray) -> float:
    """How unlike the histograms of DCT coefficients are those of one compression; 0 is alike, 2 the most.

    The comparison is the same picture with the grid moved by half a block, which an earlier compression has
    left no trace in (Lukáš and Fridrich 2003).

    Args:
        luma: as ``middle`` gives it.
        table: (8, 8), the file's quantisation table for luma.
    """
    import numpy as np

    here, moved = _coefficients(luma), _coefficients(luma[4:-4, 4:-4])
    distances = []
    for row, column in ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1)):
        step = table[row, column]
        shares = []
        for coefficients in (here, moved):
            steps = np.abs(np.rint(coefficients[:, row, column] / step)).astype(np.int64)
            counts = np.bincount(np.minimum(steps, 41), minlength=42)[1:41]
            shares.append(counts / max(1, counts.sum()))
            enough = counts.sum() >= 400
        if enough:
            distances.append(float(np.abs(shares[0] - shares[1]).sum()))
    return float(np.median(distances)) if distances else 0.0


def _coefficients(luma: np.ndarray) -> np.ndarray:
    """(blocks, 8, 8) of the DCT that JPEG uses."""
    import numpy as np

    n = np.arange(8)
    basis = np.cos((2 * n[None, :] + 1) * n[:, None] * np.pi / 16) / 2
    basis[0] /= np.sqrt(2)
    basis = basis.astype(np.float32)
    height, width = (side // 8 * 8 for side in luma.shape)
    blocks = luma[:height, :width].reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2).reshape(-1, 8, 8)
    coefficients: np.ndarray = basis @ (blocks - 128) @ basis.T
    return coefficients


def noise(luma: np.ndarray) -> float:
    """The noise in the quietest tenth of the picture, in levels; a sensor's is seldom nothing.

    Blocks that are clipped, black or white, do not count (Immerkær 1996 gives the filter).
    """
    import numpy as np

    second = luma[:, 2:] - 2 * luma[:, 1:-1] + luma[:, :-2]
    both = second[2:] - 2 * second[1:-1] + second[:-2]
    height, width = (side // 8 * 8 for side in both.shape)
    if height < 8 or width < 8:
        return float("nan")
    blocks = np.abs(both[:height, :width]).reshape(height // 8, 8, width // 8, 8).mean(axis=(1, 3))
    level = luma[1 : 1 + height, 1 : 1 + width].reshape(height // 8, 8, width // 8, 8).mean(axis=(1, 3))
    usable = blocks[(level > 24) & (level < 232)]
    if usable.size < 50:
        return float("nan")
    return float(np.quantile(usable, 0.1)) * float(np.sqrt(np.pi / 2)) / 6


def resampling(luma: np.ndarray) -> float:
    """How far a rhythm stands out in the second differences along rows and down columns, the weaker of the
    two: what interpolation leaves (Gallagher 2005). JPEG's own rhythms, eighths, do not count."""
    return min(_rhythm(luma), _rhythm(luma.T))


def _rhythm(luma: np.ndarray) -> float:
    import numpy as np

    if min(luma.shape) < 64:
        return float("nan")
    second = np.abs(luma[:, 2:] - 2 * luma[:, 1:-1] + luma[:, :-2])
    trace = np.minimum(second, 24).mean(axis=0)
    trace = trace - np.convolve(np.pad(trace, 8, mode="edge"), np.full(17, 1 / 17), "valid")
    spectrum = np.abs(np.fft.rfft(trace * np.hanning(len(trace))))
    frequency = np.arange(len(spectrum)) / len(trace)
    eighth = np.abs(frequency * 8 - np.rint(frequency * 8)) * len(trace) / 8 < 3
    kept = spectrum[(frequency > 0.06) & ~eighth]
    return float(kept.max() / max(float(np.median(kept)), 1e-6))


def upsampler_peaks(luma: np.ndarray) -> float:
    """How far the spectrum stands out where layers that double the size leave peaks: at a half and at
    quarters in both directions at once, where JPEG's blocks leave little; in powers of ten."""
    import numpy as np

    if min(luma.shape) < 2 * _TILE:
        return float("nan")
    spread = (
        4 * luma[1:-1, 1:-1] - luma[:-2, 1:-1] - luma[2:, 1:-1] - luma[1:-1, :-2] - luma[1:-1, 2:]
    ).clip(-48, 48)
    height, width = (side // _TILE * _TILE for side in spread.shape)
    tiles = spread[:height, :width].reshape(height // _TILE, _TILE, width // _TILE, _TILE).swapaxes(1, 2)
    window = np.hanning(_TILE).astype(np.float32)
    tiles = tiles.reshape(-1, _TILE, _TILE)[:_TILES]
    power = np.abs(np.fft.fft2(tiles * window[:, None] * window)) ** 2
    level = np.log10(np.median(power, axis=0) + 1e-3)
    peaks = []
    half, quarter = _TILE // 2, _TILE // 4
    for y, x in ((half, half), (half, quarter), (quarter, half), (quarter, quarter), (quarter, -quarter)):
        around = np.roll(level, (6 - y, 6 - x), axis=(0, 1))[:13, :13].copy()
        peak = around[5:8, 5:8].max()
        around[3:10, 3:10] = np.nan
        peaks.append(peak - float(np.nanmedian(around)))
    return float(max(peaks))
