"""The tables of the look-back: fingerprints of past items, never content, and what was found among them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from nightlamp.store.tables import BigKey, UtcDateTime, metadata

# One row for each item that is remembered; ``id`` is its place in the scan.
lookback_item = Table(
    "lookback_item",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("item", String(64), nullable=False, unique=True),
    Column("generation", BigInteger, nullable=False),  # of the banks that it was screened with
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)

# Digests and URL keys: equal or not, so a join over an index finds them.
lookback_digest = Table(
    "lookback_digest",
    metadata,
    Column("signal", String(40), primary_key=True),
    Column("value", LargeBinary(64), primary_key=True),
    Column("ref", ForeignKey("lookback_item.id"), primary_key=True, index=True),
    Column("view", String(40), primary_key=True),
    sqlite_with_rowid=False,
)

# Perceptual ones: all of an item's in one row, one behind the other, to be streamed past new entries.
lookback_print = Table(
    "lookback_print",
    metadata,
    Column("ref", ForeignKey("lookback_item.id"), primary_key=True),
    Column("signal", String(40), primary_key=True),
    Column("values", LargeBinary, nullable=False),
    # JSON: [[view, frame, quality, of a video seconds], …] in the order of the values
    Column("details", Text, nullable=False),
)

# Items that were committed when the banks were already newer than what they were screened with.
lookback_behind = Table(
    "lookback_behind",
    metadata,
    Column("ref", ForeignKey("lookback_item.id"), primary_key=True),
    Column("generation", BigInteger, nullable=False),
)

# One row: up to which change entries have been given to tasks. Whoever plans locks it.
lookback_state = Table(
    "lookback_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation", BigInteger, nullable=False),
    Column("last_entry", BigInteger, nullable=False),
)

# Work to do: some entries against some items. Whoever holds the lease does it, then deletes it.
lookback_task = Table(
    "lookback_task",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("kind", String(7), nullable=False),  # "digests" or "prints"
    Column("after_entry", BigInteger, nullable=False),
    Column("last_entry", BigInteger, nullable=False),
    Column("bank", Integer),  # of this bank alone; NULL: of every bank
    Column("after_ref", BigInteger, nullable=False),
    Column("last_ref", BigInteger, nullable=False),
    Column("owner", String(36)),
    Column("until", UtcDateTime),
)

_WAITING = text("handled_at IS NULL")

# What was found, once for each item and entry. Handled ones stay as long as the item is remembered.
lookback_hit = Table(
    "lookback_hit",
    metadata,
    Column("item", String(64), primary_key=True),
    Column("entry", BigInteger, primary_key=True, autoincrement=False),
    Column("signal", String(40), nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("view", String(40), nullable=False),
    Column("frame", Integer, nullable=False),
    Column("seconds", Float),  # of a video, when the frame is shown
    Column("quality", Integer),
    Column("distance", Integer, nullable=False),
    Column("found_at", UtcDateTime, nullable=False),
    Column("handled_at", UtcDateTime),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Index("ix_lookback_hit_waiting", "found_at", sqlite_where=_WAITING, postgresql_where=_WAITING),
)
