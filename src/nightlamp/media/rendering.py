"""A small picture of what a file shows: scaled down, blurred, and nothing of the file but pixels."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, ImageFilter

from nightlamp.errors import MediaError
from nightlamp.media.decode import decode
from nightlamp.media.limits import Limits
from nightlamp.values import AS_IS

_QUALITY = 85


def render(
    data: bytes | memoryview,
    limits: Limits,
    *,
    side: int,
    blur: float,
    grey: bool,
    frame: int | None,
    strip: int,
) -> bytes:
    """A JPEG of one frame, or of several side by side.

    Args:
        data: the whole file.
        limits: as for ``decode``.
        side: most pixels of a frame's longer side.
        blur: radius in pixels of the result; 0: none.
        grey: without colour.
        frame: its number; None: up to ``strip`` of them, evenly spread.
        strip: see ``frame``.

    Raises:
        MediaError: there is nothing that can be decoded.
    """
    opened = decode(data, limits, "full")
    wanted = {frame} if frame is not None else spread(min(opened.frame_count, limits.frames), strip)
    problem: MediaError | None = None
    made: list[Image.Image] = []
    for each in opened.frames:
        if isinstance(each, MediaError):
            problem = problem or each
        elif each.view == AS_IS and each.number in wanted:
            made.append(_small(each.picture(), side, blur, grey))
            if len(made) == len(wanted):
                break
    if not made:
        raise problem or MediaError("damaged", "there is no such frame")
    out = io.BytesIO()
    _side_by_side(made).save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


def spread(count: int, most: int) -> set[int]:
    """Up to ``most`` of ``count`` numbers from 0, evenly spread, the first among them."""
    taken = min(max(count, 1), most)
    return {number * max(count, 1) // taken for number in range(taken)}


def _small(picture: Image.Image, side: int, blur: float, grey: bool) -> Image.Image:
    picture.thumbnail((side, side))
    if grey:
        picture = picture.convert("L")
    if blur:
        # The blur goes by what is left of the picture, so that small originals are no clearer.
        radius = blur * max(picture.size) / side
        picture = picture.filter(ImageFilter.GaussianBlur(max(radius, blur / 2)))
    # From the pixels alone: profiles, comments and the like stay behind.
    return Image.frombytes(picture.mode, picture.size, picture.tobytes())


def _side_by_side(made: Sequence[Image.Image]) -> Image.Image:
    if len(made) == 1:
        return made[0]
    strip = Image.new(
        made[0].mode, (sum(each.width + 4 for each in made) - 4, max(each.height for each in made))
    )
    left = 0
    for each in made:
        strip.paste(each, (left, 0))
        left += each.width + 4
    return strip
