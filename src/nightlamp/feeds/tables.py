"""The tables of feeds: subscriptions, what each knows of its source's entries, feedback that waits."""

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
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

from nightlamp.store.tables import UtcDateTime, metadata

_ALIVE = text("removed_at IS NULL")
_WAITING = text("state IN ('waiting', 'sending')")

feed = Table(
    "feed",
    metadata,
    Column("id", Integer, primary_key=True),  # also the owner of its bank entries: never used again
    Column("name", String(100), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("config", JSON, nullable=False),
    Column("secrets", JSON, nullable=False),  # by name: references, never secrets
    Column("bank", ForeignKey("bank.id"), nullable=False),
    Column("every_seconds", Integer, nullable=False),
    Column("stale_seconds", Integer, nullable=False),  # behind by more is an alarm; 0: never
    Column("max_loss", Float, nullable=False),  # share of its fingerprints
    Column("feedback", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("removed_at", UtcDateTime),
    Column("cleared_at", UtcDateTime),  # of a removed one: nothing of it is in force any more
    Column("paused", String(10), nullable=False),  # "", "person" or "loss"
    Column("paused_why", Text, nullable=False),
    Column("paused_at", UtcDateTime),
    # Where it stands at its source.
    Column("checkpoint", JSON(none_as_null=True)),  # of the last page after which all was known for good
    Column("run", String(36)),  # the run under way; NULL: none is
    Column("run_mode", String(8), nullable=False),  # "", direct, staged, applying
    Column("run_started_at", UtcDateTime),
    Column("run_at", UtcDateTime),  # when its last page was committed
    Column("run_whole", Boolean, nullable=False),  # the run asks for everything, whatever the checkpoint
    Column(
        "run_checkpoint", JSON(none_as_null=True)
    ),  # where the run may begin anew; of a staged one not the feed's yet
    Column("run_cursor", JSON(none_as_null=True)),
    Column("run_pages", Integer, nullable=False),
    Column("run_records", BigInteger, nullable=False),
    Column("run_total", BigInteger),
    Column("run_unreadable", Integer, nullable=False),
    # What it holds.
    Column("records", BigInteger, nullable=False),  # keys in force
    Column("prints", BigInteger, nullable=False),  # fingerprints in force, as the source gives them
    Column("unreadable", Integer, nullable=False),  # in the last whole run: records, fingerprints left out
    # The safety stop.
    Column("guard_since", UtcDateTime),
    Column("guard_base", BigInteger, nullable=False),
    Column("guard_lost", BigInteger, nullable=False),
    Column(
        "guard_shown", BigInteger, nullable=False
    ),  # of the last stop: the loss that a person is asked about
    Column("accept_loss", BigInteger, nullable=False),  # a person has said that the run may lose so many
    # When.
    Column("due", UtcDateTime, nullable=False),
    Column("lease", String(36)),
    Column("lease_until", UtcDateTime),
    Column("last_ok_at", UtcDateTime),  # when the last whole run began: what changed before it is known
    Column("failures", Integer, nullable=False),
    Column("error_kind", String(20), nullable=False),
    Column("error", Text, nullable=False),
    Column("error_at", UtcDateTime),
    Index("uq_feed_name_alive", "name", unique=True, sqlite_where=_ALIVE, postgresql_where=_ALIVE),
)

# The newest state of each of a source's entries, with tombstones; its fingerprints are bank entries.
feed_entry = Table(
    "feed_entry",
    metadata,
    Column("feed", ForeignKey("feed.id"), primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("digest", LargeBinary(16), nullable=False),  # of the state; equal ones need no work
    Column("alive", Boolean, nullable=False),
    Column("prints", SmallInteger, nullable=False),
    sqlite_with_rowid=False,
)

# A whole list that is being fetched, while the old one goes on matching.
feed_staged = Table(
    "feed_staged",
    metadata,
    Column("feed", ForeignKey("feed.id"), primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("digest", LargeBinary(16), nullable=False),
    Column("alive", Boolean, nullable=False),
    Column("prints", SmallInteger, nullable=False),
    Column("state", LargeBinary),  # category, disputed, fingerprints; NULL: as feed_entry has it
    sqlite_with_rowid=False,
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("feed", ForeignKey("feed.id"), nullable=False),
    Column("key", Text, nullable=False),
    Column("number", Integer, nullable=False),  # of the opinions on this entry, from 1
    Column("stance", String(11), nullable=False),
    Column("reason", String(100), nullable=False),
    Column("decision", String(100), nullable=False),
    Column("state", String(10), nullable=False),  # waiting, sending, sent, refused, doubtful, superseded
    Column("words", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("done_at", UtcDateTime),
    Column("due", UtcDateTime, nullable=False),
    Column("lease", String(36)),
    Column("lease_until", UtcDateTime),
    Index("uq_feedback_entry", "feed", "key", "number", unique=True),
    Index("ix_feedback_due", "due", sqlite_where=_WAITING, postgresql_where=_WAITING),
)
