"""One page of one file → its frames: open, check the size, decode, take the luma, look in other ways."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from PIL import Image, ImageFile

from nightlamp.errors import MediaError
from nightlamp.media import tiff, views
from nightlamp.media._pillow import check_pixels, on_a_lead, open_picture
from nightlamp.media.frame import Detail, Frame
from nightlamp.media.luma import luma_and_alpha, on_matte, rgb_of
from nightlamp.media.views import Box
from nightlamp.values import AS_IS

FAST_SIDE = 512
"""In ``"fast"`` detail a picture is scaled down by 2, 4 or 8 while its shorter side keeps so many pixels."""

TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def scale_for(width: int, height: int, detail: Detail) -> int:
    """By how much a picture of this size may be scaled down: 1, 2, 4 or 8."""
    if detail == "full":
        return 1
    return next((scale for scale in (8, 4, 2) if min(width, height) >= FAST_SIDE * scale), 1)


@dataclass(frozen=True, slots=True)
class Page:
    """A decoded page: the picture in its own pixel mode, and what is needed to make frames of it.

    Args:
        picture: loaded; of a JPEG it may be luma alone, and scaled down.
        width, height: in full resolution, before ``orientation``.
        scale: what the luma of its frames is scaled down by.
        orientation: EXIF's, 1 to 8.
    """

    picture: Image.Image
    width: int
    height: int
    scale: int
    orientation: int

    def reduced(self, luma: Image.Image) -> Image.Image:
        """A luma of this page at the page's scale, whether a DCT scale did it already or not."""
        whole = luma.size == (self.width, self.height)
        return luma.reduce(self.scale) if whole and self.scale > 1 else luma


