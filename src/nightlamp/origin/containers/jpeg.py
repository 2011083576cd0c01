"""JPEG: the segments before the picture. EXIF and XMP in APP1, C2PA in APP11, Photoshop's in APP13,
comments."""

from __future__ import annotations

from nightlamp.origin.pieces import PARTS, XMP, Pieces

_EXIF = b"Exif\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_MORE_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"


def read(data: memoryview, pieces: Pieces) -> None:
    """Follow the segments up to the first scan."""
    at, end = 2, len(data)
    photoshop = bytearray()
    extensions: dict[bytes, list[tuple[int, memoryview]]] = {}
    for _ in range(PARTS):
        if at + 4 > end or data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker in (0xFF, 0x01) or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in (0xDA, 0xD9):
            break
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + size]
        head = bytes(body[:40])
        if marker == 0xE1 and head.startswith(_EXIF):
            pieces.exif.append(body[6:])
        elif marker == 0xE1 and head.startswith(_XMP):
            pieces.packet(body[len(_XMP) :])
        elif marker == 0xE1 and head.startswith(_MORE_XMP):
            _extension(body[len(_MORE_XMP) :], extensions)
        elif marker == 0xEB and head[:2] == b"JP":
            pieces.manifest += len(body)
        elif marker == 0xED and head.startswith(_PHOTOSHOP) and len(photoshop) < XMP:
            photoshop += body[len(_PHOTOSHOP) :]
        elif marker == 0xFE:
            pieces.text("comment", "comment", body)
        at += 2 + max(size, 2)
    else:
        pieces.missed("metadata", "too many parts")
    resources(memoryview(photoshop), pieces)
    for parts in extensions.values():
        _assemble(parts, pieces)


def _extension(body: memoryview, extensions: dict[bytes, list[tuple[int, memoryview]]]) -> None:
    """One part of an XMP too large for a segment: GUID (32), whole length (4), offset (4), bytes."""
    if len(body) > 40 and (len(extensions) < 4 or bytes(body[:32]) in extensions):
        offset = int.from_bytes(body[36:40], "big")
        extensions.setdefault(bytes(body[:32]), []).append((offset, body[40:]))


def _assemble(parts: list[tuple[int, memoryview]], pieces: Pieces) -> None:
    """The parts in order, if they make one text without gap or overlap."""
    whole, size = [], 0
    for offset, part in sorted(parts, key=lambda one: one[0]):
        if offset != size or size > XMP:
            pieces.missed("xmp", "too large" if size > XMP else "damaged")
            return
        whole.append(part)
        size += len(part)
    pieces.packet(b"".join(whole))


def resources(data: memoryview, pieces: Pieces) -> None:
    """Photoshop's image resources: of them IPTC-IIM (0x0404) and XMP (0x0424)."""
    at = 0
    for _ in range(PARTS):
        if at + 12 > len(data) or bytes(data[at : at + 4]) != b"8BIM":
            return
        kind = int.from_bytes(data[at + 4 : at + 6], "big")
        at += 6 + (data[at + 6] + 2) // 2 * 2
        size = int.from_bytes(data[at : at + 4], "big")
        body = data[at + 4 : at + 4 + size]
        if kind == 0x0404 and len(body) <= XMP:
            pieces.iptc.append(bytes(body))
        elif kind == 0x0424:
            pieces.packet(body)
        at += 4 + (size + 1) // 2 * 2
