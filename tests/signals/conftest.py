"""Pictures and the peer that the signals' tests share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest


@pytest.fixture(scope="session")
def scene() -> Callable[[int, int, int], np.ndarray]:
    """Draws (height, width, seed) a (h, w, 3) uint8 picture with strong shapes at every scale."""

    def draw(height: int, width: int, seed: int) -> np.ndarray:
        random = np.random.default_rng(seed)
        y, x = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None, :]
        channels = []
        for _ in range(3):
            fy, fx, py, px = random.uniform(0, (9, 9, 1, 1), (40, 4)).T
            down, across = np.cos(2 * np.pi * (fy * y + py)), np.cos(2 * np.pi * (fx * x.T + px))
            waves = (down / (1 + fy + fx)) @ across.T
            waves += (x > random.uniform()) * 1.0 - (y > random.uniform()) * 1.0
            channels.append(255 * (waves - waves.min()) / max(np.ptp(waves), 1e-9))
        return np.stack(channels, axis=-1).astype(np.uint8)

    return draw
