"""Every pixel mode gives the luma of the picture that was put into it."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageCms

from nightlamp.media import Limits, decode


def as_tiff(values: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "TIFF", **options)
    return file.getvalue()


def as_is(frames):
    return next(frame.luma for frame in frames if frame.view == "as is")


MODES = [
    "1.png",
    "CMYK.jpg",
    "F.webp",
    "HSV.webp",
    "I.webp",
    "L.png",
    "LA.png",
    "LAB.webp",
    "P.png",
    "PA.webp",
]
MODES += ["RGB.jpg", "RGBA.png", "YCbCr.jpg"]


@pytest.mark.parametrize("name", MODES)
def test_reference_pictures_in_every_mode_hash_like_the_original(name, shared_data, opened, bits_apart):
    folder = shared_data / "pdq" / "misc-images" / "modes"
    original = Image.open(folder / "original.jpg").convert("L")
    frames, errors = opened((folder / name).read_bytes())
    assert not errors
    assert bits_apart(as_is(frames), original) <= 4


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("PNG", "RGB", {}),
        ("PNG", "L", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "LA", {}),
        ("PNG", "P", {}),
        ("PNG", "1", {}),
        ("PNG", "I;16", {}),
        ("BMP", "RGB", {}),
        ("BMP", "P", {}),
        ("BMP", "1", {}),
        ("GIF", "P", {}),
        ("TIFF", "RGB", {}),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}),
        ("TIFF", "RGB", {"compression": "tiff_adobe_deflate"}),
        ("TIFF", "YCbCr", {}),
        ("TIFF", "CMYK", {}),
        ("TIFF", "LAB", {}),
        ("TIFF", "RGBA", {}),
        ("TIFF", "I;16", {}),
        ("TIFF", "1", {"compression": "group4"}),
        ("WEBP", "RGB", {"lossless": True}),
        ("WEBP", "RGBA", {"lossless": True}),
        ("WEBP", "RGB", {"quality": 80}),
        ("AVIF", "RGB", {"quality": 80}),
        ("PPM", "RGB", {}),
        ("PPM", "L", {}),
        ("JPEG2000", "RGB", {}),
        ("ICO", "RGBA", {"sizes": [(256, 192)]}),
        ("JPEG", "RGB", {"quality": 92}),
        ("JPEG", "RGB", {"quality": 92, "subsampling": 0}),
        ("JPEG", "RGB", {"quality": 92, "subsampling": 2, "progressive": True}),
        ("JPEG", "RGB", {"quality": 92, "keep_rgb": True}),
        ("JPEG", "L", {"quality": 92}),
        ("JPEG", "CMYK", {"quality": 92}),
    ],
)
def test_written_formats_give_the_luma_that_went_in(kind, mode, options, drawn, saved, opened, bits_apart):
    if mode == "LAB":
        picture = ImageCms.profileToProfile(
            drawn, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
    elif mode == "I;16":
        picture = Image.fromarray(np.asarray(drawn.convert("L")).astype(np.uint16) * 257)
    else:
        picture = drawn.convert(mode)
    wanted = (picture if mode == "1" else drawn).convert("L")  # dithering is not decoding's doing
    if kind == "ICO":
        wanted = wanted.resize((256, 192))
    frames, errors = opened(saved(picture, kind, **options))
    assert not errors
    assert as_is(frames).dtype == np.uint8
    assert as_is(frames).flags.c_contiguous
    assert as_is(frames).flags.writeable
    assert bits_apart(as_is(frames), wanted) <= 6


def test_jpeg_luma_is_the_y_that_was_stored_and_close_to_the_luma_of_its_colours(
    drawn, saved, opened, levels_apart
):
    data = saved(drawn, "JPEG", quality=90, subsampling=0)
    (frame,), _ = opened(data)
    assert levels_apart(frame.luma, Image.open(io.BytesIO(data)).convert("L")) < 1


def ycck(data: bytes) -> bytes:
    """A CMYK JPEG's Adobe marker changed to say YCCK, so that its samples are read as such."""
    at = data.index(b"Adobe\x00")
    return data[: at + 11] + b"\x02" + data[at + 12 :]


def test_ycck_jpeg_is_turned_to_cmyk_first(drawn, saved, opened, levels_apart):
    # Given planes that hold Y, Cb and Cr of the inks (the colours' complement), and no black (255, inverted)
    planes = (*ImageChops.invert(drawn).convert("YCbCr").split(), Image.new("L", drawn.size, 255))
    # Pillow writes CMYK inverted: it gets the complement of what shall stand in the file
    stored = Image.merge("CMYK", [ImageChops.invert(plane) for plane in planes])
    data = ycck(saved(stored, "JPEG", quality=95))
    # When
    (frame, *_), errors = opened(data)
    # Then it is the picture
    assert not errors
    assert levels_apart(frame.luma, drawn.convert("L")) < 3


