"""Which frames of a video are examined, and what it costs to reach them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlamp.media.sampling import EVERY, longest_gap, plan, ticks


def shown(gaps: list[float]) -> np.ndarray:
    return np.concatenate(([0.0], np.cumsum(gaps)))


GAPS = st.lists(st.floats(0, 1e7) | st.sampled_from([0.0, 0.04, 1.0]), max_size=200)


@given(GAPS, st.integers(1, 64))
def test_ticks_are_few_and_hold_the_first_and_the_last(gaps, most):
    numbers = ticks(shown(gaps), most)
    assert numbers == sorted(set(numbers))
    assert len(numbers) <= most
    assert numbers[0] == 0
    assert most == 1 or numbers[-1] == len(gaps)


def test_frames_that_all_claim_one_time_are_sampled_by_their_number():
    numbers = ticks(np.zeros(1001), 96)
    assert len(numbers) >= 5
    assert np.diff(numbers).max() <= 252


@pytest.mark.parametrize(
    ("seconds", "rate", "most", "gap"),
    [(10, 25, 96, 1.0), (60, 30, 96, 1.0), (96, 10, 24, 4.2), (3600, 1, 96, 38.0)],
)
def test_ticks_are_a_second_apart_or_as_near_as_they_may_be(seconds, rate, most, gap):
    times = np.arange(seconds * rate) / rate
    numbers = ticks(times, most)
    assert longest_gap(times, numbers) <= gap + 1 / rate


@given(st.integers(20, 200), st.integers(0, 200))
def test_a_gap_that_a_file_claims_takes_no_samples_from_what_moves(frames, at):
    times = np.arange(frames) / 10
    claimed = np.where(np.arange(frames) > at, times + 1e6, times)
    assert longest_gap(claimed, ticks(claimed, 300)) <= 2 * EVERY


@st.composite
def keyed(draw):
    """(wanted, keys) of one video: its first frame can be decoded."""
    frames = draw(st.integers(1, 400))
    wanted = sorted(draw(st.sets(st.integers(0, frames - 1), min_size=1, max_size=40)))
    keys = sorted({0, *draw(st.sets(st.integers(0, frames - 1), max_size=20))})
    return wanted, [(key, key) for key in keys]


@given(keyed(), st.integers(1, 500))
def test_a_plan_costs_no_more_than_it_may(made, most):
    wanted, keys = made
    runs = plan(wanted, keys, most)
    cost = sum(run.stops[-1] - run.frame + 1 for run in runs)
    stops = [stop for run in runs for stop in run.stops]
    assert cost <= max(most, len(wanted))
    assert stops == sorted(set(stops))
    assert {(run.frame, run.packet) for run in runs} <= set(keys)
    assert len(stops) <= len(wanted)
    if most > max(wanted):
        assert stops == wanted


def test_what_is_far_from_where_decoding_can_begin_is_replaced_by_what_can_be_reached():
    runs = plan([0, 50, 150], [(0, 0), (100, 100)], 30)
    assert [(run.packet, list(run.stops)) for run in runs] == [(0, [0, 19]), (100, [109])]
