"""The one transaction of an item: all of it is written, or nothing.

Many items share it where they come together. Each item's fate is its own all the same: one that cannot be
written makes the group be written one by one.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from nightlamp import audit
from nightlamp.errors import IntakeError, StoreError, UnavailableError, UndecidedError
from nightlamp.intake.deciding import Subject
from nightlamp.intake.records import get_ruling, pack_matches, pack_ruling
from nightlamp.intake.submission import Outcome, Ruling, packed
from nightlamp.intake.tables import fetch, for_review, idempotency, item, match, outbox, verdict, webhook
from nightlamp.intake.threads import started
from nightlamp.lookback import Past, remember_all
from nightlamp.origin import to_json
from nightlamp.store import Writer, new_id
from nightlamp.store.direct import Prepared, together
from nightlamp.store.rows import Rows
from nightlamp.values import AS_IS
from nightlamp.vault import HoldRequest, Sealed, Vault

FOREVER = datetime.max.replace(microsecond=0)
_TRIES = 2
# Made once: building a statement costs more than running it.
_ITEM, _VERDICT, _NAME = Rows(item), Rows(verdict), Rows(idempotency)
_MATCH = Rows(match, [name for name in match.c.keys() if name != "id"])  # noqa: SIM118 (names, not columns)
_FETCH = Rows(fetch, ["id", "url", "given", "attempts", "due"])
_OUTBOX = Rows(outbox, ["id", "webhook", "item", "payload", "state", "attempts", "last", "created_at", "due"])
_REVIEW = Rows(for_review, ["item", "verdict", "at", "prints"])
_ENDPOINTS = Prepared(select(webhook.c.id, webhook.c.every).where(webhook.c.disabled_at.is_(None)))
KEPT_MATCHES = 200  # of one verdict, the closest
MOST = 512  # entries written together


@dataclass(slots=True)
class Entry:
    """One item to be written.

    Args:
        subject: what was decided upon; of a URL item that is pending, the fingerprints of what came besides.
        ruling: None for a URL item that is pending.
        received_at: when it came in.
        outcome: resolved once it is durable.
        request: hash of the request, for idempotency.
        sealed: its content in the vault.
        lease: of the URL item that this finishes; ``""``: the item is new, or late.
        failed: the URL could not be fetched.
        tries: how often it was written again since another node was quicker.
        watch: told the seconds that it spent in each stage.
    """

    subject: Subject
    ruling: Ruling | None
    received_at: datetime
    outcome: Future[Outcome] = field(default_factory=Future)
    request: bytes = b""
    sealed: Sealed | None = None
    lease: str = ""
    failed: bool = False
    tries: int = 0
    watch: Callable[[str, float], None] | None = None
    _since: float = field(default_factory=time.monotonic)

    def lap(self) -> float:
        """Seconds since this was asked last, or since the entry was made."""
        before, self._since = self._since, time.monotonic()
        return self._since - before

    def settle(self, answer: Outcome) -> None:
        """Tell whoever waits; what they were told before stands."""
        with suppress(InvalidStateError):
            self.outcome.set_result(answer)

    def fail(self, error: BaseException) -> None:
        """The same of what went wrong."""
        with suppress(InvalidStateError):
            self.outcome.set_exception(error)

    @property
    def name(self) -> tuple[str, str]:
        """Whose request it is, and what the submitter calls it."""
        return self.subject.submission.key, self.subject.submission.idempotency

    @property
    def known(self) -> bool:
        """The item is in the database already."""
        return bool(self.lease) or self.subject.late

    @property
    def state(self) -> str:
        """The item's, after this."""
        return "pending" if self.ruling is None else "failed" if self.failed else "done"

    @property
    def answer(self) -> Outcome:
        """What the submitter gets."""
        submission = self.subject.submission
        return Outcome(self.subject.item, self.state, self.ruling, submission.wait)  # type: ignore[arg-type]


class LostLeaseError(StoreError):
    """Another node has taken the item over; what this one found out is thrown away."""


