"""The directories of a TIFF, followed without trusting them: how many pages, and where a DNG's previews lie.

Classic TIFF (6.0) and BigTIFF. A directory that was seen before ends the walk, so a loop is no trap.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from nightlamp.media.jpeg import is_decodable

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


def pages(data: bytes | memoryview) -> tuple[int, bool]:
    """(directories in the main chain, at most ``MOST_DIRECTORIES``; whether all lie within the file)."""
    found = list(_chain(memoryview(data)))
    return sum(at >= 0 for at in found), -1 not in found


def orientation(exif: bytes) -> int:
    """EXIF's orientation, 1 to 8, of an EXIF block; 1 if it has none that makes sense."""
    whole = memoryview(exif)[6 if exif[:6] == b"Exif\x00\x00" else 0 :]
    layout, first = _layout(whole), next(_chain(whole), -1)
    if layout is None or first < 0:
        return 1
    return _upright_or(_tags(whole, layout, first))


def _upright_or(tags: Tags) -> int:
    (said, *_) = tags.get(_ORIENTATION, (1,))
    return said if 1 <= said <= 8 else 1


def is_dng(data: bytes | memoryview) -> bool:
    """Whether the first directory has the tag DNGVersion; it may lie beyond what ``sniff`` sees."""
    whole = memoryview(data)
    layout, first = _layout(whole), next(_chain(whole), -1)
    return layout is not None and first >= 0 and _DNG_VERSION in _tags(whole, layout, first)


def largest_jpeg(data: bytes | memoryview) -> Preview | None:
    """The largest JPEG that the main directories or their sub-directories (DNG's previews) point to.

    Lossless JPEG, in which DNG keeps the raw samples, does not count: no viewer shows it as it is.
    """
    whole = memoryview(data)
    layout = _layout(whole)
    found: list[tuple[int, memoryview]] = []
    turn = 1
    for number, at in enumerate(_chain(whole)):
        if layout is None or at < 0 or number >= _MOST_VALUES:
            break
        main = _tags(whole, layout, at)
        if number == 0:
            turn = _upright_or(main)
        for tags in (main, *(_tags(whole, layout, sub) for sub in main.get(_SUB_DIRECTORIES, ()))):
            jpeg = _jpeg_of(whole, tags)
            if jpeg is not None:
                found.append((tags.get(_WIDTH, (0,))[0] * tags.get(_HEIGHT, (0,))[0], jpeg))
    if not found:
        return None
    return Preview(max(found, key=lambda pair: pair[0])[1], turn)


def _jpeg_of(data: memoryview, tags: Tags) -> memoryview | None:
    if _JPEG_AT in tags and _JPEG_SIZE in tags:
        at, size = tags[_JPEG_AT][0], tags[_JPEG_SIZE][0]
    elif tags.get(_COMPRESSION) in ((6,), (7,)) and len(tags.get(_STRIPS, ())) == 1 and _STRIP_SIZES in tags:
        at, size = tags[_STRIPS][0], tags[_STRIP_SIZES][0]
    else:
        return None
    jpeg = data[at : at + size]
    return jpeg if bytes(jpeg[:2]) == b"\xff\xd8" and is_decodable(jpeg) else None


def _layout(data: memoryview) -> _Layout | None:
    head = bytes(data[:4])
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(data) < 16:
        return None
    return _Layout(order, head[2:4] in (b"+\x00", b"\x00+"))


def _chain(data: memoryview) -> Iterator[int]:
    """Offsets of the main directories; -1 for one that lies, in part, beyond the end of the file."""
    layout = _layout(data)
    if layout is None:
        return
    seen: set[int] = set()
    (at,) = layout.offset.unpack_from(data, 8 if layout.big else 4)
    while at and at not in seen and len(seen) < MOST_DIRECTORIES:
        shape = _entries(data, layout, at)
        if shape is None:
            yield -1
            return
        seen.add(at)
        yield at
        end = shape[0] + shape[1] * (20 if layout.big else 12)
        if end + layout.offset.size > len(data):
            return  # the last directory is there, if not the end of the chain
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
