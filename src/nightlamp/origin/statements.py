"""How a reader writes a statement down: bounded, clean text, and how evidence of its kind can be forged."""

from __future__ import annotations

from collections.abc import Mapping

from nightlamp.values import Channel, Says, Sealed, Statement, Strength, Value

_PLAIN = "anybody can write, copy or remove it with a common tool; most services strip it on upload"
FORGEABLE: Mapping[Channel, str] = {
    "c2pa": "removing the manifest leaves no trace; changing it or the content breaks the signature",
    "xmp": _PLAIN,
    "exif": _PLAIN,
    "iptc": _PLAIN,
    "png text": _PLAIN + "; a screenshot or another format loses it",
    "stealth": "anybody can write it with a script; scaling, lossy compression or a screenshot removes it",
    "comment": _PLAIN,
    "container": "anybody can write it with a common tool; re-encoding replaces it",
    "thumbnail": "anybody can replace or remove it; some editors forget to renew it",
    "watermark": "anybody can embed it in any picture, and recompression, scaling or cropping removes it; "
    "not to find one proves nothing",
    "forensics": "a measurement with a known rate of error; recompression, scaling or noise change it",
    "detector": "a model's guess; what it is worth, 'nightlamp origin evaluate' tells",
}


def state(
    source: Channel,
    says: Says,
    text: str,
    strength: Strength = Strength.DECLARED,
    fields: Mapping[str, Value | None] | None = None,
    forgeable: str = "",
) -> Statement:
    """A statement; fields that are None or empty are left out, texts are cut and cleaned."""
    kept = tuple(
        (name, clean(value) if isinstance(value, str) else value)
        for name, value in (fields or {}).items()
        if value is not None and value != ""
    )
    return Statement(source, says, clean(text, 240), strength, forgeable or FORGEABLE[source], kept)


def clean(text: str, most: int = 120) -> str:
    """One line of at most ``most`` characters that no terminal obeys."""
    kept = "".join(c if c.isprintable() else " " for c in text[: 4 * most])
    line = " ".join(kept.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def named(text: str, most: int = 60) -> str:
    """A name that the file gives, in quotes, so that a sentence shows where its words are not ours."""
    shown = clean(text, most).replace('"', "'")
    return f'"{shown}"'


def sealed(text: object, most: int = 100_000) -> Sealed | None:
    """A secret text, if there is one."""
    return Sealed(text[:most]) if isinstance(text, str) and text.strip() else None
