"""The look-back: fingerprints of past items, its work and its hits.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nightlamp.store.tables import UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables, and the state of a look-back that has seen nothing."""
    op.create_table(
        "lookback_hit",
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("entry", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("signal", sa.String(length=40), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("view", sa.String(length=40), nullable=False),
        sa.Column("frame", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("quality", sa.Integer(), nullable=True),
        sa.Column("distance", sa.Integer(), nullable=False),
        sa.Column("found_at", UtcDateTime(), nullable=False),
        sa.Column("handled_at", UtcDateTime(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("item", "entry", name="pk_lookback_hit"),
    )
    op.create_index("ix_lookback_hit_expires_at", "lookback_hit", ["expires_at"], unique=False)
    op.create_index(
        "ix_lookback_hit_waiting",
        "lookback_hit",
        ["found_at"],
        unique=False,
        sqlite_where=sa.text("handled_at IS NULL"),
        postgresql_where=sa.text("handled_at IS NULL"),
    )
    op.create_table(
        "lookback_item",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lookback_item"),
        sa.UniqueConstraint("item", name="uq_lookback_item_item"),
    )
    op.create_index("ix_lookback_item_expires_at", "lookback_item", ["expires_at"], unique=False)
    op.create_table(
        "lookback_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("last_entry", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lookback_state"),
    )
    op.create_table(
        "lookback_task",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=7), nullable=False),
        sa.Column("after_entry", sa.BigInteger(), nullable=False),
        sa.Column("last_entry", sa.BigInteger(), nullable=False),
        sa.Column("bank", sa.Integer(), nullable=True),
        sa.Column("after_ref", sa.BigInteger(), nullable=False),
        sa.Column("last_ref", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.String(length=36), nullable=True),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_lookback_task"),
    )
    op.create_table(
        "lookback_behind",
        sa.Column("ref", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["ref"], ["lookback_item.id"], name="fk_lookback_behind_ref_lookback_item"),
        sa.PrimaryKeyConstraint("ref", name="pk_lookback_behind"),
    )
    op.create_table(
        "lookback_digest",
        sa.Column("signal", sa.String(length=40), nullable=False),
        sa.Column("value", sa.LargeBinary(length=64), nullable=False),
        sa.Column("ref", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("view", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["ref"], ["lookback_item.id"], name="fk_lookback_digest_ref_lookback_item"),
        sa.PrimaryKeyConstraint("signal", "value", "ref", "view", name="pk_lookback_digest"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_lookback_digest_ref", "lookback_digest", ["ref"], unique=False)
    op.create_table(
        "lookback_print",
        sa.Column("ref", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("signal", sa.String(length=40), nullable=False),
        sa.Column("values", sa.LargeBinary(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["ref"], ["lookback_item.id"], name="fk_lookback_print_ref_lookback_item"),
        sa.PrimaryKeyConstraint("ref", "signal", name="pk_lookback_print"),
    )
    state = sa.table("lookback_state", *(sa.column(name) for name in ("id", "generation", "last_entry")))
    op.bulk_insert(state, [{"id": 1, "generation": 0, "last_entry": 0}])
