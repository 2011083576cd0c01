"""The log in the database: appending, checkpoints, and checking it where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, insert, select, update

from nightlamp.audit import canonical
from nightlamp.audit.chain import Link, Report, text_hash, verify
from nightlamp.audit.checkpoint import Checkpoint, PublicKeys, SigningKey
from nightlamp.audit.record import Detail, Draft, Record, check, encode_details, time_text, written
from nightlamp.audit.tables import audit_checkpoint, audit_head, audit_record
from nightlamp.errors import AuditError
from nightlamp.store.clock import utc_now
from nightlamp.store.direct import Prepared
from nightlamp.store.rows import Rows

_AT_ONCE = 1000
# Made once: building a statement costs more than running it.
_LOCK = Prepared(select(audit_head.c.sequence, audit_head.c.hash).with_for_update())
_ROWS = Rows(audit_record)
_MOVE = Prepared(update(audit_head).values(sequence=bindparam("last"), hash=bindparam("digest")))


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a record came to stand."""

    sequence: int
    hash: str


def append(
    connection: Connection,
    actor: str,
    action: str,
    subject: str,
    details: Mapping[str, Detail] | None = None,
    *,
    at: datetime | None = None,
) -> Appended:
    """Write one record, as part of the caller's transaction.

    From here to the end of the transaction no other node can append: do it last, and commit soon.

    Args:
        connection: in a transaction that may write.
        actor: who, e.g. ``"key:k3f…"``, ``"reviewer:…"``, ``"system"``; pseudonymous.
        action: ``"<part>.<what>"``.
        subject: e.g. ``"item:…"``; pseudonymous.
        details: short facts; never content, hash values or entry ids.
        at: by default now.

    Raises:
        AuditError: a field may not stand in the log.
    """
    return append_all(connection, [Draft(actor, action, subject, details or {}, at)])[0]


def append_all(connection: Connection, drafts: Sequence[Draft]) -> list[Appended]:
    """As ``append``, for many records in one go, in their order.

    Raises:
        AuditError: a field of one of them may not stand in the log; none was written.
    """
    if not drafts:
        return []
    now = utc_now()
    texts = []
    for draft in drafts:
        check(draft.actor, draft.action, draft.subject, draft.details)
        texts.append(encode_details(draft.details))
    sequence, digest = _locked_head(connection)
    rows: list[dict[str, object]] = []
    placed: list[Appended] = []
    for draft, text in zip(drafts, texts, strict=True):
        sequence += 1
        moment = (draft.at or now).astimezone(UTC)
        record = written(sequence, moment, draft.actor, draft.action, draft.subject, text)
        digest = text_hash(digest, record)
        placed.append(Appended(sequence, digest))
        rows.append(
            {
                "sequence": sequence,
                "at": moment,
                "actor": draft.actor,
                "action": draft.action,
                "subject": draft.subject,
                "details": text,
                "hash": digest,
            }
        )
    _ROWS.add(connection, rows)
    _MOVE.run(connection, last=sequence, digest=digest)
    return placed


def checkpoint(connection: Connection, key: SigningKey, *, at: datetime | None = None) -> Checkpoint | None:
    """Sign the chain as it stands and store that, in the caller's transaction; ``None`` if nothing is new."""
    sequence, digest = _locked_head(connection)
    last = _last_checkpoint(connection)
    if sequence == (last.sequence if last else 0):
        return None
    signed = key.sign((last.number if last else 0) + 1, sequence, digest, time_text(at or utc_now()))
    connection.execute(
        insert(audit_checkpoint).values(
            number=signed.number,
            sequence=signed.sequence,
            hash=signed.hash,
            at=signed.at,
            key=signed.key,
            signature=signed.signature,
        )
    )
    return signed


