"""Harmless pictures, drawn from a seed, and altered copies of them: for ``nightlamp demo`` and ``examples/``.

Skies, hills, trees, houses and a sun, made of polygons and noise. Detailed enough that PDQ is meaningful, and
different enough from seed to seed that no two match.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image
    from PIL.ImageDraw import ImageDraw


def landscape(seed: int, width: int = 480, height: int = 360) -> Image.Image:
    """A landscape; the same seed and size give the same pixels.

    Args:
        seed: which one.
        width, height: pixels.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    dice = np.random.default_rng(seed)
    pixels = _sky(dice, width, height)
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    radius = height * dice.uniform(0.06, 0.16)
    x, y = dice.uniform(0.1, 0.9) * width, dice.uniform(0.1, 0.4) * height
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_colour(dice, 200, 256))
    for layer in range(5):
        base = height * (0.35 + 0.13 * layer)
        _hills(draw, dice, width, height, base, shade=0.9 - 0.13 * layer)
        for _ in range(int(dice.integers(2, 6))):
            at = (dice.uniform(0, width), base + dice.uniform(0, 0.12) * height)
            (_tree if dice.random() < 0.6 else _house)(draw, dice, at, height * (0.07 + 0.05 * layer))
    grain = dice.normal(0, 5, (height, width, 1))
    return Image.fromarray(np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8))


def _sky(dice: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A gradient with clouds, (height, width, 3) uint8."""
    import numpy as np
    from PIL import Image

    top, bottom = np.array(_colour(dice, 30, 160)), np.array(_colour(dice, 120, 256))
    down = np.linspace(0, 1, height)[:, None, None]
    coarse = Image.fromarray(dice.integers(0, 256, (6, 9), dtype=np.uint8))
    clouds = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=float)[:, :, None]
    sky = top * (1 - down) + bottom * down + (clouds - 128) * dice.uniform(0.3, 0.7)
    return np.clip(sky, 0, 255).astype(np.uint8)


def _colour(dice: np.random.Generator, low: int, high: int) -> tuple[int, int, int]:
    r, g, b = (int(c) for c in dice.integers(low, high, 3))
    return r, g, b


def _hills(
    draw: ImageDraw, dice: np.random.Generator, width: int, height: int, base: float, shade: float
) -> None:
    import numpy as np

    x = np.linspace(0, width, 60)
    waves = np.zeros_like(x)
    for n in (1, 2, 4):
        height_of, length, start = dice.uniform(4, 26) / n, n * dice.uniform(1, 3), dice.uniform(0, 7)
        waves += height_of * np.sin(x / width * np.pi * length + start)
    line = [(float(px), float(base + py * height / 360)) for px, py in zip(x, waves, strict=True)]
    r, g, b = _colour(dice, 40, 220)
    draw.polygon([*line, (width, height), (0, height)], fill=(int(r * shade), int(g * shade), int(b * shade)))


def _tree(draw: ImageDraw, dice: np.random.Generator, at: tuple[float, float], size: float) -> None:
    x, y = at
    draw.rectangle((x - size * 0.07, y - size * 0.3, x + size * 0.07, y), fill=_colour(dice, 40, 100))
    leaves = _colour(dice, 20, 140)
    for part in range(3):
        low, half = y - size * (0.25 + 0.25 * part), size * (0.42 - 0.1 * part)
        draw.polygon([(x - half, low), (x + half, low), (x, low - size * 0.45)], fill=leaves)


def _house(draw: ImageDraw, dice: np.random.Generator, at: tuple[float, float], size: float) -> None:
    x, y = at
    draw.rectangle((x, y - size * 0.6, x + size, y), fill=_colour(dice, 120, 250))
    roof = [
        (x - size * 0.1, y - size * 0.6),
        (x + size * 1.1, y - size * 0.6),
        (x + size / 2, y - size * 1.1),
    ]
    draw.polygon(roof, fill=_colour(dice, 60, 160))
    for column in (0.2, 0.6):
        window = (x + size * column, y - size * 0.45, x + size * (column + 0.2), y - size * 0.2)
        draw.rectangle(window, fill=_colour(dice, 0, 80))


def _resized(picture: Image.Image) -> Image.Image:
    return picture.resize((picture.width * 2 // 3, picture.height * 2 // 3))


def _mirrored(picture: Image.Image) -> Image.Image:
    from PIL import ImageOps

    return ImageOps.mirror(picture)


def _cropped(picture: Image.Image) -> Image.Image:
    w, h = picture.size
    return picture.crop((w // 100, h // 100, w - w // 100, h - h // 100))


def _brighter(picture: Image.Image) -> Image.Image:
    from PIL import ImageEnhance

    return ImageEnhance.Brightness(picture).enhance(1.15)


def _grey(picture: Image.Image) -> Image.Image:
    return picture.convert("L")


def _turned(picture: Image.Image) -> Image.Image:
    from PIL import Image

    return picture.transpose(Image.Transpose.ROTATE_90)


def _framed(picture: Image.Image) -> Image.Image:
    from PIL import ImageOps

    return ImageOps.expand(picture, border=2, fill="white")


ALTERATIONS: Mapping[str, Callable[[Image.Image], Image.Image]] = MappingProxyType(
    {
        "resized": _resized,
        "recompressed": lambda picture: picture,
        "mirrored": _mirrored,
        "turned": _turned,
        "cropped": _cropped,
        "brighter": _brighter,
        "grey": _grey,
        "framed": _framed,
    }
)
"""What copies of a picture go through as they travel, by name; each then becomes a JPEG of low quality."""


def jpeg(picture: Image.Image, quality: int = 85) -> bytes:
    """The picture as a JPEG file."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def altered(picture: Image.Image, alteration: str) -> bytes:
    """An altered copy of the picture, as a JPEG of low quality."""
    return jpeg(ALTERATIONS[alteration](picture), 55)
