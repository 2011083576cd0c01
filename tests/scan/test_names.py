from __future__ import annotations

import os

from hypothesis import example, given
from hypothesis import strategies as st

from nightlamp.scan import member_text, path_parts, path_text, printable

_UNSAFE = set("\u202e\u2066\u200f\u061c\u2028\u2029\x1b\x9b\x07\n\r\t\x7f\ufeff")
file_names = st.binary(min_size=1, max_size=30).filter(lambda b: b"\0" not in b)

member_names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(lambda n: "!/" not in n)


@given(file_names)
@example(b"\xff\xfe.jpg")
@example(b"\\x41.jpg")
@example("\u202egpj.exe".encode())
@example(b"a!/b")
@example(b"=cmd|' /C calc'!A0")
@example(b"\x1b]0;owned\x07")
def test_any_name_is_one_line_of_safe_utf8_and_can_be_undone(name: bytes) -> None:
    text = path_text(os.fsdecode(name))

    assert text.encode().decode() == text
    assert not _UNSAFE & set(text)
    assert text[0] not in "=+-@"
    assert path_parts(text) == [name]


@given(file_names, st.lists(member_names, max_size=3))
@example(b"a.zip!", ["b"])
@example(b"a.zip", ["b.zip!", "/etc/passwd"])
def test_members_are_told_apart_from_names_that_look_like_members(file: bytes, members: list[str]) -> None:
    text = path_text(os.fsdecode(file))
    for member in members:
        text = member_text(text, member)

    assert path_parts(text) == [file, *(member.encode() for member in members)]


def test_ordinary_names_stay_as_they_are() -> None:
    for name in ("photos/été 2024/IMG_0001.jpg", "写真.png", "a!b.jpg", "100%.gif", "👩‍👧.jpg"):
        assert path_text(name) == name


@given(st.text(st.characters(), max_size=50))
def test_messages_hold_nothing_that_a_terminal_obeys(message: str) -> None:
    shown = printable(message)

    assert not _UNSAFE & set(shown)
    shown.encode()
