"""The vault's tables.

An *object* is one piece of kept content. A *blob* is sealed bytes at the place; an object has one that is
``kept`` (re-sealing makes a new one). A *hold* is a duty to keep an object until a date. A blob's state
goes ``kept`` → ``destroying`` → ``destroyed``, or ``kept`` → ``lost``; its row stays, as the proof of
what became of it.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, String, Table

from nightlamp.store.tables import UtcDateTime, metadata

vault_object = Table(
    "vault_object",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("created", UtcDateTime, nullable=False),
    Column("due", UtcDateTime),  # when a purge first saw that no hold was left
)

vault_blob = Table(
    "vault_blob",
    metadata,
    Column("name", String(26), primary_key=True),
    Column("object", String(26), ForeignKey("vault_object.id")),  # none: an orphan that was found
    Column("state", String(10), nullable=False),
    Column("sha256", String(64)),
    Column("size", BigInteger),
    Column("recipients", String(16)),
    Column("created", UtcDateTime, nullable=False),
    Column("ended", UtcDateTime),
    CheckConstraint("state IN ('kept', 'destroying', 'destroyed', 'lost')", name="state"),
    Index(None, "object"),
    Index(None, "state"),
)

vault_hold = Table(
    "vault_hold",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("object", String(26), ForeignKey("vault_object.id"), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("jurisdiction", String(20), nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("expires", UtcDateTime, nullable=False),
    Column("released", UtcDateTime),
    Index(None, "object"),
    Index(None, "expires"),
)
