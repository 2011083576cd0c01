"""Any width, any distance, one by one."""

from __future__ import annotations

import numpy as np
import pytest

from nightlamp.errors import SignalError, SnapshotError
from nightlamp.index import FlatIndex


def manhattan(query: np.ndarray, entries: np.ndarray) -> np.ndarray:
    return np.abs(entries.astype(int) - query.astype(int)).sum(axis=1)


ENTRIES = np.random.default_rng(0).integers(0, 256, (500, 144), np.uint8)


@pytest.mark.parametrize("chunk_bytes", [1, 1000, 16 << 20])
def test_finds_all_within_the_radius(monkeypatch: pytest.MonkeyPatch, chunk_bytes: int) -> None:
    # Given entries that are compared in one chunk or in many
    monkeypatch.setattr("nightlamp.index.flat.CHUNK_BYTES", chunk_bytes)
    index = FlatIndex.build(ENTRIES, np.arange(500) + 1000, manhattan)
    queries = ENTRIES[:4].copy()
    queries[:, 0] ^= 1

    found = index.search(queries, 12_000)

    expected = [
        (q, 1000 + i, d)
        for q in range(4)
        for i, d in enumerate(manhattan(queries[q], ENTRIES).tolist())
        if d <= 12_000
    ]
    assert list(zip(found.query, found.number, found.distance, strict=True)) == expected
    assert len(expected) > 4
    assert found.distance.dtype == np.int32


def test_fractions_are_rounded_up_and_never_over_the_radius() -> None:
    entries = np.array([[0], [1], [2], [3]], np.uint8)
    index = FlatIndex.build(entries, None, lambda q, e: (e[:, 0] - 0.5 * q[0]) / 2)

    found = index.search(np.zeros((1, 1), np.uint8), 1)

    assert found.number.tolist() == [0, 1, 2]
    assert found.distance.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "distance",
    [
        lambda q, e: np.full(len(e), np.nan),
        lambda q, e: np.zeros(len(e) + 1),
        lambda q, e: np.zeros((len(e), 1)),
        lambda q, e: np.array(["near"] * len(e)),
        lambda q, e: 0,
    ],
)
def test_a_broken_distance_is_an_error_and_not_a_miss(distance) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SignalError):
        FlatIndex.build(ENTRIES, None, distance).search(ENTRIES[:1], 5)


def test_empty() -> None:
    index = FlatIndex.build(ENTRIES[:0], None, manhattan)

    assert len(index) == 0
    assert len(index.search(ENTRIES[:2], 10**6)) == 0


def test_arrays_make_the_same_index_again() -> None:
    index = FlatIndex.from_arrays(FlatIndex.build(ENTRIES, None, manhattan).arrays(), manhattan)

    assert index.search(ENTRIES[7:8], 0).number.tolist() == [7]
    assert index.bytes_per_entry == 144 + 8


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"entries": ENTRIES},
        {"entries": ENTRIES, "numbers": np.arange(499)},
        {"entries": ENTRIES, "numbers": np.zeros(500)},
        {"entries": ENTRIES.astype(int), "numbers": np.arange(500)},
        {"entries": ENTRIES[0], "numbers": np.arange(144)},
    ],
)
def test_arrays_that_make_no_sense_are_refused(arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(SnapshotError, match="flat index"):
        FlatIndex.from_arrays(arrays, manhattan)


def test_wrong_arguments_are_refused() -> None:
    index = FlatIndex.build(ENTRIES, None, manhattan)

    with pytest.raises(ValueError, match="expected"):
        index.search(ENTRIES[0], 5)
    with pytest.raises(ValueError, match="negative"):
        index.search(ENTRIES[:1], -1)
    with pytest.raises(ValueError, match="expected"):
        FlatIndex.build(ENTRIES[0], None, manhattan)
