"""Matroska and WebM: the writing program, and tags. Clusters are passed over by their size."""

from __future__ import annotations

from nightlamp.origin.pieces import PARTS, Pieces

_SEGMENT, _INFO, _TAGS, _TAG, _SIMPLE = 0x18538067, 0x1549A966, 0x1254C367, 0x7373, 0x67C8
_MUXER, _WRITER, _NAME, _STRING = 0x4D80, 0x5741, 0x45A3, 0x4487
_ENTER = {_SEGMENT, _INFO, _TAGS, _TAG, _SIMPLE}


def read(data: memoryview, pieces: Pieces) -> None:
    """Follow the elements; one of unknown size ends the search, as live streams have them."""
    waiting = [data]
    name = ""
    left = PARTS
    while waiting:
        part = waiting.pop()
        at = 0
        while at < len(part):
            left -= 1
            if left < 0:
                pieces.missed("metadata", "too many parts")
                return
            number, at = _number(part, at, keep=True)
            size, at = _number(part, at, keep=False)
            if size < 0:
                size = len(part) - at
            body = part[at : at + size]
            if number in _ENTER:
                waiting.append(part[at + size :])
                waiting.append(body)
                break
            if number in (_MUXER, _WRITER):
                pieces.text("container", "muxer" if number == _MUXER else "writer", body)
            elif number == _NAME:
                name = str(body[:200], "utf-8", "replace")
            elif number == _STRING:
                pieces.text("container", name, body)
            at += size


def _number(data: memoryview, at: int, *, keep: bool) -> tuple[int, int]:
    """A variable-length number and where the next begins; with ``keep`` its marker stays. -1: unknown
    size."""
    first = data[at]
    length = 9 - first.bit_length()
    if length > 8 or at + length > len(data):
        raise ValueError("no EBML")
    number = int.from_bytes(data[at : at + length], "big")
    if not keep:
        number &= (1 << 7 * length) - 1
        if number == (1 << 7 * length) - 1:
            number = -1
    return number, at + length
