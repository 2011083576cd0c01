"""The tables of live banks. ``bank_counter`` has one row; whoever changes banks or entries locks it first."""

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
    func,
    text,
)

from nightlamp.store.tables import BigKey, UtcDateTime, metadata

# The one counter: every change takes the next generation, and as many entry numbers as it needs.
bank_counter = Table(
    "bank_counter",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("database", String(32), nullable=False),  # random; tells databases apart that share a folder
    Column("generation", BigInteger, nullable=False),
    Column("token", String(16), nullable=False),  # random; tells apart what a restored database did again
    Column("last_entry", BigInteger, nullable=False),
)

# What the counter showed, so that a node or a snapshot can prove that it is of this database's past.
bank_change = Table(
    "bank_change",
    metadata,
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    Column("token", String(16), nullable=False),
    Column("last_entry", BigInteger, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

bank = Table(
    "bank",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("source", String(200), nullable=False),
    Column("category", String(100), nullable=False),
    Column("trust", String(6), nullable=False),
    Column("benign", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("enabled_generation", BigInteger, nullable=False),  # its entries are in force since
    Column("created_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    Index(
        "uq_bank_name_alive",
        "name",
        unique=True,
        sqlite_where=text("deleted_at IS NULL"),
        postgresql_where=text("deleted_at IS NULL"),
    ),
)

# Where entries came from: one row for each import.
bank_list = Table(
    "bank_list",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("bank", ForeignKey("bank.id"), nullable=False, index=True),
    Column("file", String(255), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("format", String(20), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),  # NULL: it was broken off; importing it again completes it
    Column("rows", BigInteger, nullable=False),
    Column("counts", JSON, nullable=False),  # added, replaced, known, bad, ignored (by reason)
)

_IN_FORCE = text("removed_generation IS NULL")
_REMOVED = text("removed_generation IS NOT NULL")
_FLAGGED = text("flagged_generation IS NOT NULL")

# Rows never change but for their tombstone and their flag. Numbers rise with generations.
bank_entry = Table(
    "bank_entry",
    metadata,
    Column("id", BigKey, primary_key=True, autoincrement=False),
    Column("bank", ForeignKey("bank.id"), nullable=False),
    Column("signal", String(40), nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("source_id", Text, nullable=False),  # the source's own id of the entry
    Column("category", String(100), nullable=False),  # "": the bank's
    Column("parsed", Boolean, nullable=False),  # no: the list's own text, of a signal not installed then
    Column("list", ForeignKey("bank_list.id")),
    Column("owner", Integer, nullable=False, server_default="0"),  # 0: people and lists; else a feed's number
    Column("added_at", UtcDateTime, nullable=False),
    Column("added_generation", BigInteger, nullable=False),
    Column("removed_at", UtcDateTime),
    Column("removed_generation", BigInteger),
    Column("disputed", Boolean, nullable=False),
    Column("flagged_generation", BigInteger),
    Index(
        "uq_bank_entry_in_force",
        "bank",
        "signal",
        "value",
        "source_id",
        "owner",
        unique=True,
        sqlite_where=_IN_FORCE,
        postgresql_where=_IN_FORCE,
    ),
    Index("ix_bank_entry_source_id", "bank", "source_id"),
    Index("ix_bank_entry_page", "bank", "id"),
    Index("ix_bank_entry_removed", "removed_generation", sqlite_where=_REMOVED, postgresql_where=_REMOVED),
    Index("ix_bank_entry_flagged", "flagged_generation", sqlite_where=_FLAGGED, postgresql_where=_FLAGGED),
)

# In force, for queries that go by numbers: said so that no database takes it for a hint to walk the whole
# partial index, as PostgreSQL does while it has no statistics.
in_force_by_number = func.coalesce(bank_entry.c.removed_generation, 0) == 0
