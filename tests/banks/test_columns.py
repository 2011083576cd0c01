from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlamp.banks.columns import MOST_CATEGORIES, Categories, Columns, Growing, Pool, encoded
from nightlamp.banks.parsing import Batch
from nightlamp.errors import ListError, SnapshotError

TEXTS = st.lists(st.text(max_size=6), max_size=20)


def batch(rows, ids=None, categories=None):
    values = np.zeros((len(rows), 16), np.uint8)
    return Batch("md5", np.array(rows, np.int64), values, None, ids, categories)


@given(st.lists(TEXTS, max_size=4))
def test_a_pool_gives_back_its_texts(parts):
    pool = Pool.join([encoded(part) for part in parts])
    texts = [text.encode("utf-8", "replace").decode() for part in parts for text in part]
    assert [pool[at] for at in range(len(texts))] == texts
    again = Pool.from_arrays(pool.arrays("x"), "x", len(texts))
    assert [again[at] for at in range(len(texts))] == texts


def test_columns_of_several_lists():
    growing, categories = Growing(), Categories()
    growing.add(1, batch([1, 2, 3]), categories)
    growing.add(1, batch([7], ids=["seven"], categories=["A"]), categories)
    growing.add(3, batch([(1 << 40) + 5, 6], ids=["", "ü"], categories=["", "B"]), categories)
    columns = growing.columns(5)
    assert columns.lists_of(np.arange(6)).tolist() == [1, 1, 1, 1, 3, 3]
    assert [columns.entry_id(n) for n in range(6)] == [
        "row 1",
        "row 2",
        "row 3",
        "seven",
        f"row {(1 << 40) + 5}",
        "ü",
    ]
    assert [columns.code(n) for n in range(6)] == [0, 0, 0, 1, 0, 2]
    assert categories.texts == ["A", "B"]
    again = Columns.from_arrays(columns.arrays(), 5, 2, check=True)
    assert [again.entry_id(n) for n in range(6)] == [columns.entry_id(n) for n in range(6)]


def test_what_says_nothing_takes_no_room():
    growing = Growing()
    growing.add(0, batch(range(1, 1001), categories=[""] * 1000), Categories())
    columns = growing.columns(1)
    assert sum(a.nbytes for a in columns.arrays().values()) == 4 * 1000 + 16


def test_too_many_categories():
    categories = Categories()
    categories.codes([str(n) for n in range(MOST_CATEGORIES)])
    assert categories.codes(["0", "", "17"]).tolist() == [1, 0, 18]
    with pytest.raises(ListError, match="categories"):
        categories.codes(["one more"])


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("starts", np.array([0, 2], np.int64)),
        ("starts", np.array([0, 4, 3], np.int64)),
        ("starts", np.array([1, 2, 3], np.int64)),
        ("rows", np.zeros(3, np.uint8)),
        ("codes", np.zeros(2, np.uint16)),
        ("codes", np.array([0, 1, 9], np.uint16)),
        ("ids_ends", np.array([0, 1, 2], np.uint64)),
        ("ids_ends", np.array([0, 2, 1, 3], np.uint64)),
        ("ids_data", np.zeros(9, np.uint8)),
    ],
)
def test_columns_that_make_no_sense_are_refused(name, array):
    growing = Growing()
    growing.add(0, batch([1], ids=["a"], categories=["A"]), Categories())
    growing.add(1, batch([1, 2], ids=["b", "c"], categories=["", ""]), Categories())
    arrays = growing.columns(2).arrays()
    Columns.from_arrays(arrays, 2, 1, check=True)
    with pytest.raises(SnapshotError):
        Columns.from_arrays({**arrays, name: array}, 2, 1, check=True)
