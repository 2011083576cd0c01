"""Keys, and the three signals whose lists are ordinary banks."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlamp.signals import Signal, installed
from nightlamp.urls import URL, URL_HOST, URL_PREFIX, canonical, fingerprints, keys
from nightlamp.values import AS_IS

OF_KIND = {"url": URL, "prefix": URL_PREFIX, "host": URL_HOST}


def test_keys_are_the_url_its_prefixes_and_its_domains() -> None:
    url = canonical("https://a.b.example.com:8443/x//y/z.html?q=1")

    assert keys(url) == [
        ("url", "a.b.example.com:8443/x//y/z.html?q=1"),
        ("prefix", "a.b.example.com:8443/x//y/z.html"),
        ("prefix", "a.b.example.com:8443/x//y"),
        ("prefix", "a.b.example.com:8443/x/"),
        ("prefix", "a.b.example.com:8443/x"),
        ("prefix", "a.b.example.com:8443"),
        ("host", "a.b.example.com"),
        ("host", "b.example.com"),
        ("host", "example.com"),
    ]


@pytest.mark.parametrize("host", ["192.0.2.7", "[2001:db8::1]", "localhost"])
def test_an_address_has_no_parent_domain(host: str) -> None:
    assert [text for kind, text in keys(canonical(f"http://{host}/")) if kind == "host"] == [host.strip("[]")]


SEGMENTS = st.lists(st.text("ab%é.", max_size=3), max_size=6).map("/".join)


@given(SEGMENTS, st.sampled_from(["", "?q=1"]), st.sampled_from(["a.example.com", "192.0.2.7", "[::1]:81"]))
def test_fingerprints_are_the_digests_of_the_keys(path: str, query: str, host: str) -> None:
    url = canonical(f"http://{host}/{path}{query}")

    expected = [(OF_KIND[kind].name, sha256(text.encode()).digest()) for kind, text in keys(url)]

    assert [(f.signal, f.value) for f in fingerprints(url)] == expected


def test_a_fingerprint_says_whether_the_whole_or_a_part_matched() -> None:
    views = [(f.signal, f.view) for f in fingerprints(canonical("http://a.example.com/x/"))]

    assert views == [
        ("url", AS_IS),
        ("url-prefix", AS_IS),
        ("url-prefix", "path prefix"),
        ("url-host", AS_IS),
        ("url-host", "parent domain"),
    ]


def test_a_long_path_of_many_segments_takes_no_quadratic_time() -> None:
    url = canonical("http://example.com/" + "a/" * 4000)

    assert len(fingerprints(url)) == 1 + 4001 + 1


@pytest.mark.parametrize(
    ("signal", "row", "item", "matches"),
    [
        (URL, "https://example.com/a?b=1", "http://EXAMPLE.com:80/x/../a?b=1#c", True),
        (URL, "example.com/a?b=1", "https://example.com/a?b=1&utm_source=z", True),
        (URL, "example.com/a?b=1&fbclid=q", "https://example.com/a?b=1", True),
        (URL, "example.com/a", "https://example.com/a/b", False),
        (URL, "example.com/a", "https://www.example.com/a", False),
        (URL_PREFIX, "http://example.com/a", "https://example.com/a/b?c", True),
        (URL_PREFIX, "http://example.com/a/", "https://example.com/a", True),
        (URL_PREFIX, "http://example.com/a/", "https://example.com/ab", False),
        (URL_PREFIX, "example.com", "https://example.com/a/b", True),
        (URL_PREFIX, "example.com", "https://cdn.example.com/a/b", False),
        (URL_PREFIX, "example.com:81/a", "http://example.com/a", False),
        (URL_HOST, "example.com", "http://a.b.example.com:81/x", True),
        (URL_HOST, "*.example.com", "http://example.com/x", True),
        (URL_HOST, ".BÜCHER.example", "http://cdn.xn--bcher-kva.example/", True),
        (URL_HOST, "https://example.com/", "http://example.com", True),
        (URL_HOST, "example.com", "http://notexample.com/", False),
        (URL_HOST, "b.example.com", "http://example.com/", False),
        (URL_HOST, "192.0.2.7", "http://0300.0.2.7/", True),
    ],
)
def test_a_lists_row_matches_what_it_covers(signal: Signal, row: str, item: str, matches: bool) -> None:

    value = signal.parse(row)

    assert (value in {f.value for f in fingerprints(canonical(item)) if f.signal == signal.name}) is matches


@pytest.mark.parametrize(
    ("signal", "row"),
    [
        (URL, "not a url"),
        (URL, ""),
        (URL_PREFIX, "example.com/a?secret=b"),
        (URL_HOST, "example.com/secret"),
        (URL_HOST, "example.com:81"),
        (URL_HOST, "com"),
    ],
)
def test_a_bad_row_is_refused_without_quoting_it(signal: Signal, row: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        signal.parse(row)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("signal", [URL, URL_PREFIX, URL_HOST], ids=lambda signal: signal.name)
def test_a_value_survives_its_own_text(signal: Signal) -> None:
    value = signal.parse("example.com")

    assert signal.parse(signal.text(value)) == value


@pytest.mark.parametrize("signal", [URL, URL_PREFIX, URL_HOST], ids=lambda signal: signal.name)
def test_the_signals_are_installed(signal: Signal) -> None:
    assert installed()[signal.name] is signal
