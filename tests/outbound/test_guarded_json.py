"""JSON of strangers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlamp.outbound import guarded_json

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)


@given(values, st.booleans())
def test_what_is_json_is_read_as_such(value: object, ascii_only: bool) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")

    assert guarded_json.loads(data) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"secret",
        b'"secret',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b"\xff\xfe",
        b'{"a": 1, "a": 2}',
        b'[{"hashStatus": "Active", "hashStatus": "Withdrawn"}]',
        b"9" * 5000,
        b"[" * 33 + b"]" * 33,
        b'{"a":' * 33 + b"1" + b"}" * 33,
        b"[" * 1_000_000,
        pytest.param(b'["' + b'\\"' * 1_000_000, id="a text that does not end"),  # not for hours
    ],
)
def test_what_is_not_is_refused_and_not_quoted(data: bytes) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        guarded_json.loads(data)

    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_brackets_in_texts_are_no_depth() -> None:
    assert guarded_json.loads(b'["' + b"[{" * 100 + b'\\"["]') == ["[{" * 100 + '"[']
    assert guarded_json.loads(b"[" * 32 + b"]" * 32)


def test_a_byte_order_mark_is_no_matter() -> None:
    assert guarded_json.loads(b"\xef\xbb\xbf[1]") == [1]