def test_cmyk_jpeg_without_adobes_marker_is_looked_at_both_ways(drawn, saved, opened, levels_apart):
    data = saved(drawn.convert("CMYK"), "JPEG", quality=95)
    at = data.index(b"\xff\xee")
    size = struct.unpack_from(">H", data, at + 2)[0]
    frames, _ = opened(data[:at] + data[at + 2 + size :])
    assert [frame.view for frame in frames] == ["as is", "polarity inverted"]
    assert levels_apart(frames[0].luma, drawn.convert("L")) < 3
    assert levels_apart(frames[1].luma, drawn.convert("L")) > 30


@pytest.mark.parametrize(
    ("scale", "kind"),
    [
        (1 / 255, np.float32),
        (1, np.float32),
        (257, np.float32),
        (1, np.int32),
        (257, np.int32),
        (70_000, np.int32),
    ],
)
def test_float_and_integer_tiff_is_scaled_from_its_usual_range(scale, kind, drawn, opened, bits_apart):
    wanted = np.asarray(drawn.convert("L"))
    frames, errors = opened(as_tiff((wanted * np.float64(scale)).astype(kind)))
    assert not errors
    assert bits_apart(as_is(frames), wanted) <= 4


def test_float_tiff_with_what_is_no_number_is_still_looked_at(drawn, opened, levels_apart):
    wanted = np.asarray(drawn.convert("L"))
    values = (wanted / 255).astype(np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    frames, errors = opened(as_tiff(values))
    assert not errors
    assert levels_apart(as_is(frames), wanted) < 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_tiff_of_either_byte_order(order, drawn, opened, levels_apart):
    wanted = np.asarray(drawn.convert("L"))
    height, width = wanted.shape
    samples = (wanted.astype(np.uint16) * 257).astype(order + "u2").tobytes()
    tags = [(256, 4, width), (257, 4, height), (258, 3, 16), (259, 3, 1), (262, 3, 1), (273, 4, 200)]
    tags += [(277, 3, 1), (278, 4, height), (279, 4, len(samples))]
    entries = b"".join(
        struct.pack(order + "HHI", tag, kind, 1) + struct.pack(order + ("I" if kind == 4 else "HH"), *value)
        for tag, kind, *rest in tags
        for value in [(rest[0],) if kind == 4 else (rest[0], 0)]
    )
    head = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(order + "IH", 8, len(tags)) + entries
    frames, errors = opened(head.ljust(200, b"\x00") + samples)
    assert not errors
    assert levels_apart(as_is(frames), wanted) < 1


def test_min_is_white_tiff_is_not_a_negative(drawn, saved, opened, levels_apart):
    stored = saved(ImageChops.invert(drawn.convert("L")), "TIFF")
    at = stored.index(struct.pack("<HHI", 262, 3, 1))
    frames, _ = opened(stored[: at + 8] + bytes(2) + stored[at + 10 :])
    assert levels_apart(as_is(frames), drawn.convert("L")) < 1


def test_16_bit_png_with_a_transparent_level(saved, opened):
    values = np.full((64, 64), 40_000, dtype=np.uint16)
    values[:32] = 1234
    frames, errors = opened(saved(Image.fromarray(values), "PNG", transparency=1234))
    assert not errors
    assert [frame.view for frame in frames][:1] == ["as is"]
    assert int(as_is(frames)[0, 0]) == 255
    assert abs(int(as_is(frames)[63, 0]) - 156) <= 1


def test_16_bit_rgb_png_keeps_its_high_bytes(drawn, opened, levels_apart):
    import zlib

    width, height = drawn.size
    rows = np.asarray(drawn).astype(">u2") * 257
    raw = b"".join(b"\x00" + row.astype(">u2").tobytes() for row in rows)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    frames, errors = opened(data)
    assert not errors
    assert levels_apart(as_is(frames), drawn.convert("L")) < 1


def test_fast_detail_keeps_512_pixels_of_the_shorter_side(draw_picture, saved, bits_apart):
    picture = draw_picture(2100, 1100)
    for kind in ("JPEG", "PNG"):
        decoded = decode(saved(picture, kind), Limits(), "fast")
        frame = next(decoded.frames)
        assert (frame.scale, frame.width, frame.height) == (2, 2100, 1100)
        assert frame.luma.shape == (550, 1050)
        assert bits_apart(frame.luma, picture.convert("L")) <= 4
