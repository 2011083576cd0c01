"""Which pages of which format are examined: all of a TIFF, some of an animation, every picture in an MPO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from nightlamp.errors import MediaError
from nightlamp.media import jpeg, tiff
from nightlamp.media._pillow import can_open, on_a_lead
from nightlamp.media.counting import apng_frames, gif_frames
from nightlamp.media.decode import Decoded
from nightlamp.media.frame import Detail, Frame
from nightlamp.media.limits import Limits
from nightlamp.media.stills import Book, frames_of

Frames = Iterator[Frame | MediaError]

ANIMATION_PIXELS = 20
"""An animation is decoded up to this many times ``Limits.pixels`` in all: a frame needs those before it."""


def open_frames(data: bytes | memoryview, media_type: str, limits: Limits, detail: Detail) -> Decoded:
    """``decode`` for bytes whose type is known; see there."""
    if media_type == "image/jpeg":
        return _jpeg(data, limits, detail)
    if media_type in ("image/tiff", "image/x-adobe-dng"):
        return _tiff(data, limits, detail)
    if not can_open(media_type):
        raise MediaError("no decoder", f"nothing installed decodes {media_type}")
    book = Book(data, media_type, limits.pixels)
    count, said = _count(book, limits)
    examined = _pages if media_type == "image/heic" else _animation
    lost = (
        [MediaError("truncated", f"{said} frames are announced, {count} are there")] if count < said else []
    )
    if getattr(book.picture, "animated", False):
        lost = [MediaError("too many frames", "of an animated JPEG XL the first frame was examined")]
    return _decoded(media_type, book, count, chain(examined(book, count, limits, detail), lost))


def evenly(count: int, most: int) -> Sequence[int]:
    """At most ``most`` of the numbers below ``count``, evenly spread, the first and the last among them."""
    if count <= most:
        return range(count)
    if most == 1:
        return range(1)
    return [step * (count - 1) // (most - 1) for step in range(most)]


def _decoded(media_type: str, book: Book, count: int, frames: Frames) -> Decoded:
    width, height = book.size
    if book.orientation >= 5:
        width, height = height, width
    return Decoded(media_type, width, height, count, frames)


def _count(book: Book, limits: Limits) -> tuple[int, int]:
    """(frames that are there, frames announced), counted where Pillow would believe a number."""
    if book.media_type == "image/gif":
        there = gif_frames(book.data)
        return there, there
    if book.media_type == "image/vnd.adobe.photoshop":
        return 1, 1  # its layers are parts of one picture
    with on_a_lead(limits.pixels):
        said = max(1, int(getattr(book.picture, "n_frames", 1)))
    there = min(said, apng_frames(book.data)) if book.media_type == "image/png" and said > 1 else said
    return there, said


def _animation(book: Book, count: int, limits: Limits, detail: Detail) -> Frames:
    """Evenly sampled frames; a broken one ends it, since later ones build on it."""
    width, height = book.size
    reachable = max(1, ANIMATION_PIXELS * limits.pixels // (width * height))
    for number in evenly(min(count, reachable), limits.frames):
        broken = False
        for found in frames_of(book, number, detail):
            broken = broken or isinstance(found, MediaError)
            yield found
        if broken:
            return
    if count > reachable:
        yield MediaError("too many frames", f"the first {reachable} of {count} were examined")


def _pages(book: Book, count: int, limits: Limits, detail: Detail) -> Frames:
    """All pages up to the limit; a broken one costs itself alone."""
    for number in range(min(count, limits.frames)):
        yield from frames_of(book, number, detail)
    if count > limits.frames:
        yield _too_many(count, limits)


def _too_many(count: int, limits: Limits) -> MediaError:
    return MediaError("too many frames", f"the first {limits.frames} of {count} were examined")


def _jpeg(data: bytes | memoryview, limits: Limits, detail: Detail) -> Decoded:
    """A JPEG, and the further pictures of a multi-picture file (MPO), each a JPEG of its own."""
    try:
        book = Book(data, "image/jpeg", limits.pixels)
    except MediaError as error:
        if error.code == "damaged" and not jpeg.is_decodable(data):
            raise MediaError("no decoder", "a JPEG that is lossless or has not 8 bits a sample") from None
        raise
    others = _mpo_parts(book) if "mp" in book.picture.info else []
    return _decoded("image/jpeg", book, 1 + len(others), _jpegs(book, others, limits, detail))


def _jpegs(book: Book, others: list[memoryview], limits: Limits, detail: Detail) -> Frames:
    yield from frames_of(book, 0, detail)
    for number, part in enumerate(others[: limits.frames - 1], 1):
        try:
            yield from frames_of(Book(part, "image/jpeg", limits.pixels), 0, detail, base=number)
        except MediaError as error:
            yield error
    if len(others) >= limits.frames:
        yield _too_many(1 + len(others), limits)


def _mpo_parts(book: Book) -> list[memoryview]:
    """The bytes of each further picture, by the multi-picture index (CIPA DC-007, tag MPEntry)."""
    try:
        with on_a_lead(book.pixels):
            index = book.picture._getmp()  # type: ignore[attr-defined]
            base = int(book.picture.info["mpoffset"])
            entries = (index or {}).get(0xB002, [])
            places = [(int(entry["DataOffset"]), int(entry["Size"])) for entry in entries]
    except MediaError:
        return []
    whole = memoryview(book.data)
    return [whole[base + offset : base + offset + size] for offset, size in places if offset]


def _tiff(data: bytes | memoryview, limits: Limits, detail: Detail) -> Decoded:
    """All pages of a TIFF; of a DNG its largest embedded JPEG, with the orientation of the main directory."""
    media_type = "image/x-adobe-dng" if tiff.is_dng(data) else "image/tiff"
    if media_type == "image/x-adobe-dng":
        preview = tiff.largest_jpeg(data)
        if preview is not None:
            book = Book(preview.data, "image/jpeg", limits.pixels, turn=preview.orientation)
            frames = frames_of(book, 0, detail)
            return _decoded(media_type, book, 1, frames)
    count, whole = tiff.pages(data)
    book = Book(data, "image/tiff", limits.pixels)
    lost = [] if whole else [MediaError("truncated", "a page lies beyond the end of the file")]
    return _decoded(media_type, book, max(1, count), chain(_pages(book, max(1, count), limits, detail), lost))
