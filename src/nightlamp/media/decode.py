"""``decode``: a file's bytes → its frames, one at a time, each within the limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from nightlamp.errors import MediaError
from nightlamp.media.frame import Detail, Frame
from nightlamp.media.limits import Limits
from nightlamp.media.sniff import ARCHIVES, HEAD, sniff


@dataclass(frozen=True, slots=True)
class Decoded:
    """An opened file whose frames are still to be decoded.

    Args:
        media_type: by content.
        width, height: of the first frame as displayed (orientation applied), in pixels.
        frame_count: pages or animation frames in the file, as far as known; not all need be examined.
        frames: decodes as it is iterated, once; holds one frame at a time. Yields a ``Frame`` for each view
            of each examined page, and a ``MediaError`` for whatever could not be examined: one broken page
            costs that page, and a truncated picture gives what could be decoded, then ``"truncated"``.
    """

    media_type: str
    width: int
    height: int
    frame_count: int
    frames: Iterator[Frame | MediaError] = field(repr=False)


def decode(data: bytes | memoryview, limits: Limits, detail: Detail = "fast") -> Decoded:
    """Open a file's bytes as a picture; only the header is decoded before the first frame is asked for.

    Args:
        data: the whole file.
        limits: its bytes, pixels and frames hold here; seconds and memory are the calling process's to watch.
        detail: ``"fast"`` scales down by 2, 4 or 8 while the shorter side keeps 512 pixels, of a JPEG by its
            DCT; ``"full"`` never.

    Raises:
        MediaError: if there is nothing to iterate over: ``"empty"``, ``"unknown type"``, ``"no decoder"``,
            ``"too large"``, ``"too many pixels"``, ``"damaged"`` or ``"truncated"``.
    """
    if len(data) == 0:
        raise MediaError("empty", "no bytes")
    if len(data) > limits.bytes:
        raise MediaError("too large", f"{len(data)} bytes, the limit is {limits.bytes}")
    media_type = sniff(bytes(data[:HEAD]))
    if not media_type:
        raise MediaError("unknown type", "the bytes are of no type that we know")
    if media_type in ARCHIVES:
        raise MediaError("no decoder", "an archive, not a picture")
    if media_type.startswith("video/"):
        from nightlamp.media import video  # PyAV, which nothing but a video needs

        return video.open_video(data, media_type, limits, detail)

    from nightlamp.media import formats  # Pillow and NumPy, which a program may never need

    return formats.open_frames(data, media_type, limits, detail)
