"""URLs in running text."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlamp.urls import MAX_LENGTH, canonical, find_urls, keys


def found(text: str) -> list[str]:
    return [url.text.removeprefix("http://") for url in find_urls(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no link here, e.g. none; v1.2.3 at 10:30.", []),
        ("See http://example.com/a.", ["example.com/a"]),
        ("(http://example.com/a_(b))", ["example.com/a_(b)"]),
        ("[label](http://example.com/a)", ["example.com/a"]),
        ("<http://example.com/a>, and more", ["example.com/a"]),
        ('<a href="http://example.com/a">x</a>', ["example.com/a"]),
        ("<a href='http://example.com/a'>x</a>", ["example.com/a"]),
        ('{"url":"http://example.com/a","x":1}', ["example.com/a"]),
        ("**http://example.com/a**!?", ["example.com/a"]),
        ("|http://example.com/a|", ["example.com/a"]),
        ("“http://example.com/a”", ["example.com/a"]),
        ("HTTPS://EXAMPLE.COM/", ["https://example.com/"]),
        ("http:\\\\example.com\\a", ["example.com/a"]),
        ("xhttp://example.com/a", ["example.com/a"]),
        ("http://[2001:db8::1]/a] x", ["[2001:db8::1]/a"]),
        ("http://bücher.example/ä", ["xn--bcher-kva.example/%C3%A4", "xn--bcher-kva.example/"]),
        ("http://例え。jp/", ["xn--r8jz45g.jp/"]),
        ("example.com", ["example.com/"]),
        ("example.com/path?x=1, next", ["example.com/path?x=1"]),
        ("//example.com/path", ["example.com/path"]),
        ("(see:example.com/path)", ["example.com/path"]),
        ("url=example.com:8080/path", ["example.com:8080/path"]),
        ("192.0.2.7/a", ["192.0.2.7/a"]),
        ("name@example.com", []),
        ("name@example.com/path", ["example.com/path"]),
        ("http://name:pass@example.com/path", ["example.com/path"]),
        ("http://example.com/a http://example.com:80/a", ["example.com/a"]),
        ("http://example.com/?utm_source=x", ["example.com/"]),
        ("http:// https:// http://[ ftp://example.com", []),
    ],
)
def test_urls_are_found_and_trimmed(text: str, expected: list[str]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    ("text", "among"),
    [
        ("请看http://example.com/a，谢谢", "example.com/a"),
        ("请看http://example.com。谢谢", "example.com/"),
        ("http://example.com/a)。谢谢", "example.com/a"),
        ("[http://example.com/a](http://example.org/b)", "example.com/a"),
        ("[http://example.com/a](http://example.org/b)", "example.org/b"),
        ("http://example.com/a,http://example.org/b", "example.com/a"),
        ("http://example.com/a,http://example.org/b", "example.org/b"),
        ("http://archive.example/2020/http://example.org/b", "archive.example/2020/http://example.org/b"),
        ("http://archive.example/2020/http://example.org/b", "example.org/b"),
    ],
)
def test_where_the_end_is_open_the_right_reading_is_among_them(text: str, among: str) -> None:
    assert among in found(text)


@pytest.mark.parametrize("tail", ["x" * 2 * MAX_LENGTH, "é" * MAX_LENGTH, "x/" * MAX_LENGTH])
def test_the_host_of_an_overlong_url_is_still_found(tail: str) -> None:
    urls = find_urls(f"http://example.com/a/{tail}")

    assert urls
    assert ("prefix", "example.com/a") in keys(urls[0])


HOSTILE = {
    "starts": "http://",
    "hosts": "http://a.b/",
    "dots": "a.",
    "closing": ")",
    "after a start": "http://a.b/)))",
    "opening": "http://a.b/(((",
    "trailing": "http://a.b/!!!!",
    "at": "a@",
    "colons": "a.b:",
    "letters": "a",
    "percent": "http://a.b/%",
    "wide": "http://é。例/，",
    "escapes": "http://%C3%A9.",
    "words": "a.co ",
    "glue": "=a.b",
}


def steps(work: Callable[[], object]) -> int:
    """Lines of Python that a call runs: as good as time, and the same on every machine."""
    count = 0

    def trace(frame: object, event: str, arg: object) -> object:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_takes_time_in_proportion_to_its_length(piece: str) -> None:
    short, long = (piece * (size // len(piece)) for size in (8_000, 32_000))

    assert steps(lambda: find_urls(long)) < 5 * steps(lambda: find_urls(short)) + 1000


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_megabyte_of_hostile_text_ends(piece: str) -> None:
    find_urls(piece * (1_000_000 // len(piece)))  # the suite's own time limit is the assertion


@given(st.text(st.sampled_from("a.:/\\()[]{}@%é。，htps, \n'*_"), max_size=60))
def test_whatever_is_found_is_in_its_one_form(text: str) -> None:
    for url in find_urls(text):
        assert canonical(url.text) == url


WORDS = st.sampled_from(["so", "see:", "(", "[x](", "，", "。", "- ", "\n", "a.b"])


@given(st.lists(WORDS, max_size=3), st.sampled_from(["", ".", ")", ")。", ", ", "!", "]", "”", " x"]))
def test_a_url_is_found_whatever_stands_around_it(before: list[str], after: str) -> None:
    assert canonical("http://cdn.example.com/a/b.jpg") in find_urls(
        "".join(before) + "http://cdn.example.com/a/b.jpg" + after
    )
