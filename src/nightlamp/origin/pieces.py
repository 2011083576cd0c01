"""What a container gives up without decoding a picture: its blocks of metadata, and what was too much."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from nightlamp.values import Channel, Unchecked

TEXT = 8 << 20
"""Bytes of one text, unpacked; a large ComfyUI workflow has one or two million."""
TEXTS = 24 << 20
"""Bytes of all texts of a file together."""
PARTS = 50_000
"""Chunks, segments or boxes of a container that are followed."""
XMP = 8 << 20
"""Bytes of XMP, its extensions included."""


@dataclass(slots=True)
class Pieces:
    """Gathers what a container's reader finds.

    Args:
        exif: EXIF blocks, each a TIFF structure.
        xmp: XMP packets.
        iptc: blocks of IPTC-IIM datasets.
        texts: (where, keyword, text) of PNG text, comments and tags.
        manifest: bytes of a C2PA manifest store in it; 0: none was seen.
        lossless: the pixels are those that were saved, so hidden bits may have survived.
        unchecked: what was too large, or broken.
    """

    exif: list[bytes | memoryview] = field(default_factory=list)
    xmp: list[bytes] = field(default_factory=list)
    iptc: list[bytes] = field(default_factory=list)
    texts: list[tuple[Channel, str, str]] = field(default_factory=list)
    manifest: int = 0
    lossless: bool = False
    unchecked: list[Unchecked] = field(default_factory=list)
    _room: int = TEXTS

    def text(self, where: Channel, keyword: str, raw: bytes | memoryview, encoding: str = "utf-8") -> None:
        """Take a text as it stands."""
        if len(raw) > min(TEXT, self._room):
            self.missed(where, "too large")
            return
        self._room -= len(raw)
        self.texts.append((where, keyword[:200], bytes(raw).decode(encoding, "replace")))

    def packed_text(self, where: Channel, keyword: str, raw: bytes | memoryview, encoding: str) -> None:
        """Take a zlib-packed text, unpacking no more of it than may be kept."""
        most = min(TEXT, self._room)
        unpacked = inflated(raw, most)
        if unpacked is None:
            self.missed(where, "damaged")
        elif len(unpacked) > most:
            self._room -= most  # so that a file of many bombs costs no more than one
            self.missed(where, "too large")
        else:
            self.text(where, keyword, unpacked, encoding)

    def packet(self, raw: bytes | memoryview) -> None:
        """Take a packet of XMP; some writers put JPEG's prefix before it."""
        if bytes(raw[:29]) == b"http://ns.adobe.com/xap/1.0/\0":
            raw = raw[29:]
        if sum(map(len, self.xmp)) + len(raw) > XMP:
            self.missed("xmp", "too large")
        else:
            self.xmp.append(bytes(raw))

    def missed(self, what: str, why: str) -> None:
        """Say that something could not be examined, once."""
        note = Unchecked(what, why)
        if note not in self.unchecked:
            self.unchecked.append(note)


def inflated(raw: bytes | memoryview, most: int, wbits: int = zlib.MAX_WBITS) -> bytes | None:
    """Unpacked bytes, at most one more than ``most``; None if they are no zlib (or, by ``wbits``, gzip)
    data."""
    try:
        return zlib.decompressobj(wbits).decompress(raw, most + 1)
    except zlib.error:
        return None
