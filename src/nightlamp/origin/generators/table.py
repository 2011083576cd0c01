"""Which readers there are, and in which order: those that are sure of their own format come first."""

from __future__ import annotations

from collections.abc import Callable

from nightlamp.origin.generators import a1111, comfyui, others
from nightlamp.origin.generators.generated import Generated, Texts, UnreadableError
from nightlamp.values import Unchecked

READERS: tuple[tuple[str, Callable[[Texts], Generated | None]], ...] = (
    ("invokeai", others.invokeai),
    ("swarmui", others.swarmui),
    ("fooocus", others.fooocus),
    ("novelai", others.novelai),
    ("draw things", others.draw_things),
    ("midjourney", others.midjourney),
    ("a1111", a1111.read),
    ("comfyui", comfyui.read),
)


def generated_by(texts: Texts) -> tuple[list[Generated], list[Unchecked]]:
    """(each generation that the texts tell, what could not be read). A file may tell of one in two
    formats."""
    found, missed = [], []
    for name, reader in READERS:
        try:
            generated = reader(texts)
        except UnreadableError as error:
            missed.append(Unchecked(name, str(error)))
            continue
        if generated is not None:
            found.append(generated)
    return found, missed
