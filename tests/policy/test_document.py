from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlamp.policy.document import DocumentError, Listing, Mapping, Scalar, read

BILLION = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = {
    "a bomb of aliases": (BILLION, "anchors and aliases"),
    "an alias to itself": ("a: &a [*a]", "anchors and aliases"),
    "a tag that runs code": ("!!python/object/apply:os.system ['true']", "tags are not offered"),
    "a tag": ("a: !!binary aGk=", "tags are not offered"),
    "a merge key": ("a: {<<: {b: 1}}", "merge keys"),
    "deep lists": ("[" * 100_000, "nested deeper"),
    "deep mappings": ("".join(" " * n + "a:\n" for n in range(400)), "nested deeper"),
    "deep in one line": ("{a: " * 50_000, "nested deeper"),
    "huge": ("a: " + "x" * 2_000_000, "larger than"),
    "huge in bytes": ("a: " + "é" * 600_000, "larger than"),
    "a key twice": ("a: 1\nb: 2\na: 3\n", "a second time"),
    "a key twice, quoted": ("a: 1\n'a': 3\n", "a second time"),
    "a key that is a list": ("? [a]\n: b", "a key that is no text"),
    "two documents": ("a: 1\n---\nb: 2\n", "a second document"),
    "nothing": ("# only a comment\n", "nothing in it"),
    "a control character": ("a: \x00", "may not stand"),
    "half a surrogate": ("a: \ud800", "may not stand"),
    "an escape out of range": ('a: "\\UFFFFFFFF"', "may not stand"),
    "a version out of range": ("%YAML 1." + "9" * 5000 + "\n---\na: b", "may not stand"),
    "an open quote": ("a: 'b", "no YAML"),
    "a tab for indentation": ("a:\n\t- b", "no YAML"),
}


@pytest.mark.parametrize(("text", "told"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_and_ambiguous_files_are_refused_at_once(text: str, told: str) -> None:
    start = time.thread_time()

    with pytest.raises(DocumentError, match=told):
        read(text)

    assert time.thread_time() - start < 10


def test_a_duplicate_key_is_told_with_both_places() -> None:
    with pytest.raises(DocumentError) as told:
        read("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n")

    assert (told.value.line, told.value.column, told.value.hint) == (5, 3, "it stands in line 3 already")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("2026-01-01", "2026-01-01"),
        ("true", True),
        ("'true'", "true"),
        ("5", 5),
        ('"5"', "5"),
        ("-0.5", -0.5),
        ("1e3", 1000.0),
        ("010", "010"),
        ("1_000", "1_000"),
        ("~", None),
        ("1e999", "1e999"),
    ],
)
def test_a_value_means_what_it_seems_to(text: str, value: object) -> None:
    node = read(f"a: {text}")

    assert isinstance(node, Mapping)
    assert getattr(node.items["a"], "value", ...) == value


@pytest.mark.parametrize(
    "written",
    [
        "{}",
        "'{}'",
        '"{}"',
        "|\n    {}",
        ">-\n\n    {}",
        "{}  # a comment",
        ">-\n    first\n    {}",
        "first\n    {}",
    ],
)
def test_a_place_in_a_text_is_found_in_the_file(written: str) -> None:
    text = "a:\n  b: " + written.format("matches.exists(m, HERE)")
    node = read(text)
    assert isinstance(node, Mapping)
    inner = node.items["a"]
    assert isinstance(inner, Mapping)
    scalar = inner.items["b"]
    assert isinstance(scalar, Scalar)

    line, column = scalar.place(scalar.text.index("HERE"))

    assert text.split("\n")[line - 1][column - 1 :].startswith("HERE")


@given(st.text(st.sampled_from("ab:-[]{},'\"|>&*!%#? \n\t\\0~"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    node = None
    with suppress(DocumentError):
        node = read(text)

    assert node is None or isinstance(node, Scalar | Listing | Mapping)
