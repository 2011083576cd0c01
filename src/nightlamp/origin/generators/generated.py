"""What a generator's own metadata tells, in one shape for all of them, and the statements that follow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nightlamp.origin.statements import clean, named, sealed, state
from nightlamp.values import Channel, Sealed, Statement, Strength, Value

Texts = Mapping[str, str]
"""A file's texts by keyword, e.g. ``parameters`` or ``Comment``; in EXIF ``UserComment`` and the like."""

Mode = Literal["text-to-image", "image-to-image", "inpainting", "upscaling", "processing", "not said"]
JSON_CHARACTERS = 4 << 20
"""Longer JSON is not parsed: its values take up to twenty times as much memory."""


class UnreadableError(ValueError):
    """A generator's metadata that is broken, too large or too deep; the message says which."""


@dataclass(frozen=True, slots=True)
class Generated:
    """One generation.

    Args:
        generator: the program or service.
        mode: text-to-image, image-to-image …; ``"not said"`` where its metadata does not tell.
        model, model_hash: of the checkpoint.
        seed, steps, sampler, strength: as the program names them; ``strength``: how much of a source
        picture was
            changed, 0 to 1 (denoising strength).
        loras: names of the small models on top.
        prompt, negative: what was asked for.
        sources: names or addresses of pictures that went in.
        guided: another picture guided it (ControlNet, IP-Adapter, reference), without being its start.
        more: further fields.
    """

    generator: str
    mode: Mode = "not said"
    model: str | None = None
    model_hash: str | None = None
    seed: int | None = None
    steps: int | None = None
    sampler: str | None = None
    strength: float | None = None
    loras: tuple[str, ...] = ()
    prompt: Sealed | None = None
    negative: Sealed | None = None
    sources: tuple[str, ...] = ()
    guided: bool = False
    more: tuple[tuple[str, Value], ...] = ()

    def statements(self, source: Channel) -> Iterator[Statement]:
        """That it was made so, and that another picture went into it."""
        says, text = _SAYS[self.mode]
        fields: dict[str, Value | None] = {
            "generator": self.generator,
            "mode": self.mode,
            "model": self.model,
            "model_hash": self.model_hash,
            "seed": self.seed,
            "steps": self.steps,
            "sampler": self.sampler,
            "denoising": self.strength,
            "loras": ", ".join(clean(name, 60) for name in self.loras[:20]) or None,
            "prompt": self.prompt,
            "negative_prompt": self.negative,
            **dict(self.more),
        }
        with_model = f" with the model {named(self.model)}" if self.model else ""
        yield state(source, says, f"{text} {self.generator}{with_model}", fields=fields)
        if self.mode in _FROM_A_PICTURE or self.guided:
            how = _FROM_A_PICTURE.get(
                self.mode, "another picture guided it (ControlNet, IP-Adapter or reference)"
            )
            yield state(
                source,
                "source picture",
                how,
                Strength.DECLARED,
                {
                    "generator": self.generator,
                    "mode": self.mode if self.mode in _FROM_A_PICTURE else "guided",
                    "denoising": self.strength,
                    "names": sealed("\n".join(self.sources)),
                },
            )


_SAYS: Mapping[Mode, tuple[Any, str]] = {
    "text-to-image": ("ai-made", "made from a prompt by"),
    "image-to-image": ("ai-made", "made from another picture by"),
    "inpainting": ("ai-edited", "a part was made (inpainting) by"),
    "upscaling": ("ai-edited", "enlarged or repaired by a trained model in"),
    "processing": ("software", "went through"),
    "not said": ("ai-made", "made by"),
}
_FROM_A_PICTURE: Mapping[Mode, str] = {
    "image-to-image": "another picture was its start (image-to-image)",
    "inpainting": "it is another picture, a part of which was made anew (inpainting)",
    "upscaling": "it is another picture, enlarged or repaired",
}


def parsed(text: str) -> Any:
    """The JSON of a text, or None if it is none.

    Raises:
        UnreadableError: it is too large, or too deep.
    """
    if len(text) > JSON_CHARACTERS:
        raise UnreadableError("too large")
    try:
        return json.loads(text.strip("\0 \r\n\t"))
    except RecursionError:
        raise UnreadableError("too deep") from None
    except ValueError:
        return None


def mapping(value: Any) -> Mapping[str, Any]:
    """``value`` if it is an object, or an empty one."""
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """``value`` if it is a list, or an empty one."""
    return value if isinstance(value, list) else []


def words(value: Any) -> str | None:
    """``value`` if it is a text."""
    return value if isinstance(value, str) and value else None


def whole(value: Any) -> int | None:
    """``value`` as a whole number, if it is one or the text of one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 1 << 64 else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 1 << 63 else None
    if isinstance(value, str) and len(value) <= 20 and value.strip().lstrip("-").isdecimal():
        return int(value)
    return None


def number(value: Any) -> float | None:
    """``value`` as a finite number, if it is one or the text of one."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float | str)
        or (isinstance(value, str) and len(value) > 40)
    ):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) < 1e12 else None
