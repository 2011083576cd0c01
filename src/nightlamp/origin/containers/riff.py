"""RIFF: WebP (EXIF, XMP, C2PA chunks), AVI and WAV (INFO tags, and WAV an ID3 tag)."""

from __future__ import annotations

from nightlamp.origin.containers import audio
from nightlamp.origin.pieces import PARTS, Pieces


def read(data: memoryview, pieces: Pieces) -> None:
    """Follow the chunks of the first form."""
    _chunks(data[12:], pieces, depth=0)


def _chunks(data: memoryview, pieces: Pieces, depth: int) -> None:
    at, tagged = 0, False
    for _ in range(PARTS):
        if at + 8 > len(data):
            return
        kind = bytes(data[at : at + 4])
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + size]
        if kind == b"EXIF":
            pieces.exif.append(body[6:] if bytes(body[:6]) == b"Exif\0\0" else body)
        elif kind in (b"XMP ", b"_PMX"):
            pieces.packet(body)
        elif kind == b"C2PA":
            pieces.manifest += len(body)
        elif kind.lower() == b"id3 " and not depth:
            if tagged:
                pieces.missed("container", "repeated too often")
            else:
                audio.id3(body, pieces)
            tagged = True
        elif kind == b"VP8L":
            pieces.lossless = True
        elif kind == b"LIST" and bytes(body[:4]) == b"INFO" and depth < 2:
            _chunks(body[4:], pieces, depth + 1)
        elif depth and kind[:1] == b"I":
            pieces.text("container", str(kind, "latin-1"), bytes(body).rstrip(b"\0"))
        at += 8 + size + size % 2
    pieces.missed("metadata", "too many parts")
