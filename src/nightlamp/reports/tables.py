"""The tables of reports. Evidence is named by its id in the vault; no content and no key is ever in them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    text,
)

from nightlamp.store.tables import UtcDateTime, metadata

ID = String(36)
_MOVING = text("state IN ('approved', 'open', 'finishing', 'restarting', 'retracting')")
_WAITING = text("report IS NULL AND why = ''")

report = Table(
    "report",
    metadata,
    Column("id", ID, primary_key=True),
    Column("authority", String(20), nullable=False),
    Column("case", ID, index=True),
    Column("decision", ID),  # the final decision that it was drafted from
    Column("actor", String(200), nullable=False),  # the platform's pseudonym of whom it is about
    Column("follows", ID, ForeignKey("report.id")),  # an earlier report that this one adds to
    Column("rule", String(64), nullable=False),  # of the policy, that confirmed it alone; "": people did
    Column("edited", Boolean, nullable=False),  # a person changed what it says
    Column("state", String(10), nullable=False),
    Column("why", String(200), nullable=False),  # what it waits for, or what went wrong last
    Column("document", JSON, nullable=False),
    Column("asks", JSON, nullable=False),  # [[where, what], …] that a person should see to
    Column("approvals", SmallInteger, nullable=False),  # people who must approve it
    Column("version", Integer, nullable=False),  # +1 with each change of the document or the files
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("approved_at", UtcDateTime),
    Column("host", String(10), nullable=False),  # test, production, fake; "" before it is opened
    Column("remote", BigInteger),  # the authority's number of it
    Column("opened_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("restarts", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),  # without getting any further
    Column("due", UtcDateTime, nullable=False),
    Column("lease", ID),
    Column("lease_until", UtcDateTime),
    Index("ix_report_due", "due", sqlite_where=_MOVING, postgresql_where=_MOVING),
    Index(None, "state"),
    Index(None, "actor"),
    UniqueConstraint("decision", "actor"),
)

# What a rule of the policy confirmed, once for each item: to be drafted, drafted, or passed over.
report_confirmation = Table(
    "report_confirmation",
    metadata,
    Column("item", ID, primary_key=True),
    Column("verdict", ID, nullable=False),  # which names the rule and the policy
    Column("at", UtcDateTime, nullable=False),  # it was confirmed; then: it was drafted or passed over
    Column("report", ID, ForeignKey("report.id"), index=True),  # that it is in
    Column("why", String(100), nullable=False),  # it was passed over; "": it was not
    Index("ix_report_confirmation_waiting", "at", sqlite_where=_WAITING, postgresql_where=_WAITING),
)

report_approval = Table(
    "report_approval",
    metadata,
    Column("report", ID, ForeignKey("report.id"), primary_key=True),
    Column("by", String(200), primary_key=True),
    Column("version", Integer, nullable=False),  # what was approved
    Column("at", UtcDateTime, nullable=False),
)

report_file = Table(
    "report_file",
    metadata,
    Column("id", ID, primary_key=True),
    Column("report", ID, ForeignKey("report.id"), nullable=False),
    Column("place", Integer, nullable=False),  # order within the report
    Column("item", ID),
    Column("object", String(26), nullable=False),  # in the vault
    Column("hold", String(26)),  # placed with the report
    Column("details", JSON, nullable=False),
    Column("state", String(9), nullable=False),  # waiting, sending, uploaded, described
    Column("remote", String(255)),  # the authority's id of it
    UniqueConstraint("report", "object"),
    Index(None, "report", "place"),
    Index(None, "item"),
)

# Every number that an authority ever gave us, and what became of it: at most one of a report is finished.
report_opening = Table(
    "report_opening",
    metadata,
    Column("host", String(10), primary_key=True),
    Column("remote", BigInteger, primary_key=True, autoincrement=False),
    Column("report", ID, ForeignKey("report.id"), nullable=False, index=True),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("end", String(9)),  # finished, retracted, gone; NULL: not known
    Column("ended_at", UtcDateTime),
)

# Every call to an authority; its support asks for the request's id.
report_call = Table(
    "report_call",
    metadata,
    Column("id", ID, primary_key=True),
    Column("report", ID, ForeignKey("report.id"), nullable=False, index=True),
    Column("at", UtcDateTime, nullable=False),
    Column("call", String(10), nullable=False),
    Column("remote", BigInteger),
    Column("means", String(20), nullable=False),
    Column("code", Integer),
    Column("status", Integer, nullable=False),
    Column("request", String(100), nullable=False),
)

# Every package that was made for somebody: reports to authorities without an interface, and disclosures.
report_package = Table(
    "report_package",
    metadata,
    Column("id", ID, primary_key=True),
    Column("purpose", String(10), nullable=False),  # report, disclosure, export
    Column("authority", String(40), nullable=False),  # of a report
    Column("case", ID, index=True),
    Column("item", ID),  # of a disclosure of one item
    Column("process", String(150), nullable=False),  # the reference of a disclosure
    Column("recipients", JSON, nullable=False),  # age public keys
    Column("files", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("by", String(200), nullable=False),
)

# Who has asked for a disclosure that is not made yet: where two people must.
disclosure_ask = Table(
    "disclosure_ask",
    metadata,
    Column("subject", ID, primary_key=True),
    Column("process", String(150), primary_key=True),
    Column("recipients", String(16), primary_key=True),  # fingerprint of the keys
    Column("by", String(200), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)

# Originals of a case that somebody asks for: a second person authorises, then they are given once, sealed.
report_export = Table(
    "report_export",
    metadata,
    Column("id", ID, primary_key=True),
    Column("case", ID, nullable=False, index=True),
    Column("item", ID),  # NULL: all that the case had when it was asked for
    Column("items", Integer, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),  # of their ids
    Column("round", Integer, nullable=False),  # with the decision: how the case stood then
    Column("decision", ID),
    Column("recipients", JSON, nullable=False),  # age public keys
    Column("reason", String(500), nullable=False),
    Column("state", String(10), nullable=False),  # asked, authorised, given, refused, withdrawn
    Column("asked_by", String(200), nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("settled_by", String(200)),  # who authorised, refused or withdrew it
    Column("settled_at", UtcDateTime),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("given_at", UtcDateTime),
    Column("package", ID),
)
