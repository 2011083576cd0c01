"""A small picture of what a file shows: scaled down, blurred, and nothing of the file but pixels."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

from PIL import Image, ImageFilter

from nightlamp.errors import MediaError
from nightlamp.media.decode import decode
from nightlamp.media.frame import Frame
from nightlamp.media.limits import Limits
from nightlamp.media.sniff import HEAD, sniff
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
) -> tuple[bytes, list[int]]:
    """A JPEG of one frame, or of several side by side, and their numbers.

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
    made: list[Image.Image] = []
    numbers: list[int] = []
    for each in _stills(data, limits, frame, strip):
        made.append(_small(each.picture(), side, blur, grey))
        numbers.append(each.number)
    out = io.BytesIO()
    _side_by_side(made).save(out, "JPEG", quality=_QUALITY)
    return out.getvalue(), numbers


def _stills(data: bytes | memoryview, limits: Limits, frame: int | None, strip: int) -> Iterator[Frame]:
    """At least one frame, each as it is."""
    media_type = sniff(bytes(data[:HEAD]))
    found = False
    problem: MediaError | None = None
    if media_type.startswith("video/") and len(data) <= limits.bytes:
        from nightlamp.media import video

        try:
            for still in video.stills(data, media_type, limits, frame=frame, most=strip):
                found = True
                yield still
        except MediaError as error:
            problem = error
    else:
        opened = decode(data, limits, "full")
        wanted = {frame} if frame is not None else spread(min(opened.frame_count, limits.frames), strip)
        for each in opened.frames:
            if isinstance(each, MediaError):
                problem = problem or each
            elif each.view == AS_IS and each.number in wanted:
                found = True
                yield each
                wanted.remove(each.number)
                if not wanted:
                    return
    if not found:
        raise problem or MediaError("damaged", "there is no such frame")


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
