"""Other ways to look at the same pixels, where a list's hash may have been made from those.

Each is yielded only where it differs noticeably from ``"as is"``, so an ordinary picture has none:

- ``"on black"``, ``"alpha ignored"``: a transparent picture is composited on white as is.
- ``"colour managed"``: an embedded ICC profile changes the picture (inverted, channels swapped …).
- ``"gamma applied"``: a PNG's gAMA is far from that of sRGB.
- ``"polarity inverted"``: a CMYK JPEG that does not say, by Adobe's marker, which way its inks run.
- ``"border trimmed"``: a uniform border or letterbox surrounds the picture.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageChops, ImageCms, ImageStat

from nightlamp.media.luma import rgb_of

NOTICEABLE = 4.0
"""Mean difference in luma levels from which a view is worth a fingerprint of its own."""
MANAGED = 8.0
"""The same for colour management: common profiles (Display P3, Adobe RGB) stay below it."""
BORDER_TOLERANCE = 10
"""Levels by which a border may vary, by noise or compression."""
PROFILE_BYTES = 4 << 20
"""Larger ICC profiles are not read; the largest in common use are about 2 MiB."""

Box = tuple[int, int, int, int]
Info = Mapping[Any, Any]
_SPACES = {b"GRAY": "L", b"RGB ": "RGB", b"CMYK": "CMYK"}


def matte(luma: Image.Image, alpha: Image.Image | None) -> Iterator[tuple[str, Image.Image]]:
    """(view, luma) of a picture with or without alpha: ``"as is"`` is on white; see above for the others."""
    if alpha is None:
        yield "as is", luma
        return
    white, black = Image.new("L", luma.size, 255), Image.new("L", luma.size, 0)
    white.paste(luma, mask=alpha)
    black.paste(luma, mask=alpha)
    yield "as is", white
    if differ(white, black) >= NOTICEABLE:
        yield "on black", black
        if differ(luma, black) >= NOTICEABLE and differ(luma, white) >= NOTICEABLE:
            yield "alpha ignored", luma


def differ(one: Image.Image, other: Image.Image) -> float:
    """Mean absolute difference of two pictures of mode ``L`` and one size, in levels."""
    return float(ImageStat.Stat(ImageChops.difference(one, other)).mean[0])


def coloured(info: Info, colours: Callable[[], Image.Image]) -> Iterator[tuple[str, Image.Image]]:
    """(view, picture of mode ``RGB``) for the views that need colour; most pictures have none.

    Args:
        info: what the decoder says of the file (``icc_profile``, ``gamma``, ``adobe`` …).
        colours: gives the loaded picture, its colours included; not called unless a view is likely.
    """
    profile = info.get("icc_profile") or b""
    gamma = info.get("gamma")
    if gamma and not profile and "srgb" not in info and not 0.38 <= gamma <= 0.54:
        yield "gamma applied", gamma_applied(colours(), gamma)
    if info.get("inks run") == "unsaid":
        yield "polarity inverted", ImageChops.invert(colours()).convert("RGB")
    mode = _SPACES.get(profile[16:20])
    if mode is not None and _moves_luma(profile, mode):
        changed = _managed(colours(), profile, mode)
        if changed is not None:
            yield "colour managed", changed


def _managed(picture: Image.Image, profile: bytes, mode: str) -> Image.Image | None:
    """The picture as its profile means it, mode ``RGB``, or None if luma stays about the same."""
    if picture.mode != mode:
        if mode != "RGB" or picture.mode == "CMYK":
            return None  # a profile of another colour space is ignored, as viewers do
        picture = rgb_of(picture)
    changed = _to_srgb(picture, profile)
    if changed is None or differ(changed.convert("L"), rgb_of(picture).convert("L")) < MANAGED:
        return None
    return changed


def gamma_applied(picture: Image.Image, gamma: float) -> Image.Image:
    """The picture as its PNG gAMA means it on an sRGB screen, mode ``RGB``."""
    exponent = min(100.0, 1 / (2.2 * max(gamma, 1e-5)))
    return rgb_of(picture).point([round(255 * (level / 255) ** exponent) for level in range(256)] * 3)


def border(luma: np.ndarray) -> Box | None:
    """(left, top, right, bottom) inside a uniform border of ``luma``, or None if it has none to speak of.

    The inner part keeps at least a quarter of each dimension, and loses at least 5 % of one.
    """
    height, width = luma.shape
    if height < 32 or width < 32:
        return None
    sides = luma[0], luma[-1], luma[:, 0], luma[:, -1]
    if all(int(side.max()) - int(side.min()) > BORDER_TOLERANCE for side in sides):
        return None
    top, bottom = _uniform_run(luma), _uniform_run(luma[::-1])
    middle = luma[top : height - bottom] if top + bottom < height else luma
    left, right = _uniform_run(middle.T), _uniform_run(middle.T[::-1])
    inner_height, inner_width = height - top - bottom, width - left - right
    if inner_height * 4 < height or inner_width * 4 < width:
        return None
    if inner_height * 20 > height * 19 and inner_width * 20 > width * 19:
        return None
    return left, top, width - right, height - bottom


def _uniform_run(rows: np.ndarray) -> int:
    """How many rows from the first on are of the first one's level, within the tolerance; 0 if all are."""
    level = int(rows[0, 0])
    low, high = max(0, level - BORDER_TOLERANCE), min(255, level + BORDER_TOLERANCE)
    for start in range(0, len(rows), 64):
        block = rows[start : start + 64]
        broken = (block.min(axis=1) < low) | (block.max(axis=1) > high)
        if broken.any():
            run = start + int(broken.argmax())
            return run + _ringing(rows[run : run + 8], level) if run else 0
    return 0


def _ringing(rows: np.ndarray, level: int) -> int:
    """How many of the (at most 8) rows after a border are its last JPEG block, which rings at the edge."""
    away = np.abs(rows.astype(np.int16) - level).mean(axis=1)
    inside = away > 2 * BORDER_TOLERANCE
    return int(inside.argmax()) if inside.any() else 0


@lru_cache(maxsize=16)
def _moves_luma(profile: bytes, mode: str) -> bool:
    """Whether a profile changes the luma of a palette of test colours by a lot, anywhere."""
    ramp = np.arange(256, dtype=np.uint8)
    if mode == "L":
        probe = Image.fromarray(ramp[None, :])
    else:
        axes = np.meshgrid(*[np.linspace(0, 255, 6).astype(np.uint8)] * len(mode))
        colours = np.stack([axis.ravel() for axis in axes], axis=-1)
        probe = Image.frombytes(mode, (len(colours), 1), colours.tobytes())
    changed = _to_srgb(probe, profile)
    return changed is not None and differ(changed.convert("L"), rgb_of(probe).convert("L")) >= NOTICEABLE


def _to_srgb(picture: Image.Image, profile: bytes) -> Image.Image | None:
    if len(profile) > PROFILE_BYTES:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None  # a broken profile is ignored, as viewers do
