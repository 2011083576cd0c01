"""JPEG XL as a picture that Pillow's way of opening takes, decoded by libjxl through ``imagecodecs`` (BSD).

The size is read from the codestream's header (ISO/IEC 18181-1, SizeHeader) before anything is decoded. Of an
animation the first frame is decoded; ``animated`` says that there are more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageFile

_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_CONTAINER = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
_CODESTREAM = b"\xff\x0a"


class JxlImageFile(ImageFile.ImageFile):
    """A JPEG XL picture; ``load`` decodes the first frame in 8 bits, upright, as sRGB or grey."""

    format = "JXL"
    animated = False

    def _open(self) -> None:
        assert self.fp is not None
        self._data = self.fp.read()
        bits = _Bits(_codestream(self._data))
        width, height = _size(bits)
        turn, self.animated = _turn_and_animated(bits)
        self._size = (width, height) if turn < 5 else (height, width)
        self._mode = "RGB"

    def load(self) -> Any:
        """Decode, once.

        Raises:
            ImportError: if ``imagecodecs`` is not installed.
        """
        if self._data:
            import imagecodecs

            samples = imagecodecs.jpegxl_decode(self._data, index=0, numthreads=1)
            picture = Image.fromarray(_eight_bits(samples))
            self._data = b""
            self._size, self._mode, self.im = picture.size, picture.mode, picture.im
        return Image.Image.load(self)


def _eight_bits(samples: np.ndarray) -> np.ndarray:
    if samples.dtype == np.uint16:
        samples = (samples >> 8).astype(np.uint8)
    elif samples.dtype != np.uint8:
        samples = np.rint(np.nan_to_num(samples.astype(np.float32)).clip(0, 1) * 255).astype(np.uint8)
    return samples[..., 0] if samples.ndim == 3 and samples.shape[2] == 1 else samples


def _codestream(data: bytes) -> bytes:
    """The beginning of the codestream, bare or in its container's first box of that kind."""
    at = 0
    while data.startswith(_CONTAINER) and at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        head = 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        if kind in (b"jxlc", b"jxlp"):
            at += head + (4 if kind == b"jxlp" else 0)
            break
        if size < head:
            break
        at += size
    start = data[at : at + 64]
    if not start.startswith(_CODESTREAM):
        raise SyntaxError("no codestream")
    return start[2:]


class _Bits:
    """Bits of a header, the least significant first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        """The next ``count`` bits as a number."""
        if count > self._left:
            raise EOFError
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return value


def _size(bits: _Bits) -> tuple[int, int]:
    """SizeHeader: (width, height)."""
    small = bits.take(1)

    def side() -> int:
        return 8 * (bits.take(5) + 1) if small else bits.take((9, 13, 18, 30)[bits.take(2)]) + 1

    height = side()
    ratio = bits.take(3)
    if not ratio:
        return side(), height
    wide, high = _RATIOS[ratio - 1]
    return height * wide // high, height


def _turn_and_animated(bits: _Bits) -> tuple[int, bool]:
    """ImageMetadata, up to have_animation: (orientation, which the decoder applies; animated or not).

    Behind a preview, which no encoder in use writes, have_animation is not looked for.
    """
    if bits.take(1) or not bits.take(1):  # all_default, or no extra_fields
        return 1, False
    turn = bits.take(3) + 1
    if bits.take(1):  # intrinsic size
        _size(bits)
    return turn, not bits.take(1) and bool(bits.take(1))
