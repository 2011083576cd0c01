"""One spelling of each URL: equivalent ones agree, others do not."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlamp.urls import MAX_LENGTH, canonical, join

SAME = {
    # given: expected
    "HTTP://Example.COM": "http://example.com/",
    "http:example.com": "http://example.com/",
    "http:/example.com/": "http://example.com/",
    "http:////example.com/": "http://example.com/",
    "http:\\\\example.com\\a\\b": "http://example.com/a/b",
    "//example.com/x": "http://example.com/x",
    "example.com/x": "http://example.com/x",
    "example.com:8080/x": "http://example.com:8080/x",
    "localhost:8080": "http://localhost:8080/",
    " \x00 http://example.com/ \x1f": "http://example.com/",
    "ht\ttp://exam\nple.com/a\r\nb": "http://example.com/ab",
    "http://example.com:80/": "http://example.com/",
    "https://example.com:443/": "https://example.com/",
    "http://example.com:/": "http://example.com/",
    "http://example.com:443/": "http://example.com:443/",
    "http://example.com:00080/": "http://example.com/",
    "http://user:pass@example.com/": "http://example.com/",
    "http://a@b@example.com/": "http://example.com/",
    "http://example.com\\@example.org/": "http://example.com/@example.org/",
    "http://example.com?x": "http://example.com/?x",
    "http://example.com#x": "http://example.com/",
    "http://example.com/?": "http://example.com/",
    "http://example.com/a#b?c": "http://example.com/a",
    "http://example.com./": "http://example.com/",
    "http://example%2Ecom/": "http://example.com/",
    "http://%65xample.com/": "http://example.com/",
    "http://my_bucket.example.com/": "http://my_bucket.example.com/",
    # internationalised names
    "http://bücher.example/": "http://xn--bcher-kva.example/",
    "http://BÜCHER.example/": "http://xn--bcher-kva.example/",
    "http://b%C3%BCcher.example/": "http://xn--bcher-kva.example/",
    "http://XN--BCHER-KVA.example/": "http://xn--bcher-kva.example/",
    "http://bu\u0308cher.example/": "http://xn--bcher-kva.example/",
    "http://straße.example/": "http://xn--strae-oqa.example/",
    "http://例え。jp/": "http://xn--r8jz45g.jp/",
    "http://ｅｘａｍｐｌｅ.com/": "http://example.com/",
    "http://exam\u00adple.com/": "http://example.com/",
    "http://☕.example/": "http://xn--53h.example/",
    # IPv4
    "http://192.0.2.7/": "http://192.0.2.7/",
    "http://0xC0.0x00.0x02.0x07/": "http://192.0.2.7/",
    "http://0300.0.02.07/": "http://192.0.2.7/",
    "http://192.0.519/": "http://192.0.2.7/",
    "http://192.519/": "http://192.0.2.7/",
    "http://3221225991/": "http://192.0.2.7/",
    "http://0xc0000207/": "http://192.0.2.7/",
    "http://192.0.2.7./": "http://192.0.2.7/",
    "http://１９２.0.2.7/": "http://192.0.2.7/",
    "http://0x/": "http://0.0.0.0/",
    # IPv6
    "http://[2001:DB8:0:0:0:0:0:1]/": "http://[2001:db8::1]/",
    "http://[2001:db8:0:0:1:0:0:1]:80/": "http://[2001:db8::1:0:0:1]/",
    "http://[2001:db8:0:1:1:1:1:1]/": "http://[2001:db8:0:1:1:1:1:1]/",
    "http://[::]/": "http://[::]/",
    "http://[64:ff9b::192.0.2.7]/": "http://[64:ff9b::c000:207]/",
    "http://[::ffff:192.0.2.7]/": "http://192.0.2.7/",
    # paths
    "http://example.com/./a/./b/.": "http://example.com/a/b/",
    "http://example.com/a/../b/..": "http://example.com/",
    "http://example.com/../../a": "http://example.com/a",
    "http://example.com/a/%2e%2E/b/%2e": "http://example.com/b/",
    "http://example.com/a/.%2e/b": "http://example.com/b",
    "http://example.com/a//../b": "http://example.com/a/b",
    "http://example.com//a": "http://example.com//a",
    "http://example.com/...": "http://example.com/...",
    "http://example.com/%7Euser%2d": "http://example.com/~user-",
    "http://example.com/%2f%3a": "http://example.com/%2F%3A",
    'http://example.com/a b"<>`{}|^': "http://example.com/a%20b%22%3C%3E%60%7B%7D%7C%5E",
    "http://example.com/é": "http://example.com/%C3%A9",
    "http://example.com/%zz%": "http://example.com/%25zz%25",
    "http://example.com/%252e%252e/a": "http://example.com/%252e%252e/a",
    "http://example.com/%%34%31": "http://example.com/%2541",
    "http://example.com/\ud800": "http://example.com/%EF%BF%BD",
    # queries
    "http://example.com/?q='a'[]\\": "http://example.com/?q=%27a%27%5B%5D%5C",
    "http://example.com/?a=%41+b&&c": "http://example.com/?a=A+b&&c",
    "http://example.com/?/../a?b": "http://example.com/?/../a?b",
    "http://example.com/?utm_source=x&id=1&%66bclid=y": "http://example.com/?id=1",
    "http://example.com/?gclid=x": "http://example.com/",
}
BROKEN = [
    "",
    "http://",
    "http:///",
    "http://?x",
    "example",
    "/path.d/file",
    "ftp://example.com/",
    "mailto:name@example.com",
    "javascript:alert(1)",
    "data:text/plain,x",
    "http://exa mple.com/",
    "http://exa%mple.com/",
    "http://exa%23mple.com/",
    "http://a%2525.com/",
    "http://example.com:x/",
    "http://example.com:65536/",
    "http://example.com:8o/",
    "http://example.com:٨٠/",
    "http://a..example.com/",
    "http://.example.com/",
    "http://1.2.3.4.5/",
    "http://256.1.1.1/",
    "http://1.2.3.08/",
    "http://4294967296/",
    "http://[::1/",
    "http://[::1]x/",
    "http://[fe80::1%25eth0]/",
    "http://[1::2::3]/",
    "http://℀.example/",
    "http://\ufffd.example/",
    f"http://{'a' * 64}.example/",
    f"http://{'a.' * 150}example/",
]


@pytest.mark.parametrize(("given_text", "expected"), SAME.items(), ids=range(len(SAME)))
def test_a_spelling_is_brought_to_the_one_form(given_text: str, expected: str) -> None:
    assert canonical(given_text).text == expected


@pytest.mark.parametrize("text", BROKEN, ids=repr)
def test_what_is_no_http_url_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(there is no host|the (host|port|scheme|URL) )") as caught:
        canonical(text)
    assert "mple" not in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://example.com/a", "http://example.com/A"),
        ("http://example.com/a", "http://example.com/a/"),
        ("http://example.com/a/b", "http://example.com/a%2Fb"),
        ("http://example.com/a/b", "http://example.com//a/b"),
        ("http://example.com/?a=1&b=2", "http://example.com/?b=2&a=1"),
        ("http://example.com/?a+b", "http://example.com/?a%2Bb"),
        ("http://example.com/?a=b%26c", "http://example.com/?a=b&c"),
        ("http://example.com/%2e", "http://example.com/%252e"),
        ("http://example.com/%41", "http://example.com/%2541"),
        ("http://example.com/", "http://example.com:8080/"),
        ("http://example.com/", "https://example.com/"),
        ("http://example.com/", "http://www.example.com/"),
        ("http://strasse.example/", "http://straße.example/"),
        ("http://example.com/é", "http://example.com/e\u0301"),
    ],
)
def test_different_resources_stay_apart(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


def test_the_operator_chooses_which_parameters_are_dropped() -> None:
    text = "http://example.com/?utm_source=a&ref=b&id=c"

    assert canonical(text).query == "ref=b&id=c"
    assert canonical(text, frozenset()).query == "utm_source=a&ref=b&id=c"
    assert canonical(text, frozenset({"ref", "id"})).query == "utm_source=a"


def test_a_repr_shows_neither_path_nor_query() -> None:
    url = canonical("http://example.com/secret?hidden=1")

    assert "secret" not in f"{url} {url!r}"
    assert "hidden" not in f"{url} {url!r}"


@pytest.mark.parametrize("text", ["http://a.b/" + "x" * MAX_LENGTH, "http://a.b/" + "é" * (MAX_LENGTH // 4)])
def test_too_long_a_url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="too long"):
        canonical(text)


# RFC 3986 §5.4, but for references of other schemes, and without fragments, which a Url has none of
RFC_BASE = "http://a/b/c/d;p?q"
RFC_EXAMPLES = {
    "g": "http://a/b/c/g",
    "./g": "http://a/b/c/g",
    "g/": "http://a/b/c/g/",
    "/g": "http://a/g",
    "//g": "http://g/",
    "?y": "http://a/b/c/d;p?y",
    "g?y": "http://a/b/c/g?y",
    "#s": "http://a/b/c/d;p?q",
    "g#s": "http://a/b/c/g",
    "g?y#s": "http://a/b/c/g?y",
    ";x": "http://a/b/c/;x",
    "g;x": "http://a/b/c/g;x",
    "g;x?y#s": "http://a/b/c/g;x?y",
    "": "http://a/b/c/d;p?q",
    ".": "http://a/b/c/",
    "./": "http://a/b/c/",
    "..": "http://a/b/",
    "../": "http://a/b/",
    "../g": "http://a/b/g",
    "../..": "http://a/",
    "../../": "http://a/",
    "../../g": "http://a/g",
    "../../../g": "http://a/g",
    "../../../../g": "http://a/g",
    "/./g": "http://a/g",
    "/../g": "http://a/g",
    "g.": "http://a/b/c/g.",
    ".g": "http://a/b/c/.g",
    "g..": "http://a/b/c/g..",
    "..g": "http://a/b/c/..g",
    "./../g": "http://a/b/g",
    "./g/.": "http://a/b/c/g/",
    "g/./h": "http://a/b/c/g/h",
    "g/../h": "http://a/b/c/h",
    "g;x=1/./y": "http://a/b/c/g;x=1/y",
    "g;x=1/../y": "http://a/b/c/y",
    "g?y/./x": "http://a/b/c/g?y/./x",
    "g?y/../x": "http://a/b/c/g?y/../x",
    "http:g": "http://a/b/c/g",
    # as browsers read them
    "\\\\g\\x": "http://g/x",
    "/\\g": "http://g/",
    "\\g": "http://a/g",
    "..\\g": "http://a/b/g",
    "https:g": "https://g/",
    "HTTP://g": "http://g/",
}


@pytest.mark.parametrize(("reference", "expected"), RFC_EXAMPLES.items())
def test_references_resolve_as_rfc_3986_and_browsers_do(reference: str, expected: str) -> None:
    assert join(canonical(RFC_BASE), reference).text == expected


@pytest.mark.parametrize("reference", ["g:h", "file:///etc/hosts", "javascript:x", "//", "http://["])
def test_a_reference_that_leads_elsewhere_is_refused(reference: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        join(canonical(RFC_BASE), reference)


PIECES = st.text(st.sampled_from("aZ.09:/\\?#@%%%[]&='\t é例。ßÜ\u00ad\u200d\ud800xn-25eEfF"), max_size=30)


@given(st.tuples(st.sampled_from(["", "http://", "https:", "HTTP:\\\\"]), PIECES, PIECES))
def test_the_one_form_is_its_own(parts: tuple[str, str, str]) -> None:
    try:
        url = canonical("".join((parts[0], parts[1], ".example/", parts[2])))
    except ValueError:
        return

    again = canonical(url.text)

    assert again == url
    assert url.text.isascii()


SEGMENT = st.text(st.sampled_from(string.ascii_letters + string.digits + "-._~!$&()*+,;=:@é%/"), max_size=8)
UNRESERVED = string.ascii_letters + string.digits + "-._~"


@given(st.lists(SEGMENT, max_size=5), st.data())
def test_equivalent_spellings_agree(segments: list[str], data: st.DataObject) -> None:
    # given a path whose segments are fully escaped
    path = "".join("/" + "".join(f"%{byte:02X}" for byte in segment.encode()) for segment in segments)
    plain = f"http://example.com{path}"

    # when each escape is spelled in one of its ways, and the rest is too
    escapes = [path[i : i + 3] for i in range(len(path)) if path[i] == "%"]
    spelled = plain
    for escape in dict.fromkeys(escapes):
        character = chr(int(escape[1:], 16))
        ways = [escape, escape.lower(), *([character] if character in UNRESERVED else [])]
        spelled = spelled.replace(escape, data.draw(st.sampled_from(ways)))
    scheme = data.draw(st.sampled_from(["http://", "HTTP://", "http:\\\\", "//", ""]))
    port = data.draw(st.sampled_from(["", ":", ":80"]))
    rest = spelled.removeprefix("http://example.com")
    spelled = f"{scheme}EXAMPLE.com{port}{rest}{data.draw(st.sampled_from(['', '#', '#x?y']))}"

    # then they are one
    assert canonical(spelled) == canonical(plain)


@given(st.lists(SEGMENT, min_size=1, max_size=4), st.lists(SEGMENT, min_size=1, max_size=4))
def test_paths_that_differ_once_unescaped_stay_apart(one: list[str], other: list[str]) -> None:
    def spelled(segments: list[str]) -> str:
        escaped = ["".join(f"%{byte:02X}" for byte in segment.encode()) for segment in segments]
        return canonical("http://example.com/" + "/".join(f"{segment}x" for segment in escaped)).text

    assert (spelled(one) == spelled(other)) == (one == other)
