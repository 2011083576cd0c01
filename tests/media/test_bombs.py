"""Small files that want to become large, endless or slow: a typed error, at once."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zlib

import pytest
from PIL import Image, PngImagePlugin

from nightlamp.errors import MediaError
from nightlamp.media import Limits, decode


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *before: bytes, depth: int = 1, colour: int = 0, data: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(before) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def zeros(size: int) -> bytes:
    """So many zero bytes, deflated, without ever holding them."""
    deflate = zlib.compressobj(9)
    block = bytes(1 << 20)
    return b"".join(deflate.compress(block) for _ in range(size >> 20)) + deflate.flush()


def all_of(data: bytes, limits: Limits | None = None):
    return list(decode(data, limits or Limits()).frames)


@pytest.fixture(autouse=True)
def quick_and_small():
    """Each of these must cost seconds at most and not much memory of Python's."""
    tracemalloc.start()
    began = time.thread_time()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 400 << 20
    assert time.thread_time() - began < 20


def test_png_of_50000_by_50000_in_a_few_kilobytes():
    data = png(50_000, 50_000, data=zlib.compress(bytes(50_000), 9))
    assert len(data) < 4096
    with pytest.raises(MediaError, match="too many pixels") as caught:
        decode(data, Limits())
    assert caught.value.code == "too many pixels"


@pytest.mark.parametrize("size", [(65_535, 65_535), (2**31 - 1, 1), (0x7FFFFFFF, 0x7FFFFFFF)])
@pytest.mark.parametrize("kind", ["gif", "bmp", "tiff", "pnm", "qoi", "psd"])
def test_giant_canvas_in_any_header(kind, size):
    width, height = size
    if kind == "gif":
        width, height = min(width, 65_535), min(height, 65_535)
        data = b"GIF89a" + struct.pack("<HHBBB", width, 65_535 if height == 1 else height, 0, 0, 0)
        data += b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
    elif kind == "bmp":
        data = b"BM" + struct.pack("<IHHI", 60, 0, 0, 54)
        data += struct.pack("<IiiHHIIiiII", 40, width, height, 1, 1, 0, 0, 0, 0, 0, 0) + bytes(8)
    elif kind == "tiff":
        tags = [
            (256, width),
            (257, height),
            (258, 8),
            (259, 1),
            (262, 1),
            (273, 8),
            (277, 1),
            (278, height),
            (279, 9),
        ]
        data = b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", len(tags))
        data += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags) + bytes(4)
    elif kind == "pnm":
        data = f"P5 {width} {height} 255\n".encode() + bytes(10)
    elif kind == "qoi":
        data = b"qoif" + struct.pack(">IIBB", width, height, 3, 0) + bytes(10)
    else:
        data = b"8BPS\x00\x01" + bytes(6) + struct.pack(">HIIHH", 3, height, width, 8, 3) + bytes(14)
    with pytest.raises(MediaError) as caught:
        all_of(data)
    assert caught.value.code in ("too many pixels", "damaged")
    assert (
        width * height <= Limits().pixels or caught.value.code == "too many pixels" or kind in ("tiff", "psd")
    )


def test_gif_frame_that_grows_its_canvas_is_stopped():
    small = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    pixel = b"\x02\x02D\x01\x00"
    grown = b"," + struct.pack("<HHHHB", 0, 0, 65_535, 65_535, 0) + pixel
    found = all_of(small + b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + pixel + grown + b";")
    assert [getattr(error, "code", "") for error in found] == ["", "too many pixels"]


def test_gif_of_twenty_thousand_frames_is_sampled():
    frame = b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00"
    data = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + frame * 20_000 + b";"
    decoded = decode(data, Limits(frames=3))
    assert decoded.frame_count == 20_000
    assert [frame.number for frame in decoded.frames] == [0, 9999, 19_999]


