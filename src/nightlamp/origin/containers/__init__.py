"""Bytes of a known type in, ``Pieces`` out; no picture is decoded, no size in a header is believed."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from nightlamp.origin.containers import audio, bmff, gif, jpeg, matroska, png, riff, tiff
from nightlamp.origin.pieces import Pieces

_Reader = Callable[[memoryview, Pieces], None]
_READERS: Mapping[str, _Reader] = {
    "image/jpeg": jpeg.read,
    "image/png": png.read,
    "image/webp": riff.read,
    "video/x-msvideo": riff.read,
    "image/gif": gif.read,
    "image/tiff": tiff.read,
    "image/x-adobe-dng": tiff.read,
    "image/heic": bmff.read,
    "image/avif": bmff.read,
    "image/jxl": bmff.read,
    "image/x-canon-cr3": bmff.read,
    "video/mp4": bmff.read,
    "video/quicktime": bmff.read,
    "video/x-matroska": matroska.read,
    "video/webm": matroska.read,
    "audio/mpeg": audio.read,
    "audio/flac": audio.read,
    "audio/wav": riff.read,
}


def pieces_of(data: memoryview, media_type: str) -> Pieces:
    """The metadata of a file; what cannot be followed is ``unchecked``."""
    pieces = Pieces()
    reader = _READERS.get(media_type)
    if reader is None:
        pieces.missed("metadata", "no reader")
        return pieces
    try:
        reader(data, pieces)
    except (ValueError, IndexError, OverflowError, struct.error):
        pieces.missed("metadata", "damaged")
    except MemoryError:
        pieces.missed("metadata", "out of memory")
    return pieces