def checkpoint_if_due(
    connection: Connection, key: SigningKey, *, records: int, seconds: int, at: datetime | None = None
) -> Checkpoint | None:
    """``checkpoint`` if ``records`` have been added since the last, or any and ``seconds`` have passed.

    A clock that has jumped back counts as due: at worst there is a checkpoint too many.
    """
    now = at or utc_now()
    last = _last_checkpoint(connection)
    head = connection.execute(select(audit_head)).one_or_none()
    fresh = (head.sequence if head else 0) - (last.sequence if last else 0)
    if fresh == 0:
        return None
    if last is not None and fresh < records:
        age = now - datetime.fromisoformat(last.at)
        if timedelta(0) <= age < timedelta(seconds=seconds):
            return None
    return checkpoint(connection, key, at=now)


def verify_log(connection: Connection, keys: PublicKeys, witnesses: Iterable[Checkpoint] = ()) -> Report:
    """Check the whole log of the database.

    Args:
        connection: best of ``reading(engine)``, so that all is of one moment.
        keys: whose checkpoints are believed.
        witnesses: checkpoints that were kept elsewhere; they find what a cut database cannot tell.
    """
    stored = list(checkpoints(connection))
    report = verify(links(connection), [*stored, *(w for w in witnesses if w not in stored)], keys)
    head = connection.execute(select(audit_head)).one_or_none()
    if head is None or head.sequence > report.last:
        last = head.sequence if head else report.last + 1
        report.add("cut", report.last + 1, "the head speaks of records that are not there", last=last)
    elif (head.sequence, head.hash) != (report.last, report.hash):
        text = "the head is another than the last record"
        report.add("rewritten", report.last, text, first=min(head.sequence + 1, report.floor, report.last))
    return report


def links(connection: Connection, after: int = 0, until: int | None = None) -> Iterator[Link]:
    """The stored records after a sequence, in order; no further than ``until``."""
    query = select(audit_record).where(audit_record.c.sequence > after).order_by(audit_record.c.sequence)
    if until is not None:
        query = query.where(audit_record.c.sequence <= until)
    for row in connection.execution_options(yield_per=_AT_ONCE).execute(query):
        yield link_of(row)


def newest(
    *, limit: int, before: int | None = None, above: int = 0, subject: str = "", action: str = ""
) -> Select[Any]:
    """Asks for the last stored records, the newest first; ``link_of`` reads its rows.

    Args:
        limit: so many at most.
        before: of those before this sequence; None: of all.
        above: no further back than this sequence.
        subject: of this one alone.
        action: whose action is this, or begins so.
    """
    r = audit_record.c
    query = select(audit_record).where(r.sequence > above)
    if before is not None:
        query = query.where(r.sequence < before)
    if subject:
        query = query.where(r.subject == subject)
    if action:
        query = query.where(r.action.startswith(action, autoescape=True))
    return query.order_by(r.sequence.desc()).limit(limit)


def checkpoints(connection: Connection) -> Iterator[Checkpoint]:
    """The stored checkpoints, in order."""
    for row in connection.execute(select(audit_checkpoint).order_by(audit_checkpoint.c.number)):
        yield Checkpoint(row.number, row.sequence, row.hash, row.at, row.key, bytes(row.signature))


def link_of(row: Row[Any]) -> Link:
    """A stored record; one that cannot be read as such has none."""
    try:
        details = canonical.decode(row.details)
        if canonical.encode(details).decode() != row.details:
            return Link(row.sequence, None, row.hash)
        record = Record(row.sequence, row.at, row.actor, row.action, row.subject, details).as_object()
    except (ValueError, AttributeError, TypeError):
        return Link(row.sequence, None, row.hash)
    return Link(row.sequence, record, row.hash)


def _locked_head(connection: Connection) -> tuple[int, str]:
    """The last record's number and hash; until the transaction ends nobody else appends."""
    heads = _LOCK.rows(connection)
    if not heads:
        raise AuditError("the log has lost its head", where="audit_head", hint="restore the database")
    sequence, digest = heads[0]
    return sequence, digest


def _last_checkpoint(connection: Connection) -> Row[tuple[int, int, str, str, str, bytes]] | None:
    return connection.execute(
        select(audit_checkpoint).order_by(audit_checkpoint.c.number.desc()).limit(1)
    ).one_or_none()
