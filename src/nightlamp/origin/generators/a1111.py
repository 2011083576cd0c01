"""The format of AUTOMATIC1111's web UI, which Forge, SD.Next, Civitai and others write too.

The text: the prompt; a line ``Negative prompt: …``; a last line of ``Key: value`` pairs, ``Steps`` first.
Read from PNG text ``parameters``, EXIF ``UserComment``, or hidden in pixels. Facts: its own
``modules/infotext_utils.py`` (how a line is cut, which keys exist).
"""

from __future__ import annotations

import re

from nightlamp.origin.generators.generated import Generated, Mode, Texts, number, whole
from nightlamp.origin.statements import sealed

_PAIR = re.compile(r'\s*([\w][\w \-/+.]{0,60}):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)')
_LAST_LINE = 60_000
_LORA = re.compile(r"<(?:lora|lyco):([^:<>]{1,120})[:>]", re.IGNORECASE)
_KEYWORDS = ("parameters", "UserComment", "Parameters", "ImageDescription", "comment", "ICMT", "©cmt")


def read(texts: Texts) -> Generated | None:
    """The generation in the first text of this format."""
    for keyword in _KEYWORDS:
        text = texts.get(keyword, "")
        if found := parse(text):
            return found
    return None


def parse(text: str) -> Generated | None:
    """The generation that a text tells; None if it is not of this format."""
    lines = text.strip("\0 \r\n").split("\n")
    at = next((n for n in range(len(lines) - 1, max(-1, len(lines) - 12), -1) if _is_last(lines[n])), None)
    if at is None:
        return None
    pairs = {m[1].strip(): m[2].strip().strip('"') for m in _PAIR.finditer(lines[at][:_LAST_LINE])}
    prompt, _, negative = "\n".join(lines[:at]).partition("Negative prompt:")
    # What follows the pairs is Civitai's JSON, on the same line or the next.
    rest = "\n".join(lines[at:])
    names = [*_LORA.findall(prompt[:_LAST_LINE]), *_hashed(pairs.get("Lora hashes", ""))]
    mode = _mode(pairs)
    return Generated(
        generator=_generator(pairs, rest),
        mode=mode,
        model=pairs.get("Model"),
        model_hash=pairs.get("Model hash"),
        seed=whole(pairs.get("Seed")),
        steps=whole(pairs.get("Steps")),
        sampler=pairs.get("Sampler"),
        strength=number(pairs.get("Denoising strength")),
        loras=tuple(dict.fromkeys(name.strip() for name in names)),
        prompt=sealed(prompt.strip()),
        negative=sealed(negative.strip()),
        guided=any(key.startswith("ControlNet") for key in pairs),
    )


def _is_last(line: str) -> bool:
    if line.startswith(("Postprocess upscale", "Postprocess GFPGAN", "Postprocess CodeFormer")):
        return True
    return (
        line.lstrip().startswith("Steps: ")
        and re.search(r"\b(Sampler|CFG scale|Seed): ", line[:2000]) is not None
    )


def _mode(pairs: dict[str, str]) -> Mode:
    if any(key.startswith("Postprocess") for key in pairs) and "Steps" not in pairs:
        return "upscaling"
    if any(
        key in pairs
        for key in ("Mask blur", "Inpaint area", "Masked content", "Masked area padding", "Mask mode")
    ):
        return "inpainting"
    enlarged = any(key.startswith("Hires") for key in pairs)
    if "Init image hash" in pairs or ("Denoising strength" in pairs and not enlarged):
        return "image-to-image"
    return "text-to-image"


def _generator(pairs: dict[str, str], rest: str) -> str:
    version = pairs.get("Version", "")
    if "Civitai resources:" in rest or "Civitai metadata:" in rest:
        return "Civitai"
    if version.startswith("Fooocus"):
        return "Fooocus"
    if re.match(r"f\d", version):
        return "Forge"
    return "AUTOMATIC1111 or its format"


def _hashed(text: str) -> list[str]:
    """Names in ``name: hash, name: hash``."""
    return [name for pair in text.split(",")[:50] if (name := pair.partition(":")[0].strip())]
