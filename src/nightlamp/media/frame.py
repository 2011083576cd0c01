"""What a decoder gives: a frame's luma, with what is needed to read it as displayed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from nightlamp.values import AS_IS

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image

Detail = Literal["fast", "full"]
LATEST = 1e9
"""Seconds after a video's first frame; what claims to be shown later is shown then."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded still: a picture, a page, or a sampled frame of an animation.

    Args:
        luma: (h, w) uint8, C-contiguous, as stored in the file (before ``orientation``).
        height, width: full resolution as stored, in pixels. ``luma`` may be smaller by a JPEG's DCT scale:
            ``h == ceil(height / scale)``.
        scale: 1, 2, 4 or 8.
        orientation: EXIF orientation, 1 to 8, still to be applied for what a person would see.
        number: page or frame number, from 0.
        view: ``"as is"``, or what was done to get these pixels, e.g. ``"on black"``.
        picture: decodes the same frame as an RGB ``PIL.Image`` at full resolution, for signals that need
            colour; upright (orientation applied).
        seconds: of a video, when it is shown, from the first frame on.
    """

    luma: np.ndarray = field(repr=False)
    height: int
    width: int
    picture: Callable[[], PIL.Image.Image] = field(repr=False)
    scale: int = 1
    orientation: int = 1
    number: int = 0
    view: str = AS_IS
    seconds: float | None = None
