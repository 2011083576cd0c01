"""ISO base media files: MP4, MOV, HEIC, AVIF, JPEG XL and CR3. Boxes are followed, media data is not.

EXIF and XMP as items of a ``meta`` box, XMP and C2PA in ``uuid`` boxes, tags in ``udta`` and ``meta``:
QuickTime's international texts (``©too`` …), iTunes' ``ilst`` and Apple's ``keys``, which ffmpeg writes
too.
"""

from __future__ import annotations

from collections.abc import Iterator

from nightlamp.origin.pieces import PARTS, TEXT, Pieces

_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_ENTER = {b"moov", b"trak", b"udta", b"meta", b"ilst"}
_DEPTH = 6


def read(data: memoryview, pieces: Pieces) -> None:
    """Follow the boxes."""
    if bytes(data[:2]) == b"\xff\x0a":  # a bare JPEG XL codestream has no metadata
        return
    _Boxes(data, pieces).walk(data, 0, b"")


class _Boxes:
    def __init__(self, data: memoryview, pieces: Pieces) -> None:
        self.data = data
        self.pieces = pieces
        self.left = PARTS
        self.keys: list[str] = []

    def boxes(self, data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
        """(type, content) of each box; ends where the sizes stop making sense."""
        at = 0
        while at + 8 <= len(data):
            self.left -= 1
            if self.left < 0:
                self.pieces.missed("metadata", "too many parts")
                return
            size, head = int.from_bytes(data[at : at + 4], "big"), 8
            if size == 1:
                size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
            elif size == 0:
                size = len(data) - at
            if size < head:
                return
            yield bytes(data[at + 4 : at + 8]), data[at + head : at + size]
            at += size

    def walk(self, data: memoryview, depth: int, within: bytes) -> None:
        """Take the boxes at one level, and go down where metadata may be."""
        for kind, body in self.boxes(data):
            if kind == b"uuid" and body[:16] == _XMP:
                self.pieces.packet(body[16:])
            elif (kind == b"uuid" and body[:16] == _C2PA) or (kind == b"jumb" and not depth):
                self.pieces.manifest += len(body)
            elif kind in (b"xml ", b"XMP_"):
                self.pieces.packet(body)
            elif kind == b"Exif" and not depth:
                self._exif(body)
            elif kind == b"brob" and not depth and bytes(body[:4]) in (b"Exif", b"xml "):
                self.pieces.missed("exif" if bytes(body[:4]) == b"Exif" else "xmp", "packed with brotli")
            elif within == b"ilst":
                self._tag(kind, body)
            elif within == b"udta" and kind[:1] == b"\xa9" and len(body) > 4:
                size = int.from_bytes(body[:2], "big")
                self._text(kind, body[4 : 4 + size])
            elif kind == b"keys":
                self._names(body)
            elif kind in _ENTER and depth < _DEPTH:
                if kind == b"meta":
                    # A full box in ISO files, a plain one in QuickTime's.
                    body = body[4:] if bytes(body[4:8]) != b"hdlr" else body
                    self.keys = []
                    if not depth:
                        self._items(body)
                self.walk(body, depth + 1, kind)

    def _names(self, body: memoryview) -> None:
        for kind, name in self.boxes(body[8:]):
            if len(self.keys) >= 1_000:
                return
            self.keys.append(str(name[:200], "utf-8", "replace") if kind == b"mdta" else "")

    def _tag(self, kind: bytes, body: memoryview) -> None:
        """A tag of ``ilst``: by four letters, by a number into ``keys``, or free (``----``: mean, name,
        data)."""
        name, number = "", int.from_bytes(kind, "big")
        if 0 < number <= len(self.keys):
            name = self.keys[number - 1]
        for inner, content in self.boxes(body):
            if inner == b"name" and kind == b"----":
                name = str(content[4:204], "utf-8", "replace")
            elif inner == b"data" and int.from_bytes(content[:4], "big") in (0, 1):
                if name:
                    self.pieces.text("container", name, content[8:])
                else:
                    self._text(kind, content[8:])

    def _text(self, kind: bytes, body: memoryview) -> None:
        self.pieces.text("container", str(kind, "latin-1"), body)

    def _exif(self, body: memoryview) -> None:
        """EXIF after four bytes that say how far on the TIFF header is."""
        skip = 4 + int.from_bytes(body[:4], "big")
        if skip < len(body):
            self.pieces.exif.append(body[skip:])

    def _items(self, meta: memoryview) -> None:
        """Items of type ``Exif`` and of XMP's media type, where ``iloc`` says they are."""
        kinds: dict[int, str] = {}
        places: memoryview | None = None
        for kind, body in self.boxes(meta):
            if kind == b"iinf":
                entries = body[6:] if body[0] == 0 else body[8:]
                for inner, entry in self.boxes(entries):
                    if inner == b"infe" and len(entry) >= 12 and entry[0] >= 2:
                        wide = entry[0] == 3
                        number = int.from_bytes(entry[4 : 8 if wide else 6], "big")
                        rest = entry[10 if wide else 8 :]
                        kind_of = bytes(rest[:4])
                        if kind_of == b"Exif":
                            kinds[number] = "exif"
                        elif kind_of == b"mime" and b"application/rdf+xml" in bytes(rest[4:300]):
                            kinds[number] = "xmp"
            elif kind == b"iloc":
                places = body
        if kinds and places is not None:
            for number, content in self._located(places, kinds):
                if kinds[number] == "exif":
                    self._exif(memoryview(content))
                else:
                    self.pieces.packet(content)

    def _located(self, iloc: memoryview, wanted: dict[int, str]) -> Iterator[tuple[int, bytes]]:
        version = iloc[0]
        offset_size, length_size = iloc[4] >> 4, iloc[4] & 15
        base_size, index_size = iloc[5] >> 4, iloc[5] & 15 if version else 0
        at = 6

        def take(size: int) -> int:
            nonlocal at
            at += size
            if at > len(iloc):
                raise ValueError("beyond the end")
            return int.from_bytes(iloc[at - size : at], "big")

        for _ in range(min(take(4 if version == 2 else 2), PARTS)):
            number = take(4 if version == 2 else 2)
            method = take(2) & 15 if version else 0
            take(2)
            base = take(base_size)
            content: list[memoryview] = []
            extents = take(2)
            for _ in range(extents):
                take(index_size)
                start = base + take(offset_size)
                length = take(length_size)
                if number in wanted and method == 0 and sum(len(part) for part in content) + length <= TEXT:
                    content.append(self.data[start : start + length])
            if number in wanted and content:
                yield number, b"".join(content)
            elif number in wanted:
                self.pieces.missed(wanted[number], "too large or elsewhere")
