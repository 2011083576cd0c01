"""Feeds and feedback.

Revision ID: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nightlamp.store.tables import UtcDateTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "feed",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("secrets", sa.JSON(), nullable=False),
        sa.Column("bank", sa.Integer(), nullable=False),
        sa.Column("every_seconds", sa.Integer(), nullable=False),
        sa.Column("stale_seconds", sa.Integer(), nullable=False),
        sa.Column("max_loss", sa.Float(), nullable=False),
        sa.Column("feedback", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("removed_at", UtcDateTime(), nullable=True),
        sa.Column("cleared_at", UtcDateTime(), nullable=True),
        sa.Column("paused", sa.String(length=10), nullable=False),
        sa.Column("paused_why", sa.Text(), nullable=False),
        sa.Column("paused_at", UtcDateTime(), nullable=True),
        sa.Column("checkpoint", sa.JSON(), nullable=True),
        sa.Column("run", sa.String(length=36), nullable=True),
        sa.Column("run_mode", sa.String(length=8), nullable=False),
        sa.Column("run_started_at", UtcDateTime(), nullable=True),
        sa.Column("run_at", UtcDateTime(), nullable=True),
        sa.Column("run_whole", sa.Boolean(), nullable=False),
        sa.Column("run_checkpoint", sa.JSON(), nullable=True),
        sa.Column("run_cursor", sa.JSON(), nullable=True),
        sa.Column("run_pages", sa.Integer(), nullable=False),
        sa.Column("run_records", sa.BigInteger(), nullable=False),
        sa.Column("run_total", sa.BigInteger(), nullable=True),
        sa.Column("run_unreadable", sa.Integer(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("prints", sa.BigInteger(), nullable=False),
        sa.Column("unreadable", sa.Integer(), nullable=False),
        sa.Column("guard_since", UtcDateTime(), nullable=True),
        sa.Column("guard_base", sa.BigInteger(), nullable=False),
        sa.Column("guard_lost", sa.BigInteger(), nullable=False),
        sa.Column("guard_shown", sa.BigInteger(), nullable=False),
        sa.Column("accept_loss", sa.BigInteger(), nullable=False),
        sa.Column("due", UtcDateTime(), nullable=False),
        sa.Column("lease", sa.String(length=36), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("last_ok_at", UtcDateTime(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error_kind", sa.String(length=20), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("error_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["bank"], ["bank.id"], name="fk_feed_bank_bank"),
        sa.PrimaryKeyConstraint("id", name="pk_feed"),
    )
    op.create_index(
        "uq_feed_name_alive",
        "feed",
        ["name"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "feed_entry",
        sa.Column("feed", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("alive", sa.Boolean(), nullable=False),
        sa.Column("prints", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed"], ["feed.id"], name="fk_feed_entry_feed_feed"),
        sa.PrimaryKeyConstraint("feed", "key", name="pk_feed_entry"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "feed_staged",
        sa.Column("feed", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("alive", sa.Boolean(), nullable=False),
        sa.Column("prints", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["feed"], ["feed.id"], name="fk_feed_staged_feed_feed"),
        sa.PrimaryKeyConstraint("feed", "key", name="pk_feed_staged"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "feedback",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("feed", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("stance", sa.String(length=11), nullable=False),
        sa.Column("reason", sa.String(length=100), nullable=False),
        sa.Column("decision", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("due", UtcDateTime(), nullable=False),
        sa.Column("lease", sa.String(length=36), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["feed"], ["feed.id"], name="fk_feedback_feed_feed"),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
    )
    op.create_index(
        "ix_feedback_due",
        "feedback",
        ["due"],
        unique=False,
        sqlite_where=sa.text("state IN ('waiting', 'sending')"),
        postgresql_where=sa.text("state IN ('waiting', 'sending')"),
    )
    op.create_index("uq_feedback_entry", "feedback", ["feed", "key", "number"], unique=True)
