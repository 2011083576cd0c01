"""How a path is written in an output and on a terminal: one line of safe, valid UTF-8 that can be undone.

A file's name is bytes chosen by anybody. In its text, ``\\xHH`` stands for one byte and ``\\\\`` for a
backslash; all else stands for its own UTF-8. Written as bytes are: what is not UTF-8, control characters and
line separators, and characters that turn the reading direction. A member of an archive follows ``!/``; that
sequence in a file's own path is written ``\\x21/``. A leading ``=``, ``+``, ``-`` or ``@`` is written as a
byte too, so that no spreadsheet takes a path for a formula.
"""

from __future__ import annotations

import re

MEMBER = "!/"

# Controls, separators, bidirectional controls, surrogates; then the backslash and our own separator.
_UNSAFE = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
_ESCAPED_IN_NAME = re.compile(rf"[\\{_UNSAFE}]|!(?=/)")
_ESCAPED_IN_MESSAGE = re.compile(f"[{_UNSAFE}]")
_FORMULA = re.compile(r"^[=+\-@]")
_ESCAPE = re.compile(rb"\\(?:\\|x([0-9a-f]{2}))")


def path_text(file: str) -> str:
    """The text of a file's path.

    Args:
        file: as ``os.fsdecode`` gives it: bytes that are not UTF-8 are surrogates.
    """
    return _FORMULA.sub(_as_bytes, _ESCAPED_IN_NAME.sub(_as_bytes, file))


def member_text(archive: str, name: str) -> str:
    """The text of a member's path, given the text of its archive's and its name within.

    Args:
        archive: from ``path_text``.
        name: as ``nightlamp.media.members`` gives it: of a member of an archive within, ``inner.zip!/name``.
    """
    return MEMBER.join((archive, *(_ESCAPED_IN_NAME.sub(_as_bytes, part) for part in name.split(MEMBER))))


def path_parts(text: str) -> list[bytes]:
    """The bytes of the file's path, then of each member's name: undoes ``path_text`` and ``member_text``."""
    return [_ESCAPE.sub(_original, part) for part in text.encode().split(MEMBER.encode())]


def printable(message: str) -> str:
    """``message`` without anything that a terminal would obey; for people, not to be undone."""
    return _ESCAPED_IN_MESSAGE.sub(_as_bytes, message)


def _as_bytes(found: re.Match[str]) -> str:
    character = found.group()
    if character == "\\":
        return r"\\"
    code = ord(character)
    # 0xDC80 to 0xDCFF is how Python carries a byte that is not UTF-8.
    raw = bytes([code - 0xDC00]) if 0xDC80 <= code <= 0xDCFF else character.encode("utf-8", "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in raw)


def _original(found: re.Match[bytes]) -> bytes:
    digits = found.group(1)
    return bytes.fromhex(digits.decode()) if digits else b"\\"
