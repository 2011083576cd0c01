"""Bits that agree are dealt out to different halves."""

from __future__ import annotations

import numpy as np
import pytest

from nightlamp.index.arrangement import arrange


def codes_with_groups(n: int, size: int) -> np.ndarray:
    """Codes whose bits are copies of each other in neighbouring groups of ``size``."""
    bits = np.random.default_rng(0).integers(0, 2, (n, 256 // size), np.uint8)
    return np.packbits(np.repeat(bits, size, axis=1), axis=1, bitorder="little")


@pytest.mark.parametrize("size", [2, 8, 16])
def test_bits_that_always_agree_never_share_a_half(size: int) -> None:
    source = arrange(codes_with_groups(5000, size))

    groups = source.reshape(16, 16) // size
    assert all(len(set(half)) == 16 for half in groups.tolist())


@pytest.mark.parametrize(
    "codes",
    [
        np.zeros((1, 32), np.uint8),
        np.zeros((100, 32), np.uint8),
        np.full((3, 32), 255, np.uint8),
        np.random.default_rng(1).integers(0, 256, (50_000, 32), np.uint8),
    ],
)
def test_each_bit_is_taken_once_and_always_the_same_way(codes: np.ndarray) -> None:
    source = arrange(codes)

    assert sorted(source.tolist()) == list(range(256))
    assert np.array_equal(arrange(codes), source)