class Recorder:
    """Writes entries in groups.

    Args:
        writer: commits.
        vault: for what is held.
        keep: for how long fingerprints are kept for the look-back; 0: not at all.
    """

    def __init__(self, writer: Writer, vault: Vault, keep: timedelta) -> None:
        self._writer = writer
        self._vault = vault
        self._kept_for = keep
        self._lock = threading.Lock()
        self._open: list[Entry] | None = None  # a group in the writer's line that still takes company
        self._entering = started(4, "nightlamp-enter")

    def close(self) -> None:
        """Once nothing is on its way any more."""
        self._entering.shutdown()

    def record(self, entries: Sequence[Entry]) -> None:
        """Have ``entries`` written; each one's ``outcome`` resolves when it is durable, or says why not."""
        if not entries:
            return
        with self._lock:  # a statement for many rows costs little more than for one
            if self._open is not None and len(self._open) + len(entries) <= MOST:
                self._open += entries
                return
            group = self._open = list(entries)
        self._submit(group)

    def _submit(self, group: list[Entry]) -> None:
        def work(connection: Connection) -> list[Outcome | IntakeError]:
            self._shut(group)
            return self.write(connection, group)

        try:
            written = self._writer.submit(work, lambda: len(group))
        except StoreError as error:
            self._shut(group)
            for entry in group:
                entry.fail(error)
            return
        written.add_done_callback(lambda done: self._settle(group, done))

    def _shut(self, group: list[Entry]) -> None:
        """From now on ``group`` stays as it is."""
        with self._lock:
            if self._open is group:
                self._open = None

    def _settle(self, entries: list[Entry], done: Future[list[Outcome | IntakeError]]) -> None:
        self._shut(entries)  # the database may have been away before the work was ever begun
        error = done.exception()
        if error is None:
            for entry, answer in zip(entries, done.result(), strict=True):
                if isinstance(answer, IntakeError):
                    entry.fail(answer)
                elif entry.sealed is not None and answer.item == entry.subject.item and not answer.replayed:
                    try:
                        self._entering.submit(self._enter, entry, entry.sealed, answer)
                    except RuntimeError:  # the process is ending
                        entry.settle(answer)
                else:
                    entry.settle(answer)
        elif len(entries) == 1 and isinstance(error, IntegrityError) and entries[0].tries < _TRIES:
            entries[0].tries += 1  # another node has just answered the same request: look again
            self._submit([entries[0]])
        elif len(entries) > 1 and not isinstance(error, UnavailableError | UndecidedError):
            for entry in entries:  # one of them is the cause: the others must not suffer
                self._submit([entry])
        else:
            for entry in entries:
                entry.fail(error)

    def _enter(self, entry: Entry, sealed: Sealed, answer: Outcome) -> None:
        """Only then answer: what was answered is safe from an older backup of the database."""
        try:
            self._vault.enter(sealed.name)
        finally:
            entry.settle(answer)

    def write(self, connection: Connection, entries: Sequence[Entry]) -> list[Outcome | IntakeError]:
        """All of them, in the writer's transaction; may be run again."""
        answers = _answered_before(connection, entries)
        fresh = [entry for at, entry in enumerate(entries) if at not in answers]
        # Others run statements of SQLAlchemy, which wait for their answers.
        plain = not any(entry.sealed or entry.known for entry in fresh)
        with together(connection) if plain else nullcontext():
            self._write(connection, fresh)
        return [answers.get(at, entry.answer) for at, entry in enumerate(entries)]

    def _write(self, connection: Connection, fresh: Sequence[Entry]) -> None:
        # First what another node may be writing too: waiting for it must not hold up the audit log.
        _write_names(connection, fresh)
        objects = {
            entry.subject.item: self._keep(connection, entry, entry.sealed) for entry in fresh if entry.sealed
        }
        _write_items(connection, fresh, objects)
        _write_verdicts(connection, [entry for entry in fresh if entry.ruling is not None])
        _write_outbox(connection, fresh)
        if self._kept_for:
            remember_all(
                connection, [self._past(e, e.ruling) for e in fresh if e.ruling and not e.subject.late]
            )
        audit.append_all(connection, [_draft(entry, objects.get(entry.subject.item)) for entry in fresh])

    def _past(self, entry: Entry, ruling: Ruling) -> Past:
        prints, until = entry.subject.examination.fingerprints, entry.received_at + self._kept_for
        return Past(entry.subject.item, prints, until, ruling.generation)

    def _keep(self, connection: Connection, entry: Entry, sealed: Sealed) -> str:
        assert entry.ruling is not None
        hold = entry.ruling.verdict.handling.hold
        end = hold.until(entry.ruling.decided_at) if hold else None
        expires = end or FOREVER.replace(tzinfo=entry.ruling.decided_at.tzinfo)
        where = entry.subject.submission.where.jurisdiction or "policy"
        request = HoldRequest(f"verdict {entry.ruling.verdict.action}", where[:20], expires)
        return self._vault.keep(connection, sealed, request, actor="system")


