"""What people found about entries, sent back to the exchanges that own them: durably, and once.

An opinion is a row before it is a request. It is marked as being sent before it is: if the answer is lost, or
the process, the exchange decides what comes next. Where sending again changes nothing (``repeatable``), it is
sent again; elsewhere it becomes *doubtful*, which is said, and is never sent by itself again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from nightlamp.audit import append
from nightlamp.banks.live import owned_rows
from nightlamp.banks.live.tables import bank as bank_table
from nightlamp.errors import ExchangeError, NightlampError
from nightlamp.feeds.exchange import Kind, Opinion, Stance, TakesFeedback
from nightlamp.feeds.opening import open_exchange, takes_feedback
from nightlamp.feeds.registry import EXCHANGES
from nightlamp.feeds.schedule import back_off
from nightlamp.feeds.subscriptions import REMOVED, StoredFeed, feed_of_id
from nightlamp.feeds.tables import feed, feed_entry, feedback
from nightlamp.outbound import Fetcher
from nightlamp.store import Clock, new_id, reading, utc_now
from nightlamp.store.leases import take

SENDING = 300.0  # seconds that one call may take
_DOUBT = ("network", "malformed", "hostile")  # after these nobody knows whether it was taken
_OPEN = ("waiting", "sending")
_OTHER_MATTERS = ("ncii", "terrorism")  # "not CSAM" says nothing against an entry of such a list …
_WRONG_MATCH = "wrong_match"  # … but this does


def queue_feedback(
    connection: Connection,
    bank: str,
    source_id: str,
    opinion: Stance,
    reason: str,
    decision: str,
    *,
    now: datetime | None = None,
) -> int:
    """Have an opinion on an entry sent to every exchange that named it and wants opinions.

    Asked again with the same opinion, it does nothing; with the other one, the newer is sent. A list that is
    not of abuse material hears a negative one only if the entry shows something else.

    Args:
        connection: in a transaction that may write.
        bank: the bank's name.
        source_id: the entry's, as the match has it.
        opinion: affirmative or negative.
        reason: a code of ours for a negative one.
        decision: what it stands on.
        now: by default the wall clock.

    Returns:
        how many were queued.
    """
    now = now or utc_now()
    b = bank_table.c
    query = (
        select(feed.c.id, feed.c.name)
        .join(bank_table, b.id == feed.c.bank)
        .join(feed_entry, and_(feed_entry.c.feed == feed.c.id, feed_entry.c.key == source_id))
        .where(b.name == bank, b.deleted_at.is_(None), feed.c.removed_at.is_(None), feed.c.feedback.is_(True))
    )
    if opinion == "negative" and reason != _WRONG_MATCH:
        query = query.where(b.category.not_in(_OTHER_MATTERS))
    queued = 0
    for number, name in connection.execute(query).all():
        if _queue(connection, number, source_id, opinion, reason, decision, now):
            details = {"opinion": opinion, "decision": decision}
            append(connection, "system", "feeds.feedback_queued", f"feed:{name}", details)
            queued += 1
    return queued


def withdraw_feedback(connection: Connection, decision: str, *, now: datetime | None = None) -> None:
    """Do not send what waits of a decision that does not stand any more; what was sent stands."""
    waits = and_(feedback.c.decision == decision[:100], feedback.c.state == "waiting")
    closed = {"state": "superseded", "done_at": now or utc_now(), "lease": None}
    connection.execute(update(feedback).where(waits).values(closed))


class Feedback:
    """One node's share of the sending; ``run_once`` is for a loop.

    Args:
        engine: the database.
        http: for requests to exchanges.
        kinds: of exchanges.
        clock: for leases and due times.
    """

    def __init__(
        self,
        engine: Engine,
        http: Fetcher,
        *,
        kinds: Mapping[str, Kind] = EXCHANGES,
        clock: Clock = utc_now,
    ) -> None:
        self._engine = engine
        self._http = http
        self._kinds = kinds
        self._clock = clock

    def run_once(self) -> bool:
        """Send what is due to one exchange; whether there was anything."""
        now = self._clock()
        with self._engine.begin() as connection:
            first = self._first(connection, now)
            if first is None:
                _close_orphans(connection, now)
                return False
            stored = feed_of_id(connection, first)
        try:
            exchange = takes_feedback(open_exchange(stored, self._http, kinds=self._kinds, clock=self._clock))
        except NightlampError as error:
            self._postpone(stored, error)
            return True
        if exchange is None:
            self._close(stored, "refused", "this kind of exchange takes no feedback")
            return True
        self._send(stored, exchange)
        return True

    def _first(self, connection: Connection, now: datetime) -> int | None:
        """The feed whose opinion has waited longest and is free."""
        f = feedback.c
        free = (f.lease.is_(None)) | (f.lease_until < now)
        query = (
            select(f.feed)
            .join(feed, feed.c.id == f.feed)
            .where(f.state.in_(_OPEN), f.due <= now, free, feed.c.removed_at.is_(None), feed.c.paused == "")
        )
        return connection.scalar(query.order_by(f.due).limit(1))

    def _send(self, stored: StoredFeed, exchange: TakesFeedback) -> None:
        taken = self._take(stored, exchange)
        if not taken:
            return
        with reading(self._engine) as connection:
            held = owned_rows(connection, stored.bank, stored.id, [row.key for row in taken])
        opinions = [
            Opinion(
                row.id,
                row.key,
                row.stance,
                row.reason,
                tuple(sorted({each.signal for each in held.get(row.key, ())})),
            )
            for row in taken
        ]
        try:
            sent = {each.id: each for each in exchange.feedback(opinions)}
        except ExchangeError as error:
            if error.kind == "gone":
                self._settle(stored, taken, {row.id: ("refused", error.what) for row in taken})
            elif error.kind in _DOUBT and not exchange.repeatable:
                words = f"{error.what}: whether it was taken is not known"
                self._settle(stored, taken, {row.id: ("doubtful", words) for row in taken})
            else:
                self._again(taken, error)
            return
        except Exception as error:  # noqa: BLE001 (a client's fault; what it had sent by then nobody knows)
            words = f"a fault in the client ({type(error).__name__}): whether it was taken is not known"
            self._settle(stored, taken, {row.id: ("doubtful", words) for row in taken})
            return
        results: dict[str, tuple[str, str]] = {}
        for row in taken:
            answer = sent.get(row.id)
            if answer is None:
                results[row.id] = ("doubtful", "the exchange did not answer to it")
            else:
                results[row.id] = ("sent", "") if answer.taken else ("refused", answer.words)
        self._settle(stored, taken, results)

    def _take(self, stored: StoredFeed, exchange: TakesFeedback) -> Sequence[Any]:
        """Mark what is to be sent as being sent; what a process that died was sending is in doubt."""
        now = self._clock()
        mine = and_(feedback.c.feed == stored.id, feedback.c.state.in_(_OPEN))
        with self._engine.begin() as connection:
            _supersede(connection, stored.id, now)
            rows = take(connection, feedback, now=now, seconds=SENDING, limit=exchange.most, where=mine)
            # ``take`` gives rows as they are after it: the state tells what another process was doing.
            dead = [row.id for row in rows if row.state == "sending" and not exchange.repeatable]
            if dead:
                words = "the service stopped while it was sent: whether it was taken is not known"
                _set(connection, dead, state="doubtful", words=words, done_at=now, lease=None)
            live = sorted((row for row in rows if row.id not in dead), key=lambda row: row.number)
            _set(connection, [row.id for row in live], state="sending", attempts=feedback.c.attempts + 1)
        return live

    def _again(self, taken: Sequence[Any], error: ExchangeError) -> None:
        """Nothing was taken, or sending it again changes nothing: later."""
        now = self._clock()
        with self._engine.begin() as connection:
            for row in taken:
                pause = back_off(row.attempts + 1, error.kind, error.retry_after, 0.5)
                due = now + timedelta(seconds=pause)
                values = {"state": "waiting", "words": error.what[:500], "due": due, "lease": None}
                connection.execute(update(feedback).where(_ours(row)).values(values))

    def _settle(
        self, stored: StoredFeed, taken: Sequence[Any], results: Mapping[str, tuple[str, str]]
    ) -> None:
        """Keep what came of rows whose lease is still ours."""
        now = self._clock()
        counts: dict[str, int] = {}
        with self._engine.begin() as connection:
            for row in taken:
                state, words = results[row.id]
                values = {"state": state, "words": words[:500], "done_at": now, "lease": None}
                done = update(feedback).where(_ours(row)).values(values)
                if connection.execute(done).rowcount:
                    counts[state] = counts.get(state, 0) + 1
            if counts:
                append(connection, stored.actor, "feeds.feedback_sent", f"feed:{stored.name}", counts)

    def _postpone(self, stored: StoredFeed, error: NightlampError) -> None:
        """The feed's client cannot be made: what waits for it waits longer."""
        later = self._clock() + timedelta(minutes=15)
        mine = and_(feedback.c.feed == stored.id, feedback.c.state.in_(_OPEN))
        with self._engine.begin() as connection:
            connection.execute(update(feedback).where(mine).values(due=later, words=error.what[:500]))

    def _close(self, stored: StoredFeed, state: str, words: str) -> None:
        mine = and_(feedback.c.feed == stored.id, feedback.c.state.in_(_OPEN))
        with self._engine.begin() as connection:
            values = {"state": state, "words": words, "done_at": self._clock(), "lease": None}
            connection.execute(update(feedback).where(mine).values(values))


