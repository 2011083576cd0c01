"""What a signal is: a name, a value type, a distance, and how it is computed.

A signal is data, not a class to inherit from. A plug-in makes one ``Signal`` and names it under the entry
point group ``nightlamp.signals``; ours use the same door (see ``pyproject.toml``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np

    from nightlamp.media import Frame
    from nightlamp.values import Fingerprint

IndexKind = Literal["exact", "hamming", "flat"]
Distance = Callable[["np.ndarray", "np.ndarray"], "np.ndarray"]


class Digest(Protocol):
    """What ``hashlib`` objects do: take bytes in pieces, give the value at the end."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take the next piece."""

    def digest(self) -> bytes:
        """The value of all pieces so far."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One kind of fingerprint.

    Args:
        name: as lists and the policy call it, lower case.
        size: bytes of a value.
        index: ``"exact"`` (equal or not), ``"hamming"`` (256-bit values within a radius, the fast index) or
            ``"flat"`` (any ``size`` and any ``distance``, compared one by one).
        radius: the largest distance that counts as a match, by default.
        parse: text of a hash list → value; raises ``ValueError`` with a reason that does not quote the text.
        text: value → canonical text.
        of_bytes: makes a ``Digest`` that is fed the item's bytes once, with all other signals.
        of_frame: a decoded frame → its fingerprints (several views are several fingerprints).
        min_quality: fingerprints of lower quality are not matched; the verdict says so.
        distance: only for ``"flat"``: (size,) uint8 query × (n, size) uint8 entries → (n,) distances.
    """

    name: str
    size: int
    index: IndexKind
    parse: Callable[[str], bytes]
    text: Callable[[bytes], str]
    radius: int = 0
    of_bytes: Callable[[], Digest] | None = None
    of_frame: Callable[[Frame], Sequence[Fingerprint]] | None = None
    min_quality: int = 0
    distance: Distance | None = None


def hex_parser(size: int) -> Callable[[str], bytes]:
    """A parser of ``size`` bytes written as hexadecimal, any case, blanks around it allowed."""

    def parse(text: str) -> bytes:
        text = text.strip()
        if len(text) != 2 * size:
            raise ValueError(f"{len(text)} characters instead of {2 * size} hexadecimal digits")
        try:
            value = bytes.fromhex(text)
        except ValueError:
            raise ValueError("not hexadecimal") from None
        if len(value) != size:  # ``fromhex`` passes over blanks
            raise ValueError("not hexadecimal")
        return value

    return parse


def hashlib_signal(name: str) -> Signal:
    """The exact signal of a ``hashlib`` algorithm."""

    def new() -> Digest:
        return hashlib.new(name, usedforsecurity=False)

    size = hashlib.new(name, usedforsecurity=False).digest_size
    return Signal(name, size, "exact", hex_parser(size), bytes.hex, of_bytes=new)
