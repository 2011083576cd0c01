"""Compares the small picture in a file with the picture itself: an editor that forgot to renew it shows
here."""

from __future__ import annotations

from collections.abc import Iterator

from nightlamp.errors import MediaError
from nightlamp.media import Frame, Limits, decode
from nightlamp.origin.statements import state
from nightlamp.signals.pdq import MIN_QUALITY, PDQ
from nightlamp.values import Statement

DIFFERS = 108
"""Bits of 256 from which a thumbnail shows something else; unrelated pictures are about 128 apart.

Measured on 108 photographs of the tests, each with three thumbnails (plain, within black bars, very small):
all but one picture's are at most 74 bits away, that one's 106. A picture cropped by a quarter is found in
99 of 105 cases.
"""


def compare(thumbnail: memoryview, data: memoryview, pdq: bytes | None, limits: Limits) -> Statement | None:
    """A statement if the two clearly differ; None if they do not, or cannot be compared.

    Args:
        thumbnail: a JPEG.
        data: the file.
        pdq: the file's own PDQ as is, if it is known already; otherwise the file is decoded for it.
        limits: as for ``decode``.
    """
    try:
        # Turned and trimmed views too: a thumbnail may be stored unturned, or within black bars.
        small = [
            v for values, quality in _hashes(thumbnail, limits) if quality >= MIN_QUALITY for v in values
        ]
        if pdq is None:
            (own, *_), quality = next(_hashes(data, limits))
            pdq = own if quality >= MIN_QUALITY else None
    except (MediaError, StopIteration):
        return None
    if pdq is None or not small:
        return None
    whole = int.from_bytes(pdq, "big")
    distance = min((whole ^ int.from_bytes(value, "big")).bit_count() for value in small)
    if distance < DIFFERS:
        return None
    text = "the thumbnail in its EXIF shows something else than the picture"
    return state("thumbnail", "thumbnail differs", text, fields={"distance": distance})


def _hashes(data: memoryview, limits: Limits) -> Iterator[tuple[list[bytes], int]]:
    """(the eight values, their quality) of each view of the first page."""
    assert PDQ.of_frame is not None
    for frame in decode(data, limits).frames:
        if not isinstance(frame, Frame):
            raise frame
        if frame.number:
            return
        found = PDQ.of_frame(frame)
        yield [f.value for f in found], found[0].quality or 0
