"""A live index against a plain list, step by step, and under threads."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from nightlamp.index import DigestIndex, FlatIndex, Found, HammingIndex, LiveIndex

Row = tuple[int, int, int]


def bits_apart(query: np.ndarray, entries: np.ndarray) -> np.ndarray:
    return np.bitwise_count(entries ^ query).sum(axis=1, dtype=np.int64)


def empty_base(kind: str) -> Any:
    nothing = np.empty((0, 32), np.uint8)
    if kind == "flat":
        return FlatIndex.build(nothing, None, bits_apart)
    return {"hamming": HammingIndex, "digest": DigestIndex}[kind].build(nothing)


def rows(found: Found) -> list[Row]:
    return sorted(zip(found.query.tolist(), found.number.tolist(), found.distance.tolist(), strict=True))


def value(letter: int, turned: int = 0) -> np.ndarray:
    """One of a few far values, with some bits turned."""
    out = np.random.default_rng(letter).integers(0, 256, 32, np.uint8)
    out[:turned] ^= 1
    return out


VALUES = st.tuples(st.integers(0, 4), st.integers(0, 3))
NUMBERS = st.integers(0, 12)


class Machine(RuleBasedStateMachine):
    kind = ""

    def __init__(self) -> None:
        super().__init__()
        self.live: LiveIndex[Any] = LiveIndex(empty_base(self.kind))
        self.model: list[tuple[np.ndarray, int]] = []

    @rule(entries=st.lists(st.tuples(VALUES, NUMBERS), max_size=8))
    def add(self, entries: list[tuple[tuple[int, int], int]]) -> None:
        new = [(value(*v), number) for v, number in entries]
        values = np.array([v for v, _ in new], np.uint8).reshape(-1, 32)
        self.live.add(values, np.array([n for _, n in new], np.int64))
        self.model += new

    @rule(numbers=st.lists(NUMBERS, max_size=4))
    def remove(self, numbers: list[int]) -> None:
        self.live.remove(np.array(numbers, np.int64))
        self.model = [(v, n) for v, n in self.model if n not in numbers]

    @rule()
    def compact(self) -> None:
        base = self.live.compact()
        assert sorted(base.numbers.tolist()) == sorted(n for _, n in self.model)
        assert len(base) == len(self.model)

    @rule()
    def start_again_from_the_compacted(self) -> None:
        self.live = LiveIndex(self.live.compact())

    @rule(queries=st.lists(VALUES, min_size=1, max_size=3), radius=st.integers(0, 3))
    def search(self, queries: list[tuple[int, int]], radius: int) -> None:
        radius = 0 if self.kind == "digest" else radius
        asked = np.array([value(*q) for q in queries], np.uint8)
        found = self.live.search(asked, radius)
        expected = []
        for q in range(len(queries)):
            for v, n in self.model:
                distance = int(bits_apart(asked[q], v[None])[0])
                if distance <= radius:
                    expected.append((q, n, distance))
        assert rows(found) == sorted(expected)
        assert (np.diff(found.query) >= 0).all()

    @invariant()
    def counted(self) -> None:
        assert len(self.live) == len(self.model)


@pytest.mark.parametrize("tail", [1, 4, 1024])
@pytest.mark.parametrize(
    ("kind", "step"), [("hamming", None), ("hamming", 3), ("digest", None), ("flat", None)]
)
def test_behaves_like_a_list(kind: str, tail: int, step: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nightlamp.index.live.TAIL", tail)
    monkeypatch.setattr("nightlamp.index.live.GROWTH", 2)
    if step is not None:
        # Few entries are sorted and joined too, and probed
        monkeypatch.setattr("nightlamp.index.hamming.STEP_LEAST", step)
        monkeypatch.setattr("nightlamp.index.hamming.SMALLEST", 1)
        monkeypatch.setattr("nightlamp.index.hamming.BESIDE", 2)
        monkeypatch.setattr("nightlamp.index.hamming.BY_BYTES", 6)
        monkeypatch.setattr("nightlamp.index.plan.SCAN_COST", 1e9)
    machine = type("Machine", (Machine,), {"kind": kind})

    run_state_machine_as_test(machine, settings=settings(max_examples=25, stateful_step_count=25))


def test_parts_stay_few_while_entries_trickle_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nightlamp.index.live.TAIL", 8)
    live = LiveIndex(empty_base("hamming"))

    for number in range(1500):
        live.add(value(number)[None], np.array([number]))

    assert len(live._parts) <= 8
    assert len(live) == 1500


def test_an_addition_crosses_into_an_indexed_part() -> None:
    # Given more entries than are scanned, in several calls
    live = LiveIndex(empty_base("hamming"))
    codes = np.random.default_rng(0).integers(0, 256, (20_000, 32), np.uint8)
    for first in range(0, 20_000, 900):
        live.add(codes[first : first + 900], np.arange(first, min(first + 900, 20_000)))
    live.remove(np.arange(0, 20_000, 2))

    assert sorted(live.search(codes[5000:5100], 31).number.tolist()) == list(range(5001, 5100, 2))


def test_what_is_added_is_joined_with_the_base_and_searched_with_it() -> None:
    # Given a base, and more than a step of entries behind it
    codes = np.random.default_rng(1).integers(0, 256, (40_000, 32), np.uint8)
    live = LiveIndex(HammingIndex.build(codes[:20_000]))
    for first in range(20_000, 40_000, 2_500):
        live.add(codes[first : first + 2_500], np.arange(first, first + 2_500))
    live.remove(np.arange(0, 40_000, 200))

    # Then they are few parts, the first two of them joined, and what was removed is gone from both
    assert len(live._parts) <= 3
    assert HammingIndex.together([part.index for part in live._parts]).joint is not None
    found = live.search(codes[::100], 31)
    assert found.number.tolist() == list(range(100, 40_000, 200))


def test_a_view_stays_as_it_was() -> None:
    live = LiveIndex(empty_base("hamming"))
    live.add(value(1)[None], np.array([1]))
    view = live.view()

    live.remove(np.array([1]))
    live.add(value(1)[None], np.array([2]))
    live.compact()

    assert rows(view.search(value(1)[None], 0)) == [(0, 1, 0)]
    assert rows(live.search(value(1)[None], 0)) == [(0, 2, 0)]
    assert len(view) == len(live) == 1


def test_wrong_arguments_change_nothing() -> None:
    live = LiveIndex(empty_base("digest"))

    with pytest.raises(ValueError, match="expected"):
        live.add(np.zeros((2, 31), np.uint8), np.arange(2))
    with pytest.raises(ValueError, match="expected"):
        live.add(np.zeros((2, 32), np.uint8), np.arange(3))
    assert len(live) == 0


def test_a_failed_compaction_leaves_all_in_force() -> None:
    class BuildError(RuntimeError):
        pass

    failing = False

    class Fragile(FlatIndex):
        def with_entries(self, values: np.ndarray, numbers: np.ndarray) -> Fragile:
            if failing:
                raise BuildError
            return Fragile(values, numbers, bits_apart)

    live = LiveIndex(Fragile(np.empty((0, 32), np.uint8), np.empty(0, np.int64), bits_apart))
    live.add(value(1)[None], np.array([1]))
    failing = True
    with pytest.raises(BuildError):
        live.compact()
    failing = False

    live.add(value(2)[None], np.array([2]))
    assert len(live.compact()) == 2


def test_readers_see_every_finished_change_while_writers_and_compaction_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nightlamp.index.live.TAIL", 16)
    live = LiveIndex(empty_base("hamming"))
    added: list[int] = []
    removing: list[int] = []
    removed: list[int] = []
    problems: list[str] = []
    reads = [0]
    stop = threading.Event()

    def guarded(step: Any) -> Any:
        def loop() -> None:
            while not stop.is_set():
                try:
                    step()
                except Exception as error:  # noqa: BLE001
                    problems.append(repr(error))
                    stop.set()

        return loop

    def write() -> None:
        number = len(added)
        live.add(value(number % 5)[None], np.array([number]))
        added.append(number)
        if number % 3 == 2:
            removing.append(number - 2)
            live.remove(np.array([number - 2]))
            removed.append(number - 2)

    def read() -> None:
        gone_before, there_before = set(removed), set(added)
        found = live.search(value(0)[None], 256).number.tolist()
        going_after = set(removing)
        reads[0] += 1
        if len(found) != len(set(found)):
            problems.append("an entry was seen twice")
        if there_before - going_after - set(found):
            problems.append("an added entry was missed")
        if gone_before & set(found):
            problems.append("a removed entry was seen")

    def compact() -> None:
        live.compact()
        time.sleep(0.01)

    threads = [threading.Thread(target=guarded(step)) for step in (write, read, read, compact)]
    for thread in threads:
        thread.start()
    time.sleep(2)
    stop.set()
    for thread in threads:
        thread.join()

    assert problems == []
    assert len(added) > 50
    assert reads[0] > 50
    assert len(live) == len(added) - len(removed)