class Book:
    """One file, opened by one plug-in, whose pages are read one after the other.

    Args:
        data: the file.
        media_type: which plug-in opens it.
        pixels: most of them that a page may have.
        turn: the orientation, where another place than the file itself says it.

    Raises:
        MediaError: if the header cannot be read, or says too many pixels.
    """

    def __init__(
        self, data: bytes | memoryview, media_type: str, pixels: int, *, turn: int | None = None
    ) -> None:
        """Read the header."""
        self.data = data
        self.media_type = media_type
        self.pixels = pixels
        self.picture = self._open()
        self.size = self.picture.size
        if media_type == "image/tiff":
            turn = 1  # Pillow turns it upright itself, and says its upright size from the start
        self.turn = turn
        self.orientation = turn or orientation_of(self.picture)

    def page(self, number: int, detail: Detail, *, colour: bool = False, lenient: bool = False) -> Page:
        """Decode a page.

        Args:
            number: from 0; going forward is cheap, going back starts anew.
            detail: ``"fast"`` may scale down.
            colour: of a JPEG, decode the colours too.
            lenient: of a broken page, what can be had.

        Raises:
            MediaError: if the page cannot be decoded.
        """
        if lenient or (self.media_type == "image/jpeg" and self.picture.decoderconfig):
            self.picture = self._open()
        with on_a_lead(self.pixels, lenient=lenient):
            picture = self.picture
            if picture.tell() != number:  # a HEIC opens at its primary picture
                picture.seek(number)
            size = picture.size
            check_pixels(size, self.pixels)
            scale = scale_for(*size, detail)
            if self.media_type == "image/jpeg":
                luma_only = picture.mode in ("L", "RGB") and not colour
                picture.draft("L" if luma_only else None, (size[0] // scale, size[1] // scale))
                if picture.mode == "CMYK" and "adobe" not in picture.info:
                    picture.info["inks run"] = "unsaid"
            picture.load()
            if self.media_type != "image/jpeg":
                size = picture.size  # a TIFF has turned itself upright, a GIF may have grown
                check_pixels(size, self.pixels)
            return Page(picture, *size, scale, self.turn or orientation_of(picture))

    def _open(self) -> ImageFile.ImageFile:
        """Strictly, or else leniently: a picture with a broken header chunk is still looked at."""
        try:
            with on_a_lead(self.pixels):
                return open_picture(self.data, self.media_type, self.pixels)
        except MediaError as error:
            if error.code not in ("damaged", "truncated"):
                raise
            try:
                with on_a_lead(self.pixels, lenient=True):
                    return open_picture(self.data, self.media_type, self.pixels)
            except MediaError:
                raise error from None


def frames_of(book: Book, number: int, detail: Detail, *, base: int = 0) -> Iterator[Frame | MediaError]:
    """The frames of one page, ``"as is"`` first; of a broken page what it still gave, and then the error.

    Args:
        book: the opened file.
        number: which page of it.
        detail: see ``decode``.
        base: added to ``number`` in the frames, where a book is part of a larger file.
    """
    problem = None
    try:
        page = book.page(number, detail)
    except MediaError as error:
        problem = error
        if error.code not in ("damaged", "truncated"):
            yield error
            return
        try:
            page = book.page(number, detail, lenient=True)
        except MediaError:
            yield error
            return
    steps = _lumas(book, page, number, detail)
    while True:
        try:
            with on_a_lead(book.pixels, lenient=problem is not None):
                view, luma = next(steps, ("", None))
                levels = None if luma is None else np.array(page.reduced(luma))
        except MediaError as error:
            problem = problem or error
            break
        if levels is None or (problem is not None and int(levels.min()) == int(levels.max())):
            break  # no more views, or nothing of a broken page could be decoded
        frame = Frame(
            luma=levels,
            height=page.height,
            width=page.width,
            picture=partial(picture_of, book, number, view),
            scale=page.scale,
            orientation=page.orientation,
            number=base + number,
            view=view,
        )
        yield frame
        if view == AS_IS:
            yield from trimmed(frame)
    if problem is not None:
        yield problem


def picture_of(read: Book, number: int, view: str) -> Image.Image:
    """The same page and view in colour: ``RGB``, full resolution, upright, on white unless ``"on black"``.

    Raises:
        MediaError: if it cannot be decoded any more than it could before.
    """
    book = Book(read.data, read.media_type, read.pixels, turn=read.turn)
    try:
        page = book.page(number, "full", colour=True)
    except MediaError:
        page = book.page(number, "full", colour=True, lenient=True)
    with on_a_lead(book.pixels):
        if view == "alpha ignored":
            picture = rgb_of(page.picture)
        else:
            changed = dict(views.coloured(page.picture.info, lambda: page.picture))
            picture = changed.get(view) or on_matte(page.picture, 0 if view == "on black" else 255)
        method = TRANSPOSE.get(page.orientation)
        return picture.copy() if method is None else picture.transpose(method)


def orientation_of(picture: Image.Image) -> int:
    """EXIF orientation still to be applied, 1 to 8; 1 if there is none or it makes no sense."""
    exif = picture.info.get("exif")
    return tiff.orientation(exif) if isinstance(exif, bytes) else 1


def _lumas(book: Book, page: Page, number: int, detail: Detail) -> Iterator[tuple[str, Image.Image]]:
    """(view, luma) of a page; a JPEG's colours were not decoded, so a view that needs them decodes anew."""
    yield from views.matte(*luma_and_alpha(page.picture))

    def colours() -> Image.Image:
        if book.media_type != "image/jpeg" or page.picture.mode == "CMYK":
            return page.picture
        return book.page(number, detail, colour=True).picture

    for view, changed in views.coloured(page.picture.info, colours):
        yield view, changed.convert("L")


def trimmed(frame: Frame) -> Iterator[Frame]:
    """The frame without its uniform border, if it has one."""
    box = views.border(frame.luma)
    if box is None:
        return
    left, top, right, bottom = box
    scale = frame.scale
    full = left * scale, top * scale, min(right * scale, frame.width), min(bottom * scale, frame.height)
    yield replace(
        frame,
        luma=np.ascontiguousarray(frame.luma[top:bottom, left:right]),
        height=full[3] - full[1],
        width=full[2] - full[0],
        picture=partial(_cropped, frame, full),
        view="border trimmed",
    )


def _cropped(frame: Frame, box: Box) -> Image.Image:
    """The upright picture of a frame, cut to a box that is in stored (not yet upright) pixels."""
    left, top, right, bottom = box
    width, height, turn = frame.width, frame.height, frame.orientation
    if turn in (2, 3, 7, 8):
        left, right = width - right, width - left
    if turn in (3, 4, 6, 7):
        top, bottom = height - bottom, height - top
    upright = (top, left, bottom, right) if turn >= 5 else (left, top, right, bottom)
    return frame.picture().crop(upright)
