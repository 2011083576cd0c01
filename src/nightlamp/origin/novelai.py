"""NovelAI's signature: Ed25519 over all pixels and the comment, with the public key that NovelAI publishes.

Facts: ``nai_sig.py`` in NovelAI's repository ``novelai-image-metadata``. Needs ``cryptography``.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import warnings
from typing import Any

from nightlamp.origin.statements import state
from nightlamp.values import Channel, Statement, Strength, Unchecked

PUBLIC_KEY = "Y2JcQAOhLwzwSDUJPNgL04nS0Tbqm7cSRc4xk0vRMic="
_PIXELS = 40_000_000
_FORGEABLE = (
    "only NovelAI can make it, for pictures that its service gave; "
    "changing a pixel breaks it, removing it leaves no trace"
)


def signature(
    comment: Any, data: memoryview, source: Channel, public_key: str = PUBLIC_KEY
) -> tuple[list[Statement], list[Unchecked]]:
    """Whether the signature in a comment holds for these pixels.

    Args:
        comment: the parsed JSON object that holds ``signed_hash``.
        data: the PNG or WebP.
        source: where the comment stood.
        public_key: base64 of 32 bytes.
    """
    if importlib.util.find_spec("cryptography") is None:
        text = "NovelAI's signature is in it; it was not verified"
        return [state(source, "present", text, Strength.CONTEXT)], [
            Unchecked("novelai signature", "not installed")
        ]
    pixels = _rgb(data)
    if pixels is None:
        return [], [Unchecked("novelai signature", "no pixels to compare")]
    rest = {key: value for key, value in comment.items() if key != "signed_hash"}
    if _holds(str(comment["signed_hash"]), pixels + json.dumps(rest).encode(), public_key):
        text = "NovelAI's signature holds for every pixel"
        return [
            state(source, "ai-made", text, Strength.SIGNED, {"generator": "NovelAI"}, _FORGEABLE),
            state(source, "signed", "signed by NovelAI", Strength.SIGNED, {"signer": "NovelAI"}, _FORGEABLE),
        ], []
    text = "NovelAI's signature does not hold: the picture was changed after, or the signature is not its own"
    return [state(source, "edited", text, fields={"generator": "NovelAI"})], []


def _holds(signed: str, message: bytes, public_key: str) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key))
        key.verify(base64.b64decode(signed), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _rgb(data: memoryview) -> bytes | None:
    """The pixels as they were signed: RGB as stored, rows from the top, alpha left out."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=("PNG", "WEBP")) as picture:
                if picture.mode not in ("RGB", "RGBA") or picture.width * picture.height > _PIXELS:
                    return None
                channels = picture.split()[
                    :3
                ]  # a conversion would not touch them either, but says nothing of it
                return Image.merge("RGB", channels).tobytes()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
