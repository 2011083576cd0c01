"""Cases and decisions.

Revision ID: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nightlamp.store.tables import UtcDateTime

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "case_opener",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_opener")),
    )
    op.create_table(
        "rest",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rest")),
    )
    op.create_index(op.f("ix_rest_by"), "rest", ["by"], unique=False)
    op.create_table(
        "review_case",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("queue", sa.String(length=100), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("two_person", sa.Boolean(), nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("origin", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=9), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("order_at", UtcDateTime(), nullable=False),
        sa.Column("grown_at", UtcDateTime(), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("contents", sa.Integer(), nullable=False),
        sa.Column("actors", sa.Integer(), nullable=False),
        sa.Column("places", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed", sa.String(length=40), nullable=False),
        sa.Column("claimed_by", sa.String(length=200), nullable=True),
        sa.Column("claimed_at", UtcDateTime(), nullable=True),
        sa.Column("claim_until", UtcDateTime(), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("decision", sa.String(length=36), nullable=True),
        sa.Column("earlier", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_case")),
    )
    op.create_index(
        "ix_review_case_claimed_by",
        "review_case",
        ["claimed_by"],
        unique=False,
        sqlite_where=sa.text("state <> 'decided'"),
        postgresql_where=sa.text("state <> 'decided'"),
    )
    op.create_index(op.f("ix_review_case_decided_at"), "review_case", ["decided_at"], unique=False)
    op.create_index(
        "ix_review_case_backlog",
        "review_case",
        ["priority", "queue", "state", "opened_at", "due_at", "items"],
        unique=False,
        sqlite_where=sa.text("state <> 'decided'"),
        postgresql_where=sa.text("state <> 'decided'"),
    )
    op.create_index(
        "ix_review_case_next",
        "review_case",
        ["state", "priority", "known", "order_at", "id", "queue"],
        unique=False,
        sqlite_where=sa.text("state <> 'decided'"),
        postgresql_where=sa.text("state <> 'decided'"),
    )
    op.create_index(
        "ix_review_case_unlisted",
        "review_case",
        ["origin", "listed", "priority", "order_at", "id"],
        unique=False,
        sqlite_where=sa.text("state <> 'decided'"),
        postgresql_where=sa.text("state <> 'decided'"),
    )
    op.create_index(
        "ix_review_case_waiting",
        "review_case",
        ["priority", "order_at", "id"],
        unique=False,
        sqlite_where=sa.text("state <> 'decided'"),
        postgresql_where=sa.text("state <> 'decided'"),
    )
    op.create_table(
        "case_item",
        sa.Column("item", sa.String(length=36), nullable=False),
        sa.Column("case", sa.String(length=36), nullable=False),
        sa.Column("verdict", sa.String(length=36), nullable=False),
        sa.Column("how", sa.String(length=5), nullable=False),
        sa.Column("distance", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("place", sa.String(length=400), nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["case"], ["review_case.id"], name=op.f("fk_case_item_case_review_case")),
        sa.ForeignKeyConstraint(["item"], ["item.id"], name=op.f("fk_case_item_item_item")),
        sa.PrimaryKeyConstraint("item", name=op.f("pk_case_item")),
    )
    op.create_index(op.f("ix_case_item_actor_added_at"), "case_item", ["actor", "added_at"], unique=False)
    op.create_index(op.f("ix_case_item_case_actor"), "case_item", ["case", "actor"], unique=False)
    op.create_index(op.f("ix_case_item_case_added_at"), "case_item", ["case", "added_at"], unique=False)
    op.create_table(
        "case_key",
        sa.Column("kind", sa.String(length=5), nullable=False),
        sa.Column("value", sa.LargeBinary(length=32), nullable=False),
        sa.Column("case", sa.String(length=36), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["case"], ["review_case.id"], name=op.f("fk_case_key_case_review_case")),
        sa.PrimaryKeyConstraint("kind", "value", name=op.f("pk_case_key")),
    )
    op.create_index(op.f("ix_case_key_case"), "case_key", ["case"], unique=False)
    op.create_table(
        "case_neighbour",
        sa.Column("case", sa.String(length=36), nullable=False),
        sa.Column("other", sa.String(length=36), nullable=False),
        sa.Column("how", sa.String(length=5), nullable=False),
        sa.Column("distance", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["case"], ["review_case.id"], name=op.f("fk_case_neighbour_case_review_case")
        ),
        sa.ForeignKeyConstraint(
            ["other"], ["review_case.id"], name=op.f("fk_case_neighbour_other_review_case")
        ),
        sa.PrimaryKeyConstraint("case", "other", name=op.f("pk_case_neighbour")),
    )
    op.create_table(
        "case_print",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("item", sa.String(length=36), nullable=False),
        sa.Column("signal", sa.String(length=40), nullable=False),
        sa.Column("value", sa.LargeBinary(length=64), nullable=False),
        sa.Column("frame", sa.Integer(), nullable=False),
        sa.Column("quality", sa.Integer(), nullable=True),
        sa.Column("of", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["item"], ["item.id"], name=op.f("fk_case_print_item_item")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_print")),
    )
    op.create_index(op.f("ix_case_print_item"), "case_print", ["item"], unique=False)
    op.create_index(op.f("ix_case_print_signal_value"), "case_print", ["signal", "value"], unique=False)
    op.create_table(
        "case_split",
        sa.Column("case", sa.String(length=36), nullable=False),
        sa.Column("origin", sa.String(length=36), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("item", sa.String(length=36), nullable=False),
        sa.Column("how", sa.String(length=5), nullable=False),
        sa.Column("distance", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["case"], ["review_case.id"], name=op.f("fk_case_split_case_review_case")),
        sa.ForeignKeyConstraint(
            ["origin"], ["review_case.id"], name=op.f("fk_case_split_origin_review_case")
        ),
        sa.PrimaryKeyConstraint("case", name=op.f("pk_case_split")),
    )
    op.create_index(op.f("ix_case_split_origin"), "case_split", ["origin"], unique=False)
    op.create_table(
        "decision",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("case", sa.String(length=36), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("finding", sa.String(length=8), nullable=False),
        sa.Column("classification", sa.String(length=2), nullable=True),
        sa.Column("ai_made", sa.String(length=7), nullable=False),
        sa.Column("drawn", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("opinion", sa.String(length=6), nullable=False),
        sa.Column("before", sa.String(length=9), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("undone_at", UtcDateTime(), nullable=True),
        sa.Column("effective_at", UtcDateTime(), nullable=False),
        sa.Column("applied_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["case"], ["review_case.id"], name=op.f("fk_decision_case_review_case")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
    )
    op.create_index(op.f("ix_decision_by_at"), "decision", ["by", "at"], unique=False)
    op.create_index(op.f("ix_decision_case"), "decision", ["case"], unique=False)
    op.create_index(op.f("ix_decision_opinion_at"), "decision", ["opinion", "at"], unique=False)
    op.create_index(
        "ix_decision_unapplied",
        "decision",
        ["effective_at"],
        unique=False,
        sqlite_where=sa.text("final AND undone_at IS NULL AND applied_at IS NULL"),
        postgresql_where=sa.text("final AND undone_at IS NULL AND applied_at IS NULL"),
    )
    op.create_table(
        "reveal",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("case", sa.String(length=36), nullable=False),
        sa.Column("item", sa.String(length=36), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("frame", sa.Integer(), nullable=True),
        sa.Column("exif", sa.Boolean(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("handed_at", UtcDateTime(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("severity", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["case"], ["review_case.id"], name=op.f("fk_reveal_case_review_case")),
        sa.ForeignKeyConstraint(["item"], ["item.id"], name=op.f("fk_reveal_item_item")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reveal")),
    )
    op.create_index(op.f("ix_reveal_by_started_at"), "reveal", ["by", "started_at"], unique=False)
    op.create_index(op.f("ix_reveal_item"), "reveal", ["item"], unique=False)
    op.execute("INSERT INTO case_opener (id) VALUES (1)")
