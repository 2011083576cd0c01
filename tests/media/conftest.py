"""Pictures that the tests draw, and what they are compared with."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pdqhash
import pytest
from PIL import Image, ImageDraw

from nightlamp.errors import MediaError
from nightlamp.media import Frame, Limits, decode

Saved = Callable[..., bytes]


def draw(width: int = 320, height: int = 240, seed: int = 7) -> Image.Image:
    """Soft colours and a few shapes, no symmetry in them: every dihedral variant has a hash of its own."""
    rng = np.random.default_rng(seed)
    soft = Image.fromarray(rng.integers(30, 226, (7, 9, 3), dtype=np.uint8))
    picture = soft.resize((width, height), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    pen.ellipse((width * 0.1, height * 0.15, width * 0.45, height * 0.5), fill=(230, 220, 40))
    pen.rectangle((width * 0.55, height * 0.6, width * 0.9, height * 0.85), fill=(20, 40, 120))
    pen.line((0, height * 0.9, width * 0.6, height * 0.2), fill=(200, 30, 30), width=max(2, width // 40))
    return picture


@pytest.fixture(scope="session")
def drawn() -> Image.Image:
    return draw()


@pytest.fixture(scope="session")
def draw_picture() -> Callable[..., Image.Image]:
    return draw


@pytest.fixture(scope="session")
def saved() -> Saved:
    """A picture → a file's bytes, by Pillow's own encoder."""

    def save(picture: Image.Image, kind: str, **options: Any) -> bytes:
        file = io.BytesIO()
        picture.save(file, kind, **options)
        return file.getvalue()

    return save


@pytest.fixture(scope="session")
def opened() -> Callable[..., tuple[list[Frame], list[MediaError]]]:
    """A file's bytes → (frames, errors) of decoding it wholly; what ``decode`` raises counts as an error."""

    def open_all(
        data: bytes, detail: str = "full", limits: Limits | None = None
    ) -> tuple[list[Frame], list[MediaError]]:
        frames: list[Frame] = []
        errors: list[MediaError] = []
        try:
            for found in decode(data, limits or Limits(), detail).frames:  # type: ignore[arg-type]
                (frames if isinstance(found, Frame) else errors).append(found)  # type: ignore[arg-type]
        except MediaError as error:
            errors.append(error)
        return frames, errors

    return open_all


@pytest.fixture(scope="session")
def bits_apart() -> Callable[[Any, Any], int]:
    """How many of 256 bits two lumas' PDQ hashes differ in, by the ``pdqhash`` package."""

    def pdq(luma: Any) -> np.ndarray:
        levels = np.asarray(luma)
        return pdqhash.compute(np.ascontiguousarray(np.repeat(levels[..., None], 3, axis=2)))[0]

    return lambda one, other: int((pdq(one) != pdq(other)).sum())


@pytest.fixture(scope="session")
def levels_apart() -> Callable[[Any, Any], float]:
    """Mean absolute difference of two lumas of one size, in levels."""
    return lambda one, other: float(np.abs(np.asarray(one).astype(int) - np.asarray(other)).mean())
