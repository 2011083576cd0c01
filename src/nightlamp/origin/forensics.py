"""Signal forensics: measurements of the pixels and of how a JPEG is coded, as weak hints that decide nothing.

Each has a threshold, chosen on the photographs of the tests; how often it is passed there without cause, and
how often with, stands in docs/origin.md and is printed by ``benchmarks/origin.py``. A picture that shows
none of them is not thereby a photograph.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nightlamp.origin import measures
from nightlamp.origin.statements import state
from nightlamp.values import Says, Statement, Strength, Value

if TYPE_CHECKING:
    import numpy as np

    from nightlamp.media import Frame

PIXELS = 40_000_000
"""Larger pictures are not measured."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A measurement that may hint at something.

    Args:
        says, text: what it hints at.
        threshold: from where on.
        below: it hints at and below the threshold, not at and above.
        least: pictures whose shorter side has fewer pixels are not judged.
    """

    says: Says
    text: str
    threshold: float
    below: bool = False
    least: int = 256

    def hints(self, value: float) -> bool:
        """Whether a value passes the threshold; one that is not a number does not."""
        return value <= self.threshold if self.below else value >= self.threshold


MEASURES: Mapping[str, Measure] = {
    "generator size": Measure("ai-made", "its size in pixels is one that image generators make", 1),
    "upsampler peaks": Measure("ai-made", "its spectrum has peaks where up-sampling layers leave them", 1.2),
    "noise": Measure("synthetic", "its quiet parts have no noise, as a sensor's would", 0.03, below=True),
    "double compression": Measure("edited", "it was saved as JPEG at least twice", 0.6),
    "resampling": Measure("edited", "it was enlarged or otherwise interpolated", 14),
}

_SQUARES = (512, 768, 1024, 1536, 2048)
_SIZES = frozenset(
    {(side, side) for side in _SQUARES}
    | {
        (832, 1216), (896, 1152), (768, 1344), (640, 1536), (704, 1408), (704, 1344), (832, 1152),  # SDXL
        (512, 768), (512, 640), (576, 1024),  # Stable Diffusion 1, Stable Video Diffusion
        (1024, 1792), (1024, 1536),  # DALL·E 3, GPT Image
        (816, 1456), (896, 1344), (928, 1232),  # Midjourney
    }
)  # fmt: skip


def of_frame(frame: Frame, data: memoryview) -> list[Statement]:
    """What was measured, and a weak statement for each measurement that hints at something.

    Args:
        frame: the picture, decoded at full size.
        data: its file, for the tables of a JPEG.
    """
    tables = quantisation(data)
    found = scores(frame, tables)
    fields: dict[str, Value | None] = {name: round(value, 4) for name, value in found.items()}
    told = ", ".join(f"{name} {value:.3g}" for name, value in found.items()) or "nothing, it is too small"
    said = [state("forensics", "measured", f"measured: {told}", Strength.CONTEXT, fields)]
    if tables:
        quality = standard_quality(tables)
        text = (
            "its JPEG tables are not the standard's: a camera's or an editor's own"
            if quality is None
            else f"its JPEG tables are the standard's, at quality {quality}, as most programs use"
        )
        said.append(state("forensics", "software", text, Strength.CONTEXT, {"quality": quality}))
    for name, value in found.items():
        measure = MEASURES[name]
        if measure.hints(value):
            said.append(
                state("forensics", measure.says, measure.text, Strength.WEAK, {name: round(value, 4)})
            )
    return said


def scores(frame: Frame, tables: list[np.ndarray]) -> dict[str, float]:
    """Each measurement that could be made, by the name that it has in ``MEASURES``."""
    luma = measures.middle(frame.luma)
    found = {"generator size": float(tuple(sorted((frame.width, frame.height))) in _SIZES)}
    found["upsampler peaks"] = measures.upsampler_peaks(luma)
    found["noise"] = measures.noise(luma)
    found["resampling"] = measures.resampling(luma)
    if tables and min(luma.shape) > 16:
        found["double compression"] = measures.double_compression(luma, tables[0])
    least = min(frame.luma.shape)
    return {n: v for n, v in found.items() if math.isfinite(v) and least >= MEASURES[n].least}


def quantisation(data: memoryview) -> list[np.ndarray]:
    """The quantisation tables of a JPEG, each (8, 8), in the order of their numbers; luma's is the first.

    Nothing if it is no JPEG, or ends before them.
    """
    import numpy as np

    found: dict[int, np.ndarray] = {}
    at = 2
    while (
        bytes(data[:2]) == b"\xff\xd8" and at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA
    ):
        marker, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xFF:
            at += 1
            continue
        segment = data[at + 4 : at + 2 + size]
        while marker == 0xDB and len(segment) >= 65:
            wide = 1 + (segment[0] >> 4 & 1)
            values = np.frombuffer(segment[1 : 1 + 64 * wide], ">u2" if wide == 2 else np.uint8)
            if len(values) < 64 or not values.all():
                break
            table = np.empty(64, np.int64)
            table[_zigzag()] = values
            found[segment[0] & 3] = table.reshape(8, 8)
            segment = segment[1 + 64 * wide :]
        at += 2 + size
    return [found[number] for number in sorted(found)] if 0 in found else []


def standard_quality(tables: list[np.ndarray]) -> int | None:
    """The quality (1 to 100) at which the standard's own table (T.81, annex K), scaled as libjpeg does, is
    the first of these; None if there is none."""
    import numpy as np

    for quality in range(100, 0, -1):
        scale = 5000 // quality if quality < 50 else 200 - 2 * quality
        if np.array_equal(np.clip((_standard_luma() * scale + 50) // 100, 1, 255), tables[0]):
            return quality
    return None


def _zigzag() -> np.ndarray:
    """Where the n-th value of a table stands in it, by rows."""
    import numpy as np

    rows, columns = np.divmod(np.arange(64), 8)
    diagonal = rows + columns
    # Along even diagonals upwards, along odd ones downwards.
    return np.lexsort((np.where(diagonal % 2, rows, columns), diagonal))


def _standard_luma() -> np.ndarray:
    """Table K.1 of the standard."""
    import numpy as np

    return np.array(
        [
            [16, 11, 10, 16, 24, 40, 51, 61],
            [12, 12, 14, 19, 26, 58, 60, 55],
            [14, 13, 16, 24, 40, 57, 69, 56],
            [14, 17, 22, 29, 51, 87, 80, 62],
            [18, 22, 37, 56, 68, 109, 103, 77],
            [24, 35, 55, 64, 81, 104, 113, 92],
            [49, 64, 78, 87, 103, 121, 120, 101],
            [72, 92, 95, 98, 112, 100, 103, 99],
        ]
    )
