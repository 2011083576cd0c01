"""Webhooks: endpoints, and the outbox that is emptied until every delivery is made or given up."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from nightlamp import audit
from nightlamp.errors import IntakeError
from nightlamp.intake.tables import outbox, webhook
from nightlamp.outbound import Fetcher, Outcome, Secret, deliver, next_attempt
from nightlamp.store import Clock, Writer, new_id, utc_now
from nightlamp.store.leases import take
from nightlamp.urls import canonical

AT_ONCE = 128
THREADS = 16
LEASE = 600.0  # seconds; longer than a whole run
REST = 60.0  # seconds of rest for a receiver that failed, whatever else waits for it


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint.

    Args:
        every: it also gets verdicts that the submitter waited for.
        disabled_why: ``""`` as long as it is in use.
    """

    id: str
    url: str = field(repr=False)
    every: bool
    created_at: datetime
    disabled_at: datetime | None
    disabled_why: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one endpoint.

    Args:
        state: ``pending``, ``delivered`` or ``dead`` (given up).
        last: how the last attempt went, ``""`` before the first.
    """

    id: str
    webhook: str
    item: str
    state: str
    attempts: int
    last: str
    created_at: datetime
    due: datetime
    delivered_at: datetime | None


def add_webhook(
    connection: Connection, url: str, *, every: bool, actor: str, now: datetime
) -> tuple[Webhook, Secret]:
    """Make an endpoint; its secret is shown this once.

    Raises:
        IntakeError: the URL is none, or not of https or http.
    """
    try:
        address = canonical(url, drop=frozenset())
    except ValueError:
        raise IntakeError("invalid", "not a URL", where="url") from None
    if address.scheme not in ("http", "https") or len(url) > 2_000:
        raise IntakeError("invalid", "not a URL of https or http", where="url")
    secret = Secret.new()
    made = Webhook(new_id(), url, every, now, None, "")
    row = {name: getattr(made, name) for name in Webhook.__slots__}
    connection.execute(insert(webhook).values(**row, secret=secret.key))
    audit.append(connection, actor, "webhook.created", f"webhook:{made.id}", {"every": every}, at=now)
    return made, secret


def remove_webhook(connection: Connection, webhook_id: str, *, actor: str, now: datetime) -> None:
    """Put an endpoint out of use for good; what waits for it is given up.

    Raises:
        IntakeError: there is none in use.
    """
    if not _disable(connection, webhook_id, "removed", now):
        raise IntakeError("not found", "there is no such webhook", where="webhook")
    audit.append(connection, actor, "webhook.removed", f"webhook:{webhook_id}", at=now)


def all_webhooks(connection: Connection) -> list[Webhook]:
    """All endpoints, those out of use too."""
    columns = [webhook.c[name] for name in Webhook.__slots__]
    return [Webhook(**row._mapping) for row in connection.execute(select(*columns).order_by(webhook.c.id))]


def page_deliveries(
    connection: Connection,
    webhook_id: str,
    *,
    before: str | None = None,
    limit: int = 50,
    state: str | None = None,
) -> list[Delivery]:
    """An endpoint's messages, the newest first."""
    columns = [outbox.c[name] for name in Delivery.__slots__]
    query = select(*columns).where(outbox.c.webhook == webhook_id).order_by(outbox.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(outbox.c.id < before)
    if state is not None:
        query = query.where(outbox.c.state == state)
    return [Delivery(**row._mapping) for row in connection.execute(query)]


def replay_deliveries(
    connection: Connection, webhook_id: str, *, since: datetime, only: str = "", actor: str, now: datetime
) -> int:
    """Send messages again, those delivered already too: with the same ids, so that receivers can tell.

    Args:
        connection: in a transaction that may write.
        webhook_id: the endpoint.
        since: those made since then …
        only: … or this one alone.
        actor: for the audit.
        now: the time.

    Returns:
        how many.

    Raises:
        IntakeError: there is no such endpoint in use, or no such message.
    """
    alive = select(webhook.c.id).where(webhook.c.id == webhook_id, webhook.c.disabled_at.is_(None))
    if connection.scalar(alive) is None:
        raise IntakeError("not found", "there is no such webhook", where="webhook")
    mine = outbox.c.webhook == webhook_id
    mine &= (outbox.c.id == only) if only else (outbox.c.created_at >= since)
    again = {"state": "pending", "attempts": 0, "due": now, "lease": None, "delivered_at": None}
    count = connection.execute(update(outbox).where(mine).values(again)).rowcount
    if only and not count:
        raise IntakeError("not found", "there is no such delivery", where="delivery")
    audit.append(connection, actor, "webhook.replayed", f"webhook:{webhook_id}", {"count": count}, at=now)
    return count


def waiting_deliveries(connection: Connection) -> int:
    """Messages that are to be sent yet."""
    return connection.scalar(select(func.count()).where(outbox.c.state == "pending")) or 0


class Deliverer:
    """Empties the outbox, on as many nodes as there are.

    A message is sent at least once; it comes twice if a node dies between the receiver's answer and the
    commit, with the same id. A receiver that fails gets a rest, so that it does not hold up the others.

    Args:
        writer: commits.
        fetcher: makes the requests, within its rules.
        clock: for due times.
    """

    def __init__(self, writer: Writer, fetcher: Fetcher, *, clock: Clock = utc_now) -> None:
        self._writer = writer
        self._fetcher = fetcher
        self._clock = clock
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="nightlamp-webhook")

    def run_once(self) -> int:
        """Deliver what is due; how many messages were tried."""
        rows, endpoints = self._writer.write(self._take)
        failing: set[str] = set()
        list(self._pool.map(lambda row: self._deliver(row, endpoints[row.webhook], failing), rows))
        return len(rows)

    def close(self) -> None:
        """Finish what is being sent."""
        self._pool.shutdown()

    def _deliver(self, row: Row[Any], endpoint: Row[Any], failing: set[str]) -> None:
        if row.webhook in failing:
            until = self._clock() + timedelta(seconds=REST)
            self._writer.write(lambda connection: _put_off(connection, row, until))
            return
        outcome = deliver(
            self._fetcher,
            endpoint.url,
            row.payload.encode(),
            [Secret(bytes(endpoint.secret))],
            message_id=row.id,
            now=self._clock().timestamp(),
        )
        if outcome.kind != "delivered":
            failing.add(row.webhook)
        now = self._clock()
        self._writer.write(lambda connection: _settle(connection, row, outcome, now))

    def _take(self, connection: Connection) -> tuple[Sequence[Row[Any]], dict[str, Row[Any]]]:
        pending = outbox.c.state == "pending"
        rows = take(connection, outbox, now=self._clock(), seconds=LEASE, limit=AT_ONCE, where=pending)
        return rows, _endpoints(connection, [row.webhook for row in rows])