def _answered_before(connection: Connection, entries: Sequence[Entry]) -> dict[int, Outcome | IntakeError]:
    """Requests whose idempotency key is known, by their place: the stored answer, or the conflict."""
    i = idempotency.c
    names = {entry.name for entry in entries if entry.request}
    if not names:
        return {}
    rows = connection.execute(select(idempotency).where(tuple_(i.key, i.name).in_(sorted(names))))
    known = {(row.key, row.name): row for row in rows}
    answers: dict[int, Outcome | IntakeError] = {}
    first: dict[tuple[str, str], Entry] = {}
    for at, entry in enumerate(entries):
        name = entry.name
        if not entry.request:
            continue
        row = known.get(name)
        if row is not None:
            same = bytes(row.request) == entry.request
            answers[at] = stored_outcome(connection, row) if same else _conflict()
        elif name in first:
            same = first[name].request == entry.request
            answers[at] = replace(first[name].answer, replayed=True) if same else _conflict()
        else:
            first[name] = entry
    return answers


def stored_outcome(connection: Connection, row: Any) -> Outcome:
    """The answer that a request got, from its row of ``idempotency``."""
    ruling = get_ruling(connection, row.verdict) if row.verdict else None
    return Outcome(row.item, "done" if ruling else "pending", ruling, row.wait, replayed=True)


def _conflict() -> IntakeError:
    return IntakeError(
        "conflict",
        "this idempotency key was used for another request",
        where="Idempotency-Key",
        hint="a new key for every new request",
    )


def _write_items(connection: Connection, entries: Sequence[Entry], objects: dict[str, str]) -> None:
    new = [entry for entry in entries if not entry.known]
    if new:
        _ITEM.add(connection, [_item(entry, objects.get(entry.subject.item)) for entry in new])
    waiting = [entry for entry in new if entry.ruling is None]
    _FETCH.add(
        connection,
        [
            {
                "id": e.subject.item,
                "url": e.subject.submission.url,
                "given": packed(e.subject.examination.fingerprints),
                "attempts": 0,
                "due": e.received_at,
            }
            for e in waiting
        ],
    )
    for entry in entries:
        if entry.known:
            _update_item(connection, entry, objects.get(entry.subject.item))


def _item(entry: Entry, object_id: str | None) -> dict[str, Any]:
    submission = entry.subject.submission
    return {
        "id": entry.subject.item,
        "key": submission.key,
        "kind": submission.kind,
        "platform_id": submission.platform_id,
        "actor": submission.actor,
        "context": submission.where.as_json(),
        "wait": submission.wait,
        "received_at": entry.received_at,
        "url": None,
        **_found(entry, object_id),
    }


def _found(entry: Entry, object_id: str | None) -> dict[str, Any]:
    """What the verdict and the examination say of the item's row."""
    e, ruling = entry.subject.examination, entry.ruling
    kept = ruling is not None and ruling.verdict.action != "allow"
    return {
        "state": entry.state,
        "media_type": e.media_type[:100],
        "size": e.size,
        "width": e.width,
        "height": e.height,
        "frames": e.frames,
        "unchecked": [[u.what, u.why, u.detail] for u in e.unchecked],
        "object": object_id,
        "verdict": ruling.id if ruling else None,
        "action": ruling.verdict.action if ruling else None,
        "url": entry.subject.submission.url if kept and entry.subject.submission.url else None,
        "origin": to_json(e.origin) if e.origin is not None else None,
    }


def _update_item(connection: Connection, entry: Entry, object_id: str | None) -> None:
    """Finish a URL item, or give an old one its late verdict."""
    mine = item.c.id == entry.subject.item
    if entry.lease:
        held = (fetch.c.id == entry.subject.item) & (fetch.c.lease == entry.lease)
        if connection.execute(delete(fetch).where(held)).rowcount != 1:
            raise LostLeaseError("another node has taken this item over", where="fetch")
        connection.execute(update(item).where(mine).values(_found(entry, object_id)))
    else:
        assert entry.ruling is not None
        values = {"verdict": entry.ruling.id, "action": entry.ruling.verdict.action}
        connection.execute(update(item).where(mine).values(values))


