"""The tables of intake. Ids are UUIDv7 as text: they sort by the time at which they were made."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
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

ID = String(36)

policy = Table(
    "policy",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("version", Integer, nullable=False),  # 1, 2, 3 … of its name
    Column("text", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", String(200), nullable=False),
    Index("uq_policy_name_version", "name", "version", unique=True),
)

# Each row put a policy in force; the newest one counts.
policy_activation = Table(
    "policy_activation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("policy", ForeignKey("policy.id"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by", String(200), nullable=False),
    Column("back", Boolean, nullable=False),  # a step back to what was in force before
)

item = Table(
    "item",
    metadata,
    Column("id", ID, primary_key=True),
    Column("key", String(12), nullable=False),  # which API key submitted it
    Column("kind", String(12), nullable=False),  # content, url, fingerprints
    Column("platform_id", String(200), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("context", JSON, nullable=False),
    Column("state", String(7), nullable=False),  # pending, done, failed
    Column("wait", Boolean, nullable=False),  # the submitter waited for the verdict
    Column("media_type", String(100), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("frames", Integer, nullable=False),
    Column("unchecked", JSON, nullable=False),  # of the content itself, whatever the banks and the policy
    Column("url", Text),  # of a URL item, unless it was allowed
    Column("object", String(26)),  # in the vault
    Column("received_at", UtcDateTime, nullable=False),
    Column("verdict", ID),  # the newest
    Column("action", String(6)),  # its action
    Column("origin", JSON(none_as_null=True)),  # its assessment, nothing sealed in it; NULL: not asked
    Index(None, "actor", "received_at"),
    Index(None, "platform_id"),
    Index(None, "action", "received_at"),
)

verdict = Table(
    "verdict",
    metadata,
    Column("id", ID, primary_key=True),
    Column("item", ID, ForeignKey("item.id"), nullable=False, index=True),
    Column("action", String(6), nullable=False),
    Column("rule", String(64), nullable=False),
    Column("policy", Integer, ForeignKey("policy.id")),  # NULL: none could be read
    Column("generation", BigInteger, nullable=False),  # of banks, policies and keys
    Column("late", Boolean, nullable=False),
    Column("benign", Boolean, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("unchecked", JSON, nullable=False),
    Column("handling", JSON, nullable=False),
    Column("history", JSON, nullable=False),  # the actor's, as the policy saw it
    Column("scores", JSON(none_as_null=True)),  # of look-up services and detectors; NULL: none
    Column("matches", Integer, nullable=False),  # how many there were; the closest are stored
    Column("decided_at", UtcDateTime, nullable=False),
)

match = Table(
    "match",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("verdict", ID, ForeignKey("verdict.id"), nullable=False, index=True),
    Column("bank", String(100), nullable=False),
    Column("source", String(200), nullable=False),
    Column("trust", String(6), nullable=False),
    Column("benign", Boolean, nullable=False),
    Column("category", String(100), nullable=False),  # the entry's own, or else the bank's
    Column("bank_category", String(100), nullable=False),
    Column("entry_id", Text, nullable=False),  # the source's own
    Column("signal", String(40), nullable=False),
    Column("distance", Integer, nullable=False),
    Column("view", String(40), nullable=False),
    Column("frame", Integer, nullable=False),
    Column("seconds", Float),  # of a video, when the frame is shown
    Column("quality", Integer),
    Column("disputed", Boolean, nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", String(12), primary_key=True),  # the API key
    Column("name", String(200), primary_key=True),  # the submitter's own
    Column("request", LargeBinary(32), nullable=False),
    Column("item", ID, nullable=False),
    Column("verdict", ID),
    Column("wait", Boolean, nullable=False),
    Column("at", UtcDateTime, nullable=False, index=True),
)

# One row: what the clock is believed to be where it decides what is forgotten (see keeping.py).
forgetting = Table(
    "forgetting",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("believed", UtcDateTime, nullable=False),
    Column("leapt_at", UtcDateTime),  # the clock's time when it was first seen far ahead of that
    Column("seen_at", UtcDateTime),  # … and when it was last
)

# URLs to be fetched; a row goes away in the transaction that brings the verdict.
fetch = Table(
    "fetch",
    metadata,
    Column("id", ID, ForeignKey("item.id"), primary_key=True),
    Column("url", Text, nullable=False),
    Column("given", JSON, nullable=False),  # fingerprints of what came besides: [[signal, hex, view, …], …]
    Column("attempts", Integer, nullable=False),
    Column("due", UtcDateTime, nullable=False, index=True),
    Column("lease", String(36)),
    Column("lease_until", UtcDateTime),
)

# Verdicts that wait for a case; a row goes away in the transaction that puts its item into one.
for_review = Table(
    "for_review",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("item", ID, ForeignKey("item.id"), nullable=False),
    Column("verdict", ID, ForeignKey("verdict.id"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("prints", Text, nullable=False),  # JSON, fingerprints as is: [[signal, hex, frame, quality], …]
)

webhook = Table(
    "webhook",
    metadata,
    Column("id", ID, primary_key=True),
    Column("url", Text, nullable=False),
    Column("secret", LargeBinary(64), nullable=False),  # needed in clear to sign with
    Column("every", Boolean, nullable=False),  # also of verdicts that the submitter waited for
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
    Column("disabled_why", String(100), nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", ID, primary_key=True),
    Column("webhook", ID, ForeignKey("webhook.id"), nullable=False, index=True),
    Column("item", ID, ForeignKey("item.id"), nullable=False, index=True),
    Column("payload", Text, nullable=False),
    Column("state", String(9), nullable=False),  # pending, delivered, dead
    Column("attempts", Integer, nullable=False),
    Column("last", String(100), nullable=False),  # how the last attempt went
    Column("created_at", UtcDateTime, nullable=False),
    Column("due", UtcDateTime, nullable=False),
    Column("delivered_at", UtcDateTime),
    Column("lease", String(36)),
    Column("lease_until", UtcDateTime),
    Index(
        "ix_outbox_due",
        "due",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
)
