"""Exactness, against brute force, on random, realistic and hostile entries."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightlamp.errors import SnapshotError
from nightlamp.index import Found, HammingIndex

MANY = 20_000


def rows(found: Found) -> list[tuple[int, int, int]]:
    return sorted(zip(found.query.tolist(), found.number.tolist(), found.distance.tolist(), strict=True))


def brute_force(
    codes: np.ndarray, numbers: np.ndarray, queries: np.ndarray, radius: int
) -> list[tuple[int, int, int]]:
    out = []
    for q, query in enumerate(queries):
        distances = np.bitwise_count(codes ^ query).sum(axis=1, dtype=int)
        out += [(q, int(numbers[i]), int(distances[i])) for i in np.flatnonzero(distances <= radius)]
    return sorted(out)


def flipped(code: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """``code`` (32,) with these bits flipped, least significant first."""
    out = code.copy()
    for bit in bits:
        out[bit >> 3] ^= 1 << (bit & 7)
    return out


def random_codes(seed: int, n: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 32), np.uint8)


@pytest.fixture(params=["as planned", "always probed"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small lists are scanned by plan; probe them too."""
    if request.param == "always probed":
        monkeypatch.setattr("nightlamp.index.hamming.SMALLEST", 1)
        monkeypatch.setattr("nightlamp.index.plan.SCAN_COST", 1e9)


@pytest.fixture(scope="module")
def large() -> tuple[np.ndarray, HammingIndex]:
    codes = random_codes(1, MANY)
    codes[500:900] = codes[100:500]  # duplicates
    return codes, HammingIndex.build(codes)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32), n=st.integers(0, 300), radius=st.integers(0, 64), spread=st.integers(0, 80)
)
def test_finds_what_brute_force_finds(way: None, seed: int, n: int, radius: int, spread: int) -> None:
    # Given entries, half of them scattered around the queries
    rng = np.random.default_rng(seed)
    queries = rng.integers(0, 256, (3, 32), np.uint8)
    codes = rng.integers(0, 256, (n, 32), np.uint8)
    for i in range(0, n, 2):
        bits = rng.choice(256, rng.integers(0, spread + 1), replace=False)
        codes[i] = flipped(queries[i % 3], bits)
    numbers = rng.integers(-(2**62), 2**62, n)

    found = HammingIndex.build(codes, numbers).search(queries, radius)

    assert rows(found) == brute_force(codes, numbers, queries, radius)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(0, 150), min_size=1, max_size=4),
    keys=st.lists(st.sampled_from([None, 16, 32]), min_size=4, max_size=4),
    arranged=st.booleans(),
    radius=st.integers(0, 70),
    spread=st.integers(0, 80),
)
def test_several_at_once_find_what_brute_force_finds(
    way: None,
    seed: int,
    sizes: list[int],
    keys: list[int | None],
    arranged: bool,
    radius: int,
    spread: int,
) -> None:
    # Given entries around the queries, divided among indexes of any kinds, whose bits are in one order or not
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    queries = rng.integers(0, 256, (3, 32), np.uint8)
    codes = np.array(
        [
            flipped(queries[i % 3], rng.choice(256, rng.integers(0, spread + 1), replace=False))
            for i in range(n)
        ],
        np.uint8,
    ).reshape(-1, 32)
    numbers = rng.integers(-(2**62), 2**62, n)
    source = rng.permutation(256).astype(np.uint8)
    ends = np.cumsum([0, *sizes])
    indexes = [
        HammingIndex.build(
            codes[a:b], numbers[a:b], source=source if arranged else None, keys=each if b > a else None
        )
        for (a, b), each in zip(pairwise(ends), keys, strict=False)
    ]

    found, part = HammingIndex.together(indexes).search(queries, radius)

    assert rows(found) == brute_force(codes, numbers, queries, radius)
    assert (np.diff(found.query) >= 0).all()
    for at, index in enumerate(indexes):
        assert np.isin(found.number[part == at], index.numbers).all()


