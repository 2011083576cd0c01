"""Metadata hidden in the lowest bits of a lossless picture, as the "stealth PNG info" extension and NovelAI
do.

Bits run down the columns, most significant first: 15 characters that say which variant, 32 bits of length
in bits, then the text, perhaps packed with gzip. In alpha one bit a pixel; in colour three (red, green,
blue). A PNG without it is recognised by a few pixels of its first column, without decoding more. Facts:
NovelAI's ``nai_meta.py`` and the extension's own reader.
"""

from __future__ import annotations

import io
import warnings
import zlib
from typing import TYPE_CHECKING

from nightlamp.origin.pieces import TEXT, inflated

if TYPE_CHECKING:
    import numpy as np

ALPHA = (b"stealth_pnginfo", b"stealth_pngcomp")
COLOUR = (b"stealth_rgbinfo", b"stealth_rgbcomp")
PIXELS = 40_000_000
"""Larger pictures are not searched."""


class TooLargeError(ValueError):
    """It is there, or may be, but the picture or the text is too large."""


def hidden_text(data: memoryview, media_type: str) -> str | None:
    """The hidden text of a PNG or lossless WebP, or None.

    Raises:
        TooLargeError: the picture, or the text, is.
    """
    if media_type == "image/png" and not _may_hide(data):
        return None
    pixels = _pixels(data)
    if pixels is None:
        return None
    if pixels.shape[2] == 4 and (text := _read(pixels[:, :, 3:], ALPHA)) is not None:
        return text
    return _read(pixels[:, :, :3], COLOUR)


def _may_hide(data: memoryview) -> bool:
    """Whether the first column of a PNG begins as hidden text does; True where only decoding can tell."""
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    depth, colour, interlaced = data[24], data[25], data[28]
    if depth != 8 or colour not in (2, 6) or not width or not height:
        return False
    if interlaced:
        return width * height <= PIXELS
    channels = 3 if colour == 2 else 4
    first = _first_column(data, 1 + width * channels, channels, min(height, 120))
    if channels == 4 and any(_agree(first, [3], magic) for magic in ALPHA):
        return True
    return any(_agree(first, [0, 1, 2], magic) for magic in COLOUR)


def _agree(column: list[bytes], channels: list[int], magic: bytes) -> bool:
    """Whether the lowest bits down a column are the first bits of ``magic``."""
    bits = [pixel[channel] & 1 for pixel in column for channel in channels][: 8 * len(magic)]
    wanted = [magic[at // 8] >> 7 - at % 8 & 1 for at in range(len(bits))]
    return bool(bits) and bits == wanted


def _first_column(data: memoryview, stride: int, channels: int, rows: int) -> list[bytes]:
    """The leftmost pixels, as far down as eight rows agree; unpacks no more than those rows.

    Left of them is nothing, so each filter is simple: Sub adds 0, Up and Paeth the pixel above, Average
    half of it.
    """
    unpack = zlib.decompressobj()
    column: list[bytes] = []
    above, waiting = bytes(channels), bytearray()
    try:
        for part in _idat(data):
            rest: bytes | memoryview = part
            while rest:
                waiting += unpack.decompress(rest, 1 << 18)
                rest = unpack.unconsumed_tail
                while len(waiting) >= stride and len(column) < rows:
                    kind, raw = waiting[0], bytes(waiting[1 : 1 + channels])
                    add = {2: above, 4: above, 3: bytes(v // 2 for v in above)}.get(kind, bytes(channels))
                    above = bytes((a + b) & 255 for a, b in zip(raw, add, strict=True))
                    column.append(above)
                    del waiting[:stride]
                    if len(column) == 8 and not _promising(column, channels):
                        return column
                if len(column) >= rows:
                    return column
                if len(waiting) > 64 << 20:
                    return column  # a row of more than sixteen million pixels
    except zlib.error:
        return column
    return column


def _promising(column: list[bytes], channels: int) -> bool:
    return _agree(column, [0, 1, 2], COLOUR[0]) or (channels == 4 and _agree(column, [3], ALPHA[0]))


def _idat(data: memoryview) -> list[memoryview]:
    """The packed pixels, chunk by chunk: as many as the first rows can take."""
    at = 8
    found: list[memoryview] = []
    for _ in range(60_000):
        if at + 12 > len(data) or len(found) >= 4_096:
            break
        size = int.from_bytes(data[at : at + 4], "big")
        kind = bytes(data[at + 4 : at + 8])
        if kind == b"IDAT":
            found.append(data[at + 8 : at + 8 + size])
        elif found or kind == b"IEND":
            break
        at += 12 + size
    return found


def _pixels(data: memoryview) -> np.ndarray | None:
    """(h, w, 3 or 4) uint8, as stored; None if it does not decode or has other channels."""
    import numpy as np
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=("PNG", "WEBP")) as picture:
                if picture.width * picture.height > PIXELS:
                    raise TooLargeError
                if picture.mode not in ("RGB", "RGBA"):
                    return None
                return np.asarray(picture)
    except TooLargeError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _read(channels: np.ndarray, variants: tuple[bytes, bytes]) -> str | None:
    """The text in the lowest bits of these channels, or None."""
    import numpy as np

    def taken(start: int, count: int) -> bytes:
        """``count`` bytes from byte ``start`` on; only the columns that hold them are looked at."""
        per_column = height * channels.shape[2]
        first, last = 8 * start // per_column, -(-8 * (start + count) // per_column)
        bits = (channels[:, first:last] & 1).swapaxes(0, 1).reshape(-1)
        skip = 8 * start - first * per_column
        return np.packbits(bits[skip : skip + 8 * count]).tobytes()

    height = channels.shape[0]
    magic = taken(0, 15)
    if magic not in variants:
        return None
    size = int.from_bytes(taken(15, 4), "big") // 8
    if size > TEXT:
        raise TooLargeError
    raw = taken(19, size)
    if magic == variants[1]:
        text = inflated(raw, TEXT, zlib.MAX_WBITS | 16)
        if text is None:
            return None
        if len(text) > TEXT:
            raise TooLargeError
        raw = text
    return raw.decode("utf-8", "replace")
