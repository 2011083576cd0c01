"""GIF: comments, and the application blocks that hold XMP or C2PA."""

from __future__ import annotations

from nightlamp.origin.pieces import TEXT, Pieces

_BLOCKS = 2_000_000


def read(data: memoryview, pieces: Pieces) -> None:
    """Follow the blocks to the end."""
    end = len(data)
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    left = _BLOCKS
    while at + 1 < end and left > 0:
        kind = data[at]
        if kind == 0x3B:
            return
        if kind == 0x2C and at + 10 < end:
            flags = data[at + 9]
            at += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
            at, left = _skip(data, at, left)
        elif kind == 0x21:
            label = data[at + 1]
            start = at + 2
            name = bytes(data[start + 1 : start + 12]) if label == 0xFF else b""
            at, left = _skip(data, start, left)
            if label == 0xFE:
                pieces.text("comment", "comment", _joined(data[start:at]))
            elif name == b"XMP DataXMP":
                # Not in sub-blocks: the packet as it is, then a trailer of 258 bytes that ends any reader.
                pieces.packet(bytes(data[start + 12 : max(start + 12, at - 258)]))
            elif name.startswith(b"C2PA_GIF"):
                pieces.manifest += at - start
        else:
            at += 1
            left -= 1
    if left <= 0:
        pieces.missed("metadata", "too many parts")


def _skip(data: memoryview, at: int, left: int) -> tuple[int, int]:
    """Just after a run of sub-blocks, and how many more may be followed."""
    while at < len(data) and data[at] and left > 0:
        at += data[at] + 1
        left -= 1
    return at + 1, left


def _joined(blocks: memoryview) -> bytes:
    at, parts, size = 0, [], 0
    while at < len(blocks) and blocks[at] and size <= TEXT:
        parts.append(blocks[at + 1 : at + 1 + blocks[at]])
        size += blocks[at]
        at += blocks[at] + 1
    return b"".join(parts)
