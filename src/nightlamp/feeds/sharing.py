"""The pages by which one Nightlamp follows a bank of another: their form, their signature.

A page is JSON: ``format``, ``bank`` (name, category, benign), ``nonce`` (as asked), ``after`` (as asked),
``next`` (the place behind it), ``more``, ``at`` (when), ``entries``. The header ``Nightlamp-Signature`` holds
the base64 of an Ed25519 signature of ``PURPOSE`` and the body. So a page can be neither changed, nor given
for another place, nor kept back and given later.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from nightlamp.banks.live import StoredBank
from nightlamp.banks.live.changes import Changes

FORMAT = "nightlamp bank changes 1"
PURPOSE = b"nightlamp bank changes v1\n"
HEADER = "Nightlamp-Signature"
MOST = 5_000  # entries of a page


def page_of(bank: StoredBank, changes: Changes, *, nonce: str, after: str, at: datetime) -> bytes:
    """The body of a page."""
    told = {"name": bank.bank.name, "category": bank.bank.category, "benign": bank.bank.benign}
    page: dict[str, Any] = {
        "format": FORMAT,
        "bank": told,
        "nonce": nonce,
        "after": after,
        "next": changes.place.text(),
        "more": changes.more,
        "at": at.isoformat(),
        "entries": [_entry(row) for row in changes.rows],
    }
    return json.dumps(page, separators=(",", ":")).encode()


def _entry(row: Row[Any]) -> Mapping[str, Any]:
    """Without the source's own id: that is between the source and us."""
    version = max(row.added_generation, row.removed_generation or 0, row.flagged_generation or 0)
    if row.removed_generation is not None:
        return {"id": row.id, "version": version, "removed": True}
    value = {"hex": row.value.hex()} if row.parsed else {"text": row.value.decode("utf-8", "surrogatepass")}
    return {
        "id": row.id,
        "version": version,
        "signal": row.signal,
        **value,
        "category": row.category,
        "disputed": row.disputed,
    }


def public_key(text: str) -> bytes:
    """The 32 bytes of an Ed25519 public key in base64, or in PEM.

    Raises:
        ValueError: it is none.
    """
    lines = [line.strip() for line in text.strip().splitlines() if "-----" not in line]
    data = base64.b64decode("".join(lines), validate=True)
    if len(data) == 44:  # the DER around it (RFC 8410)
        data = data[12:]
    if len(data) != 32:
        raise ValueError("not an Ed25519 public key")
    return data


def is_signed(key: bytes, body: bytes, signature: str) -> bool:
    """Whether the signature is of this page and this key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key).verify(
            base64.b64decode(signature, validate=True), PURPOSE + body
        )
    except (InvalidSignature, ValueError):
        return False
    return True