def test_two_that_are_joined_are_one_search() -> None:
    codes = random_codes(5, 12_000)
    base = HammingIndex.build(codes[:8_000])
    behind = HammingIndex.build(codes[8_000:], np.arange(8_000, 12_000), source=base.source, keys=16)

    first, again = (HammingIndex.together((base, behind)) for _ in range(2))

    assert first.joint is not None
    assert again.joint is first.joint  # made once
    queries = np.concatenate([flipped(code, np.arange(0, 248, 8))[None] for code in codes[::1_000]])
    assert rows(first.search(queries, 31)[0]) == [(q, 1_000 * q, 31) for q in range(12)]


@settings(max_examples=60)
@given(data=st.data())
def test_entries_just_inside_and_just_outside(
    large: tuple[np.ndarray, HammingIndex], data: st.DataObject
) -> None:
    # Given a query that differs from an entry in exactly r or r + 1 bits, spread or heaped over the halves
    codes, index = large
    radius = data.draw(st.integers(0, 64))
    row = data.draw(st.integers(0, MANY - 1))
    more = data.draw(st.integers(0, 1))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    how = data.draw(st.sampled_from(["anywhere", "evenly", "from the first", "from the last"]))
    arranged = {
        "anywhere": rng.permutation(256),
        "evenly": np.arange(256).reshape(16, 16).T.reshape(-1),  # one bit of each half, then the next
        "from the first": np.arange(256),
        "from the last": np.arange(256)[::-1],
    }[how]
    bits = index.source[arranged[: radius + more]]
    query = flipped(codes[row], bits)[None]

    found = index.search(query, radius)

    assert (row in found.number.tolist()) == (more == 0)
    assert rows(found) == brute_force(codes, np.arange(MANY), query, radius)


@pytest.mark.parametrize("radius", [0, 1, 7, 8, 31, 32, 64, 90, 128, 256, 1000])
def test_every_radius(large: tuple[np.ndarray, HammingIndex], radius: int) -> None:
    codes, index = large
    queries = np.concatenate([codes[:1], random_codes(2, 1)])

    found = index.search(queries, radius)

    assert rows(found) == brute_force(codes, np.arange(MANY), queries, radius)


@pytest.mark.parametrize("n", [0, 1, 2, 31, 32, 33])
def test_small_lists(way: None, n: int) -> None:
    codes = random_codes(3, n)
    index = HammingIndex.build(codes)

    assert len(index) == n
    assert rows(index.search(codes, 31)) == [(i, i, 0) for i in range(n)]


@pytest.mark.parametrize("fill", [0, 255])
def test_all_entries_equal_are_all_found_once(fill: int) -> None:
    codes = np.full((MANY, 32), fill, np.uint8)
    index = HammingIndex.build(codes, np.arange(MANY) + 7)
    near = codes[:1].copy()
    near[0, 3] ^= 1

    for query, distance in ((codes[:1], 0), (near, 1)):
        found = index.search(query)
        assert found.number.tolist() == list(range(7, MANY + 7)) or sorted(found.number.tolist()) == list(
            range(7, MANY + 7)
        )
        assert set(found.distance.tolist()) == {distance}
    assert len(index.search(~codes[:1], 31)) == 0


