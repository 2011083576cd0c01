"""One-time codes (TOTP, RFC 6238: SHA-1, six digits, 30 seconds) and recovery codes.

A code is good once: the step of the last one that was taken is stored, and only later ones are taken.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
import struct
import tempfile
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, delete, insert, select, update

from nightlamp import audit
from nightlamp.accounts.person import Person
from nightlamp.accounts.tables import account, recovery_code
from nightlamp.errors import AccessError, ConfigError

STEP, DIGITS, SLACK = 30, 6, 1
RECOVERY_CODES = 10


class Box:
    """Seals secrets of one-time codes, each for its account. Nothing shows the key.

    Args:
        path: a file of 32 random bytes; made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key = b""

    def __repr__(self) -> str:
        return "Box(…)"

    def seal(self, secret: bytes, account_id: str) -> bytes:
        """Seal."""
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        nonce = os.urandom(12)
        return nonce + ChaCha20Poly1305(self._loaded()).encrypt(nonce, secret, account_id.encode())

    def open(self, sealed: bytes, account_id: str) -> bytes:
        """Open.

        Raises:
            ConfigError: it was sealed by another key.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        try:
            box = ChaCha20Poly1305(self._loaded())
            return box.decrypt(sealed[:12], sealed[12:], account_id.encode())
        except InvalidTag:
            raise ConfigError(
                "another key sealed the secrets of one-time codes",
                where="console.key_file",
                hint="give every node the same file",
            ) from None

    def _loaded(self) -> bytes:
        if not self._key:
            if not self._path.exists():
                self._make()
            key = self._path.read_bytes()
            if len(key) != 32:
                raise ConfigError("must hold 32 bytes", where="console.key_file")
            self._key = key
        return self._key

    def _make(self) -> None:
        """Whole or not there: another process may look for it at any moment, and then both take one key."""
        handle, part = tempfile.mkstemp(prefix=f"{self._path.name}.", dir=self._path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(os.urandom(32))
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(part, self._path)
        finally:
            Path(part).unlink()


def new_secret() -> bytes:
    """A new secret of one-time codes."""
    return secrets.token_bytes(20)


def secret_text(secret: bytes) -> str:
    """As a person types it into an app."""
    return base64.b32encode(secret).decode()


def secret_url(secret: bytes, name: str) -> str:
    """As an app reads it from a QR code."""
    return f"otpauth://totp/Nightlamp:{quote(name)}?secret={secret_text(secret)}&issuer=Nightlamp"


def code_at(secret: bytes, step: int) -> str:
    """The code of a step."""
    mac = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    (number,) = struct.unpack_from(">I", mac, mac[-1] & 15)
    return f"{(number & 0x7FFFFFFF) % 10**DIGITS:0{DIGITS}}"


def step_of(secret: bytes, code: str, now: datetime) -> int | None:
    """The step that a code is of, if it is good about now."""
    given, current = code.replace(" ", ""), int(now.timestamp()) // STEP
    found = None
    for step in range(current - SLACK, current + SLACK + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), given.encode()):
            found = step
    return found


def set_up(
    connection: Connection, box: Box, person: Person, secret: bytes, code: str, *, now: datetime
) -> None:
    """Store a secret, once its owner shows a code of it.

    Raises:
        AccessError: the code is wrong.
    """
    step = step_of(secret, code, now)
    if step is None:
        raise AccessError("is wrong", where="code", hint="the clock of the phone, and the newest code")
    values = {"totp": box.seal(secret, person.id), "totp_step": step}
    connection.execute(update(account).where(account.c.id == person.id).values(values))
    audit.append(connection, person.actor, "account.codes_set_up", f"person:{person.id}", at=now)


def remove(connection: Connection, person: Person, *, now: datetime) -> None:
    """Take one-time codes away."""
    connection.execute(update(account).where(account.c.id == person.id).values(totp=None))
    audit.append(connection, person.actor, "account.codes_removed", f"person:{person.id}", at=now)


def take(connection: Connection, box: Box, account_id: str, code: str, *, now: datetime) -> bool:
    """Whether a code is good; then it never is again."""
    row = connection.execute(select(account.c.totp).where(account.c.id == account_id)).one()
    step = step_of(box.open(bytes(row.totp), account_id), code, now) if row.totp else None
    if step is None:
        return False
    fresh = (account.c.id == account_id) & (account.c.totp_step < step)
    return connection.execute(update(account).where(fresh).values(totp_step=step)).rowcount == 1


def new_recovery_codes(connection: Connection, person: Person, *, now: datetime) -> list[str]:
    """New recovery codes, to be shown once; the old ones are good no more."""
    codes = [base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)]
    connection.execute(delete(recovery_code).where(recovery_code.c.account == person.id))
    rows = [{"digest": _digest(person.id, code), "account": person.id} for code in codes]
    connection.execute(insert(recovery_code), rows)
    audit.append(connection, person.actor, "account.recovery_codes", f"person:{person.id}", at=now)
    return ["-".join(code[at : at + 4] for at in range(0, 16, 4)) for code in codes]


def take_recovery(connection: Connection, account_id: str, code: str) -> bool:
    """Whether a recovery code is good; then it never is again."""
    plain = "".join(c for c in code.lower() if c.isalnum())
    mine = (recovery_code.c.digest == _digest(account_id, plain)) & (recovery_code.c.account == account_id)
    return connection.execute(delete(recovery_code).where(mine)).rowcount == 1


def recovery_left(connection: Connection, account_id: str) -> int:
    """How many recovery codes are left."""
    return len(connection.execute(select(recovery_code).where(recovery_code.c.account == account_id)).all())


def _digest(account_id: str, code: str) -> bytes:
    return hashlib.sha256(f"recovery:{account_id}:{code}".encode()).digest()
