from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlamp.banks import ListOptions, inspect_list
from nightlamp.banks import inspection as module
from nightlamp.errors import ListError


def test_counts(write, value, ours):
    pdq = [value("pdq", n).hex() for n in range(4)]
    lines = ["signal_type,value,quality,category"]
    lines += [f"pdq,{p},90,A1" for p in pdq]
    lines += [
        f"pdq,{pdq[0]},20,B2",
        f"md5,{value('md5', 1).hex()},,",
        f"md5,{value('md5', 1).hex().upper()},,",
    ]
    lines += [
        f"pdq,{'00' * 32},0,",
        f"pdq,{'ff' * 32},100,",
        "photodna,AAAA,,",
        "photodna,AAAA,,",
        "md5,xx,,",
        "sha1,da39a3ee5e6b4b0d3255bfef95601890afd80709,,",
    ]
    found = inspect_list(write("\n".join(lines)), signals=ours)
    assert found.format == "csv"
    assert found.rows == 13
    assert found.entries == {"md5": 2, "pdq": 7, "photodna": 2, "sha1": 1}
    assert found.not_installed == {"photodna": 2}
    assert found.duplicates == {"md5": 1, "pdq": 1, "photodna": 1}
    assert found.degenerate == {"pdq": 2, "sha1": 1}
    assert found.low_quality == {"pdq": 2}
    assert found.categories == {"": 7, "A1": 4, "B2": 1}
    assert found.bad == 1
    assert [bad.row for bad in found.bad_rows] == [13]


def test_all_bad_rows_are_counted_and_the_first_named(write, ours):
    found = inspect_list(write("md5 x\n" * 5000), signals=ours)
    assert (found.bad, len(found.bad_rows)) == (5000, 100)
    assert found.bad_rows[99].row == 100


def test_strict(write, ours):
    with pytest.raises(ListError, match="2 bad rows"):
        inspect_list(write("md5 x\nmd5 y\n"), ListOptions(strict=True), signals=ours)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60))
def test_duplicates_are_exact(tmp_path_factory, ours, numbers):
    path = tmp_path_factory.mktemp("list") / "list"
    path.write_text("\n".join(f"pdq {n:064x}" for n in numbers))
    expected = len(numbers) - len(set(numbers))
    assert inspect_list(path, signals=ours).duplicates == ({"pdq": expected} if expected else {})


def test_keys_that_collide_do_not_make_duplicates(write, value, ours, monkeypatch):
    # given: a key so poor that everything collides
    monkeypatch.setattr(module, "_keys", lambda values: values[:, 0].astype("u8") * 0)
    texts = [value("md5", n % 70).hex() for n in range(100)]
    assert inspect_list(write("\n".join(texts)), signals=ours).duplicates == {"md5": 30}


def test_progress(write, value, ours):
    path = write("\n".join(value("md5", n).hex() for n in range(100)))
    seen = []
    inspect_list(path, signals=ours, progress=lambda p, rows: seen.append((p, rows)))
    assert seen[-1] == (path, 100)
    assert Counter(p for p, _ in seen).keys() == {path}
