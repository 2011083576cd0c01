"""Orientation is passed on, pictures come upright, and nothing is decoded before it is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from nightlamp.errors import MediaError
from nightlamp.media import Limits, decode


def exif(orientation: object) -> Image.Exif:
    tags = Image.Exif()
    tags[274] = orientation
    return tags


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_passed_on_and_applied_to_the_picture(kind, orientation, drawn, saved, levels_apart):
    data = saved(drawn, kind, exif=exif(orientation), **({"quality": 95} if kind != "PNG" else {}))
    decoded = decode(data, Limits(), "full")
    frame = next(decoded.frames)
    assert frame.orientation == orientation
    assert (frame.width, frame.height) == drawn.size
    upright = drawn.copy()
    upright.getexif()[274] = orientation
    upright = ImageOps.exif_transpose(upright)
    assert (decoded.width, decoded.height) == upright.size == frame.picture().size
    assert frame.picture().mode == "RGB"
    assert levels_apart(frame.picture().convert("L"), upright.convert("L")) < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiff_is_turned_once_only(orientation, drawn, saved, levels_apart):
    decoded = decode(saved(drawn, "TIFF", tiffinfo={274: orientation}), Limits(), "full")
    frame = next(decoded.frames)
    upright = drawn.copy()
    upright.getexif()[274] = orientation
    upright = ImageOps.exif_transpose(upright)
    assert levels_apart(frame.picture().convert("L"), upright.convert("L")) < 1
    assert (decoded.width, decoded.height) == upright.size
    if frame.orientation == 1:
        assert levels_apart(frame.luma, upright.convert("L")) < 1
    else:
        assert levels_apart(frame.luma, drawn.convert("L")) < 1


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_orientation_that_makes_no_sense_is_none(orientation, drawn, saved, opened):
    frames, errors = opened(saved(drawn, "JPEG", exif=exif(orientation)))
    assert not errors
    assert frames[0].orientation == 1


@pytest.mark.parametrize(
    "junk", [b"Exif\x00\x00", b"Exif\x00\x00II*\x00\xff\xff\xff\xff", b"Exif\x00\x00MM" + bytes(60_000)]
)
def test_broken_exif_costs_nothing(junk, drawn, saved, opened):
    frames, errors = opened(saved(drawn, "JPEG", exif=junk))
    assert not errors
    assert frames[0].orientation == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_trimmed_picture_is_the_upright_inner_part(orientation, draw_picture, saved, levels_apart):
    inner = draw_picture(200, 120)
    framed = Image.new("RGB", (300, 200), (250, 250, 250))
    framed.paste(inner, (30, 20))
    frames = list(decode(saved(framed, "PNG", exif=exif(orientation)), Limits(), "full").frames)
    trimmed = next(frame for frame in frames if frame.view == "border trimmed")
    upright = inner.copy()
    upright.getexif()[274] = orientation
    upright = ImageOps.exif_transpose(upright)
    assert trimmed.picture().size == upright.size
    assert levels_apart(trimmed.picture().convert("L"), upright.convert("L")) < 1


def test_picture_of_each_view_is_what_the_view_saw(drawn, saved, opened, levels_apart):
    picture = drawn.convert("RGBA")
    picture.putalpha(Image.new("L", drawn.size, 100))
    frames, _ = opened(saved(picture, "PNG"))
    assert len(frames) == 3
    for frame in frames:
        assert levels_apart(frame.picture().convert("L"), frame.luma) < 1.5


def test_cmyk_and_16_bit_pictures_come_as_rgb(drawn, saved, opened, levels_apart):
    sixteen = Image.fromarray(np.asarray(drawn.convert("L")).astype(np.uint16) * 257)
    for data in (saved(drawn.convert("CMYK"), "JPEG", quality=95), saved(sixteen, "PNG")):
        frame = opened(data)[0][0]
        assert frame.picture().mode == "RGB"
        assert levels_apart(frame.picture().convert("L"), frame.luma) < 1.5


def test_pixel_limit_is_checked_on_the_header(drawn, saved):
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"):
        with pytest.raises(MediaError) as caught:
            decode(saved(drawn, kind), Limits(pixels=drawn.width * drawn.height - 1))
        assert caught.value.code == "too many pixels"


def test_pictures_between_pillows_limits_and_ours_are_decoded(saved, opened, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF"):
        frames, errors = opened(saved(Image.new("RGB", (60, 60), (1, 2, 3)), kind))
        assert len(frames) == 1
        assert not errors
    assert Image.MAX_IMAGE_PIXELS == 100


def test_repr_shows_no_content(drawn, saved):
    decoded = decode(saved(drawn, "PNG"), Limits())
    assert "frames" not in repr(decoded).replace("frame_count", "")
    assert "luma" not in repr(next(decoded.frames))


def test_memoryview_is_as_good_as_bytes(drawn, saved, levels_apart):
    for kind in ("JPEG", "PNG", "TIFF", "GIF"):
        data = saved(drawn, kind)
        one, other = (next(decode(kept, Limits(), "full").frames) for kept in (data, memoryview(data)))
        assert levels_apart(one.luma, other.luma) == 0
        assert other.picture().size == drawn.size
