"""The table of API keys. A row is never removed: the audit log speaks of it."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Float, LargeBinary, String, Table

from nightlamp.store.tables import UtcDateTime, metadata

access_key = Table(
    "access_key",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),  # SHA-256 of the secret part
    Column("scopes", JSON, nullable=False),
    Column("rate", Float),  # items a second; NULL: no limit
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
)
