"""Changing a feed: how often it runs and when it stops, its secrets, and what its exchange is asked.

Name, kind and bank stay: another list is another feed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from nightlamp.audit import Detail, append
from nightlamp.errors import FeedError
from nightlamp.feeds.exchange import Kind
from nightlamp.feeds.registry import EXCHANGES, kind_of
from nightlamp.feeds.subscriptions import NewFeed, StoredFeed, checked, config_of, get_feed
from nightlamp.feeds.tables import feed
from nightlamp.store import utc_now


@dataclass(frozen=True, slots=True)
class FeedChange:
    """What is to be otherwise; ``None``: as it was. The meaning is that of ``NewFeed``.

    Args:
        config, secrets: all of them, not only those that change.
    """

    config: Mapping[str, Any] | None = None
    secrets: Mapping[str, str] | None = None
    every: int | None = None
    stale_after: int | None = None
    max_loss: float | None = None
    feedback: bool | None = None


def change_feed(
    connection: Connection,
    name: str,
    change: FeedChange,
    *,
    actor: str,
    allowed: Callable[[StoredFeed], None] | None = None,
    kinds: Mapping[str, Kind] = EXCHANGES,
    now: datetime | None = None,
) -> StoredFeed:
    """Change a feed; its next run is due at once, unless it is paused: one under way goes on as changed.

    If its config changes, the run under way is dropped and the whole list is fetched anew, since a checkpoint
    of what was asked before may mean nothing now; what it holds goes on matching until then, and a loss that
    somebody was asked about counts no more.

    Args:
        connection: in a transaction that may write.
        name: the feed's.
        change: what is to be otherwise.
        actor: who changes it.
        allowed: told the feed, which nobody else changes meanwhile; raises if it must not be changed so.
        kinds: of exchanges.
        now: the time.

    Raises:
        FeedError: there is no such feed, or something makes no sense; nothing is changed.
    """
    query = select(feed.c.id).where(feed.c.name == name, feed.c.removed_at.is_(None))
    connection.execute(query.with_for_update())
    stored = get_feed(connection, name)
    if allowed is not None:
        allowed(stored)
    kind = kind_of(stored.kind, kinds)
    wanted = NewFeed(
        name,
        stored.kind,
        bank="",
        config=stored.config if change.config is None else change.config,
        secrets=stored.secrets if change.secrets is None else change.secrets,
        every=stored.every if change.every is None else change.every,
        stale_after=stored.stale_after if change.stale_after is None else change.stale_after,
        max_loss=stored.max_loss if change.max_loss is None else change.max_loss,
        feedback=stored.feedback if change.feedback is None else change.feedback,
    )
    config = checked(kind, wanted)
    if asks_the_same(kind, config, stored.config):
        config = dict(stored.config)
    elif config_of(kind, config).benign != config_of(kind, stored.config).benign:
        what = "a list of hits and one of known harmless files are not the same feed"
        raise FeedError(what, where=f"feed {name}", hint="add another feed, with a bank of its own")
    values: dict[str, Any] = {
        "config": config,
        "secrets": dict(wanted.secrets),
        "every_seconds": wanted.every,
        "stale_seconds": wanted.stale_after,
        "max_loss": wanted.max_loss,
        "feedback": wanted.feedback,
    }
    before = connection.execute(select(feed).where(feed.c.id == stored.id)).one()._mapping
    changed = sorted(key for key, value in values.items() if before[key] != value)
    if not changed:
        return stored
    if "config" in changed:
        values |= {"checkpoint": None, "run": None, "run_mode": "", "run_cursor": None, "run_whole": True}
        values |= {"guard_shown": 0, "accept_loss": 0}
    # As for a removed one: whoever works on it has lost its lease, and does not set when it is due.
    values |= {"lease": None, "lease_until": None, "due": now or utc_now(), "failures": 0}
    connection.execute(update(feed).where(feed.c.id == stored.id).values(values))
    facts: dict[str, Detail] = {"changed": changed}
    append(connection, actor, "feeds.changed", f"feed:{name}", facts)
    return get_feed(connection, name)


def asks_the_same(kind: Kind, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two configs say the same, what is left to the defaults included.

    Raises:
        FeedError: one does not fit the kind.
    """
    return config_of(kind, one).model_dump() == config_of(kind, other).model_dump()
