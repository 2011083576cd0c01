"""Where sealed bytes lie: one small interface, two implementations (``disk.py``, ``s3.py``).

A place knows names and bytes, and nothing of what they are. Names are made by ``new_name`` and say nothing.
Of each it also knows whether a database has ever entered it, which no restored backup of a database can undo:
bytes are *new* from ``put`` to ``enter``, and whatever is not marked as new counts as entered.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol


class Sink(Protocol):
    """Takes bytes: all that it is given, or it raises."""

    def write(self, data: bytes, /) -> int:
        """Take ``data``."""


class Source(Protocol):
    """Gives bytes; ``b""`` is the end."""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes."""


Fill = Callable[[Sink], None]


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes at a place.

    Args:
        name: theirs.
        at: when, by the storage's clock, they were stored.
        entered: a database has entered them once; no: they are new, or what a broken ``put`` left.
    """

    name: str
    at: datetime
    entered: bool


class Place(Protocol):
    """What a vault needs of its storage. Every method raises ``VaultError`` if the storage fails."""

    def put(self, name: str, fill: Fill) -> None:
        """Store what ``fill`` writes, as new. On return it is durable and whole; on an error nothing has the
        name."""

    def enter(self, name: str) -> None:
        """Have bytes count as entered, durably; nothing to do if they do already."""

    def open(self, name: str) -> BinaryIO:
        """Read from the start; ``VaultError`` if there is none."""

    def delete(self, name: str) -> None:
        """Remove it for good, in all versions; on return that is durable. No error if there is none."""

    def exists(self, name: str) -> bool:
        """Whether anything has the name."""

    def names(self) -> Iterator[Stored]:
        """All that is there; also what a broken ``put`` left."""

    def check(self) -> None:
        """Try it out; ``VaultError`` says what is wrong."""


_NAME = re.compile(r"[a-z2-7]{26}")


def is_name(text: str) -> bool:
    """Whether ``new_name`` could have made it; other things in a place are not ours."""
    return _NAME.fullmatch(text) is not None


def new_name() -> str:
    """128 random bits in 26 letters and digits."""
    return base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()
