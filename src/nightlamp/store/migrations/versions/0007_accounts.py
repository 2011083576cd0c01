"""People who sign in.

Revision ID: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nightlamp.store.tables import UtcDateTime

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "account",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("display", sa.String(length=200), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("totp", sa.LargeBinary(length=200), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=False),
        sa.Column("issuer", sa.String(length=300), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=True),
        sa.Column("language", sa.String(length=20), nullable=False),
        sa.Column("theme", sa.String(length=5), nullable=False),
        sa.Column("shortcuts", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("disabled_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
    )
    op.create_index("uq_account_issuer_subject", "account", ["issuer", "subject"], unique=True)
    op.create_index("uq_account_name", "account", ["name"], unique=True)
    op.create_table(
        "attempt",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.Column("good_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_attempt")),
    )
    op.create_index(op.f("ix_attempt_last_at"), "attempt", ["last_at"], unique=False)
    op.create_table(
        "handshake",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_handshake")),
    )
    op.create_index(op.f("ix_handshake_expires_at"), "handshake", ["expires_at"], unique=False)
    op.create_table(
        "invitation",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("account", sa.String(length=36), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_invitation_account_account")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_invitation")),
    )
    op.create_index(op.f("ix_invitation_account"), "invitation", ["account"], unique=False)
    op.create_table(
        "passkey",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("account", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("credential", sa.LargeBinary(length=1023), nullable=False),
        sa.Column("public_key", sa.LargeBinary(length=4096), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_passkey_account_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkey")),
    )
    op.create_index(op.f("ix_passkey_account"), "passkey", ["account"], unique=False)
    op.create_index("uq_passkey_credential", "passkey", ["credential"], unique=True)
    op.create_table(
        "recovery_code",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("account", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_recovery_code_account_account")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_recovery_code")),
    )
    op.create_index(op.f("ix_recovery_code_account"), "recovery_code", ["account"], unique=False)
    op.create_table(
        "session",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("account", sa.String(length=36), nullable=False),
        sa.Column("stage", sa.String(length=6), nullable=False),
        sa.Column("method", sa.String(length=10), nullable=False),
        sa.Column("provider_session", sa.LargeBinary(length=32), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("browser", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_session_account_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
    )
    op.create_index(op.f("ix_session_account"), "session", ["account"], unique=False)
    op.create_index("uq_session_digest", "session", ["digest"], unique=True)
    op.create_index(op.f("ix_session_provider_session"), "session", ["provider_session"], unique=False)
