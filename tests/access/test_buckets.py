from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nightlamp.access import Buckets


def test_a_rush_is_let_through_and_then_the_rate_holds() -> None:
    now = [0.0]
    buckets = Buckets(2.0, time=lambda: now[0])
    assert [buckets.take("a", 5.0) for _ in range(10)] == [0.0] * 10
    assert buckets.take("a", 5.0) > 0
    assert buckets.take("b", 5.0) == 0.0  # each key has its own
    now[0] += 0.2
    assert buckets.take("a", 5.0) == 0.0
    assert 0.19 < buckets.take("a", 5.0) <= 0.2


def test_without_a_rate_there_is_no_limit() -> None:
    buckets = Buckets(time=lambda: 0.0)
    assert {buckets.take("a", None, 1e6) for _ in range(100)} == {0.0}


def test_a_large_batch_is_let_through_by_a_full_bucket_and_paid_for_afterwards() -> None:
    now = [0.0]
    buckets = Buckets(2.0, time=lambda: now[0])
    assert buckets.take("a", 10.0, cost=100) == 0.0
    now[0] = 7.9
    assert buckets.take("a", 10.0) > 0
    now[0] = 8.2
    assert buckets.take("a", 10.0) == 0.0


def test_processes_that_share_a_file_share_the_rate(tmp_path: Path) -> None:
    now = [0.0]
    one, two = (Buckets(2.0, tmp_path / "rates", time=lambda: now[0]) for _ in range(2))
    assert [each.take("a", 1.0) for each in (one, two)] == [0.0, 0.0]
    assert one.take("a", 1.0) == two.take("a", 1.0) == 1.0
    assert two.take("b", 1.0) == 0.0

    # one that comes later, in place of one that died, finds it as it is
    one.close()
    assert Buckets(2.0, tmp_path / "rates", time=lambda: now[0]).take("a", 1.0) == 1.0
    two.close()


def test_with_more_keys_than_there_is_room_for_those_in_use_keep_their_buckets() -> None:
    now = [0.0]
    buckets = Buckets(1.0, time=lambda: now[0])
    for number in range(20_000):
        now[0] = number * 1e-4
        buckets.take("busy", 0.1, 0.0)
        if number == 5_000:
            assert buckets.take("busy", 0.1) == 0.0
        assert buckets.take(f"key {number}", 0.1) == 0.0
    assert buckets.take("busy", 0.1) > 0


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0.1, 30)), max_size=60), st.floats(0.5, 50))
def test_no_more_passes_than_the_rate_and_one_rush(steps: list[tuple[float, float]], rate: float) -> None:
    now, passed, largest = [0.0], 0.0, 0.0
    buckets = Buckets(2.0, time=lambda: now[0])
    for wait, cost in steps:
        now[0] += wait
        if buckets.take("a", rate, cost) == 0.0:
            passed += cost
            largest = max(largest, cost)
    assert passed <= now[0] * rate + max(rate * 2.0, 1.0) + largest + 1e-6
