"""The ground: the writers' receipts, the audit log, the vault.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nightlamp.store.tables import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables, and the head of an empty log."""
    op.create_table(
        "audit_checkpoint",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("key", sa.String(length=16), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit_checkpoint"),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    op.create_table(
        "audit_record",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit_record"),
    )
    op.create_index("ix_audit_record_actor", "audit_record", ["actor"], unique=False)
    op.create_index("ix_audit_record_subject", "audit_record", ["subject"], unique=False)
    op.create_table(
        "vault_object",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("due", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_vault_object"),
    )
    op.create_table(
        "writer_receipt",
        sa.Column("writer", sa.String(length=36), nullable=False),
        sa.Column("last_group", sa.BigInteger(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("writer", name="pk_writer_receipt"),
    )
    op.create_table(
        "vault_blob",
        sa.Column("name", sa.String(length=26), nullable=False),
        sa.Column("object", sa.String(length=26), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("recipients", sa.String(length=16), nullable=True),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("ended", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "state IN ('kept', 'destroying', 'destroyed', 'lost')", name=op.f("ck_vault_blob_state")
        ),
        sa.ForeignKeyConstraint(["object"], ["vault_object.id"], name="fk_vault_blob_object_vault_object"),
        sa.PrimaryKeyConstraint("name", name="pk_vault_blob"),
    )
    op.create_index("ix_vault_blob_object", "vault_blob", ["object"], unique=False)
    op.create_index("ix_vault_blob_state", "vault_blob", ["state"], unique=False)
    op.create_table(
        "vault_hold",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("object", sa.String(length=26), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("jurisdiction", sa.String(length=20), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("expires", UtcDateTime(), nullable=False),
        sa.Column("released", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["object"], ["vault_object.id"], name="fk_vault_hold_object_vault_object"),
        sa.PrimaryKeyConstraint("id", name="pk_vault_hold"),
    )
    op.create_index("ix_vault_hold_expires", "vault_hold", ["expires"], unique=False)
    op.create_index("ix_vault_hold_object", "vault_hold", ["object"], unique=False)
    head = sa.table("audit_head", sa.column("id"), sa.column("sequence"), sa.column("hash"))
    op.bulk_insert(head, [{"id": 1, "sequence": 0, "hash": "0" * 64}])
