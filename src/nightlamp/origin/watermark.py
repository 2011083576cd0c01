"""The open watermarks that image generators embed by default, decoded from the pixels.

All of them are of one published kind ("dwtDct" of the invisible-watermark package): the chroma U = 0.492
(B − Y) is halved by a Haar transform; in each 4 × 4 block of what is left, the coefficient of the largest
magnitude but the first is moved to a quarter (a 0) or three quarters (a 1) of a step of 36. The bits follow
each other from block to block, along the rows, again and again; a bit is what most of its blocks say. There
is no key: anybody can embed one, and not to find one proves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nightlamp.origin.statements import state
from nightlamp.values import Statement, Strength, Value

if TYPE_CHECKING:
    import numpy as np

_STEP = 36.0
_SMALLEST = 256 * 256
_BAND = 64
PIXELS = 1 << 24
"""Larger pictures are not searched: no generator of these makes them."""


def _of_text(text: str) -> tuple[int, ...]:
    return tuple(byte >> 7 - n & 1 for byte in text.encode() for n in range(8))


def _of_number(number: int) -> tuple[int, ...]:
    return tuple(int(bit) for bit in f"{number:b}")


MARKS: Mapping[str, tuple[int, ...]] = {
    "Stable Diffusion 1 (scripts of its makers)": _of_text("StableDiffusionV1"),
    "Stable Diffusion 1, inpainting": _of_text("StableDiffusionV1-Inpainting"),
    "Stable Diffusion 2 (scripts of its makers)": _of_text("SDV2"),
    "Stable Diffusion XL (diffusers, Stability AI)": _of_number(0xB3EC907BB19E),
    # 48 bits in its source, of which the first two are zeros that its code drops.
    "FLUX (Black Forest Labs)": _of_number(0x2AFE879CF52E),
    "InvokeAI": _of_text("InvokeAI"),
}
"""The bits of each mark. Facts: the generators' own published scripts."""
_PARTLY = "Stable Diffusion 1, inpainting"

VIEWS = ("8 bits", "float", "8 bits, red for blue", "float, red for blue")
"""How a generator may have handed its picture over: as bytes, whose U is around 128, or as floats, around
0.5; and some hand over red, green, blue where blue, green, red is expected."""

CHANCE = 1e-6
"""A mark is told where chance gives that many agreeing bits less often than this in a picture."""
CERTAIN = 1e-9
"""Below this it is as good as a generator's own words: plain, forgeable, and no accident."""


@dataclass(frozen=True, slots=True)
class Found:
    """A mark, and how much of it is there.

    Args:
        name: the key in ``MARKS``.
        agree, bits: how many of its bits agree.
        chance: a bound on how often a picture without any mark shows as many of any mark's bits, if the bits
            that it shows have nothing to do with the mark's.
    """

    name: str
    agree: int
    bits: int
    chance: float


def chance(agree: int, bits: int) -> float:
    """The bound: a binomial tail of fair bits, times all marks and all views that are tried."""
    tail: float = sum(math.comb(bits, n) for n in range(agree, bits + 1)) / 2**bits
    return min(1.0, tail * len(MARKS) * len(VIEWS))


def needed(bits: int, at_most: float = CHANCE) -> int:
    """How many bits must agree so that ``chance`` is at most this; more than ``bits`` if none suffice."""
    return next((n for n in range(bits + 1) if chance(n, bits) <= at_most), bits + 1)


def strongest(pixels: np.ndarray) -> Found | None:
    """The mark that is least likely by chance, of a picture (h, w, 3), uint8, red first; None if it is too
    small to hold one."""
    if pixels.shape[0] * pixels.shape[1] < _SMALLEST:
        return None
    best: Found | None = None
    for view in range(len(VIEWS)):
        votes = block_votes(pixels, as_float=bool(view & 1), swapped=view >= 2)
        for name, bits in MARKS.items():
            agree = agreement(votes, bits)
            found = Found(name, agree, len(bits), chance(agree, len(bits)))
            if best is None or found.chance < best.chance:
                best = found
    return best


def block_votes(pixels: np.ndarray, *, as_float: bool, swapped: bool) -> np.ndarray:
    """What each block says, True for a 1, along the rows."""
    import numpy as np

    height, width = (side // 8 * 8 for side in pixels.shape[:2])
    # Band by band, so that what is computed stays in the processor's cache.
    bands = (pixels[top : min(top + _BAND, height), :width] for top in range(0, height, _BAND))
    votes = [_votes(band, as_float=as_float, swapped=swapped) for band in bands]
    return np.concatenate(votes) if votes else np.zeros(0, bool)


def _votes(pixels: np.ndarray, *, as_float: bool, swapped: bool) -> np.ndarray:
    import numpy as np

    height, width = pixels.shape[:2]
    red, green, blue = (pixels[:, :, c] for c in ((2, 1, 0) if swapped else (0, 1, 2)))
    # As OpenCV computes it, in whole numbers for bytes.
    if as_float:
        weights = (np.float32(-0.299 * 0.492), np.float32(-0.587 * 0.492), np.float32(0.886 * 0.492))
        chroma = weights[0] * red + weights[1] * green + weights[2] * blue
        chroma += np.float32(0.5)
    else:
        luma: np.ndarray = red * np.int32(4899) + green * np.int32(9617) + blue * np.int32(1868) + 8192
        whole: np.ndarray = (blue - (luma >> 14)) * 8061 + (128 << 14) + 8192
        chroma = (whole >> 14).astype(np.float32)
    low = chroma[::2] + chroma[1::2]
    low = (low[:, ::2] + low[:, 1::2]) / 2
    blocks = low.reshape(height // 8, 4, width // 8, 4).swapaxes(1, 2).reshape(-1, 16)
    size = np.abs(blocks[:, 1:])
    largest = np.take_along_axis(size, size.argmax(axis=1)[:, None], axis=1)[:, 0]
    said: np.ndarray = largest % _STEP > _STEP / 2
    return said


def agreement(votes: np.ndarray, bits: Sequence[int]) -> int:
    """How many of a mark's bits most of their blocks say; 0 if not every bit has a block."""
    import numpy as np

    count = len(bits)
    if len(votes) < count:
        return 0
    place = np.arange(len(votes)) % count
    ones = np.bincount(place, weights=votes, minlength=count)
    said = 2 * ones > np.bincount(place, minlength=count)
    return int((said == np.array(bits, bool)).sum())


def of_pixels(pixels: np.ndarray) -> list[Statement]:
    """A statement if a mark is there; nothing if none is found, which says nothing."""
    found = strongest(pixels)
    if found is None or found.chance > CHANCE:
        return []
    part = found.name == _PARTLY
    text = f"its pixels carry the open watermark of {found.name}: {found.agree} of {found.bits} bits" + (
        "" if part else "; whether from a prompt or from another picture it does not say"
    )
    strength = Strength.DECLARED if found.chance <= CERTAIN else Strength.WEAK
    fields: dict[str, Value | None] = {
        "mark": found.name,
        "agree": found.agree,
        "bits": found.bits,
        "chance": found.chance,
    }
    return [state("watermark", "ai-edited" if part else "ai-made", text, strength, fields)]
