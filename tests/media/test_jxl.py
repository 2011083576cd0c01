"""JPEG XL: the size from its header, the picture from libjxl, and a plain word where that is absent."""

from __future__ import annotations

import random
import struct
import sys

import numpy as np
import pytest

from nightlamp.errors import MediaError
from nightlamp.media import Frame, Limits, decode

imagecodecs = pytest.importorskip("imagecodecs", reason="the extra jxl is not installed")


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 3])
def test_depths_and_channels(kind, channels, drawn, opened, bits_apart):
    levels = np.asarray(drawn if channels == 3 else drawn.convert("L"))
    samples = {
        "uint8": levels,
        "uint16": levels.astype(np.uint16) * 257,
        "float32": (levels / 255).astype(np.float32),
    }[kind]
    frames, errors = opened(imagecodecs.jpegxl_encode(samples, distance=0.5))
    assert not errors
    assert bits_apart(frames[0].luma, drawn.convert("L")) <= 6
    assert frames[0].picture().size == drawn.size


@pytest.mark.parametrize("size", [(320, 240), (333, 111), (64, 64), (1, 1), (160, 90), (2000, 7), (256, 8)])
def test_size_is_known_before_decoding(size, draw_picture):
    data = imagecodecs.jpegxl_encode(np.asarray(draw_picture(*size)))
    decoded = decode(data, Limits())
    assert (decoded.width, decoded.height) == size
    with pytest.raises(MediaError) as caught:
        decode(data, Limits(pixels=size[0] * size[1] - 1))
    assert caught.value.code == "too many pixels"


def test_codestream_in_a_container(drawn, opened, bits_apart):
    bare = imagecodecs.jpegxl_encode(np.asarray(drawn))
    boxes = b"\x00\x00\x00\x0cJXL \r\n\x87\n" + struct.pack(">I", 20) + b"ftypjxl \x00\x00\x00\x00jxl "
    frames, errors = opened(boxes + struct.pack(">I", 8 + len(bare)) + b"jxlc" + bare)
    assert not errors
    assert bits_apart(frames[0].luma, drawn.convert("L")) <= 6


def test_transparency_is_composited(drawn, opened):
    samples = np.dstack([np.asarray(drawn), np.zeros((240, 320), np.uint8)])
    frames, _ = opened(imagecodecs.jpegxl_encode(samples))
    assert (frames[0].luma == 255).all()


def test_rest_of_an_animation_is_said_to_be_unexamined(draw_picture):
    stills = np.stack([np.asarray(draw_picture(64, 48, seed=seed)) for seed in range(3)])
    *frames, error = decode(imagecodecs.jpegxl_encode(stills), Limits()).frames
    assert all(isinstance(frame, Frame) for frame in frames)
    assert error.code == "too many frames"


def test_cut_and_flipped_files(drawn, opened):
    whole = imagecodecs.jpegxl_encode(np.asarray(drawn))
    chance = random.Random(5)
    for _ in range(60):
        data = bytearray(whole)
        data[chance.randrange(2, 200)] ^= 1 << chance.randrange(8)
        del data[chance.choice((20, 500, len(whole))) :]
        frames, errors = opened(bytes(data), limits=Limits(pixels=4_000_000))
        assert frames or errors


def test_without_the_library_it_is_said(drawn, monkeypatch):
    data = imagecodecs.jpegxl_encode(np.asarray(drawn))
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    (error,) = decode(data, Limits()).frames
    assert error.code == "no decoder"
    assert "jxl" in error.hint
