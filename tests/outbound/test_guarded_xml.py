"""XML of strangers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlamp.outbound import guarded_xml
from nightlamp.outbound.guarded_xml import Element, elements

DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<q xmlns="https://example.org/x" xmlns:o="https://example.org/o"><images count="2">
<image o:kind="a"><id>1</id><note>&lt;ä&amp;</note></image><other/>
<image><id>2</id><image><id>3</id></image></image>
</images><next>/v2?a=1&amp;b=2</next></q>""".encode()


def flat(element: Element) -> object:
    return element.name, element.attributes, element.text.strip(), [flat(c) for c in element.children]


@given(st.lists(st.integers(1, len(DOCUMENT) - 1), max_size=12))
def test_elements_are_the_same_however_the_bytes_come(cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(DOCUMENT)]
    pieces = [DOCUMENT[a:b] for a, b in pairwise(ends)]

    found = [flat(element) for element in elements(pieces, {"image", "next"}, root={"q"})]

    assert found == [
        ("image", {"kind": "a"}, "", [("id", {}, "1", []), ("note", {}, "<ä&", [])]),
        ("image", {}, "", [("id", {}, "2", []), ("image", {}, "", [("id", {}, "3", [])])]),
        ("next", {}, "/v2?a=1&b=2", []),
    ]


BOMB = (
    b'<!DOCTYPE q [<!ENTITY a "secretsecret">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><q><x>&j;</x></q>"
)


@pytest.mark.parametrize(
    "document",
    [
        BOMB,
        b'<!DOCTYPE q SYSTEM "http://127.0.0.1/secret"><q/>',
        b'<!DOCTYPE q [<!ENTITY x SYSTEM "file:///etc/passwd">]><q><x>&x;</x></q>',
        b'<!DOCTYPE q [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]><q/>',
        b"<!DOCTYPE q><q/>",
        b"<q>&secret;</q>",
        b"<q><x>secret</q>",
        b"<q>",
        b"",
        b"secret",
        b"<other/>",
        b'<?xml version="1.0" encoding="secret"?><q/>',
        b"<q>" + b"<x>" * 40 + b"</x>" * 40 + b"</q>",
        b"<q><x>" + b"a" * (guarded_xml.MAX_TEXT + 1) + b"</x></q>",
        b'<q><x y="' + b"a" * (guarded_xml.MAX_TEXT + 1) + b'"/></q>',
        b"<q><x>" + b"<y/>" * guarded_xml.MAX_NODES + b"</x></q>",
    ],
    ids=range(16),
)
def test_what_could_hurt_is_refused_and_not_quoted(document: bytes) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        list(elements([document], {"x"}, root={"q"}))

    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_what_nobody_asked_for_is_not_held() -> None:
    pieces = (b"<q>", *(b"<y>" + b"a" * 100 + b"</y>" for _ in range(1000)), b"<x/></q>")

    assert [e.name for e in elements(pieces, {"x"})] == ["x"]


def test_text_between_many_children_is_put_together_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0

    class Counting(Element):
        def __setattr__(self, name: str, value: object) -> None:
            nonlocal written
            if isinstance(value, str):
                written += len(value)
            super().__setattr__(name, value)

    monkeypatch.setattr(guarded_xml, "Element", Counting)
    document = b"<q>" + b"words<y/>" * 500 + b"</q>"
    [found] = elements([document], {"q"})
    assert found.text == "words" * 500
    assert written < 2 * len(document)


def test_the_limit_is_of_all_the_texts_of_an_element() -> None:
    half = b"a" * (guarded_xml.MAX_TEXT // 2 + 1)
    with pytest.raises(ValueError, match="absurd size"):
        list(elements([b"<q>" + half + b"<y/>" + half + b"</q>"], {"q"}))
