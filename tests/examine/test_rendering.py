"""Small pictures: sizes, blur, and nothing but pixels."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import pairwise

import pytest
from PIL import Image
from tests.films import film, scenes

from nightlamp.errors import MediaError
from nightlamp.examine import Look, Renderer
from nightlamp.media import Limits
from nightlamp.media.rendering import spread


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    made = Renderer(Limits(bytes=1 << 20, pixels=2_000_000, seconds=60))
    yield made
    made.close()


def photo(width: int = 900, height: int = 600) -> bytes:
    """A JPEG with a sharp red edge, a comment and EXIF that turns it."""
    picture = Image.new("RGB", (width, height), (250, 250, 250))
    picture.paste((220, 10, 10), (0, 0, width // 2, height))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a description"
    out = io.BytesIO()
    picture.save(out, "JPEG", comment=b"a comment", exif=exif, icc_profile=b"a profile")
    return out.getvalue()


@pytest.mark.parametrize(
    ("look", "size", "mode"),
    [
        (Look(96, 8.0), (64, 96), "L"),
        (Look(320, 4.0), (213, 320), "L"),
        (Look(1600, 0.0, grey=False), (600, 900), "RGB"),
    ],
)
def test_a_look_has_its_size_and_no_metadata(renderer, look, size, mode):
    jpeg = renderer.render(photo(), look).jpeg
    picture = Image.open(io.BytesIO(jpeg))
    assert (picture.size, picture.mode) == (size, mode)  # upright, and never larger than the original
    assert not picture.getexif()
    assert "icc_profile" not in picture.info
    for told in (b"a comment", b"a description", b"a profile"):
        assert told not in jpeg


@pytest.mark.parametrize("side", [40, 900])
def test_a_blur_leaves_no_sharp_edge_whatever_the_original_size(renderer, side):
    jpeg = renderer.render(photo(side, side * 2 // 3), Look(96, 8.0)).jpeg
    grey = Image.open(io.BytesIO(jpeg))
    line = [grey.getpixel((grey.width // 2, y)) for y in range(grey.height)]
    steps = [abs(after - before) for before, after in pairwise(line)]
    assert max(steps) < 30 < max(line) - min(line)


def test_frames_are_side_by_side_or_alone(renderer):
    frames = [Image.new("RGB", (200, 100), (20 * at, 0, 0)) for at in range(12)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    strip = Image.open(io.BytesIO(renderer.render(out.getvalue(), Look(96, 8.0, frame=None)).jpeg))
    assert strip.size == (8 * 96 + 7 * 4, 48)
    last = Image.open(io.BytesIO(renderer.render(out.getvalue(), Look(300, grey=False, frame=11)).jpeg))
    assert last.getpixel((100, 50))[0] > 200


def test_a_video_is_a_strip_of_stills_or_one_frame(renderer):
    video = film([Image.new("RGB", (160, 96), (4 * at, 80, 80)) for at in range(60)])
    made = renderer.render(video, Look(96, 8.0, frame=None))
    assert made.frames == (0, 7, 15, 22, 30, 37, 45, 52)
    strip = Image.open(io.BytesIO(made.jpeg))
    assert (strip.size, strip.mode) == ((8 * 96 + 7 * 4, 58), "L")
    for frame in (0, 31, 59):
        made = renderer.render(video, Look(1600, grey=False, frame=frame))
        still = Image.open(io.BytesIO(made.jpeg))
        assert made.frames == (frame,)
        assert still.size == (160, 96)
        assert abs(still.getpixel((80, 48))[0] - 4 * frame) < 12
    with pytest.raises(MediaError) as caught:
        renderer.render(video, Look(96, frame=60))
    assert caught.value.code == "damaged"


def test_of_a_long_video_stills_are_those_that_are_quickly_reached():
    video = film(scenes([1], 200, 160, 96), apart=50)
    quick = Renderer(Limits(pixels=160 * 96 * 16, seconds=60))
    try:
        made = quick.render(video, Look(96, 8.0, frame=None))
        assert made.frames[0] == 0
        assert len(made.frames) == 8
        assert all(0 < after - before <= 50 for before, after in pairwise(made.frames))
        with pytest.raises(MediaError) as caught:
            quick.render(film(scenes([1], 200), apart=200), Look(96, frame=190))
        assert caught.value.code == "too many frames"
    finally:
        quick.close()


def test_of_a_broken_video_what_there_is_is_shown(renderer):
    header = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    video = film(scenes([1], 60), header=header)
    made = renderer.render(video[: len(video) // 2], Look(96, 8.0, frame=None))
    assert 1 <= len(made.frames) <= 8


@pytest.mark.parametrize(
    ("data", "frame", "code"),
    [
        (b"", 0, "empty"),
        (b"no picture at all", 0, "unknown type"),
        (photo()[:300], 0, None),
        (b"\xff" * (2 << 20), 0, "too large"),
        (photo(), 5, "damaged"),
        (photo(2000, 1600), 0, "too many pixels"),
    ],
)
def test_what_cannot_be_shown_is_said_and_the_next_one_is_made(renderer, data, frame, code):
    with pytest.raises(MediaError) as caught:
        renderer.render(data, Look(96, frame=frame))
    assert code is None or caught.value.code == code
    assert renderer.render(photo(), Look(96)).jpeg


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 64])
def test_a_strip_is_spread_evenly(count):
    numbers = sorted(spread(count, 8))
    assert numbers[0] == 0
    assert len(numbers) == min(max(count, 1), 8)
    assert numbers[-1] < max(count, 1)
