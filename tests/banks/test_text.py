from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.measured import peak_of

from nightlamp.banks import text
from nightlamp.errors import ListError


def all_lines(path, longest=1 << 20):
    found = {}
    for first, lines in text.lines(path, longest):
        for number, line in enumerate(lines, first):
            assert number not in found
            found[number] = line
    assert list(found) == list(range(1, len(found) + 1))
    return list(found.values())


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", b""), ("utf-8", b"\xef\xbb\xbf"), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")],
)
def test_encodings(encoding, mark, write):
    path = write(mark + "eins\nzwei ü €\n\U0001f319".encode(encoding))
    assert [line.decode() for line in all_lines(path)] == ["eins", "zwei ü €", "\U0001f319"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(end, write):
    assert all_lines(write(end.join(["a", "", "b", ""]))) == [b"a", b"", b"b"]


@given(st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b"")), min_size=1))
def test_lines_are_those_of_the_file_whatever_the_block_size(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("lines") / "list"
    path.write_bytes(b"\n" + b"\n".join(content) + b"\n.")
    before = text.BLOCK
    expected = [b"", *(line if len(line) <= 8 else None for line in content), b"."]
    if path.read_bytes().startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return
    original = text.blocks
    try:
        for size in (1, 2, 7, 1000):
            text.blocks = lambda p, _=0, size=size: original(p, size)
            assert all_lines(path, 8) == expected
    finally:
        text.blocks = original
    assert before == text.BLOCK


def test_an_endless_line_is_not_held(tmp_path):
    path = tmp_path / "list"
    with path.open("wb") as file:
        file.write(b"a\n")
        for _ in range(64):
            file.write(b"x" * (1 << 20))
        file.write(b"\nb\n")
    assert all_lines(path) == [b"a", None, b"b"]
    assert peak_of(lambda: all_lines(path), 12 << 20) < 12 << 20


@pytest.mark.parametrize(
    ("content", "what"), [(b"", "empty"), (b"PK\x03\x04rest", "zip"), (b"\x1f\x8b\x08rest", "gzip")]
)
def test_what_is_no_text_is_refused(content, what, write):
    with pytest.raises(ListError, match=what):
        text.head(write(content))


def test_absent_file(tmp_path):
    with pytest.raises(ListError, match="No such file"):
        text.head(tmp_path / "nothing")
