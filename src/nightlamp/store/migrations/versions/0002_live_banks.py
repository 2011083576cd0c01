"""Live banks: banks, entries, lists, and the counter of changes.

Revision ID: 0002
"""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

from nightlamp.store.tables import UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables, and the counter of a database without changes."""
    op.create_table(
        "bank",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("category", sa.String(length=100), nullable=False),
        sa.Column("trust", sa.String(length=6), nullable=False),
        sa.Column("benign", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("enabled_generation", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_bank"),
    )
    op.create_index(
        "uq_bank_name_alive",
        "bank",
        ["name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "bank_change",
        sa.Column("generation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("token", sa.String(length=16), nullable=False),
        sa.Column("last_entry", sa.BigInteger(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("generation", name="pk_bank_change"),
    )
    op.create_table(
        "bank_counter",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("database", sa.String(length=32), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.String(length=16), nullable=False),
        sa.Column("last_entry", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_bank_counter"),
    )
    op.create_table(
        "bank_list",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bank", sa.Integer(), nullable=False),
        sa.Column("file", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("format", sa.String(length=20), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["bank"], ["bank.id"], name="fk_bank_list_bank_bank"),
        sa.PrimaryKeyConstraint("id", name="pk_bank_list"),
    )
    op.create_index("ix_bank_list_bank", "bank_list", ["bank"], unique=False)
    op.create_table(
        "bank_entry",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("bank", sa.Integer(), nullable=False),
        sa.Column("signal", sa.String(length=40), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("category", sa.String(length=100), nullable=False),
        sa.Column("parsed", sa.Boolean(), nullable=False),
        sa.Column("list", sa.Integer(), nullable=True),
        sa.Column("owner", sa.Integer(), server_default="0", nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=False),
        sa.Column("added_generation", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", UtcDateTime(), nullable=True),
        sa.Column("removed_generation", sa.BigInteger(), nullable=True),
        sa.Column("disputed", sa.Boolean(), nullable=False),
        sa.Column("flagged_generation", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["bank"], ["bank.id"], name="fk_bank_entry_bank_bank"),
        sa.ForeignKeyConstraint(["list"], ["bank_list.id"], name="fk_bank_entry_list_bank_list"),
        sa.PrimaryKeyConstraint("id", name="pk_bank_entry"),
    )
    op.create_index(
        "ix_bank_entry_flagged",
        "bank_entry",
        ["flagged_generation"],
        unique=False,
        sqlite_where=sa.text("flagged_generation IS NOT NULL"),
        postgresql_where=sa.text("flagged_generation IS NOT NULL"),
    )
    op.create_index(
        "ix_bank_entry_removed",
        "bank_entry",
        ["removed_generation"],
        unique=False,
        sqlite_where=sa.text("removed_generation IS NOT NULL"),
        postgresql_where=sa.text("removed_generation IS NOT NULL"),
    )
    op.create_index("ix_bank_entry_page", "bank_entry", ["bank", "id"], unique=False)
    op.create_index("ix_bank_entry_source_id", "bank_entry", ["bank", "source_id"], unique=False)
    op.create_index(
        "uq_bank_entry_in_force",
        "bank_entry",
        ["bank", "signal", "value", "source_id", "owner"],
        unique=True,
        sqlite_where=sa.text("removed_generation IS NULL"),
        postgresql_where=sa.text("removed_generation IS NULL"),
    )
    counter = sa.table(
        "bank_counter",
        *(sa.column(name) for name in ("id", "database", "generation", "token", "last_entry")),
    )
    zero = {"id": 1, "database": secrets.token_hex(16), "generation": 0, "token": "", "last_entry": 0}
    op.bulk_insert(counter, [zero])