def _settle(connection: Connection, row: Row[Any], outcome: Outcome, now: datetime) -> None:
    values: dict[str, Any] = {"attempts": row.attempts + 1, "last": outcome.why[:100], "lease": None}
    wait = next_attempt(row.attempts + 1, row.id, outcome.retry_after or 0.0)
    if outcome.kind == "delivered":
        values |= {"state": "delivered", "delivered_at": now}
    elif outcome.kind == "retry" and wait is not None:
        values |= {"due": now + timedelta(seconds=wait)}
    else:
        values |= {"state": "dead"}
    mine = (outbox.c.id == row.id) & (outbox.c.lease == row.lease)
    if connection.execute(update(outbox).where(mine).values(values)).rowcount and outcome.kind == "gone":
        _disable(connection, row.webhook, "the receiver wants no more (410)", now)
        audit.append(connection, "system", "webhook.disabled", f"webhook:{row.webhook}", at=now)


def _put_off(connection: Connection, row: Row[Any], until: datetime) -> None:
    """Not an attempt: the receiver has just failed with another message."""
    mine = (outbox.c.id == row.id) & (outbox.c.lease == row.lease) & (outbox.c.state == "pending")
    connection.execute(update(outbox).where(mine).values(lease=None, due=until))


def _disable(connection: Connection, webhook_id: str, why: str, now: datetime) -> bool:
    mine = (webhook.c.id == webhook_id) & webhook.c.disabled_at.is_(None)
    values = {"disabled_at": now, "disabled_why": why}
    if not connection.execute(update(webhook).where(mine).values(values)).rowcount:
        return False
    waits = (outbox.c.webhook == webhook_id) & (outbox.c.state == "pending")
    connection.execute(update(outbox).where(waits).values(state="dead", last=why[:100]))
    return True


def _endpoints(connection: Connection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    rows = connection.execute(select(webhook).where(webhook.c.id.in_(set(ids))))
    return {row.id: row for row in rows}
