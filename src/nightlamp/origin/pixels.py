"""What a picture's pixels say, where that is asked for: watermarks, forensics, the operator's detectors."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from nightlamp.errors import ConfigError, MediaError
from nightlamp.media import Limits
from nightlamp.origin import detector, forensics, watermark
from nightlamp.origin.detector import first_frame
from nightlamp.values import Statement, Unchecked

if TYPE_CHECKING:
    import PIL.Image


def of_pixels(
    data: memoryview, limits: Limits, *, forensics: bool, detectors: tuple[Path, ...]
) -> tuple[list[Statement], list[Unchecked]]:
    """Statements of a picture's first frame, and what could not be looked at. Never raises for what the bytes
    are."""
    names = [*(["watermark", "forensics"] if forensics else []), *(["detector"] if detectors else [])]
    try:
        return _of_pixels(data, limits, look=forensics, detectors=detectors)
    except MediaError as error:
        return [], [Unchecked(name, error.code) for name in names]
    except MemoryError:
        return [], [Unchecked(name, "out of memory") for name in names]
    except Exception as error:  # noqa: BLE001 (a reader's bug must not hide the other evidence)
        return [], [Unchecked(name, "reader failed", type(error).__name__) for name in names]


def _of_pixels(
    data: memoryview, limits: Limits, *, look: bool, detectors: tuple[Path, ...]
) -> tuple[list[Statement], list[Unchecked]]:
    frame = first_frame(data, limits, forensics.PIXELS)
    picture: Callable[[], PIL.Image.Image] = cache(frame.picture)
    statements: list[Statement] = []
    unchecked: list[Unchecked] = []
    if look:
        statements += forensics.of_frame(frame, data)
        if frame.width * frame.height > watermark.PIXELS:
            unchecked.append(Unchecked("watermark", "too many pixels"))
        else:
            import numpy as np

            statements += watermark.of_pixels(np.asarray(picture()))
    for path in detectors:
        try:
            statements.append(detector.of_picture(picture(), detector.load(path)))
        except ConfigError as error:
            unchecked.append(Unchecked("detector", "not loaded", error.what))
    return statements, unchecked
