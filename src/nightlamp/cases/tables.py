"""The tables of cases. Persons are actors as in the audit log: ``person:<account id>`` or ``key:<id>``."""

from __future__ import annotations

from sqlalchemy import (
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

from nightlamp.intake.tables import ID, item
from nightlamp.store.tables import BigKey, UtcDateTime, metadata

WHO = String(200)
_ALIVE = text("state <> 'decided'")
_UNAPPLIED = text("final AND undone_at IS NULL AND applied_at IS NULL")

review_case = Table(
    "review_case",
    metadata,
    Column("id", ID, primary_key=True),
    Column("queue", String(100), nullable=False),  # "": the common one
    Column("priority", SmallInteger, nullable=False),  # place in decision.PRIORITIES: 0 urgent … 3 low
    Column("two_person", Boolean, nullable=False),
    Column("known", Boolean, nullable=False),  # on a list of high trust: may be decided without a look
    Column("listed", Boolean, nullable=False, default=False),  # a list matches each of its items
    Column("origin", String(20), nullable=False, default="unknown"),  # what says least of all its items'
    Column("state", String(9), nullable=False),  # open, second, escalated, decided
    Column("round", Integer, nullable=False),  # 1, +1 each time that it is opened again
    Column("rule", String(64), nullable=False),  # of the policy, that opened it
    Column("opened_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime),
    Column("order_at", UtcDateTime, nullable=False),  # what the queue goes by within a priority
    Column("grown_at", UtcDateTime, nullable=False),  # when its last item came
    Column("items", Integer, nullable=False),
    Column("contents", Integer, nullable=False, default=1),  # different ones, at most
    Column("actors", Integer, nullable=False),
    Column("places", Integer, nullable=False),  # services and rooms
    Column("version", Integer, nullable=False),  # +1 with each change that a person should see first
    Column("changed", String(40), nullable=False),  # what the last such change was
    Column("claimed_by", WHO),
    Column("claimed_at", UtcDateTime),
    Column("claim_until", UtcDateTime),
    Column("decided_at", UtcDateTime),
    Column("decision", ID),  # the final one
    Column("earlier", ID),  # a decided case of the very same content
    Index(
        "ix_review_case_waiting",
        "priority",
        "order_at",
        "id",
        sqlite_where=_ALIVE,
        postgresql_where=_ALIVE,
    ),
    Index(
        "ix_review_case_next",
        "state",
        "priority",
        "known",
        "order_at",
        "id",
        "queue",
        sqlite_where=_ALIVE,
        postgresql_where=_ALIVE,
    ),
    # What may be a victim that nobody knows of.
    Index(
        "ix_review_case_unlisted",
        *("origin", "listed", "priority", "order_at", "id"),
        sqlite_where=_ALIVE,
        postgresql_where=_ALIVE,
    ),
    # All that the lead's overview of what waits reads.
    Index(
        "ix_review_case_backlog",
        *("priority", "queue", "state", "opened_at", "due_at", "items"),
        sqlite_where=_ALIVE,
        postgresql_where=_ALIVE,
    ),
    Index(None, "decided_at"),
    Index("ix_review_case_claimed_by", "claimed_by", sqlite_where=_ALIVE, postgresql_where=_ALIVE),
)

case_item = Table(
    "case_item",
    metadata,
    Column("item", ID, ForeignKey(item.c.id), primary_key=True),
    Column("case", ID, ForeignKey("review_case.id"), nullable=False),
    Column("verdict", ID, nullable=False),  # the newest that wanted a review
    Column("how", String(5), nullable=False),  # first, exact, near, video, entry, burst, split
    Column("distance", Integer),  # bits, of near ones
    Column("actor", String(200), nullable=False),
    Column("place", String(400), nullable=False),
    Column("added_at", UtcDateTime, nullable=False),
    Index(None, "case", "added_at"),
    Index(None, "case", "actor"),
    Index(None, "actor", "added_at"),
)

# Fingerprints of the items of cases, as is: to group by, and for the operator's own bank.
case_print = Table(
    "case_print",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("item", ID, ForeignKey(item.c.id), nullable=False, index=True),
    Column("signal", String(40), nullable=False),
    Column("value", LargeBinary(64), nullable=False),
    Column("frame", Integer, nullable=False),
    Column("quality", Integer),
    Column("of", Integer, nullable=False),  # how many of this signal the item has here: 1 of a still
    Index(None, "signal", "value"),
)

# What groups without a picture, as long as the case is open: the entry that matched, the actor of a burst.
case_key = Table(
    "case_key",
    metadata,
    Column("kind", String(5), primary_key=True),  # entry, burst
    Column("value", LargeBinary(32), primary_key=True),  # a digest: list entries are secrets
    Column("case", ID, ForeignKey("review_case.id"), nullable=False, index=True),
    Column("at", UtcDateTime, nullable=False),
)

# Which case was split off which, by whom, and why its first item was in the other: so it can be taken back.
case_split = Table(
    "case_split",
    metadata,
    Column("case", ID, ForeignKey("review_case.id"), primary_key=True),
    Column("origin", ID, ForeignKey("review_case.id"), nullable=False, index=True),
    Column("by", WHO, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("item", ID, nullable=False),
    Column("how", String(5), nullable=False),
    Column("distance", Integer),
)

# Decided cases that look like a new one, found when it was opened.
case_neighbour = Table(
    "case_neighbour",
    metadata,
    Column("case", ID, ForeignKey("review_case.id"), primary_key=True),
    Column("other", ID, ForeignKey("review_case.id"), primary_key=True),
    Column("how", String(5), nullable=False),  # exact, near, video
    Column("distance", Integer),
)

decision = Table(
    "decision",
    metadata,
    Column("id", ID, primary_key=True),
    Column("case", ID, ForeignKey("review_case.id"), nullable=False, index=True),
    Column("round", Integer, nullable=False),
    Column("version", Integer, nullable=False),  # of the case, on the page that was answered
    Column("by", WHO, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("finding", String(8), nullable=False),  # csam, not_csam, escalate, unsure
    Column("classification", String(2)),
    Column("ai_made", String(7), nullable=False),  # yes, no, unknown
    Column("drawn", Boolean, nullable=False),
    Column("reason", String(40), nullable=False),
    Column("note", Text, nullable=False),  # never logged
    Column("opinion", String(6), nullable=False),  # first, second, lead
    Column("before", String(9), nullable=False),  # the case's state, to go back to
    Column("seconds", Float),  # from the claim to the answer
    Column("final", Boolean, nullable=False),
    Column("undone_at", UtcDateTime),
    Column("effective_at", UtcDateTime, nullable=False),
    Column("applied_at", UtcDateTime),
    Index(
        "ix_decision_unapplied",
        "effective_at",
        sqlite_where=_UNAPPLIED,
        postgresql_where=_UNAPPLIED,
    ),
    Index(None, "by", "at"),
    Index(None, "opinion", "at"),
)

reveal = Table(
    "reveal",
    metadata,
    Column("id", ID, primary_key=True),
    Column("case", ID, ForeignKey("review_case.id"), nullable=False),
    Column("item", ID, ForeignKey(item.c.id), nullable=False, index=True),
    Column("by", WHO, nullable=False),
    Column("level", SmallInteger, nullable=False),  # 0: nothing … FULL: the pixels as they are
    Column("frame", Integer),  # NULL: every frame
    Column("exif", Boolean, nullable=False),  # its metadata were shown
    Column("started_at", UtcDateTime, nullable=False),
    Column("handed_at", UtcDateTime),  # when its pixels were given out, once
    Column("seconds", Float, nullable=False),
    Column("severity", SmallInteger, nullable=False),
    Index(None, "by", "started_at"),
)

rest = Table(
    "rest",
    metadata,
    Column("id", ID, primary_key=True),
    Column("by", WHO, nullable=False, index=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
)

# One row: whoever opens cases locks it, so that two nodes never open two cases for one thing.
case_opener = Table(
    "case_opener",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
)
