from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.origin.files import drawn, jpeg, png
from tests.origin.marks import colourful, embedded

from nightlamp.origin import origin_of, watermark
from nightlamp.origin.watermark import CERTAIN, CHANCE, MARKS
from nightlamp.values import Strength

SDXL = "Stable Diffusion XL (diffusers, Stability AI)"


@pytest.mark.parametrize("as_float", [True, False], ids=["floats", "bytes"])
@pytest.mark.parametrize("name", MARKS)
def test_each_mark_is_found_and_named(name: str, as_float: bool) -> None:
    picture = embedded(colourful(), MARKS[name], as_float=as_float)

    (said,) = watermark.of_pixels(np.asarray(picture))

    assert said.field("mark") == name
    # 32 bits are too few to be certain, whatever they say.
    assert said.strength == (Strength.WEAK if len(MARKS[name]) == 32 else Strength.DECLARED)
    assert "anybody can embed it" in said.forgeable
    assert "proves nothing" in said.forgeable


def test_a_mark_of_a_generator_that_mixed_up_red_and_blue_is_found() -> None:
    red, green, blue = colourful().split()
    marked = embedded(Image.merge("RGB", (blue, green, red)), MARKS[SDXL], as_float=True)
    blue, green, red = marked.split()

    (said,) = watermark.of_pixels(np.asarray(Image.merge("RGB", (red, green, blue))))

    assert said.field("mark") == SDXL


def test_a_mark_declares_ai_only_where_no_chance_explains_it() -> None:
    marked = png(picture=embedded(colourful(), MARKS[SDXL], as_float=True))

    found, blind = origin_of(marked, forensics=True), origin_of(marked)

    assert found.outcome == "declared AI-made"
    assert found.generative_ai
    assert blind.outcome == "unknown"
    assert max(s.strength for s in found.statements) < Strength.SIGNED


def test_a_mark_in_a_cameras_photo_contradicts_it() -> None:
    from tests.origin.files import camera

    marked = embedded(colourful(), MARKS["InvokeAI"], as_float=False)
    photo = jpeg(camera(), marked)
    high = io.BytesIO()
    marked.save(high, "JPEG", quality=100, subsampling=0, exif=camera())

    assert origin_of(photo, forensics=True).outcome != "declared AI-made"
    assert origin_of(high.getvalue(), forensics=True).outcome == "inconsistent"


def test_half_a_mark_is_none() -> None:
    marked = np.array(embedded(colourful(), MARKS[SDXL], as_float=True))
    marked[::2] = np.asarray(colourful())[::2]

    assert watermark.of_pixels(marked) == []


@pytest.mark.parametrize("bits", [32, 46, 48, 64, 136, 224])
def test_chance_is_a_binomial_tail_for_all_that_is_tried(bits: int) -> None:
    tries = len(MARKS) * len(watermark.VIEWS)

    assert watermark.chance(0, bits) == 1
    assert watermark.chance(bits, bits) == pytest.approx(tries / 2**bits)
    assert all(watermark.chance(n + 1, bits) <= watermark.chance(n, bits) for n in range(bits))
    for most in (CHANCE, CERTAIN):
        needed = watermark.needed(bits, most)
        assert watermark.chance(needed - 1, bits) > most
        assert needed > bits or watermark.chance(needed, bits) <= most


def test_marks_that_nobody_embedded_agree_as_often_as_chance_says() -> None:
    """Random marks of 48 bits against one picture: their agreement is binomial, whatever the picture."""
    votes = watermark.block_votes(np.asarray(colourful()), as_float=True, swapped=False)
    random = np.random.default_rng(5)

    agree = [watermark.agreement(votes, random.integers(0, 2, 48).tolist()) for _ in range(4000)]

    assert np.mean(agree) == pytest.approx(24, abs=0.3)
    assert np.std(agree) == pytest.approx(np.sqrt(48) / 2, abs=0.2)
    assert max(agree) < watermark.needed(48)


@pytest.mark.parametrize("colour", ["black", "white", "#808080", "#0000ff", "#123456"])
def test_a_flat_picture_has_no_mark(colour: str) -> None:
    assert watermark.of_pixels(np.asarray(Image.new("RGB", (512, 512), colour))) == []


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.integers(256, 400), st.integers(256, 400))
def test_noise_has_no_mark(seed: int, height: int, width: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)

    assert watermark.of_pixels(pixels) == []


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 70_000), (8, 8192), (255, 255)])
def test_odd_and_small_sizes_are_no_trouble(height: int, width: int) -> None:
    assert watermark.of_pixels(np.zeros((height, width, 3), np.uint8)) == []


def test_what_is_too_large_is_not_checked_and_says_so() -> None:
    large = png(picture=Image.new("1", (5000, 4000)))
    huge = png(picture=Image.new("1", (10_000, 10_000)))

    assert ("watermark", "too many pixels") in {
        (u.what, u.why) for u in origin_of(large, forensics=True).unchecked
    }
    assert {u.what for u in origin_of(huge, forensics=True).unchecked} >= {"watermark", "forensics"}


def test_photographs_carry_no_mark(shared_data: Path) -> None:
    photos = sorted((shared_data / "photos" / "grocery").glob("*.jpg"))[::6]
    photos += sorted((shared_data / "photos" / "large").rglob("*.jpg"))[::8]

    for photo in photos:
        with Image.open(photo) as picture:
            found = watermark.strongest(np.asarray(picture.convert("RGB")))
        assert found is not None
        assert found.chance > 1e-4, photo.name


def test_a_picture_without_colour_says_nothing() -> None:
    assert watermark.of_pixels(np.asarray(drawn(512, 512))) == []
