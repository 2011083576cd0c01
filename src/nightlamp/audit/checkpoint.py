"""Signed statements 'the chain had this hash at this sequence', and the keys that make and check them."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from nightlamp.audit import canonical
from nightlamp.errors import AuditError

_DOMAIN = b"nightlamp audit checkpoint v1\n"
_FIELDS = {"number": int, "sequence": int, "hash": str, "at": str, "key": str}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement about the chain.

    Args:
        number: 1, 2, 3 … without gaps.
        sequence: the last record that it covers.
        hash: that record's hash, 64 hexadecimal digits.
        at: when, by the signer's clock, as in a record.
        key: the signing key's id.
        signature: Ed25519, 64 bytes.
    """

    number: int
    sequence: int
    hash: str
    at: str
    key: str
    signature: bytes = b""

    def statement(self) -> bytes:
        """The bytes that are signed."""
        return _DOMAIN + canonical.encode(self._fields())

    def as_object(self) -> dict[str, Any]:
        """For an export."""
        return {"checkpoint": self._fields(), "signature": base64.b64encode(self.signature).decode()}

    @classmethod
    def from_object(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of ``as_object``.

        Raises:
            ValueError: it is malformed.
        """
        fields = value.get("checkpoint")
        if not isinstance(fields, dict) or set(fields) != set(_FIELDS):
            raise ValueError("a checkpoint has the fields " + ", ".join(_FIELDS))
        if any(type(fields[name]) is not kind for name, kind in _FIELDS.items()):
            raise ValueError("a checkpoint's field has another type")
        return cls(**fields, signature=base64.b64decode(str(value.get("signature")), validate=True))

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _FIELDS}


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """The keys whose checkpoints are believed, by id."""

    by_id: Mapping[str, Ed25519PublicKey]

    @classmethod
    def of(cls, keys: Iterable[Ed25519PublicKey]) -> Self:
        """From keys."""
        return cls({key_id(key): key for key in keys})

    @classmethod
    def read(cls, paths: Iterable[Path]) -> Self:
        """From PEM files.

        Raises:
            AuditError: one is not there, or is not an Ed25519 public key.
        """
        return cls.of(_read_public(path) for path in paths)

    def fault(self, checkpoint: Checkpoint) -> str:
        """What is wrong with the signature: ``""``, ``"unknown key"`` or ``"bad signature"``."""
        key = self.by_id.get(checkpoint.key)
        if key is None:
            return "unknown key"
        try:
            key.verify(checkpoint.signature, checkpoint.statement())
        except (InvalidSignature, ValueError):
            return "bad signature"
        return ""

    def as_object(self) -> dict[str, str]:
        """``{id: base64 of the 32 bytes}``, for an export."""
        return {name: base64.b64encode(key.public_bytes_raw()).decode() for name, key in self.by_id.items()}

    @classmethod
    def from_object(cls, value: Mapping[str, str]) -> Self:
        """The inverse of ``as_object``; the ids are computed anew.

        Raises:
            ValueError: one is malformed.
        """
        return cls.of(
            Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
            for text in value.values()
        )


class SigningKey:
    """The Ed25519 private key that signs checkpoints; its ``repr`` shows the id alone."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.id = key_id(key.public_key())

    def __repr__(self) -> str:
        return f"SigningKey({self.id})"

    @property
    def public(self) -> Ed25519PublicKey:
        """Its public half."""
        return self._key.public_key()

    def sign(self, number: int, sequence: int, hash_: str, at: str) -> Checkpoint:
        """A signed checkpoint."""
        bare = Checkpoint(number, sequence, hash_, at, self.id)
        return Checkpoint(number, sequence, hash_, at, self.id, self._key.sign(bare.statement()))

    def sign_for(self, purpose: bytes, data: bytes) -> bytes:
        """An Ed25519 signature of something else than a checkpoint: of ``purpose`` (a line) and ``data``."""
        if not purpose.endswith(b"\n") or purpose == _DOMAIN:
            raise ValueError("a purpose is a line of its own")
        return self._key.sign(purpose + data)

    @classmethod
    def generate(cls) -> Self:
        """A new key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a PEM file.

        Raises:
            AuditError: it is not there, or is not an Ed25519 private key.
        """
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise AuditError(
                f"the signing key cannot be read ({error.strerror})",
                where=str(path),
                hint="nightlamp audit keygen",
            ) from None
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise AuditError(
                "not an Ed25519 private key in PEM", where=str(path), hint="nightlamp audit keygen"
            )
        return cls(key)

    def write(self, path: Path) -> None:
        """To a new PEM file that its owner alone can read, and ``path`` + ``.pub`` for the public half.

        Raises:
            AuditError: a file is there already, or cannot be written.
        """
        pem = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = self.public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            for target, data, mode in (
                (path, pem, 0o600),
                (path.with_name(path.name + ".pub"), public, 0o644),
            ):
                with os.fdopen(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
        except FileExistsError as error:
            raise AuditError(
                "a key is there already", where=str(error.filename), hint="another file"
            ) from None
        except OSError as error:
            raise AuditError(f"cannot be written ({error.strerror})", where=str(path)) from None


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the 32 raw bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def _read_public(path: Path) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise AuditError(f"cannot be read ({error.strerror})", where=str(path)) from None
    except (ValueError, UnsupportedAlgorithm):
        raise AuditError("not a public key in PEM", where=str(path)) from None
    if not isinstance(key, Ed25519PublicKey):
        raise AuditError("not an Ed25519 public key", where=str(path))
    return key
