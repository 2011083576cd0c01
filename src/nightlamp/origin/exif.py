"""Reads the directories of a TIFF structure, which EXIF is: bounded, each directory once, only what is
asked for.

The layout is that of TIFF 6.0 and CIPA DC-008 (EXIF 2.32).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

VALUE = 8 << 20
"""Bytes of one value that are read."""
_ENTRIES = 2_000
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}


@dataclass(frozen=True, slots=True)
class Directory:
    """One directory: where the values of its tags stand.

    Args:
        data: the whole structure.
        order: ``"<"`` or ``">"``.
        tags: tag → (type, bytes, offset of the value).
        next: offset of the next directory, 0 if there is none.
    """

    data: memoryview
    order: str
    tags: dict[int, tuple[int, int, int]]
    next: int

    @staticmethod
    def first(data: bytes | memoryview) -> Directory | None:
        """The directory that the header points to; None if this is no TIFF structure."""
        view = memoryview(data)
        order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(view[:4]))
        if order is None or len(view) < 8:
            return None
        return Directory._at(view, order, struct.unpack_from(order + "I", view, 4)[0])

    @staticmethod
    def _at(data: memoryview, order: str, at: int) -> Directory | None:
        if at < 8 or at + 2 > len(data):
            return None
        count = struct.unpack_from(order + "H", data, at)[0]
        tags: dict[int, tuple[int, int, int]] = {}
        for entry in range(at + 2, at + 2 + 12 * min(count, _ENTRIES), 12):
            if entry + 12 > len(data):
                break
            tag, kind, length = struct.unpack_from(order + "HHI", data, entry)
            size = _SIZES.get(kind, 0) * length
            where = entry + 8 if size <= 4 else struct.unpack_from(order + "I", data, entry + 8)[0]
            tags.setdefault(tag, (kind, size, where))
        after = at + 2 + 12 * count
        following = struct.unpack_from(order + "I", data, after)[0] if after + 4 <= len(data) else 0
        return Directory(data, order, tags, following)

    def below(self, tag: int) -> Directory | None:
        """The directory that a tag points to."""
        at = self.number(tag)
        return Directory._at(self.data, self.order, at) if at else None

    def following(self) -> Directory | None:
        """The next directory in the chain."""
        return Directory._at(self.data, self.order, self.next) if self.next else None

    def raw(self, tag: int) -> memoryview | None:
        """The bytes of a value; None if it is not there, runs beyond the end or is too large."""
        kind, size, where = self.tags.get(tag, (0, 0, 0))
        if not kind or not size or size > VALUE or where + size > len(self.data):
            return None
        return self.data[where : where + size]

    def oversized(self) -> bool:
        """Whether a value is larger than what is read."""
        return any(size > VALUE for _, size, _ in self.tags.values())

    def number(self, tag: int) -> int:
        """The first number of a value, 0 if there is none."""
        raw = self.raw(tag)
        kind = self.tags.get(tag, (0, 0, 0))[0]
        if raw is None or kind not in (1, 3, 4, 13):
            return 0
        return int(struct.unpack_from(self.order + {1: "B", 3: "H"}.get(kind, "I"), raw)[0])

    def text(self, tag: int) -> str:
        """A value of characters, up to the first NUL; ``""`` if there is none."""
        raw = self.raw(tag)
        return "" if raw is None else bytes(raw).partition(b"\0")[0].decode("utf-8", "replace").strip()

    def comment(self, tag: int) -> str:
        """A value that begins with the name of its character set in eight bytes (UserComment)."""
        raw = self.raw(tag)
        if raw is None or len(raw) <= 8:
            return ""
        name, body = bytes(raw[:8]), bytes(raw[8:])
        if name == b"UNICODE\0":
            return _utf16(body, self.order).strip("\0")
        if name == b"JIS\0\0\0\0\0":
            return body.decode("iso2022_jp", "replace").strip("\0")
        return body.decode("utf-8", "replace").strip("\0")


def _utf16(body: bytes, order: str) -> str:
    """UTF-16 in the order of a mark, or the one with more NULs where ASCII has them, or the file's own."""
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return body.decode("utf-16", "replace")
    sample = body[:2000]
    high, low = sample[0::2].count(0), sample[1::2].count(0)
    if high == low:
        return body.decode("utf-16-le" if order == "<" else "utf-16-be", "replace")
    return body.decode("utf-16-be" if high > low else "utf-16-le", "replace")
