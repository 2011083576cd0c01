"""Making, changing and reading feeds, each in the caller's transaction, with its audit record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import ValidationError
from sqlalchemy import Connection, Row, select, update
from sqlalchemy.dialects import postgresql, sqlite

from nightlamp.audit import append
from nightlamp.banks.live import create_bank, find_bank
from nightlamp.errors import BankError, FeedError
from nightlamp.feeds.exchange import ExchangeConfig, Json, Kind
from nightlamp.feeds.registry import EXCHANGES, kind_of
from nightlamp.feeds.secrets import check_reference
from nightlamp.feeds.tables import feed, feedback
from nightlamp.store import utc_now
from nightlamp.values import Bank

Paused = Literal["", "person", "loss"]
LEAST_EVERY, MOST_EVERY = 60, 30 * 86_400
REMOVED = "the feed was removed before it was sent"  # of an opinion
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_CREDENTIALS = re.compile(r"://[^/\s]*@")


@dataclass(frozen=True, slots=True)
class StoredFeed:
    """A feed as it stands in the database; no secret is in it.

    Args:
        id: its number, for good; also the owner of its bank entries.
        name, kind, config: as it was added.
        secrets: references by name.
        bank: number of the bank that it fills.
        every: seconds between runs.
        stale_after: behind its source by more seconds, verdicts name it as not checked; 0: never.
        max_loss: share of its fingerprints that it may lose within a day before it stops and asks.
        feedback: whether opinions are sent to the exchange.
        paused: by whom; ``""``: it is not.
        paused_why, paused_at: what a person reads.
        checkpoint: where it stands at its source.
        run_mode: ``""``, or how the run under way goes on: direct, staged, applying.
        run_pages, run_records, run_total: how far that run is.
        records, prints: in force.
        unreadable: records and fingerprints that the last whole run left out.
        due: when it runs next.
        leased_until: while a node works on it.
        last_ok_at: what had changed at its source by then is known here; ``None``: never yet.
        failures, error_kind, error, error_at: attempts in a row that failed, and the last one's reason.
        created_at: when it was added.
    """

    id: int
    name: str
    kind: str
    config: Mapping[str, Any] = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)
    bank: int
    every: int
    stale_after: int
    max_loss: float
    feedback: bool
    paused: Paused
    paused_why: str
    paused_at: datetime | None
    checkpoint: Json | None = field(repr=False)
    run_mode: str
    run_pages: int
    run_records: int
    run_total: int | None
    records: int
    prints: int
    unreadable: int
    due: datetime
    leased_until: datetime | None
    last_ok_at: datetime | None
    failures: int
    error_kind: str
    error: str
    error_at: datetime | None
    created_at: datetime

    @property
    def actor(self) -> str:
        """As the audit log names it."""
        return f"feed:{self.name}"

    def behind(self, now: datetime) -> float:
        """Seconds for which changes at the source may be unknown here."""
        return max(0.0, (now - (self.last_ok_at or self.created_at)).total_seconds())

    def stale(self, now: datetime) -> bool:
        """Whether that is too long."""
        return 0 < self.stale_after < self.behind(now)


@dataclass(frozen=True, slots=True)
class NewFeed:
    """What an operator says of a feed to be added.

    Args:
        name: lower-case letters, digits, dots, dashes.
        kind: of exchange.
        bank: name of the bank; made if there is none.
        config: by the kind's model.
        secrets: references by name.
        every: seconds between runs.
        stale_after: seconds, 0 is never; by default three times ``every``, and no less than six hours.
        max_loss: 0 … 1.
        feedback: send opinions.
        category: of the bank, if it is made; by default the kind's.
        trust, benign: of the bank, if it is made.
    """

    name: str
    kind: str
    bank: str
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    every: int = 3_600
    stale_after: int | None = None
    max_loss: float = 0.2
    feedback: bool = False
    category: str = ""
    trust: Literal["low", "medium", "high"] = "medium"
    benign: bool = False


def create_feed(
    connection: Connection,
    new: NewFeed,
    *,
    actor: str,
    kinds: Mapping[str, Kind] = EXCHANGES,
    now: datetime | None = None,
) -> StoredFeed:
    """Add a feed, and its bank if there is none of that name; its first run is due at once.

    Raises:
        FeedError: the name is taken, or something makes no sense; no secret is shown.
        BankError: the bank's name makes no sense.
    """
    now = now or utc_now()
    kind = kind_of(new.kind, kinds)
    config = checked(kind, new)
    benign = config_of(kind, new.config).benign
    taken = select(feed.c.id).where(feed.c.name == new.name, feed.c.removed_at.is_(None))
    there_is = FeedError("there is a feed of this name", where=f"feed {new.name}", hint="another name")
    if connection.scalar(taken) is not None:
        raise there_is
    try:
        bank = find_bank(connection, new.bank)
    except BankError:
        made = Bank(new.bank, kind.title, new.category or kind.category, new.trust, new.benign or benign)
        bank = create_bank(connection, made, actor=actor)
    if benign and not bank.bank.benign:
        what = "this list is of known harmless files, and the bank is not a benign one"
        raise FeedError(what, where=f"feed {new.name}", hint="another bank")
    if bank.bank.benign and not (benign or new.benign):
        what = "the bank is one of known harmless files: a hit list in it would never match"
        raise FeedError(what, where=f"feed {new.name}", hint="another bank, or say that the list is benign")
    values: dict[str, Any] = {
        "name": new.name,
        "kind": new.kind,
        "config": config,
        "secrets": dict(new.secrets),
        "bank": bank.id,
        "every_seconds": new.every,
        "stale_seconds": max(3 * new.every, 6 * 3_600) if new.stale_after is None else new.stale_after,
        "max_loss": new.max_loss,
        "feedback": new.feedback,
        "created_at": now,
        "paused": "",
        "paused_why": "",
        "run_mode": "",
        "run_whole": False,
        "guard_base": 0,
        "guard_lost": 0,
        "guard_shown": 0,
        "accept_loss": 0,
        "due": now,
        "error_kind": "",
        "error": "",
        **dict.fromkeys(
            ("run_pages", "run_records", "run_unreadable", "records", "prints", "unreadable", "failures"), 0
        ),
    }
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    made = dialect.insert(feed).values(values).on_conflict_do_nothing().returning(feed)
    row = connection.execute(made).one_or_none()
    if row is None:  # somebody else took the name since the look
        raise there_is
    append(connection, actor, "feeds.added", f"feed:{new.name}", {"kind": new.kind, "bank": bank.id})
    return _stored(row)


def get_feed(connection: Connection, name: str) -> StoredFeed:
    """The feed of that name.

    Raises:
        FeedError: there is none.
    """
    row = connection.execute(select(feed).where(feed.c.name == name, feed.c.removed_at.is_(None))).first()
    if row is None:
        raise FeedError("there is no such feed", where=f"feed {name[:100]}", hint="nightlamp feed list")
    return _stored(row)


def feed_of_id(connection: Connection, number: int) -> StoredFeed:
    """The feed of that number, removed or not."""
    return _stored(connection.execute(select(feed).where(feed.c.id == number)).one())


def all_feeds(connection: Connection) -> list[StoredFeed]:
    """All feeds, by name."""
    rows = connection.execute(select(feed).where(feed.c.removed_at.is_(None)).order_by(feed.c.name))
    return [_stored(row) for row in rows]


def pause_feed(connection: Connection, name: str, *, actor: str, why: str = "") -> StoredFeed:
    """Let a feed rest; what it holds goes on matching. A run under way ends with its page.

    Raises:
        FeedError: there is no such feed.
    """
    stored = get_feed(connection, name)
    if not stored.paused:
        hold(connection, stored, "person", why or "paused", actor=actor, now=utc_now())
    return get_feed(connection, name)


def hold(
    connection: Connection, stored: StoredFeed, by: Paused, why: str, *, actor: str, now: datetime
) -> None:
    """Pause a feed, and say why."""
    values = {"paused": by, "paused_why": why[:500], "paused_at": now}
    connection.execute(update(feed).where(feed.c.id == stored.id).values(values))
    append(connection, actor, "feeds.paused", f"feed:{stored.name}", {"by": by})


def resume_feed(
    connection: Connection, name: str, *, actor: str, accept_loss: bool = False, now: datetime | None = None
) -> StoredFeed:
    """Let a paused feed go on, at once.

    Args:
        connection: in a transaction that may write.
        name: the feed's.
        actor: for the audit.
        accept_loss: of a feed that stopped because it would lose too much: it may lose the number that it
            has shown, in this run; beyond that its ``max_loss`` holds anew. Without, the run is begun anew:
            the source may have been mended.
        now: by default the wall clock.

    Raises:
        FeedError: there is no such feed, or it has stopped for no loss that could be accepted.
    """
    stored = get_feed(connection, name)
    if accept_loss and stored.paused != "loss":
        raise FeedError("it did not stop because of a loss", where=f"feed {name}", hint="nightlamp feed show")
    values: dict[str, Any] = {"paused": "", "paused_why": "", "paused_at": None, "due": now or utc_now()}
    if accept_loss:
        values["accept_loss"] = feed.c.guard_shown
    elif stored.paused == "loss":
        values |= {"run": None, "run_mode": "", "run_cursor": None}
    connection.execute(update(feed).where(feed.c.id == stored.id).values(values))
    if stored.paused:
        append(connection, actor, "feeds.resumed", f"feed:{name}", {"accept_loss": accept_loss})
    return get_feed(connection, name)


def ask_now(connection: Connection, name: str, *, actor: str, now: datetime | None = None) -> StoredFeed:
    """Make a feed's next run due at once.

    Raises:
        FeedError: there is no such feed, or it is paused.
    """
    stored = get_feed(connection, name)
    if stored.paused:
        raise FeedError(f"it is paused: {stored.paused_why}", where=f"feed {name}", hint="resume it first")
    connection.execute(update(feed).where(feed.c.id == stored.id).values(due=now or utc_now()))
    append(connection, actor, "feeds.asked", f"feed:{name}")
    return get_feed(connection, name)


def remove_feed(connection: Connection, name: str, *, actor: str, now: datetime | None = None) -> StoredFeed:
    """End a subscription. ``clear`` then takes what it brought out of force, leaving tombstones.

    Opinions that wait for its exchange are closed; of one that is being sent nobody knows what came of it.

    Raises:
        FeedError: there is no such feed.
    """
    stored = get_feed(connection, name)
    ended = {"removed_at": now or utc_now(), "run": None, "run_mode": "", "lease": None, "lease_until": None}
    connection.execute(update(feed).where(feed.c.id == stored.id).values(ended))
    f = feedback.c
    for state, becomes, words in (
        ("waiting", "refused", REMOVED),
        ("sending", "doubtful", "the feed was removed while it was sent: whether it was taken is not known"),
    ):
        closed = {"state": becomes, "words": words, "done_at": ended["removed_at"], "lease": None}
        connection.execute(update(feedback).where(f.feed == stored.id, f.state == state).values(closed))
    append(connection, actor, "feeds.removed", f"feed:{name}")
    return stored


def checked(kind: Kind, new: NewFeed) -> dict[str, Any]:
    """The config of ``new`` as it is stored.

    Raises:
        FeedError: something in it makes no sense.
    """
    where = f"feed {new.name[:100]}"
    if not _NAME.fullmatch(new.name):
        raise FeedError("a name has lower-case letters, digits, dots and dashes", where=where)
    if not LEAST_EVERY <= new.every <= MOST_EVERY:
        raise FeedError("between runs there is a minute to 30 days", where=where)
    if new.stale_after and new.stale_after < new.every:
        raise FeedError("it would be out of date between any two runs", where=where)
    if not 0 <= new.max_loss <= 1:
        raise FeedError("max_loss is a share, 0 … 1", where=where)
    unknown = sorted(new.secrets.keys() - kind.secrets.keys())
    missing = sorted(kind.secrets.keys() - kind.optional - new.secrets.keys())
    if unknown or missing:
        what = f"no secret is called {unknown[0]}" if unknown else f"the secret {missing[0]} is not given"
        raise FeedError(what, where=where, hint=", ".join(kind.secrets) or "it needs none")
    for name, reference in new.secrets.items():
        check_reference(reference, name)
    config = config_of(kind, new.config).model_dump(mode="json", exclude_unset=True)
    if _CREDENTIALS.search(str(config)):
        raise FeedError("a URL with a password in it", where=where, hint="give it as a secret")
    return config


def config_of(kind: Kind, given: Mapping[str, Any]) -> ExchangeConfig:
    """What an operator sets, as its kind's model.

    Raises:
        FeedError: it does not fit.
    """
    try:
        return kind.config.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        field_name = ".".join(map(str, first["loc"])) or "config"
        raise FeedError(first["msg"], where=f"{kind.name}: {field_name}") from None


def _stored(row: Row[Any]) -> StoredFeed:
    return StoredFeed(
        id=row.id,
        name=row.name,
        kind=row.kind,
        config=row.config,
        secrets=row.secrets,
        bank=row.bank,
        every=row.every_seconds,
        stale_after=row.stale_seconds,
        max_loss=row.max_loss,
        feedback=row.feedback,
        paused=row.paused,
        paused_why=row.paused_why,
        paused_at=row.paused_at,
        checkpoint=row.checkpoint,
        run_mode=row.run_mode,
        run_pages=row.run_pages,
        run_records=row.run_records,
        run_total=row.run_total,
        records=row.records,
        prints=row.prints,
        unreadable=row.unreadable,
        due=row.due,
        leased_until=row.lease_until if row.lease else None,
        last_ok_at=row.last_ok_at,
        failures=row.failures,
        error_kind=row.error_kind,
        error=row.error,
        error_at=row.error_at,
        created_at=row.created_at,
    )
