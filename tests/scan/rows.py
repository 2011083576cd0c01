"""Rows for tests: made up, with every column used."""

from __future__ import annotations

from hypothesis import strategies as st

from nightlamp.scan import Row, RowMatch, RowStatement
from nightlamp.values import Unchecked

# Anything that a row may hold by the time it is one: valid UTF-8, controls taken out of paths.
_text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=12)
_maybe = st.none() | _text

matches = st.builds(
    RowMatch,
    bank=_text,
    signal=st.sampled_from(["pdq", "md5"]),
    distance=st.integers(0, 64),
    view=_text,
    frame=st.integers(0, 9),
    seconds=st.none() | st.floats(0, 1e9),
    category=_text,
    benign=st.booleans(),
    value=_maybe,
    entry_id=_maybe,
)
rows = st.builds(
    Row,
    path=_text.filter(bool),
    size=st.integers(0, 2**62),
    mtime=st.integers(-(2**62), 2**62),
    media_type=_text,
    sha256=_text,
    action=st.sampled_from(["allow", "review", "block"]),
    reasons=st.lists(_text, max_size=2).map(tuple),
    matches=st.lists(matches, max_size=3).map(tuple),
    unchecked=st.lists(st.builds(Unchecked, what=_text, why=_text, detail=_text), max_size=2).map(tuple),
    benign=st.booleans(),
    origin=st.sampled_from(["", "unknown", "declared AI-made"]),
    origin_sentence=_text,
    origin_statements=st.lists(
        st.builds(RowStatement, source=_text, says=_text, text=_text, strength=_text, forgeable=_text),
        max_size=2,
    ).map(tuple),
)


def some_rows(count: int, start: int = 0) -> list[Row]:
    """Rows with different paths, every third with a match and every fifth with something unchecked."""
    match = RowMatch("list", "pdq", 4, "mirrored", 0, "A1")
    missing = Unchecked("pdq", "damaged", "the decoder gave up")
    return [
        Row(
            path=f"folder/{number:05}.jpg",
            size=number,
            mtime=number * 1000,
            media_type="image/jpeg",
            sha256=f"{number:064x}",
            action="block" if number % 3 == 0 else "allow",
            reasons=('a reason, with "quotes" and ünïcode',),
            matches=(match,) if number % 3 == 0 else (),
            unchecked=(missing,) if number % 5 == 0 else (),
            benign=False,
        )
        for number in range(start, start + count)
    ]
