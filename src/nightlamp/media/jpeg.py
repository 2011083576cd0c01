"""A JPEG's markers, as far as we read them ourselves: how it is coded."""

from __future__ import annotations

_DCT = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
_FRAME_HEADERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = {0x01, *range(0xD0, 0xD9)}


def coding(data: bytes | memoryview) -> tuple[bool, int] | None:
    """(coded by DCT, and so lossy; bits per sample) by its frame header, or None without one."""
    at = 2
    while at + 5 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAME_HEADERS:
            return marker in _DCT, data[at + 4]
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def is_decodable(data: bytes | memoryview) -> bool:
    """Whether it is of a kind that the installed decoder knows: DCT, 8 bits; or it does not say."""
    return coding(data) in (None, (True, 8))
