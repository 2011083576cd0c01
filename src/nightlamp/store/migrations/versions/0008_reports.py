"""Reports to authorities.

Revision ID: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nightlamp.store.tables import UtcDateTime

revision = "0008"
down_revision = "0007"

_MOVING = sa.text("state IN ('approved', 'open', 'finishing', 'restarting', 'retracting')")
_WAITING = sa.text("report IS NULL AND why = ''")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "report",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("authority", sa.String(length=20), nullable=False),
        sa.Column("case", sa.String(length=36), nullable=True),
        sa.Column("decision", sa.String(length=36), nullable=True),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("follows", sa.String(length=36), nullable=True),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("edited", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("asks", sa.JSON(), nullable=False),
        sa.Column("approvals", sa.SmallInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("approved_at", UtcDateTime(), nullable=True),
        sa.Column("host", sa.String(length=10), nullable=False),
        sa.Column("remote", sa.BigInteger(), nullable=True),
        sa.Column("opened_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("restarts", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due", UtcDateTime(), nullable=False),
        sa.Column("lease", sa.String(length=36), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["follows"], ["report.id"], name=op.f("fk_report_follows_report")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report")),
        sa.UniqueConstraint("decision", "actor", name=op.f("uq_report_decision_actor")),
    )
    op.create_index(op.f("ix_report_case"), "report", ["case"], unique=False)
    op.create_index(op.f("ix_report_actor"), "report", ["actor"], unique=False)
    op.create_index(op.f("ix_report_state"), "report", ["state"], unique=False)
    op.create_index(
        "ix_report_due",
        "report",
        ["due"],
        unique=False,
        sqlite_where=_MOVING,
        postgresql_where=_MOVING,
    )
    op.create_table(
        "report_confirmation",
        sa.Column("item", sa.String(length=36), nullable=False),
        sa.Column("verdict", sa.String(length=36), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("report", sa.String(length=36), nullable=True),
        sa.Column("why", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(["report"], ["report.id"], name=op.f("fk_report_confirmation_report_report")),
        sa.PrimaryKeyConstraint("item", name=op.f("pk_report_confirmation")),
    )
    op.create_index(op.f("ix_report_confirmation_report"), "report_confirmation", ["report"], unique=False)
    op.create_index(
        "ix_report_confirmation_waiting",
        "report_confirmation",
        ["at"],
        unique=False,
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
    op.create_table(
        "report_approval",
        sa.Column("report", sa.String(length=36), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["report"], ["report.id"], name=op.f("fk_report_approval_report_report")),
        sa.PrimaryKeyConstraint("report", "by", name=op.f("pk_report_approval")),
    )
    op.create_table(
        "report_file",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("report", sa.String(length=36), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("item", sa.String(length=36), nullable=True),
        sa.Column("object", sa.String(length=26), nullable=False),
        sa.Column("hold", sa.String(length=26), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=9), nullable=False),
        sa.Column("remote", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(["report"], ["report.id"], name=op.f("fk_report_file_report_report")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_file")),
        sa.UniqueConstraint("report", "object", name=op.f("uq_report_file_report_object")),
    )
    op.create_index(op.f("ix_report_file_item"), "report_file", ["item"], unique=False)
    op.create_index(op.f("ix_report_file_report_place"), "report_file", ["report", "place"], unique=False)
    op.create_table(
        "report_opening",
        sa.Column("host", sa.String(length=10), nullable=False),
        sa.Column("remote", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("report", sa.String(length=36), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("end", sa.String(length=9), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["report"], ["report.id"], name=op.f("fk_report_opening_report_report")),
        sa.PrimaryKeyConstraint("host", "remote", name=op.f("pk_report_opening")),
    )
    op.create_index(op.f("ix_report_opening_report"), "report_opening", ["report"], unique=False)
    op.create_table(
        "report_call",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("report", sa.String(length=36), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("call", sa.String(length=10), nullable=False),
        sa.Column("remote", sa.BigInteger(), nullable=True),
        sa.Column("means", sa.String(length=20), nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("request", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(["report"], ["report.id"], name=op.f("fk_report_call_report_report")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_call")),
    )
    op.create_index(op.f("ix_report_call_report"), "report_call", ["report"], unique=False)
    op.create_table(
        "report_package",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("purpose", sa.String(length=10), nullable=False),
        sa.Column("authority", sa.String(length=40), nullable=False),
        sa.Column("case", sa.String(length=36), nullable=True),
        sa.Column("item", sa.String(length=36), nullable=True),
        sa.Column("process", sa.String(length=150), nullable=False),
        sa.Column("recipients", sa.JSON(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_package")),
    )
    op.create_index(op.f("ix_report_package_at"), "report_package", ["at"], unique=False)
    op.create_index(op.f("ix_report_package_case"), "report_package", ["case"], unique=False)
    op.create_table(
        "disclosure_ask",
        sa.Column("subject", sa.String(length=36), nullable=False),
        sa.Column("process", sa.String(length=150), nullable=False),
        sa.Column("recipients", sa.String(length=16), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "process", "recipients", "by", name=op.f("pk_disclosure_ask")),
    )
    op.create_table(
        "report_export",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("case", sa.String(length=36), nullable=False),
        sa.Column("item", sa.String(length=36), nullable=True),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("decision", sa.String(length=36), nullable=True),
        sa.Column("recipients", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("asked_by", sa.String(length=200), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("settled_by", sa.String(length=200), nullable=True),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("given_at", UtcDateTime(), nullable=True),
        sa.Column("package", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_export")),
    )
    op.create_index(op.f("ix_report_export_case"), "report_export", ["case"], unique=False)