def _write_verdicts(connection: Connection, entries: Sequence[Entry]) -> None:
    rulings = [entry.ruling for entry in entries if entry.ruling is not None]
    if rulings:
        _VERDICT.add(connection, [pack_ruling(ruling) for ruling in rulings])
        rows = [row for ruling in rulings for row in pack_matches(ruling, KEPT_MATCHES)]
        _MATCH.add(connection, rows)
    _ask_for_review(connection, entries)


def _ask_for_review(connection: Connection, entries: Sequence[Entry]) -> None:
    """What was not allowed waits for a case, with the fingerprints that it is grouped by."""
    rows = [
        {
            "item": entry.ruling.item,
            "verdict": entry.ruling.id,
            "at": entry.ruling.decided_at,
            "prints": json.dumps(
                [
                    [f.signal, f.value.hex(), f.frame, f.quality]
                    for f in entry.subject.examination.fingerprints
                    if f.view == AS_IS
                ],
                separators=(",", ":"),
            ),
        }
        for entry in entries
        if entry.ruling is not None and entry.ruling.verdict.action != "allow"
    ]
    _REVIEW.add(connection, rows)


def _write_names(connection: Connection, entries: Sequence[Entry]) -> None:
    rows = [
        {
            "key": entry.subject.submission.key,
            "name": entry.subject.submission.idempotency,
            "request": entry.request,
            "item": entry.subject.item,
            "verdict": entry.ruling.id if entry.ruling else None,
            "wait": entry.subject.submission.wait,
            "at": entry.received_at,
        }
        for entry in entries
        if entry.request
    ]
    _NAME.add(connection, rows)


def _write_outbox(connection: Connection, entries: Sequence[Entry]) -> None:
    told = [entry for entry in entries if entry.ruling is not None]
    if not told:
        return
    endpoints = _ENDPOINTS.rows(connection)
    if not endpoints:
        return
    rows = []
    for entry in told:
        answered = entry.subject.submission.wait and not entry.known
        payload = _payload(entry)
        rows += [
            {
                "id": new_id(),
                "webhook": endpoint,
                "item": entry.subject.item,
                "payload": payload,
                "state": "pending",
                "attempts": 0,
                "last": "",
                "created_at": entry.ruling.decided_at,
                "due": entry.ruling.decided_at,
            }
            for endpoint, every in endpoints
            if entry.ruling is not None and (every or not answered)
        ]
    _OUTBOX.add(connection, rows)


def _payload(entry: Entry) -> str:
    """What a webhook tells: no more than a key that may only submit would see."""
    ruling = entry.ruling
    assert ruling is not None
    told = {
        "type": "verdict",
        "id": entry.subject.item,
        "platform_id": entry.subject.submission.platform_id,
        "state": entry.state,
        "action": ruling.verdict.action,
        "late": ruling.late,
        "decided_at": ruling.decided_at.isoformat(),
    }
    return json.dumps(told, separators=(",", ":"))


def _draft(entry: Entry, object_id: str | None) -> audit.Draft:
    submission, ruling = entry.subject.submission, entry.ruling
    facts: dict[str, audit.Detail] = {"kind": submission.kind, "state": entry.state}
    action = "item.received"
    if ruling is not None:
        action = "item.late" if ruling.late else "item.decided"
        facts |= {
            "action": ruling.verdict.action,
            "rule": ruling.verdict.rule,
            "policy": ruling.policy,
            "generation": ruling.generation,
            "matches": ruling.matches,
            "unchecked": len(ruling.verdict.unchecked),
            "verdict": ruling.id,
        }
    if object_id:
        facts["object"] = object_id
    actor = f"key:{submission.key}" if not entry.known else "system"
    at = ruling.decided_at if ruling else entry.received_at
    return audit.Draft(actor, action, f"item:{entry.subject.item}", facts, at)


def retry_later(connection: Connection, item_id: str, lease: str, now: datetime, seconds: float) -> bool:
    """Put a URL off; False if another node has it."""
    held = (fetch.c.id == item_id) & (fetch.c.lease == lease)
    values = {"lease": None, "attempts": fetch.c.attempts + 1, "due": now + timedelta(seconds=seconds)}
    return connection.execute(update(fetch).where(held).values(values)).rowcount == 1