def test_a_hostile_cluster_that_shares_all_but_a_few_halves() -> None:
    # Given many entries with the same bits in most halves, so that a query falls into full buckets
    rng = np.random.default_rng(4)
    codes = random_codes(5, MANY)
    codes[: MANY // 2, :24] = codes[0, :24]
    numbers = np.arange(MANY)
    index = HammingIndex.build(codes, numbers)
    queries = codes[:3].copy()
    queries[:, 24:] = rng.integers(0, 256, (3, 8), np.uint8)

    assert rows(index.search(queries, 31)) == brute_force(codes, numbers, queries, 31)


def test_on_hashes_of_photos_and_their_variations(shared_data: Path) -> None:
    # Given PDQ hashes, whose neighbouring bits are correlated, and small changes of each
    pdqhash = pytest.importorskip("pdqhash")
    from PIL import Image

    photos = sorted((shared_data / "photos" / "grocery").rglob("*.jpg"))[::10]
    hashes = [np.packbits(pdqhash.compute(np.asarray(Image.open(p).convert("RGB")))[0]) for p in photos]
    rng = np.random.default_rng(6)
    codes = np.array(
        [
            flipped(hashes[i % len(hashes)], rng.choice(256, rng.integers(0, 60), replace=False))
            for i in range(MANY)
        ]
    )
    numbers = np.arange(MANY)
    queries = np.array(hashes[:25])

    found = HammingIndex.build(codes, numbers).search(queries, 31)

    assert len(found) > 1000
    assert rows(found) == brute_force(codes, numbers, queries, 31)


@pytest.mark.slow
@pytest.mark.parametrize("radius", [31, 47])
def test_on_many_entries_in_clusters(radius: int) -> None:
    # Given clusters of all densities, so that runs of all lengths are read
    rng = np.random.default_rng(10)
    centres = random_codes(11, 300)
    flips = rng.random((300_000, 256), np.float32) < rng.uniform(0, 0.5, (300_000, 1)).astype(np.float32)
    codes = centres[rng.integers(0, 300, 300_000) ** 2 // 300] ^ np.packbits(flips, axis=1)
    numbers = np.arange(len(codes))
    queries = np.concatenate([centres[:60], codes[:140]])

    found = HammingIndex.build(codes).search(queries, radius)

    assert rows(found) == brute_force(codes, numbers, queries, radius)


def test_many_queries_answer_like_single_ones(large: tuple[np.ndarray, HammingIndex]) -> None:
    codes, index = large
    queries = np.concatenate([codes[:40], random_codes(7, 40)])

    together = rows(index.search(queries, 31))

    one_by_one = [
        (q, number, distance)
        for q in range(len(queries))
        for _, number, distance in rows(index.search(queries[q : q + 1], 31))
    ]
    assert together == one_by_one


def test_results_are_ordered_by_query_and_typed(large: tuple[np.ndarray, HammingIndex]) -> None:
    codes, index = large

    found = index.search(codes[100:600], 31)

    assert (np.diff(found.query) >= 0).all()
    assert (found.query.dtype, found.number.dtype, found.distance.dtype) == (np.int64, np.int64, np.int32)
    assert len(found) >= 900  # duplicates of rows 100 to 499 are found for both


def test_queries_from_bytes_and_slices(large: tuple[np.ndarray, HammingIndex]) -> None:
    codes, index = large

    read_only = np.frombuffer(codes[3].tobytes(), np.uint8).reshape(1, 32)
    strided = np.repeat(codes[:6], 2, axis=1)[3:4, ::2]

    assert rows(index.search(read_only)) == rows(index.search(strided)) == [(0, 3, 0)]
    assert len(index.search(codes[:0])) == 0


def test_values_come_back_in_order(large: tuple[np.ndarray, HammingIndex]) -> None:
    codes, index = large

    assert np.array_equal(index.values(), codes)
    assert np.array_equal(index.numbers, np.arange(MANY))


def test_an_order_of_the_bits_is_taken_over(large: tuple[np.ndarray, HammingIndex]) -> None:
    codes, index = large
    order = np.random.default_rng(0).permutation(256).astype(np.uint8)

    turned = HammingIndex.build(codes, source=order)

    assert np.array_equal(turned.source, order)
    assert np.array_equal(turned.with_entries(codes[::-1], np.arange(MANY)).source, order)
    assert rows(turned.search(codes[:50], 40)) == rows(index.search(codes[:50], 40))
    for wrong in (order[:255], np.zeros(256, np.uint8), order.astype(np.int64)):
        with pytest.raises(ValueError, match="order of the bits"):
            HammingIndex.build(codes, source=wrong)


def test_the_given_arrays_are_not_kept() -> None:
    codes, numbers = random_codes(8, 10), np.arange(10)
    index = HammingIndex.build(codes, numbers)
    before = codes[:1].copy()

    codes[:] = 0
    numbers[:] = -1

    assert rows(index.search(before)) == [(0, 0, 0)]


@pytest.mark.parametrize(
    ("codes", "numbers"),
    [
        (np.zeros((3, 31), np.uint8), None),
        (np.zeros(32, np.uint8), None),
        (np.zeros((3, 32), np.int64), None),
        (np.zeros((3, 32), np.uint8), np.arange(2)),
        (np.zeros((3, 32), np.uint8), np.zeros(3)),
    ],
)
def test_wrong_arrays_are_refused(codes: np.ndarray, numbers: np.ndarray | None) -> None:
    with pytest.raises(ValueError, match="expected"):
        HammingIndex.build(codes, numbers)


def test_a_negative_radius_is_refused(large: tuple[np.ndarray, HammingIndex]) -> None:
    with pytest.raises(ValueError, match="negative"):
        large[1].search(large[0][:1], -1)


def test_nothing_secret_in_the_repr(large: tuple[np.ndarray, HammingIndex]) -> None:
    codes, index = large

    assert repr(index) == f"HammingIndex({MANY} entries)"
    assert repr(index.search(codes[:1])) == "Found(1 results)"


def test_size_at_scale(large: tuple[np.ndarray, HammingIndex]) -> None:
    # Sixteen orders of 4 + 2 bytes, the code and its number; the directory is shared by all entries
    directory = 16 * 65537 * 4 / MANY

    assert large[1].bytes_per_entry == pytest.approx(16 * 6 + 32 + 8 + directory, abs=0.1)


@pytest.mark.parametrize("n", [5, MANY])
def test_arrays_make_the_same_index_again(n: int) -> None:
    codes = random_codes(1, n)
    index = HammingIndex.build(codes, np.arange(n) * 3)

    again = HammingIndex.from_arrays(index.arrays())

    assert rows(again.search(codes[:50])) == rows(index.search(codes[:50]))


@pytest.mark.parametrize(
    "change",
    [
        lambda a: {"ids": np.where(np.arange(len(a["ids"])) == 5, MANY, a["ids"]).astype(np.uint32)},
        lambda a: {"directory": a["directory"][:, ::-1].copy()},
        lambda a: {"directory": np.minimum(a["directory"], MANY - 1)},
        lambda a: {"directory": a["directory"] + np.uint32(1)},
        lambda a: {"source": np.zeros(256, np.uint8)},
        lambda a: {"sketches": a["sketches"][:-32]},
        lambda a: {"codes": a["codes"][:-1]},
        lambda a: {"codes": a["codes"].astype(np.int64)},
        lambda a: {"numbers": a["numbers"][:-1]},
        lambda a: {"directory": a["directory"][:8]},
    ],
)
def test_arrays_that_make_no_sense_are_refused(large: tuple[np.ndarray, HammingIndex], change) -> None:  # type: ignore[no-untyped-def]
    arrays = large[1].arrays()

    with pytest.raises(SnapshotError, match="hamming index"):
        HammingIndex.from_arrays({**arrays, **change(arrays)})


def test_arrays_with_gaps_are_not_searched() -> None:
    arrays = HammingIndex.build(np.zeros((10, 32), np.uint8)).arrays()
    gapped = np.zeros((10, 8), "<u8")[:, ::2]
    with pytest.raises(ValueError, match="contiguous"):
        HammingIndex.from_arrays({**arrays, "codes": gapped})


@pytest.mark.parametrize("name", ["codes", "numbers", "source", "directory", "sketches", "ids"])
def test_a_missing_array_is_refused(large: tuple[np.ndarray, HammingIndex], name: str) -> None:
    arrays = large[1].arrays()
    del arrays[name]

    with pytest.raises(SnapshotError, match="hamming index"):
        HammingIndex.from_arrays(arrays)


def test_even_trusted_nonsense_reads_nothing_outside(large: tuple[np.ndarray, HammingIndex]) -> None:
    # Given arrays of the right shape and hostile content, passed off as checked
    codes, index = large
    rng = np.random.default_rng(9)
    arrays = index.arrays()
    arrays["ids"] = rng.integers(0, 2**32, len(arrays["ids"]), np.uint32)
    arrays["directory"] = rng.integers(0, 2**32, arrays["directory"].shape, np.uint32)
    arrays["source"] = rng.integers(0, 256, 256, np.uint8)
    hostile = HammingIndex.from_arrays(arrays, trusted=True)

    behind = HammingIndex.build(
        codes[:3_000], np.arange(3_000), source=np.arange(256, dtype=np.uint8), keys=16
    )
    object.__setattr__(behind, "source", hostile.source)  # else they would not be joined
    search = HammingIndex.together((hostile, behind))
    assert search.joint is not None

    found = hostile.search(codes[:50], 64)
    both, _ = search.search(codes[:50], 64)

    assert set(found.number.tolist()) <= set(range(MANY))
    assert set(both.number.tolist()) <= set(range(MANY))
