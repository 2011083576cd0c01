"""Which pages of which format are examined, and what is said of the others."""

from __future__ import annotations

import io
import struct
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from nightlamp.errors import MediaError
from nightlamp.media import Frame, Limits, decode
from nightlamp.media.formats import evenly


@pytest.mark.parametrize(("count", "most"), [(1, 64), (5, 5), (90, 64), (1000, 7), (2, 1), (65, 64), (3, 2)])
def test_sampling_is_even_and_keeps_both_ends(count, most):
    numbers = list(evenly(count, most))
    assert len(numbers) == len(set(numbers)) == min(count, most)
    assert numbers == sorted(numbers)
    assert numbers[0] == 0
    assert most == 1 or numbers[-1] == count - 1
    gaps = {after - before for before, after in pairwise(numbers)}
    assert not gaps or max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize(
    ("name", "media_type", "size", "count"),
    [
        ("sample1.heic", "image/heic", (1440, 960), 1),
        ("sample1.avif", "image/avif", (1204, 800), 1),
        ("sample1.webp", "image/webp", (1050, 700), 1),
        ("sample1.gif", "image/gif", (135, 135), 90),
        ("sample1.png", "image/png", (1024, 683), 1),
        ("MultiPage.tif", "image/tiff", (1696, 2175), 5),
        ("TUSCANY.TIF", "image/tiff", (2550, 3300), 1),
        ("C.dng", "image/x-adobe-dng", (1024, 683), 1),
    ],
)
def test_real_files_of_every_format(name, media_type, size, count, shared_data):
    decoded = decode((shared_data / "formats" / name).read_bytes(), Limits())
    assert (decoded.media_type, decoded.frame_count) == (media_type, count)
    assert (decoded.width, decoded.height) == size
    found = list(decoded.frames)
    assert all(isinstance(frame, Frame) for frame in found)
    assert len({frame.number for frame in found if frame.view == "as is"}) == min(count, Limits().frames)


def test_the_samples_in_other_formats_show_what_pillow_shows(shared_data, opened, bits_apart):
    from pillow_heif.as_plugin import HeifImageFile

    path = shared_data / "formats" / "sample1.heic"
    frames, _ = opened(path.read_bytes())
    assert bits_apart(frames[0].luma, HeifImageFile(path).convert("L")) == 0


def animation(draw_picture, count: int) -> list[Image.Image]:
    return [draw_picture(96, 64, seed=seed) for seed in range(count)]


