from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.origin.files import jpeg, png, saved, segment
from tests.origin.marks import colourful

from nightlamp.origin import forensics, measures, origin_of
from nightlamp.values import Assessment, Strength


def textured(side: int = 512, seed: int = 4) -> Image.Image:
    """Detail at every scale, as a photograph has: noise whose spectrum falls with the frequency."""
    random = np.random.default_rng(seed)
    spectrum = np.fft.rfft2(random.normal(size=(side, side)))
    y, x = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    wave = np.fft.irfft2(spectrum / np.maximum(np.hypot(y, x), 1 / side) ** 1.2, (side, side))
    pixels = 128 + 40 * wave / wave.std() + random.normal(0, 1.5, wave.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).convert("RGB")


def hints(data: bytes) -> set[str]:
    found = origin_of(data, forensics=True)
    names = {
        name
        for s in found.statements
        if s.source == "forensics" and s.strength == Strength.WEAK
        for name, _ in s.fields
    }
    assert names <= set(forensics.MEASURES)
    return names


def as_jpeg(picture: Image.Image, *qualities: int) -> bytes:
    for quality in qualities:
        data = saved(picture, "JPEG", quality=quality)
        picture = Image.open(io.BytesIO(data))
    return data


@pytest.mark.parametrize("qualities", [(60, 90), (75, 90), (75, 95), (85, 95), (60, 80)])
def test_a_jpeg_that_was_one_before_is_seen(qualities: tuple[int, ...]) -> None:
    assert "double compression" in hints(as_jpeg(textured(), *qualities))


@pytest.mark.parametrize("quality", [60, 75, 85, 95])
def test_a_jpeg_of_one_compression_is_not(quality: int) -> None:
    assert "double compression" not in hints(as_jpeg(textured(), quality))


@pytest.mark.parametrize("factor", [1.3, 1.5, 1.8])
def test_an_enlarged_picture_is_seen(factor: float) -> None:
    side = int(512 * factor)
    larger = textured().resize((side, side), Image.Resampling.BICUBIC)

    assert "resampling" in hints(png(picture=larger))
    assert "resampling" not in hints(png(picture=textured()))


def test_the_checks_of_an_upsampling_layer_are_seen() -> None:
    pixels = np.array(textured()).astype(float)
    pixels[::2, ::2] += 6  # a transposed convolution whose kernel is no multiple of its stride

    assert "upsampler peaks" in hints(png(picture=Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))))
    assert "upsampler peaks" not in hints(png(picture=textured()))


def test_a_picture_without_noise_is_seen() -> None:
    ramp = Image.linear_gradient("L").resize((512, 512), Image.Resampling.BICUBIC).convert("RGB")

    assert "noise" in hints(png(picture=ramp))
    assert "noise" not in hints(png(picture=textured()))


@pytest.mark.parametrize(
    ("size", "hinted"), [((1024, 1024), True), ((1216, 832), True), ((832, 1216), True), ((1000, 750), False)]
)
def test_a_size_of_generators_is_told(size: tuple[int, int], hinted: bool) -> None:
    assert ("generator size" in hints(png(picture=textured().resize(size)))) is hinted


def test_all_hints_together_decide_nothing() -> None:
    ramp = Image.linear_gradient("L").resize((1024, 1024), Image.Resampling.BICUBIC)
    pixels = np.array(ramp).astype(float)
    pixels[::2, ::2] += 8
    found = origin_of(as_jpeg(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), 50, 95), forensics=True)

    assert sum(s.strength == Strength.WEAK for s in found.statements) >= 2
    assert found.outcome == "unknown"
    assert not found.generative_ai
    assert "There are weak hints." in found.sentence


@pytest.mark.parametrize("quality", [1, 25, 50, 75, 92, 100])
def test_tables_are_read_as_they_are_and_the_standards_are_known(quality: int) -> None:
    data = as_jpeg(textured(64), quality)
    tables = forensics.quantisation(memoryview(data))

    # Pillow gives its tables by rows.
    expected = Image.open(io.BytesIO(data)).quantization
    assert [t.ravel().tolist() for t in tables] == [expected[n] for n in sorted(expected)]
    assert forensics.standard_quality(tables) == quality


def test_tables_of_somebodys_own_are_told_apart() -> None:
    own = [list(range(2, 66)), list(range(3, 67))]
    data = saved(textured(64), "JPEG", qtables=own)

    assert forensics.standard_quality(forensics.quantisation(memoryview(data))) is None
    assert "not the standard's" in said(origin_of(data, forensics=True))


def said(found: Assessment) -> str:
    return " | ".join(s.text for s in found.statements)


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xdb\x00\x43",
        b"\xff\xd8\xff\xdb\x00\x00" * 9,
        b"\xff\xd8" + b"\xff" * 99,
        b"\xff\xd8\xff\xdb" + struct.pack(">H", 67) + b"\0" + bytes(64),
        b"\xff\xd8" + segment(0xDB, b"\x10" + bytes(70)) * 3,
    ],
)
def test_broken_tables_are_no_tables(start: bytes) -> None:
    assert forensics.quantisation(memoryview(start)) == []


@settings(max_examples=20)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 3))
def test_every_size_is_measured_or_left_alone(height: int, width: int, kind: int) -> None:
    pixels = np.random.default_rng(kind).integers(0, 256, (height, width), dtype=np.uint8) * (kind > 0)
    luma = measures.middle(pixels)

    for measure in (measures.noise, measures.resampling, measures.upsampler_peaks):
        assert isinstance(measure(luma), float)
    measures.double_compression(luma, np.ones((8, 8)))
    data = saved(Image.fromarray(pixels), "JPEG")
    found = origin_of(data, forensics=True)
    assert not any(u.why == "reader failed" for u in found.unchecked)


def test_what_is_small_is_not_judged() -> None:
    found = origin_of(jpeg(picture=textured(128)), forensics=True)

    assert "measured: nothing, it is too small" in said(found)
    assert not any(s.strength == Strength.WEAK for s in found.statements)


def test_what_cannot_be_decoded_is_not_checked() -> None:
    found = origin_of(jpeg(picture=colourful())[:300], forensics=True)

    assert {"watermark", "forensics"} <= {u.what for u in found.unchecked}
    assert found.outcome == "unknown"


def test_without_being_asked_for_nothing_is_measured() -> None:
    assert "measured" not in {s.says for s in origin_of(png(picture=textured())).statements}
