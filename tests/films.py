"""Harmless videos that the tests draw: each scene is one picture that moves a little."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import count

import av
import numpy as np
from av.container import OutputContainer
from PIL import Image, ImageDraw

RATE = 10  # frames a second
CODECS = {
    "mp4": "mpeg4",
    "mov": "mjpeg",
    "matroska": "ffv1",
    "webm": "libvpx",
    "avi": "mpeg4",
    "mpegts": "mpeg2video",
    "mpeg": "mpeg2video",
    "flv": "flv",
    "asf": "wmv2",
}


def scene(seed: int, width: int = 160, height: int = 120) -> Image.Image:
    """Soft colours and a few shapes, no symmetry in them; another seed is another picture."""
    rng = np.random.default_rng(seed)
    soft = Image.fromarray(rng.integers(20, 236, (5, 7, 3), dtype=np.uint8))
    picture = soft.resize((width, height), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    left, top = rng.integers(5, 40, 2) * width // 100
    pen.ellipse((left, top, left + width * 0.3, top + height * 0.35), fill=tuple(rng.integers(0, 256, 3)))
    pen.rectangle(
        (width * 0.55, height * 0.6, width * 0.9, height * 0.85), fill=tuple(rng.integers(0, 256, 3))
    )
    return picture


def scenes(seeds: Iterable[int], frames: int, width: int = 160, height: int = 120) -> Iterator[Image.Image]:
    """``frames`` of each scene, one after the other."""
    for seed in seeds:
        picture = scene(seed, width, height)
        for step in range(frames):
            moved = picture.copy()
            ImageDraw.Draw(moved).rectangle((step, 2, step + 5, 7), fill=(255, 255, 255))
            yield moved


def film(
    pictures: Iterable[Image.Image],
    container: str = "mp4",
    codec: str | None = None,
    *,
    apart: int = 12,
    turned: int = 0,
    rate: int = RATE,
    at: Iterable[int] | None = None,
    header: dict[str, str] | None = None,
    tracks: int = 1,
    sound: bool = False,
) -> bytes:
    """A video's bytes.

    Args:
        pictures: its frames, all of one size.
        container: FFmpeg's name of the format.
        codec: FFmpeg's name of the encoder; by default one that is usual for the container.
        apart: most frames from one that stands alone to the next.
        turned: degrees counterclockwise that a player is to turn it by.
        rate: frames a second.
        at: when each is shown, in frames' lengths; by default one after the other.
        header: options of the container.
        tracks: how many video tracks there are, all the same.
        sound: whether there is a track of sound too, or alone if there are no pictures.
    """
    out = io.BytesIO()
    times = iter(at) if at is not None else count()
    codec = codec or CODECS[container]
    with av.open(out, "w", format=container, options=header or {}) as file:
        voice = file.add_stream("aac" if container == "mp4" else "mp2", rate=44100) if sound else None
        streams: list[av.VideoStream] = []
        for picture in pictures:
            if not streams:
                streams = [_track(file, codec, picture.size, rate, apart, turned) for _ in range(tracks)]
            frame = av.VideoFrame.from_image(picture)
            frame.pts, frame.time_base = next(times), Fraction(1, rate)
            for stream in streams:
                file.mux(stream.encode(frame))
        for stream in streams:
            file.mux(stream.encode(None))
        if voice is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), "fltp", "mono")
            silence.sample_rate, silence.pts = 44100, 0
            file.mux(voice.encode(silence))
            file.mux(voice.encode(None))
    return out.getvalue()


def _track(
    file: OutputContainer, codec: str, size: tuple[int, int], rate: int, apart: int, turned: int
) -> av.VideoStream:
    stream = file.add_stream(codec, rate=rate)
    stream.width, stream.height = size
    stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    stream.codec_context.gop_size = apart
    stream.codec_context.thread_count = 1
    if codec not in ("libsvtav1", "libx265", "libx264"):
        stream.codec_context.bit_rate = 2_000_000
    if turned:
        stream.set_display_rotation(turned)
    return stream
