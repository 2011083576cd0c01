"""Random tokens: handed out once, stored as a hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any


class Token:
    """A random token in clear, of 256 bits. Nothing shows it by accident: ask ``reveal()`` on purpose."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Token(…)"

    def __reduce__(self) -> Any:
        raise TypeError("a token does not travel")

    @classmethod
    def new(cls) -> Token:
        """A new one."""
        return cls(secrets.token_urlsafe(32))

    def reveal(self) -> str:
        """The text, to be handed to its owner."""
        return self._text

    def digest(self, purpose: str) -> bytes:
        """What is stored of it: nobody can guess 256 bits, so a plain hash is enough."""
        return hashlib.sha256(f"{purpose}:{self._text}".encode()).digest()

    def derived(self, purpose: str) -> str:
        """Another token that only the owner of this one can know, e.g. what forms carry."""
        return hmac.new(self._text.encode(), purpose.encode(), "sha256").hexdigest()
