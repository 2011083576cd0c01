from __future__ import annotations

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from nightlamp.audit import canonical

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-canonical.LARGEST, canonical.LARGEST) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_it_agrees_with_an_independent_rfc_8785(value):
    assert canonical.encode(value) == rfc8785.dumps(value)


@given(VALUES)
def test_it_can_be_read_back(value):
    assert canonical.decode(canonical.encode(value)) == value


@pytest.mark.parametrize(
    "value", [1.5, float("nan"), 2**53, b"x", {"é": 1}, {1: 2}, "\ud800", [{"a": {1, 2}}]]
)
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(ValueError, match=r"."):
        canonical.encode(value)


@pytest.mark.parametrize("text", ['{"a":1,"a":2}', "{", "[" * 100_000])
def test_json_that_two_readers_may_read_differently_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        canonical.decode(text)
    assert json.dumps(1)
