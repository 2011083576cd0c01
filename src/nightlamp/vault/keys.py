"""age X25519 keys: ``Recipients`` (public, seal) and ``Identity`` (private, opens)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pyrage
from pyrage import x25519

from nightlamp.errors import VaultError

_PRIVATE = "AGE-SECRET-KEY-"


@dataclass(frozen=True)
class Recipients:
    """The public keys for which content is sealed; any one of their identities opens it.

    Args:
        names: ``age1…`` strings, without doubles, sorted.
    """

    names: tuple[str, ...]
    keys: tuple[Any, ...] = field(repr=False, compare=False)

    @classmethod
    def of(cls, names: Iterable[str]) -> Self:
        """From ``age1…`` strings.

        Raises:
            VaultError: none is given, one is malformed, or one is a *private* key.
        """
        unique = tuple(sorted({name.strip() for name in names} - {""}))
        if not unique:
            raise VaultError(
                "no public key to seal for", hint="nightlamp vault keygen, then vault.recipients"
            )
        if any(name.upper().startswith(_PRIVATE) for name in unique):
            raise VaultError(
                "a private key stands where a public one belongs", hint="replace it, and make a new key"
            )
        try:
            return cls(unique, tuple(x25519.Recipient.from_str(name) for name in unique))
        except pyrage.RecipientError:
            raise VaultError("not an age public key", where="recipients", hint="age1…") from None

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a file, one key a line; ``#`` starts a comment."""
        return cls.of(_lines(path))

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that name this set of keys."""
        return hashlib.sha256("\n".join(self.names).encode()).hexdigest()[:16]


class Identity:
    """A private key. Nothing shows it; keep it away from intake nodes."""

    def __init__(self, key: Any) -> None:
        self._key = key
        self.public = str(key.to_public())

    def __repr__(self) -> str:
        return f"Identity(for {self.public})"

    def __reduce__(self) -> Any:
        raise TypeError("an identity is not to be copied out of memory")

    @property
    def key(self) -> Any:
        """What pyrage opens with."""
        return self._key

    @classmethod
    def generate(cls) -> Self:
        """A new one."""
        return cls(x25519.Identity.generate())

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a file as ``write`` or ``age-keygen`` makes it: comments, and one ``AGE-SECRET-KEY-1…`` line.

        Raises:
            VaultError: the file cannot be read, others can read it too, or it does not hold one key.
        """
        lines = _lines(path)
        if path.stat().st_mode & 0o077:
            raise VaultError(
                "others than its owner may read this private key", where=str(path), hint="chmod 600"
            )
        if len(lines) != 1:
            raise VaultError("must hold one private key", where=str(path))
        try:
            return cls(x25519.Identity.from_str(lines[0]))
        except pyrage.IdentityError:
            raise VaultError("not an age private key", where=str(path)) from None

    def write(self, path: Path) -> None:
        """To a new file that its owner alone can read.

        Raises:
            VaultError: the file is there already, or cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                file.write(f"# public key: {self.public}\n{self._key}\n")
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            raise VaultError("a key is there already", where=str(path), hint="another file") from None
        except OSError as error:
            raise VaultError(f"cannot be written ({error.strerror})", where=str(path)) from None


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text()
    except OSError as error:
        raise VaultError(f"cannot be read ({error.strerror})", where=str(path)) from None
    except UnicodeDecodeError:
        raise VaultError("not a text file", where=str(path)) from None
    return [line for raw in text.splitlines() if (line := raw.split("#")[0].strip())]
