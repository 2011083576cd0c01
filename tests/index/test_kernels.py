"""The instructions that everything else stands on, against plain Python."""

from __future__ import annotations

import numpy as np
from numba import njit

from nightlamp.index._kernels import permute_bits
from nightlamp.index.found import read_only
from nightlamp.index.simd_kernels import first_bit, near_mask, popcount


@njit  # type: ignore[untyped-decorator]
def call_near_mask(array, at, want, limit):  # type: ignore[no-untyped-def]
    return near_mask(array, at, np.uint16(want), np.uint16(limit))


@njit  # type: ignore[untyped-decorator]
def call_both(words):  # type: ignore[no-untyped-def]
    return popcount(words[0]), first_bit(np.uint32(words[1]))


def test_near_mask_at_every_place_and_limit() -> None:
    array = np.random.default_rng(0).integers(0, 65536, 100, np.uint16)
    array[::7] = 0b1010

    for at in (0, 1, 5, 68):
        for limit in (0, 1, 7, 8, 15, 16):
            expected = [(int(array[at + k]) ^ 0b1110).bit_count() <= limit for k in range(32)]
            mask = call_near_mask(array, at, 0b1110, limit)
            assert [bool(mask >> k & 1) for k in range(32)] == expected


def test_popcount_and_first_bit() -> None:
    for word, small in ((0, 1), (2**64 - 1, 2**31), (0x8000000000000001, 12)):
        first = (small & -small).bit_length() - 1
        assert call_both(np.array([word, small], np.uint64)) == (word.bit_count(), first)


def test_permuting_there_and_back() -> None:
    rng = np.random.default_rng(1)
    codes = read_only(rng.integers(0, 2**64, (20, 4), np.uint64))
    source = read_only(rng.permutation(256).astype(np.uint8))

    there = permute_bits(codes, source)

    bits = np.unpackbits(codes.view(np.uint8), axis=1, bitorder="little")
    assert np.array_equal(np.unpackbits(there.view(np.uint8), axis=1, bitorder="little"), bits[:, source])
    back = read_only(np.argsort(source).astype(np.uint8))
    assert np.array_equal(permute_bits(read_only(there), back), codes)
