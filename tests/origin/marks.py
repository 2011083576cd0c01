"""Embeds open watermarks, written here after the published algorithm, block by block; no code of the
decoder's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from tests.origin.files import drawn


def embedded(picture: Image.Image, bits: Sequence[int], *, as_float: bool) -> Image.Image:
    """The picture (RGB) with the mark, as a generator that works in floats or in bytes puts it in."""
    rgb = np.array(picture.convert("RGB"), dtype=np.float64)
    height, width = (side // 8 * 8 for side in rgb.shape[:2])
    luma = rgb @ [0.299, 0.587, 0.114]
    chroma = 0.492 * (rgb[:, :, 2] - luma) + (0.5 if as_float else 128)
    if not as_float:
        chroma = np.rint(chroma)
    inner = chroma[:height, :width]
    low = (inner[::2, ::2] + inner[1::2, ::2] + inner[::2, 1::2] + inner[1::2, 1::2]) / 2
    change = np.zeros_like(low)
    number = 0
    for top in range(0, low.shape[0], 4):
        for left in range(0, low.shape[1], 4):
            block = low[top : top + 4, left : left + 4]
            at = 1 + int(np.argmax(np.abs(block).ravel()[1:]))
            row, column = top + at // 4, left + at % 4
            value = low[row, column]
            moved = (abs(value) // 36 + 0.25 + 0.5 * bits[number % len(bits)]) * 36
            change[row, column] = (moved if value >= 0 else -moved) - value
            number += 1
    # Undoing the Haar transform, each of the four pixels takes half of what its mean took.
    spread = np.zeros_like(chroma)
    spread[:height, :width] = np.repeat(np.repeat(change / 2, 2, axis=0), 2, axis=1)
    if not as_float:
        spread = np.floor(chroma + spread) - chroma
    rgb[:, :, 2] += 2.032 * spread
    rgb[:, :, 1] -= 0.395 * spread
    return Image.fromarray(np.clip(np.rint(rgb), 0, 255).astype(np.uint8))


def colourful(side: int = 512, seed: int = 3) -> Image.Image:
    """Soft blobs of muted colour with a little noise. In strong colours the algorithm often loses bits."""
    light, *tints = (np.asarray(drawn(side, side, "L", seed + n), float)[:, :, None] for n in range(4))
    pixels = 60 + light * 0.5 + (np.concatenate(tints, axis=2) - 128) * 0.06
    noisy = pixels + np.random.default_rng(seed).normal(0, 2, pixels.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