@pytest.mark.parametrize(
    ("kind", "options"), [("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True}), ("AVIF", {"quality": 90})]
)
def test_animation_is_sampled_evenly_first_and_last_among_them(
    kind, options, draw_picture, saved, bits_apart
):
    stills = animation(draw_picture, 9)
    data = saved(stills[0], kind, save_all=True, append_images=stills[1:], duration=100, **options)
    decoded = decode(data, Limits(frames=4), "full")
    assert decoded.frame_count == 9
    frames = [frame for frame in decoded.frames if frame.view == "as is"]
    assert [frame.number for frame in frames] == [0, 2, 5, 8]
    for frame in frames:
        assert bits_apart(frame.luma, stills[frame.number].convert("L")) <= 24
        assert bits_apart(frame.picture().convert("L"), stills[frame.number].convert("L")) <= 24


def test_pages_beyond_the_limit_are_said(draw_picture, saved, opened, levels_apart):
    pages = animation(draw_picture, 6)
    data = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    frames, errors = opened(data, limits=Limits(frames=4))
    assert [frame.number for frame in frames] == [0, 1, 2, 3]
    assert [error.code for error in errors] == ["too many frames"]
    for frame in frames:
        assert levels_apart(frame.luma, pages[frame.number].convert("L")) < 1


def test_pages_of_different_sizes_and_modes(drawn, draw_picture, saved, opened):
    pages = [drawn, draw_picture(64, 48).convert("L"), draw_picture(48, 64).convert("1")]
    frames, errors = opened(saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    assert not errors
    assert [(frame.width, frame.height) for frame in frames] == [(320, 240), (64, 48), (48, 64)]


def test_one_broken_page_costs_that_page(draw_picture, saved, opened):
    pages = animation(draw_picture, 3)
    data = bytearray(saved(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw"))
    second = Image.open(io.BytesIO(data))
    second.seek(1)
    at = second.tag_v2[273][0]
    data[at : at + 400] = b"\xff" * 400
    frames, errors = opened(bytes(data))
    assert {frame.number for frame in frames} >= {0, 2}
    assert [error.code for error in errors] == ["damaged"]


def test_every_picture_of_an_mpo(draw_picture, saved, opened, bits_apart):
    pictures = [
        draw_picture(200, 150, seed=1),
        draw_picture(160, 120, seed=2),
        draw_picture(120, 160, seed=3),
    ]
    data = saved(pictures[0], "MPO", save_all=True, append_images=pictures[1:])
    frames, errors = opened(data)
    assert not errors
    assert [(frame.number, frame.width, frame.height) for frame in frames] == [
        (0, 200, 150),
        (1, 160, 120),
        (2, 120, 160),
    ]
    for frame, picture in zip(frames, pictures, strict=True):
        assert bits_apart(frame.luma, picture.convert("L")) <= 10
        assert frame.picture().size == picture.size
    frames, errors = opened(data, limits=Limits(frames=2))
    assert [frame.number for frame in frames] == [0, 1]
    assert [error.code for error in errors] == ["too many frames"]


def test_dng_shows_its_largest_preview(drawn, draw_picture, saved, opened, levels_apart):
    # Given a DNG whose main directory is a thumbnail, with a large JPEG and a lossless one as sub-directories
    large, small = saved(drawn, "JPEG", quality=95), saved(draw_picture(32, 24), "JPEG")
    lossless = b"\xff\xd8\xff\xc3" + struct.pack(">HBHHB", 11, 16, 999, 999, 1) + bytes(3)

    def directory(at: int, tags: list[tuple[int, int, int, bytes]]) -> bytes:
        body = b"".join(struct.pack("<HHI4s", *tag) for tag in tags)
        return struct.pack("<H", len(tags)) + body + bytes(4)

    def long(value: int) -> bytes:
        return struct.pack("<I", value)

    def preview(jpeg_at: int, jpeg: bytes, width: int, height: int) -> list[tuple[int, int, int, bytes]]:
        return [
            (256, 4, 1, long(width)),
            (257, 4, 1, long(height)),
            (259, 3, 1, long(7)),
            (273, 4, 1, long(jpeg_at)),
            (279, 4, 1, long(len(jpeg))),
        ]

    blobs_at = 1000
    places = [blobs_at, blobs_at + len(small), blobs_at + len(small) + len(large)]
    main = preview(places[0], small, 32, 24)
    main += [(274, 3, 1, long(6)), (330, 4, 2, long(600)), (50706, 1, 4, b"\x01\x04\x00\x00")]
    data = b"II*\x00" + long(8) + directory(8, main)
    data = data.ljust(600, b"\x00") + long(700) + long(800)
    data = data.ljust(700, b"\x00") + directory(700, preview(places[1], large, drawn.width, drawn.height))
    data = data.ljust(800, b"\x00") + directory(800, preview(places[2], lossless, 999, 999))
    data = data.ljust(blobs_at, b"\x00") + small + large + lossless
    # When
    decoded = decode(data, Limits(), "full")
    (frame,) = decoded.frames
    # Then it is the large one, turned as the main directory says
    assert decoded.media_type == "image/x-adobe-dng"
    assert (decoded.width, decoded.height) == (drawn.height, drawn.width)
    assert frame.orientation == 6
    assert levels_apart(frame.luma, drawn.convert("L")) < 3
    assert frame.picture().size == (drawn.height, drawn.width)


def test_costly_animation_is_examined_as_far_as_it_is_affordable(draw_picture, saved, opened):
    stills = animation(draw_picture, 50)
    data = saved(stills[0], "GIF", save_all=True, append_images=stills[1:])
    frames, errors = opened(data, limits=Limits(pixels=96 * 64))
    assert max(frame.number for frame in frames) == 19
    assert [error.code for error in errors] == ["too many frames"]


def test_twelve_bit_jpeg_has_no_decoder(drawn, saved):
    data = bytearray(saved(drawn, "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 4] = 12
    with pytest.raises(MediaError) as caught:
        decode(bytes(data), Limits())
    assert caught.value.code == "no decoder"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"just words", "unknown type"),
        (b"PK\x03\x04" + bytes(50), "no decoder"),
        (b"%PDF-1.7", "no decoder"),
        (b"\xff\xd8\xff\xe0", "truncated"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
        (b"GIF89a", "truncated"),
        (b"II*\x00\x08\x00\x00\x00", "truncated"),
    ],
)
def test_what_is_no_picture_is_said(data, code):
    with pytest.raises(MediaError) as caught:
        next(decode(data, Limits()).frames)
    assert caught.value.code in ({code, "damaged"} if code == "truncated" else {code})


def test_more_bytes_than_the_limit(drawn, saved):
    with pytest.raises(MediaError) as caught:
        decode(saved(drawn, "PNG"), Limits(bytes=100))
    assert caught.value.code == "too large"


def test_frames_hold_still_while_the_next_is_decoded(draw_picture, saved):
    stills = animation(draw_picture, 4)
    data = saved(stills[0], "GIF", save_all=True, append_images=stills[1:])
    kept = [(frame, frame.luma.copy()) for frame in decode(data, Limits(), "full").frames]
    for frame, before in kept:
        assert np.array_equal(frame.luma, before)
