"""Truncated, flipped and random bytes of every format: frames or a typed error, nothing else."""

from __future__ import annotations

import io
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nightlamp.errors import MediaError
from nightlamp.media import HEAD, Frame, Limits, decode, sniff

SMALL = Limits(pixels=4_000_000, frames=4)


def heic(picture: Image.Image) -> bytes:
    import pillow_heif

    file = io.BytesIO()
    pillow_heif.from_pillow(picture).save(file, quality=70)
    return file.getvalue()


KINDS = {
    "JPEG": {},
    "progressive JPEG": {"progressive": True},
    "CMYK JPEG": {},
    "MPO": {},
    "PNG": {},
    "APNG": {},
    "GIF": {},
    "WEBP": {},
    "animated WEBP": {},
    "AVIF": {"speed": 10},
    "HEIC": {},
    "TIFF": {},
    "LZW TIFF": {"compression": "tiff_lzw"},
    "JPEG TIFF": {"compression": "jpeg"},
    "BMP": {},
    "ICO": {"sizes": [(48, 48), (32, 32)]},
    "PPM": {},
    "JPEG2000": {},
}


@pytest.fixture(scope="module")
def files(draw_picture, saved) -> dict[str, bytes]:
    made = {}
    for name, options in KINDS.items():
        # drawn anew each time: Pillow's encoders leave settings on what they save
        picture, *more = (draw_picture(96, 72, seed=seed) for seed in (7, 1, 2))
        kind = name.rsplit(" ", maxsplit=1)[-1].replace("APNG", "PNG")
        if name == "HEIC":
            made[name] = heic(picture)
        elif name == "CMYK JPEG":
            made[name] = saved(picture.convert("CMYK"), "JPEG")
        elif name in ("MPO", "APNG", "GIF", "animated WEBP", "TIFF"):
            made[name] = saved(picture, kind, save_all=True, append_images=more, **options)
        else:
            made[name] = saved(picture, kind, **options)
    return made


def outcome(data: bytes, limits: Limits = SMALL) -> tuple[list[Frame], list[MediaError]]:
    """Decode wholly; anything but frames and ``MediaError`` is a failure of the test."""
    frames: list[Frame] = []
    errors: list[MediaError] = []
    try:
        for found in decode(data, limits, "fast").frames:
            if isinstance(found, Frame):
                assert found.luma.shape == (
                    -(-found.height // found.scale),
                    -(-found.width // found.scale),
                )
                frames.append(found)
            else:
                errors.append(found)
    except MediaError as error:
        errors.append(error)
    assert frames or errors
    return frames, errors


@pytest.mark.parametrize("name", KINDS)
def test_whole_files_have_no_errors(name, files):
    frames, errors = outcome(files[name])
    assert frames
    assert not errors


@pytest.mark.parametrize("name", KINDS)
def test_files_cut_anywhere(name, files):
    data = files[name]
    for cut in sorted(
        {int(len(data) * part / 24) for part in range(24)} | {1, 2, 3, 4, 8, 12, 16, len(data) - 1}
    ):
        _, errors = outcome(data[:cut])
        if cut < len(data) * 0.9 and name not in ("PPM", "ICO"):
            assert errors, f"{name} cut at {cut} of {len(data)} was taken for whole"


@pytest.mark.parametrize("name", ["JPEG", "progressive JPEG", "PNG", "GIF", "TIFF", "BMP"])
def test_what_there_is_of_a_truncated_picture_is_examined(name, files, bits_apart, levels_apart):
    data = files[name]
    frames, errors = outcome(data[: int(len(data) * (0.25 if name in ("GIF", "TIFF") else 0.7))])
    assert frames, "nothing was salvaged"
    assert errors
    assert errors[-1].code in ("truncated", "damaged")
    whole = outcome(data)[0][0]
    third = whole.luma.shape[0] // 3
    there = slice(-third, None) if name == "BMP" else slice(third)  # BMP goes bottom up
    assert levels_apart(frames[0].luma[there], whole.luma[there]) < 12


@pytest.mark.parametrize("name", KINDS)
def test_files_with_flipped_bits(name, files):
    chance = random.Random(name)
    for _ in range(40):
        data = bytearray(files[name])
        for _ in range(chance.choice((1, 1, 3, 20))):
            # most of them where the structure is, near the beginning
            at = chance.randrange(min(len(data), chance.choice((64, 512, 1 << 20))))
            data[at] ^= 1 << chance.randrange(8)
        outcome(bytes(data))


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_files_with_flipped_bits_at_length(name, files):
    chance = random.Random(name + " at length")
    for _ in range(2000):
        data = bytearray(files[name])
        for _ in range(chance.choice((1, 1, 2, 5, 50))):
            at = chance.randrange(min(len(data), chance.choice((32, 256, 2048, 1 << 20))))
            data[at] = chance.randrange(256)
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        outcome(bytes(data))


MAGIC = [
    b"\xff\xd8\xff\xe0",
    b"\xff\xd8\xff\xc0\x00\x11\x08",
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    b"GIF89a",
    b"RIFF\x40\x00\x00\x00WEBPVP8 ",
    b"RIFF\x40\x00\x00\x00WEBPVP8L",
    b"RIFF\x40\x00\x00\x00WEBPVP8X",
    b"\x00\x00\x00\x18ftypavif",
    b"\x00\x00\x00\x18ftypheic",
    b"\x00\x00\x00\x18ftypmif1",
    b"II*\x00\x08\x00\x00\x00",
    b"MM\x00*\x00\x00\x00\x08",
    b"II+\x00\x08\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00",
    b"BM" + bytes(8) + b"\x36\x00\x00\x00\x28\x00\x00\x00",
    b"\x00\x00\x01\x00\x01\x00",
    b"P6 ",
    b"P3\n4 4 255\n",
    b"\x00\x00\x00\x0cjP  \r\n\x87\n",
    b"\xff\x4f\xff\x51",
    b"qoif",
    b"8BPS\x00\x01" + bytes(6),
    b"\xff\x0a",
]


@settings(max_examples=400)
@given(st.sampled_from(MAGIC), st.binary(max_size=400))
def test_random_bytes_behind_each_magic_number(magic, rest):
    outcome(magic + rest)


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_random_bytes_are_sniffed(data):
    assert isinstance(sniff(data[:HEAD]), str)


@settings(max_examples=150)
@given(st.data())
def test_random_tiff_directories(data):
    tag = st.sampled_from(
        [254, 256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 330]
    )
    number = st.one_of(st.integers(0, 70), st.integers(0, 2**32 - 1))
    entry = st.tuples(tag, st.integers(0, 18), st.one_of(st.integers(0, 5), number), number)
    entries = data.draw(st.lists(entry, max_size=20))
    body = b"".join(struct.pack("<HHII", *values) for values in entries)
    file = b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", len(entries)) + body
    outcome(file + struct.pack("<I", data.draw(number)) + data.draw(st.binary(max_size=200)))