def test_apng_that_says_two_billion_frames_has_those_it_has(drawn, saved, draw_picture):
    more = [draw_picture(320, 240, seed=seed) for seed in (1, 2)]
    data = saved(drawn, "PNG", save_all=True, append_images=more)
    at = data.index(b"acTL")
    body = struct.pack(">II", 2**31 - 1, 0)
    data = data[: at - 4] + chunk(b"acTL", body) + data[at + 16 :]
    decoded = decode(data, Limits(frames=3))
    assert decoded.frame_count == 3
    *frames, error = decoded.frames
    assert [frame.number for frame in frames] == [0, 1, 2]
    assert error.code == "truncated"


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_compressed_text_bomb_does_not_hide_the_picture(kind, drawn, saved):
    bomb = zeros(200 << 20)
    body = {b"zTXt": b"a\x00\x00", b"iTXt": b"a\x00\x01\x00\x00\x00", b"iCCP": b"a\x00\x00"}[kind] + bomb
    plain = saved(drawn, "PNG")
    found = all_of(plain[:33] + chunk(kind, body) + plain[33:])
    assert found[0].luma.shape == (240, 320)


def test_png_with_thousands_of_text_chunks(drawn, saved):
    info = PngImagePlugin.PngInfo()
    for number in range(20_000):
        info.add_text(f"k{number}", "v" * 100)
    assert all_of(saved(drawn, "PNG", pnginfo=info))[0].luma.shape == (240, 320)


def test_tiff_whose_directories_run_in_a_loop(drawn, draw_picture, saved):
    data = bytearray(saved(drawn, "TIFF", save_all=True, append_images=[draw_picture(50, 40)]))
    # Given the last directory's next pointing at the first
    (first,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, first)
    (second,) = struct.unpack_from("<I", data, first + 2 + 12 * entries)
    (more,) = struct.unpack_from("<H", data, second)
    struct.pack_into("<I", data, second + 2 + 12 * more, first)
    decoded = decode(bytes(data), Limits())
    assert decoded.frame_count == 2
    assert [frame.number for frame in decoded.frames] == [0, 1]


def test_tiff_of_ten_thousand_directories():
    data = bytearray(b"II*\x00\x08\x00\x00\x00")
    for _ in range(10_000):
        tags = [(256, 8), (257, 8), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 8), (279, 64)]
        body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
        data += struct.pack("<H", len(tags)) + body + struct.pack("<I", len(data) + 6 + len(body))
    found = all_of(bytes(data) + bytes(64))
    assert sum(hasattr(frame, "luma") for frame in found) >= 64
    assert found[-1].code == "too many frames"


def test_huge_exif_and_many_markers(drawn, saved):
    plain = saved(drawn, "JPEG")
    segment = (
        b"\xff\xe1" + struct.pack(">H", 65_535) + b"Exif\x00\x00II*\x00\x08\x00\x00\x00" + b"\xff" * 65_519
    )
    found = all_of(plain[:2] + segment * 100 + plain[2:])
    assert found[0].luma.shape == (240, 320)


def test_jpeg_with_a_thousand_scans_of_one_picture(drawn, saved):
    plain = saved(drawn.resize((64, 64)), "JPEG", progressive=True)
    start = plain.index(b"\xff\xda")
    scans = plain[start:-2]
    found = all_of(plain[:start] + scans * 1000 + plain[-2:])
    assert hasattr(found[0], "luma") or found[0].code in ("damaged", "truncated")


def test_long_thin_and_tiny_pictures_are_decoded(saved):
    for size in ((1, 1), (1, 60_000), (60_000, 1), (2, 2), (7, 3)):
        for kind in ("PNG", "JPEG", "TIFF", "BMP"):
            (frame,) = all_of(saved(Image.new("RGB", size, (200, 10, 10)), kind))
            assert (frame.width, frame.height) == size
            assert frame.luma.shape == (size[1], size[0])


def test_settings_of_pillow_are_put_back(drawn, saved):
    from PIL import ImageFile

    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    data = saved(drawn, "JPEG")
    all_of(data[: len(data) // 2])
    frames = decode(data, Limits()).frames
    next(frames)
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def test_errors_hold_nothing_of_the_file():
    secret = b"SECRETSECRET"
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0)) + secret * 20
    with pytest.raises(MediaError) as caught:
        all_of(data)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert io.BytesIO(data).read() == data
