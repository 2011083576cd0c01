"""Any pixel mode → the luma that PDQ is defined on, and the alpha channel if it matters.

Luma is 0.299 R + 0.587 G + 0.114 B, which Pillow's ``convert("L")`` computes in 16-bit fixed point (at most
one level from the exact value). It is taken of the stored values, as the PDQ reference does: no profile, no
gamma; what colour management would change is a view of its own (``views.py``).
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageCms

_DIRECT = {"1", "L", "P", "RGB", "YCbCr"}
_DEEP = {"I;16", "I;16L", "I;16B", "I;16N", "I", "F"}


def luma_and_alpha(picture: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """A loaded picture of any mode → (luma, alpha), both mode ``L``; alpha is None where all is opaque."""
    if picture.mode in _DEEP:
        return _of_deep(picture)
    if picture.has_transparency_data:
        rgba = _with_alpha(picture)
        alpha = rgba.getchannel("A")
        luma = rgba.getchannel("L") if rgba.mode == "LA" else rgba.convert("L")
        return luma, None if alpha.getextrema()[0] == 255 else alpha
    if picture.mode == "L":
        return picture, None
    if picture.mode in _DIRECT:
        return picture.convert("L"), None
    return rgb_of(picture).convert("L"), None


def rgb_of(picture: Image.Image) -> Image.Image:
    """A loaded picture of any mode → mode ``RGB``, its alpha channel ignored."""
    if picture.mode == "RGB":
        return picture
    if picture.mode in _DEEP:
        return _of_deep(picture)[0].convert("RGB")
    if picture.mode == "LAB":
        return _of_lab(picture)
    if picture.has_transparency_data:
        return _with_alpha(picture).convert("RGB")
    return picture.convert("RGB")


def on_matte(picture: Image.Image, matte: int) -> Image.Image:
    """A loaded picture of any mode → mode ``RGB``, composited on a grey of this level."""
    if picture.mode in _DEEP:
        luma, alpha = _of_deep(picture)
        rgb = luma.convert("RGB")
    elif picture.has_transparency_data:
        whole = _with_alpha(picture)
        rgb, alpha = whole.convert("RGB"), whole.getchannel("A")
    else:
        return rgb_of(picture)
    if alpha is None:
        return rgb
    ground = Image.new("RGB", picture.size, (matte, matte, matte))
    ground.paste(rgb, mask=alpha)
    return ground


def _with_alpha(picture: Image.Image) -> Image.Image:
    """Mode ``LA`` or ``RGBA``, not premultiplied, of a picture that has transparency in some form."""
    if picture.mode in ("LA", "RGBA"):
        return picture
    if picture.mode in ("La", "1"):
        return picture.convert("L").convert("LA") if picture.mode == "1" else picture.convert("LA")
    key = picture.info.get("transparency")
    if picture.mode == "RGB" and isinstance(key, tuple) and max(key) > 255:
        # A 16-bit PNG names its transparent colour in 16 bits; Pillow keeps the high bytes of the pixels.
        picture = picture.copy()
        picture.info["transparency"] = tuple(level >> 8 for level in key)
    return picture.convert("RGBA")


def _of_deep(picture: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """16-bit, 32-bit and float grey: scaled from the smallest usual range that holds all values.

    16-bit is 0…65535. Float and 32-bit are 0…1 (float only), 0…255 or 0…65535, else lowest…highest value.
    What is not a number is black.
    """
    values = np.asarray(picture)
    key = picture.info.get("transparency")
    alpha = None
    if isinstance(key, int):
        alpha = Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))
    if picture.mode.startswith("I;16"):
        levels = ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
        return Image.fromarray(levels), alpha
    finite = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(finite.min()), float(finite.max())
    tops = (1.0, 255.0, 65535.0) if picture.mode == "F" else (255.0, 65535.0)
    top = next((top for top in tops if low >= 0 and high <= top), None)
    if top is None:
        finite -= np.float32(low)
        top = max(high - low, 1e-30)
    finite *= np.float32(255.0 / top)
    return Image.fromarray(np.clip(np.rint(finite), 0, 255).astype(np.uint8)), alpha


def _of_lab(picture: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    changed = ImageCms.profileToProfile(picture, lab, srgb, outputMode="RGB")
    assert changed is not None
    return changed
