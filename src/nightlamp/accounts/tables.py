"""The tables of people who sign in. An account is never removed: the audit log speaks of it."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from nightlamp.store.tables import UtcDateTime, metadata

account = Table(
    "account",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("display", String(200), nullable=False),  # as its owner or a provider wrote it: hostile
    Column("roles", JSON, nullable=False),
    Column("password", Text),  # argon2id
    Column("totp", LargeBinary(200)),  # sealed
    Column("totp_step", BigInteger, nullable=False),  # of the last code that was taken
    Column("issuer", String(300), nullable=False),  # "": a local account
    Column("subject", String(300)),
    Column("language", String(20), nullable=False),
    Column("theme", String(5), nullable=False),
    Column("shortcuts", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("disabled_at", UtcDateTime),
    Index("uq_account_name", "name", unique=True),
    Index("uq_account_issuer_subject", "issuer", "subject", unique=True),
)

passkey = Table(
    "passkey",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("account", String(36), ForeignKey("account.id"), nullable=False, index=True),
    Column("name", String(100), nullable=False),
    Column("credential", LargeBinary(1023), nullable=False),
    Column("public_key", LargeBinary(4096), nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
    Index("uq_passkey_credential", "credential", unique=True),
)

recovery_code = Table(
    "recovery_code",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("account", String(36), ForeignKey("account.id"), nullable=False, index=True),
)

# Only hashes of tokens are stored: who reads the database cannot sign in by it.
session = Table(
    "session",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("account", String(36), ForeignKey("account.id"), nullable=False, index=True),
    Column("stage", String(6), nullable=False),  # second: a factor is missing; setup: none is set up; full
    Column("method", String(10), nullable=False),
    Column("provider_session", LargeBinary(32)),  # hash of the OpenID provider's own name of it
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("address", String(45), nullable=False),
    Column("browser", String(100), nullable=False),
    Index("uq_session_digest", "digest", unique=True),
    Index(None, "provider_session"),
)

invitation = Table(
    "invitation",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("account", String(36), ForeignKey("account.id"), nullable=False, index=True),
    Column("expires_at", UtcDateTime, nullable=False),
)

# What a browser is in the middle of: a passkey's challenge, a way to the OpenID provider and back.
handshake = Table(
    "handshake",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("data", JSON, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)

# Failed sign-ins by account, by address, and by both; no names or addresses in clear.
attempt = Table(
    "attempt",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", UtcDateTime, nullable=False, index=True),
    Column("good_at", UtcDateTime),
)
