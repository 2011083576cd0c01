from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlamp.origin.evaluation import area, evaluate, wilson

scores = st.lists(st.floats(0, 1, allow_nan=False), min_size=1, max_size=40)


@given(scores, scores)
def test_the_area_is_the_share_of_pairs_in_the_right_order(real: list[float], made: list[float]) -> None:
    pairs = [(m > r) + (m == r) / 2 for r in real for m in made]

    assert area(real, made) == pytest.approx(sum(pairs) / len(pairs))


@given(scores, scores)
def test_no_threshold_takes_more_of_the_real_for_made_than_allowed(
    real: list[float], made: list[float]
) -> None:
    result = evaluate(real, made, probabilities=True)

    for point in result.points:
        alarms = sum(r >= point.threshold for r in real) / len(real)
        assert point.false_alarms == pytest.approx(alarms)
        assert alarms <= point.allowed + 1e-9
        assert point.found == pytest.approx(sum(m >= point.threshold for m in made) / len(made))
        # None lower would do.
        lower = [s for s in (*real, *made) if s < point.threshold]
        if lower:
            assert sum(r >= max(lower) for r in real) / len(real) > point.allowed
    found = [p.found for p in result.points]
    assert found == sorted(found)
    assert sum(b.count for b in result.bins) == len(real) + len(made)
    json.dumps(result.to_json(), allow_nan=False)


def test_at_one_percent_of_a_thousand_ten_are_allowed() -> None:
    real = [n / 1000 for n in range(1000)]

    (point,) = (p for p in evaluate(real, [0.9895, 0.995], probabilities=True).points if p.allowed == 0.01)

    assert point.threshold == pytest.approx(0.9895)
    assert (point.false_alarms, point.found) == (0.01, 1.0)


def test_calibration() -> None:
    right = evaluate([0.2] * 8 + [0.8] * 2, [0.2] * 2 + [0.8] * 8, probabilities=True)
    wrong = evaluate([0.9] * 10, [0.9] * 10, probabilities=True)

    assert right.error == pytest.approx(0)
    assert [b.made for b in right.bins] == pytest.approx([0.2, 0.8])
    assert wrong.error == pytest.approx(0.4)
    assert evaluate([5.0], [7.0], probabilities=False).error is None


def test_perfect_and_blind_detectors() -> None:
    perfect = evaluate([0.1] * 200, [0.9] * 50, probabilities=True)
    blind = evaluate([0.5] * 200, [0.5] * 50, probabilities=True)

    assert perfect.auc == 1
    assert perfect.points[1].found == 1
    assert blind.auc == 0.5
    assert blind.auc_between[0] < 0.5 < blind.auc_between[1]
    assert math.isinf(blind.points[1].threshold)
    assert blind.points[1].found == 0


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 10, 0, 0.278), (5, 10, 0.237, 0.763), (10, 10, 0.722, 1), (0, 0, 0, 1)],
)
def test_intervals_are_wilsons(hits: int, of: int, low: float, high: float) -> None:
    assert wilson(hits, of) == pytest.approx((low, high), abs=0.001)


def test_too_few_pictures_are_said() -> None:
    assert any("too few" in note for note in evaluate([0.1] * 99, [0.9], probabilities=False).notes)
    assert not evaluate([0.1] * 100, [0.9], probabilities=False).notes
    with pytest.raises(ValueError, match="needed"):
        evaluate([], [0.5], probabilities=True)
