from __future__ import annotations

import time
from contextlib import suppress

import cel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlamp.policy.expression import ExpressionError, parse


@pytest.mark.parametrize(
    ("text", "at", "what"),
    [
        ("item.size = 5", 10, "'=' means nothing"),
        ("item.size > 5 and item.known", 14, "an operator was expected, not 'and'"),
        ("a < b < c", 6, "do not chain"),
        ("'open", 0, "a string without an end"),
        ("r'raw'", 1, "strings take no prefix"),
        (r"'\x41'", 1, "the escape"),
        ("(a", 2, "')' was expected, not the end"),
        ("5u > 1", 1, "runs into a letter"),
        ("99999999999999999999 > 1", 0, "64 bits"),
        ("1e999 > 1.0", 0, "too large"),
        ("has(a)", 0, "has() takes one field"),
        ("null == a", 0, "'null' is not offered"),
        ("a.b{c: 1}", 3, "means nothing here"),
        ("", 0, "a value was expected"),
        ("[1,,2] == []", 3, "a value was expected"),
        ("m.exists(1, true)", 9, "a name was expected"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, at: int, what: str) -> None:
    with pytest.raises(ExpressionError) as told:
        parse(text)

    assert told.value.at == at
    assert what in told.value.what


HOSTILE = {
    "parentheses": "(" * 900 + "true" + ")" * 900,
    "negations": "!" * 1900 + "true",
    "minuses": "-" * 1900 + "1 < 0",
    "a long sum": "1" + "+1" * 900 + " > 0",
    "many terms": "true" + " && true" * 240 + " && a" * 10,
    "a long path": "a" + ".b" * 900,
    "lists in lists": "[" * 900 + "]" * 900 + " == []",
    "choices": "a ? b : " * 200 + "c",
    "indices": "a" + "[0]" * 600,
    "too long": "item.known || " * 1000 + "true",
    "loops in loops": ".exists(x, matches".join(["matches"] * 40) + ")" * 39,
    "an endless string": "'" + "\\\\" * 990,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_expressions_are_refused_or_read_at_once(text: str) -> None:
    start = time.thread_time()

    try:
        parse(text)
    except ExpressionError:
        pass
    else:
        cel.compile(text)

    assert time.thread_time() - start < 2


@given(st.text(st.sampled_from("ab.()[]!&|=<>+-*/%?:,'\" 019etrufals\n"), max_size=40))
def test_any_text_is_read_or_refused_and_what_is_read_the_engine_reads(text: str) -> None:
    with suppress(ExpressionError):
        parse(text)
        cel.compile(text)


def test_and_binds_closer_than_or_and_both_than_choice() -> None:
    assert parse("a || b && c ? d : e") == parse("(a || (b && c)) ? d : e")
    assert parse("a + b * -c < d && !e") == parse("((a + (b * (-c))) < d) && (!e)")
    assert parse("a - b - c == 0") == parse("((a - b) - c) == 0")
