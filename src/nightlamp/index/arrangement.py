"""Which bit of a code goes where, so that bits that tend to agree do not share a half.

Neighbouring coefficients of a PDQ hash are correlated. Were they indexed together, some buckets would hold
far more entries than others. Any order of the bits is correct; a good one is fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nightlamp.index.plan import BITS, HALF_BITS, HALVES

if TYPE_CHECKING:
    import numpy as np

SAMPLE = 16_384


def arrange(codes: np.ndarray) -> np.ndarray:
    """The order of bits for these ``codes`` (n, 32) uint8, from an evenly spaced sample.

    Returns:
        (256,) uint8: bit j of an arranged code is bit ``source[j]`` of the code, least significant first.
    """
    import numpy as np

    sample = codes[:: max(1, len(codes) // SAMPLE)][:SAMPLE]
    bits = np.unpackbits(sample, axis=1, bitorder="little").astype(np.float32) * 2 - 1
    bits -= bits.mean(axis=0)
    bits /= np.maximum(np.sqrt((bits**2).mean(axis=0)), 1e-6)
    agreement = ((bits.T @ bits) / max(1, len(sample))) ** 2
    np.fill_diagonal(agreement, 0)

    half_of = np.full(BITS, -1)
    cost = np.zeros((BITS, HALVES), np.float32)  # of each bit in each half, so far
    room = np.full(HALVES, HALF_BITS)
    # The most entangled bits choose first; each goes where it agrees least with those already there.
    for bit in np.argsort(-agreement.sum(axis=1), kind="stable"):
        half = int(np.argmin(np.where(room > 0, cost[bit], np.inf)))
        half_of[bit] = half
        room[half] -= 1
        cost[:, half] += agreement[:, bit]
    return np.argsort(half_of, kind="stable").astype(np.uint8)
