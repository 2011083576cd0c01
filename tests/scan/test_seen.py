from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nightlamp.scan.seen import Seen

_keys = st.tuples(st.text(max_size=6), st.integers(0, 3), st.integers(-2, 2))


@given(st.lists(_keys, max_size=40), st.lists(_keys, max_size=20))
def test_it_is_a_set(added: list[tuple[str, int, int]], asked: list[tuple[str, int, int]]) -> None:
    seen = Seen()
    for key in added:
        seen.add(*key)

    assert [seen.has(*key) for key in added + asked] == [key in set(added) for key in added + asked]


def test_parts_of_a_key_do_not_run_into_each_other() -> None:
    seen = Seen()
    seen.add("a", 11, 1)

    assert not seen.has("a", 1, 11)
    assert not seen.has("a1", 1, 1)
