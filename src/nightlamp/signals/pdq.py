"""PDQ: a 256-bit fingerprint of how a picture looks, after Meta's published algorithm.

Luma is blurred and sampled to 64×64, transformed by DCT, and each of 16×16 low frequencies gives a bit: above
the median or not. Pictures that look alike differ in few bits. Source: ``pdq/cpp`` in Meta's ThreatExchange
repository and "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (2019); how
closely the reference is followed stands in ``docs/decisions/pdq-conformance.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from nightlamp.signals.signal import Signal, hex_parser
from nightlamp.values import AS_IS, Fingerprint

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image

    from nightlamp.media import Frame

MIN_QUALITY = 50
MIN_SIDE = 5  # pixels; the reference gives smaller pictures an all-zero hash of quality 0

# More frequencies than this near the median mean that rounding luma to whole numbers may turn many bits
# (measured: up to 54 of 256); for other pictures it turns 6 at most. See docs/decisions/pdq-doubt.md.
UNSTEADY = 24

# The names say what was done to the picture before it was hashed; turns are counterclockwise, as in Pillow.
VIEWS = (
    AS_IS,
    "rotated 90",
    "rotated 180",
    "rotated 270",
    "mirrored",
    "flipped",
    "transposed",
    "transversed",
)


class _Turn(NamedTuple):
    """How pixels as stored become the picture as displayed: first reverse axes, then maybe transpose."""

    reverse_rows: bool
    reverse_columns: bool
    transpose: bool


_TURNS = {
    1: _Turn(False, False, False),
    2: _Turn(False, True, False),
    3: _Turn(True, True, False),
    4: _Turn(True, False, False),
    5: _Turn(False, False, True),
    6: _Turn(True, False, True),
    7: _Turn(True, True, True),
    8: _Turn(False, True, True),
}


def downsample(
    luma: np.ndarray,
    *,
    height: int | None = None,
    width: int | None = None,
    scale: int = 1,
    orientation: int = 1,
) -> np.ndarray:
    """The 64×64 luma that PDQ transforms, of the picture as displayed.

    Args:
        luma: (h, w) uint8 or float32, 0 to 255, as stored.
        height, width: full resolution as stored, in pixels, if ``luma`` is reduced.
        scale: 1, 2, 4 or 8; each pixel of ``luma`` stands for the mean of ``scale`` × ``scale`` pixels, and
            ``h == ceil(height / scale)``. The blur is the one that full resolution would get.
        orientation: EXIF orientation, 1 to 8; applied exactly, as if the pixels had been turned.

    Returns:
        (64, 64) float32.

    Raises:
        ValueError: ``luma`` is empty, its shape does not fit ``height``, ``width`` and ``scale``, or the
            orientation is none.
    """
    from nightlamp.signals import pdq_kernels as kernels

    if luma.ndim != 2 or 0 in luma.shape:
        raise ValueError(f"luma of shape {luma.shape} is not a picture of height × width pixels")
    height = luma.shape[0] * scale if height is None else height
    width = luma.shape[1] * scale if width is None else width
    if luma.shape != (-(-height // scale), -(-width // scale)):
        raise ValueError(f"luma of shape {luma.shape} is not {height}×{width} pixels at scale 1/{scale}")
    if orientation not in _TURNS:
        raise ValueError(f"EXIF orientation {orientation} is not one of 1 to 8")
    if not luma.flags.c_contiguous:
        luma = luma.copy()
    luma = luma.view()
    luma.flags.writeable = False  # so that one compiled kernel serves writable and read-only pixels
    turn = _TURNS[orientation]
    image: np.ndarray = kernels.downsample(
        luma, height, width, scale, turn.reverse_rows, turn.reverse_columns
    )
    return image.T.copy() if turn.transpose else image


def downsample_colour(picture: PIL.Image.Image) -> np.ndarray:
    """The 64×64 luma of an upright RGB picture, without rounding luma to whole numbers.

    The blur is linear, so each channel is blurred alone and luma is made of the results.

    Returns:
        (64, 64) float32.
    """
    import numpy as np

    def channel(name: str) -> np.ndarray:
        return downsample(np.asarray(picture.getchannel(name)))

    red, green, blue = np.float32(0.299), np.float32(0.587), np.float32(0.114)
    image: np.ndarray = red * channel("R") + green * channel("G") + blue * channel("B")
    return image


def pdq_hash(
    luma: np.ndarray,
    *,
    height: int | None = None,
    width: int | None = None,
    scale: int = 1,
    orientation: int = 1,
) -> tuple[bytes, int]:
    """PDQ of a picture as displayed; arguments as for ``downsample``.

    Returns:
        the value, 32 bytes in the order of its text, and its quality, 0 to 100.
    """
    values, quality = pdq_dihedral(luma, height=height, width=width, scale=scale, orientation=orientation)
    return values[0], quality


def pdq_dihedral(
    luma: np.ndarray,
    *,
    height: int | None = None,
    width: int | None = None,
    scale: int = 1,
    orientation: int = 1,
) -> tuple[tuple[bytes, ...], int]:
    """PDQ of a picture turned and mirrored in all eight ways, from one transform.

    Arguments as for ``downsample``.

    Returns:
        eight values in the order of ``VIEWS``, 32 bytes each, and the quality that they share, 0 to 100.
    """
    if min(height or luma.shape[0] * scale, width or luma.shape[1] * scale) < MIN_SIDE:
        return _TOO_SMALL
    image = downsample(luma, height=height, width=width, scale=scale, orientation=orientation)
    values, quality, _ = _hashes(image)
    return values, quality


_TOO_SMALL = ((bytes(32),) * len(VIEWS), 0)


def _hashes(image: np.ndarray) -> tuple[tuple[bytes, ...], int, int]:
    """64×64 luma → the eight values, their quality, and how many frequencies are near the median."""
    from nightlamp.signals import pdq_kernels as kernels

    bits, near = kernels.dihedral_bits(image)
    text = bits.tobytes()
    values = tuple(text[start : start + 32] for start in range(0, len(text), 32))
    return values, int(kernels.quality_of(image)), int(near)


def _of_frame(frame: Frame) -> Sequence[Fingerprint]:
    """The eight fingerprints of a frame, unturned first; from its colours where its luma leaves doubt."""
    if min(frame.height, frame.width) < MIN_SIDE:
        values, quality = _TOO_SMALL
    else:
        image = downsample(
            frame.luma,
            height=frame.height,
            width=frame.width,
            scale=frame.scale,
            orientation=frame.orientation,
        )
        values, quality, near = _hashes(image)
        if _in_doubt(quality, near):
            values, quality, _ = _hashes(downsample_colour(frame.picture()))
    return [
        Fingerprint("pdq", value, _seen(frame.view, view), frame.number, quality)
        for view, value in zip(VIEWS, values, strict=True)
    ]


def _in_doubt(quality: int, near: int) -> bool:
    """Whether rounded luma is too coarse: many bits hang on it, or the quality is near the least allowed."""
    if quality < MIN_QUALITY - 2:
        return False  # not matched in any case
    return near > UNSTEADY or quality <= MIN_QUALITY + 1


def _seen(pixels: str, view: str) -> str:
    """``"on black"`` and ``"mirrored"`` are ``"on black, mirrored"``; ``"as is"`` adds nothing."""
    if pixels == AS_IS:
        return view
    return pixels if view == AS_IS else f"{pixels}, {view}"


PDQ = Signal(
    "pdq",
    size=32,
    index="hamming",
    parse=hex_parser(32),
    text=bytes.hex,
    radius=31,
    of_frame=_of_frame,
    min_quality=MIN_QUALITY,
)
