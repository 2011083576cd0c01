"""The thresholds must be a valid pigeonhole: no code within the radius may slip through all halves."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlamp.index.plan import ball, divide, flips, plan_for


@pytest.mark.parametrize("keys", [16, 32])
@pytest.mark.parametrize("radius", range(257))
def test_budgets_add_up(radius: int, keys: int) -> None:
    plan = plan_for(radius, keys)

    assert (plan.words + 1).sum() == radius + 1
    for word in range(8):
        low, high = plan.halves[2 * word : 2 * word + 2]
        assert (low + 1) + (high + 1) == plan.words[word] + 1
    assert np.array_equal((plan.keys + 1).reshape(16, -1).sum(axis=1), plan.halves + 1)


@given(st.data())
def test_some_half_always_finds_it(data: st.DataObject) -> None:
    # Given differing bits, spread over the halves in any way, up to the radius
    radius = data.draw(st.integers(0, 100))
    plan = plan_for(radius)
    differing = np.zeros(16, int)
    for half in data.draw(st.lists(st.integers(0, 15), max_size=radius)):
        differing[half] = min(16, differing[half] + 1)

    # Then a half is within its threshold, and so is its word
    in_word = differing.reshape(8, 2).sum(axis=1)
    assert any(differing[h] <= plan.halves[h] and in_word[h // 2] <= plan.words[h // 2] for h in range(16))


def test_the_bound_is_tight() -> None:
    # Given one bit more than each word's threshold: radius 31 is just exceeded
    plan = plan_for(31)

    assert plan.words.tolist() == [3] * 8
    assert (plan.words + 1).sum() == 32


def test_the_default_radius_looks_into_few_buckets() -> None:
    plan = plan_for(31)

    assert plan.probes == 16 * 17
    assert plan.scanned == pytest.approx(272 / 65536)
    assert plan.verified == pytest.approx(16 * (ball(16, 3) + 16 * ball(16, 2)) / 65536**2)


def test_bytes_are_fewer_buckets_and_more_of_the_entries() -> None:
    plan = plan_for(31, 32)

    assert plan.probes == 32
    assert plan.scanned == 32 / 256
    assert plan.verified == pytest.approx(32 * ball(16, 3) / 2**24)


def test_a_scan_is_chosen_when_it_is_cheaper() -> None:
    assert plan_for(31).cheaper_than_scan(1_000_000)
    assert not plan_for(31).cheaper_than_scan(100)
    assert not plan_for(120).cheaper_than_scan(10_000_000)


@pytest.mark.parametrize("bits", [8, 16])
def test_flips_are_all_masks_by_bits_set(bits: int) -> None:
    masks, ends = flips(bits)

    assert sorted(masks.tolist()) == list(range(1 << bits))
    for most in range(-1, bits + 1):
        within = masks[: ends[most + 1]]
        assert len(within) == sum(comb(bits, k) for k in range(most + 1))
        assert all(int(m).bit_count() <= most for m in within[-20:])


def test_divide_spreads_evenly() -> None:
    assert divide(10, 4) == [2, 2, 1, 1]
    assert divide(2, 4) == [0, 0, -1, -1]
