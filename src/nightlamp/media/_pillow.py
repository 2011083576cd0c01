"""Pillow on a short lead: chosen plug-ins only, our pixel limit, no warnings, typed errors.

Plug-ins are named here one by one and made directly, so that Pillow's registry is never asked and nothing
exotic (EPS by Ghostscript, WMF, FPX …) can be reached by a file that says it is one.
"""

from __future__ import annotations

import importlib
import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, ImageFile

from nightlamp.errors import MediaCode, MediaError

_PLUGINS = {
    "image/jpeg": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "image/png": ("PIL.PngImagePlugin", "PngImageFile"),
    "image/gif": ("PIL.GifImagePlugin", "GifImageFile"),
    "image/webp": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "image/avif": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "image/heic": ("pillow_heif.as_plugin", "HeifImageFile"),
    "image/tiff": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "image/bmp": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "image/x-icon": ("PIL.IcoImagePlugin", "IcoImageFile"),
    "image/x-portable-anymap": ("PIL.PpmImagePlugin", "PpmImageFile"),
    "image/jp2": ("PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"),
    "image/jxl": ("nightlamp.media.jxl", "JxlImageFile"),
    "image/qoi": ("PIL.QoiImagePlugin", "QoiImageFile"),
    "image/vnd.adobe.photoshop": ("PIL.PsdImagePlugin", "PsdImageFile"),
}
_lead = threading.RLock()


def can_open(media_type: str) -> bool:
    """Whether a plug-in for this type stands in our list."""
    return media_type in _PLUGINS


@contextmanager
def on_a_lead(pixels: int, *, lenient: bool = False) -> Iterator[None]:
    """Pillow's process-wide settings are ours inside, and what they were outside; one thread at a time.

    Args:
        pixels: Pillow raises ``DecompressionBombError`` above this many, wherever it grows a picture.
        lenient: incomplete data gives the part that could be decoded.

    Raises:
        MediaError: for whatever Pillow raises inside.
    """
    with _lead, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        # Pillow raises above twice its bound, and warns below.
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = max(1, pixels // 2), lenient
        try:
            yield
        except MediaError:
            raise
        except Exception as error:  # noqa: BLE001 -- decoders raise anything on hostile bytes
            raise typed(error) from None
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before


def typed(error: Exception) -> MediaError:
    """The ``MediaError`` for what a decoder raised, without the decoder's own words."""
    if isinstance(error, MemoryError):
        return MediaError("out of memory", "the decoder asked for more memory than there is")
    if isinstance(error, Image.DecompressionBombError):
        return MediaError("too many pixels", "a frame grows beyond the limit")
    if isinstance(error, ImportError):
        return MediaError("no decoder", "a library is not installed", hint="pip install nightlamp[jxl]")
    if isinstance(error, NotImplementedError):
        return MediaError("no decoder", "the installed library does not decode this kind")
    code: MediaCode = "damaged"
    if isinstance(error, EOFError) or "truncated" in str(error).lower():
        code = "truncated"
    return MediaError(code, f"the decoder gave up ({type(error).__name__})")


def open_picture(data: bytes | memoryview, media_type: str, pixels: int) -> ImageFile.ImageFile:
    """Read the header only; call it, and all that is done with the picture, ``on_a_lead``.

    Raises:
        MediaError: ``"too many pixels"`` for a picture that says so of itself.
    """
    module, name = _PLUGINS[media_type]
    plugin: type[ImageFile.ImageFile] = getattr(importlib.import_module(module), name)
    picture = plugin(io.BytesIO(data))
    check_pixels(picture.size, pixels)
    return picture


def check_pixels(size: tuple[int, int], pixels: int) -> None:
    """Raise ``MediaError`` if a picture of this (width, height) has more pixels than allowed."""
    if size[0] * size[1] > pixels:
        raise MediaError("too many pixels", f"{size[0]} × {size[1]}, the limit is {pixels}")
    if min(size) < 1:
        raise MediaError("damaged", "a picture without pixels")
