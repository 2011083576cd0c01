"""The directories of a TIFF, followed without trusting them: how many pages, and where a DNG's previews lie.

Classic TIFF (6.0) and BigTIFF. A directory that was seen before ends the walk, so a loop is no trap.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_DIRECTORIES = 65_536

_WIDTH, _HEIGHT, _COMPRESSION, _STRIPS, _ORIENTATION, _STRIP_SIZES = 256, 257, 259, 273, 274, 279
_SUB_DIRECTORIES, _JPEG_AT, _JPEG_SIZE, _DNG_VERSION = 330, 513, 514, 50706
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_MOST_VALUES = 64


@dataclass(frozen=True, slots=True)
class Preview:
    """A JPEG inside a raw file: its bytes, and the orientation that the raw file's main directory gives."""

    data: memoryview = field(repr=False)
    orientation: int


@dataclass(frozen=True, slots=True)
class _Layout:
    order: str
    big: bool

    @property
    def offset(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.big else "I"))


Tags = dict[int, tuple[int, ...]]


def pages(data: bytes | memoryview) -> int:
    """Directories in the main chain, at most ``MOST_DIRECTORIES``; 0 if not even the first can be read."""
    return sum(1 for _ in _chain(memoryview(data)))


def is_dng(data: bytes | memoryview) -> bool:
    """Whether the first directory has the tag DNGVersion; it may lie beyond what ``sniff`` sees."""
    whole = memoryview(data)
    layout, first = _layout(whole), next(_chain(whole), None)
    return layout is not None and first is not None and _DNG_VERSION in _tags(whole, layout, first)


def largest_jpeg(data: bytes | memoryview) -> Preview | None:
    """The largest JPEG that the main directories or their sub-directories (DNG's previews) point to.

    Lossless JPEG, in which DNG keeps the raw samples, does not count: no viewer shows it as it is.
    """
    whole = memoryview(data)
    layout = _layout(whole)
    found: list[tuple[int, memoryview]] = []
    orientation = 1
    for number, at in enumerate(_chain(whole)):
        if layout is None or number >= _MOST_VALUES:
            break
        main = _tags(whole, layout, at)
        if number == 0:
            orientation = main.get(_ORIENTATION, (1,))[0]
        for tags in (main, *(_tags(whole, layout, sub) for sub in main.get(_SUB_DIRECTORIES, ()))):
            jpeg = _jpeg_of(whole, tags)
            if jpeg is not None:
                found.append((tags.get(_WIDTH, (0,))[0] * tags.get(_HEIGHT, (0,))[0], jpeg))
    if not found:
        return None
    return Preview(max(found, key=lambda pair: pair[0])[1], orientation if 1 <= orientation <= 8 else 1)


def _jpeg_of(data: memoryview, tags: Tags) -> memoryview | None:
    if _JPEG_AT in tags and _JPEG_SIZE in tags:
        at, size = tags[_JPEG_AT][0], tags[_JPEG_SIZE][0]
    elif tags.get(_COMPRESSION) in ((6,), (7,)) and len(tags.get(_STRIPS, ())) == 1 and _STRIP_SIZES in tags:
        at, size = tags[_STRIPS][0], tags[_STRIP_SIZES][0]
    else:
        return None
    jpeg = data[at : at + size]
    return jpeg if bytes(jpeg[:2]) == b"\xff\xd8" and _is_lossy(jpeg) else None


def _is_lossy(jpeg: memoryview) -> bool:
    """Whether the first frame header of a JPEG is of a DCT process."""
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF:
        marker = jpeg[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return marker in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
        at += 1 if marker == 0xFF else 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return False


def _layout(data: memoryview) -> _Layout | None:
    head = bytes(data[:4])
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(data) < 16:
        return None
    return _Layout(order, head[2:4] in (b"+\x00", b"\x00+"))


def _chain(data: memoryview) -> Iterator[int]:
    """Offsets of the main directories."""
    layout = _layout(data)
    if layout is None:
        return
    seen: set[int] = set()
    (at,) = layout.offset.unpack_from(data, 8 if layout.big else 4)
    while at and at not in seen and len(seen) < MOST_DIRECTORIES:
        shape = _entries(data, layout, at)
        if shape is None:
            return
        seen.add(at)
        yield at
        end = shape[0] + shape[1] * (20 if layout.big else 12)
        if end + layout.offset.size > len(data):
            return
        (at,) = layout.offset.unpack_from(data, end)


def _entries(data: memoryview, layout: _Layout, at: int) -> tuple[int, int] | None:
    """(offset of the first entry, number of entries) of the directory at ``at``, or None."""
    count = struct.Struct(layout.order + ("Q" if layout.big else "H"))
    if at + count.size > len(data):
        return None
    (entries,) = count.unpack_from(data, at)
    return at + count.size, min(entries, 65_535)


def _tags(data: memoryview, layout: _Layout, at: int) -> Tags:
    """The integer tags of a directory, at most ``_MOST_VALUES`` values each; what lies outside is skipped."""
    shape = _entries(data, layout, at)
    if shape is None:
        return {}
    entry = struct.Struct(layout.order + ("HHQ8s" if layout.big else "HHI4s"))
    tags: Tags = {}
    end = min(shape[0] + shape[1] * entry.size, len(data) - entry.size + 1)
    for start in range(shape[0], end, entry.size):
        tag, kind, count, inline = entry.unpack_from(data, start)
        if kind not in _INTEGERS or not 0 < count <= _MOST_VALUES:
            continue
        values = struct.Struct(f"{layout.order}{count}{_INTEGERS[kind]}")
        if values.size <= len(inline):
            tags[tag] = values.unpack_from(inline)
            continue
        (place,) = layout.offset.unpack(inline)
        if place + values.size <= len(data):
            tags[tag] = values.unpack_from(data, place)
    return tags
