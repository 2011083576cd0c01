"""Digests are equal or not; crafted and repeated ones must not lead astray."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightlamp.errors import SnapshotError
from nightlamp.index import DigestIndex, Found


def rows(found: Found) -> list[tuple[int, int, int]]:
    return sorted(zip(found.query.tolist(), found.number.tolist(), found.distance.tolist(), strict=True))


@settings(max_examples=150)
@given(data=st.data(), size=st.sampled_from([1, 2, 3, 7, 8, 9, 16, 20, 32, 64]), letters=st.integers(1, 256))
def test_finds_all_equal_entries(data: st.DataObject, size: int, letters: int) -> None:
    # Given digests of few or many letters, so that prefixes and whole digests repeat
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    entries = rng.integers(0, letters, (data.draw(st.integers(0, 200)), size), np.uint8)
    queries = np.concatenate([entries[::3], rng.integers(0, letters, (5, size), np.uint8)])
    numbers = rng.integers(-(2**62), 2**62, len(entries))

    found = DigestIndex.build(entries, numbers).search(queries)

    expected = [
        (q, int(numbers[i]), 0)
        for q, query in enumerate(queries)
        for i in np.flatnonzero((entries == query).all(axis=1))
    ]
    assert rows(found) == sorted(expected)
    assert (np.diff(found.query) >= 0).all()


def test_several_at_once_say_which_of_them_holds_what() -> None:
    entries = np.random.default_rng(3).integers(0, 4, (600, 3), np.uint8)
    ends = (0, 500, 500, 599, 600)
    indexes = [DigestIndex.build(entries[a:b], np.arange(a, b)) for a, b in pairwise(ends)]
    queries = np.unique(entries, axis=0)

    found, part = DigestIndex.together(indexes).search(queries)

    assert rows(found) == rows(DigestIndex.build(entries).search(queries))
    assert np.array_equal(part, np.searchsorted(ends[1:], found.number, side="right"))


def test_many_duplicates_return_all_their_numbers_in_order() -> None:
    entries = np.zeros((5000, 16), np.uint8)
    entries[1000:] = 7

    found = DigestIndex.build(entries).search(entries[:1])

    assert found.number.tolist() == list(range(1000))


def test_digests_crafted_to_share_a_prefix() -> None:
    # Given entries that differ in the last bytes alone
    entries = np.zeros((4096, 32), np.uint8)
    entries[:, 30:] = np.arange(4096, dtype=">u2").view(np.uint8).reshape(-1, 2)
    shuffled = np.random.default_rng(0).permutation(4096)
    index = DigestIndex.build(entries[shuffled], shuffled)

    assert rows(index.search(entries)) == [(i, i, 0) for i in range(4096)]


def test_cost_per_entry_stays_small() -> None:
    entries = np.random.default_rng(0).integers(0, 256, (50_000, 16), np.uint8)

    assert DigestIndex.build(entries).bytes_per_entry < 16 + 8 + 4


def test_arrays_make_the_same_index_again() -> None:
    entries = np.random.default_rng(1).integers(0, 256, (999, 20), np.uint8)
    index = DigestIndex.build(entries)

    again = DigestIndex.from_arrays(index.arrays())

    assert len(again) == 999
    assert rows(again.search(entries)) == [(i, i, 0) for i in range(999)]


def test_values_and_numbers_belong_together() -> None:
    entries = np.random.default_rng(2).integers(0, 256, (50, 16), np.uint8)
    index = DigestIndex.build(entries)

    assert np.array_equal(index.values(), entries[index.numbers])


def swap_ends(array: np.ndarray) -> np.ndarray:
    out = array.copy()
    out[[0, -1]] = out[[-1, 0]]
    return out


@pytest.mark.parametrize(
    "change",
    [
        lambda a: {"digests": swap_ends(a["digests"])},
        lambda a: {"digests": swap_ends(a["digests"].reshape(-1)).reshape(a["digests"].shape)},
        lambda a: {"digests": a["digests"][:-1]},
        lambda a: {"digests": a["digests"].astype(np.int16)},
        lambda a: {"digests": a["digests"][:, :0]},
        lambda a: {"numbers": a["numbers"][:-1]},
        lambda a: {"directory": a["directory"][:-1]},
        lambda a: {"directory": a["directory"][:1]},
        lambda a: {"directory": a["directory"][::-1].copy()},
        lambda a: {"directory": a["directory"] + np.uint32(1)},
        lambda a: {"directory": np.minimum(a["directory"], 100)},
        lambda a: {"directory": a["directory"].astype(np.int64)},
    ],
)
def test_arrays_that_make_no_sense_are_refused(change) -> None:  # type: ignore[no-untyped-def]
    arrays = DigestIndex.build(np.random.default_rng(3).integers(0, 256, (999, 16), np.uint8)).arrays()

    with pytest.raises(SnapshotError, match="digest index"):
        DigestIndex.from_arrays({**arrays, **change(arrays)})


def test_even_trusted_nonsense_reads_nothing_outside() -> None:
    entries = np.random.default_rng(4).integers(0, 256, (999, 16), np.uint8)
    arrays = DigestIndex.build(entries).arrays()
    arrays["directory"] = np.random.default_rng(5).integers(0, 2**32, len(arrays["directory"]), np.uint32)

    found = DigestIndex.from_arrays(arrays, trusted=True).search(entries)

    assert set(found.number.tolist()) <= set(range(999))


@pytest.mark.parametrize("entries", [np.zeros((3, 0), np.uint8), np.zeros(16, np.uint8), np.zeros((3, 16))])
def test_wrong_arrays_are_refused(entries: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        DigestIndex.build(entries)


def test_queries_of_another_size_are_refused() -> None:
    index = DigestIndex.build(np.zeros((3, 16), np.uint8))

    with pytest.raises(ValueError, match="expected"):
        index.search(np.zeros((1, 20), np.uint8))
    with pytest.raises(ValueError, match="equal or not"):
        index.search(np.zeros((1, 16), np.uint8), 1)
