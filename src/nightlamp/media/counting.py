"""How many frames an animation really has, by walking its blocks: no number in a header is believed."""

from __future__ import annotations


def gif_frames(data: bytes | memoryview) -> int:
    """Image blocks in a GIF (at least 1), as far as its blocks can be followed."""
    end = len(data)
    if end < 13:
        return 1
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    count = 0
    while at < end:
        kind = data[at]
        if kind == 0x2C and at + 10 < end:  # image: descriptor, perhaps a palette, code size, data
            flags = data[at + 9]
            at += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
            count += 1
        elif kind == 0x21:
            at += 2
        elif kind == 0x3B:
            break
        else:
            at += 1  # stray bytes between blocks, which decoders skip
            continue
        while at < end and data[at]:
            at += data[at] + 1
        at += 1
    return max(1, count)


def apng_frames(data: bytes | memoryview) -> int:
    """Most frames that a PNG can have: its frame control chunks, and a picture shown before them."""
    at, count, early = 8, 0, 0
    while at + 8 <= len(data):
        kind = bytes(data[at + 4 : at + 8])
        if kind == b"fcTL":
            count += 1
        elif kind == b"IDAT" and not count:
            early = 1
        elif kind == b"IEND":
            break
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return max(1, count + early)
