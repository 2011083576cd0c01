"""How a radius is divided: which chunks may differ by how much, and when a plain scan is cheaper.

A code's 256 bits are 8 *words* of 32 bits, and each word is two *halves* of 16. By the general pigeonhole
principle, if ``sum(t_i + 1) > r`` over disjoint parts, then every code within distance r of the query is
within ``t_i`` of it in some part i. It is used twice: to give each word a threshold, and within a word to
give each half one. See ``docs/decisions/index-search.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import comb
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

BITS = 256
WORDS = 8
HALVES = 16
BYTES = 32
HALF_BITS = 16
BUCKETS = 1 << HALF_BITS

# Nanoseconds on one core of an AMD EPYC (Zen 4); only their ratios matter, and only for the choice of a scan.
PROBE_COST = 5.0
RUN_COST = 20.0  # of a bucket that holds anything
NEAR_COST = 0.15
VERIFY_COST = 15.0
SCAN_COST = 1.6


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The thresholds for one radius; −1 says that the part is not probed.

    Args:
        words: (8,) int64, at most so many bits of the word differ.
        halves: (16,) int64, at most so many bits of the half differ; half h belongs to word h // 2.
        keys: (16,) or (32,) int64, at most so many bits of the key differ: the same, or those of the bytes.
        probes: buckets that are looked into.
        scanned: share of all entries that lie in those buckets, if they are evenly filled.
        verified: share of all entries whose whole code is looked at.
        buckets: of one key.
    """

    words: np.ndarray
    halves: np.ndarray
    keys: np.ndarray
    probes: int
    scanned: float
    verified: float
    buckets: int

    def cheaper_than_scan(self, n: int) -> bool:
        """Whether probing ``n`` entries should be faster than comparing all of them."""
        runs = self.probes * min(1.0, n / self.buckets)
        cost = self.probes * PROBE_COST + runs * RUN_COST
        cost += n * (self.scanned * NEAR_COST + self.verified * VERIFY_COST)
        return cost < n * SCAN_COST


def ball(bits: int, radius: int) -> int:
    """How many values of ``bits`` bits lie within ``radius`` of one of them."""
    return sum(comb(bits, k) for k in range(min(radius, bits) + 1))


def divide(budget: int, parts: int) -> list[int]:
    """Thresholds t with ``sum(t + 1) == budget``, as even as can be; −1 where nothing is left."""
    share, more = divmod(budget, parts)
    return [share + (i < more) - 1 for i in range(parts)]


@cache
def plan_for(radius: int, keys: int = HALVES) -> Plan:
    """The thresholds for ``radius`` (0..256), and 16 keys or 32."""
    import numpy as np

    words = divide(radius + 1, WORDS)
    halves = [t for word in words for t in divide(word + 1, 2)]
    own = [t for half in halves for t in divide(half + 1, keys // HALVES)]
    bits = BITS // keys
    verified = sum(
        comb(bits, i) * ball(HALF_BITS, words[k * WORDS // keys] - i)
        for k, t in enumerate(own)
        for i in range(min(t, bits) + 1)
    )
    probes = sum(ball(bits, t) for t in own)
    return Plan(
        np.array(words, np.int64),
        np.array(halves, np.int64),
        np.array(own, np.int64),
        probes,
        probes / (1 << bits),
        verified / (1 << bits + HALF_BITS),
        1 << bits,
    )


@cache
def flips(bits: int = HALF_BITS) -> tuple[np.ndarray, np.ndarray]:
    """All masks of so many bits (at most 16) by rising number of set bits, and where each number ends.

    Returns:
        (2^bits,) uint16 masks; (bits + 2,) int64 ends: ``masks[:ends[t + 1]]`` have at most t bits set, t
        from −1.
    """
    import numpy as np

    every = np.arange(1 << bits, dtype=np.uint32)
    ones = np.bitwise_count(every)
    masks = every[np.argsort(ones, kind="stable")].astype(np.uint16)
    ends = np.array([ball(bits, t) if t >= 0 else 0 for t in range(-1, bits + 1)], np.int64)
    return masks, ends