def _queue(
    connection: Connection, number: int, key: str, stance: str, reason: str, decision: str, now: datetime
) -> bool:
    """Put an opinion behind the earlier ones on this entry, unless the newest says the same.

    The newest is superseded only if it was withdrawn.
    """
    f = feedback.c
    this = and_(f.feed == number, f.key == key)
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    while True:
        newest = connection.execute(select(feedback).where(this).order_by(f.number.desc()).limit(1)).first()
        if newest is not None and newest.stance == stance and newest.state != "superseded":
            return False
        row = {
            "id": new_id(),
            "feed": number,
            "key": key,
            "number": (newest.number if newest is not None else 0) + 1,
            "stance": stance,
            "reason": reason[:100],
            "decision": decision[:100],
            "state": "waiting",
            "words": "",
            "attempts": 0,
            "created_at": now,
            "due": now,
        }
        # Two at once: the second waits here, then looks again.
        if connection.execute(dialect.insert(feedback).values(row).on_conflict_do_nothing()).rowcount:
            older = and_(this, f.state == "waiting", f.number < row["number"])
            connection.execute(update(feedback).where(older).values(state="superseded", done_at=now))
            return True


def _supersede(connection: Connection, number: int, now: datetime) -> None:
    """Opinions that wait behind a newer one on the same entry: their answer was lost while it came."""
    f, newer = feedback.c, feedback.alias().c
    later = exists().where(newer.feed == f.feed, newer.key == f.key, newer.number > f.number)
    older = update(feedback).where(f.feed == number, f.state == "waiting", later)
    connection.execute(older.values(state="superseded", done_at=now))


def _close_orphans(connection: Connection, now: datetime) -> None:
    """Opinions that were queued in the moment in which their feed was removed."""
    removed = select(feed.c.id).where(feed.c.removed_at.is_not(None))
    orphans = and_(feedback.c.state == "waiting", feedback.c.feed.in_(removed))
    if connection.scalar(select(feedback.c.id).where(orphans).limit(1)) is not None:
        closed = {"state": "refused", "words": REMOVED, "done_at": now, "lease": None}
        connection.execute(update(feedback).where(orphans).values(closed))


def _ours(row: Any) -> ColumnElement[bool]:
    """A row that was taken, as long as nobody else has taken it since."""
    return and_(feedback.c.id == row.id, feedback.c.lease == row.lease)


def count_feedback(connection: Connection) -> dict[str, int]:
    """Opinions by state."""
    rows = connection.execute(select(feedback.c.state, func.count()).group_by(feedback.c.state))
    return {row[0]: row[1] for row in rows}


def _set(connection: Connection, ids: Sequence[str], **values: Any) -> None:
    if ids:
        connection.execute(update(feedback).where(feedback.c.id.in_(ids)).values(**values))
