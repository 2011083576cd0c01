"""Feeds: subscriptions to exchanges. Secrets are named by reference, and no answer shows any."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from nightlamp import feeds
from nightlamp.access import Principal
from nightlamp.errors import FeedError
from nightlamp.feeds import FeedChange, FeedStatus, NewFeed, StoredFeed
from nightlamp.server import listings
from nightlamp.server.asking import Asked, need
from nightlamp.server.node import Node
from nightlamp.server.problems import Problem
from nightlamp.server.shapes import Given, Long, Text
from nightlamp.store import reading, utc_now
from nightlamp.values import Trust

router = APIRouter(tags=["feeds"], prefix="/v1/feeds")
ADMIN = Depends(need("admin"))
Admin = Annotated[Principal, ADMIN]
Name = Annotated[str, Path(max_length=100, pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class FeedIn(Given):
    """A feed to be added."""

    name: Annotated[str, Field(max_length=100, pattern=r"^[a-z0-9][a-z0-9._-]*$", examples=["ncmec"])]
    kind: Annotated[str, Field(max_length=40, examples=["ncmec"])]
    bank: Annotated[Text, Field(description="the bank that it fills; made if there is none")]
    config: dict[str, Any] = Field(
        default={}, description="what the kind of exchange needs; see docs/feeds.md"
    )
    secrets: dict[str, Annotated[str, Field(max_length=1024)]] = Field(
        default={}, description="references: env:NAME, file:/path or keyring:service/user"
    )
    every: int = Field(3_600, ge=60, le=30 * 86_400, description="seconds between runs")
    stale_after: int | None = Field(
        None,
        ge=0,
        le=365 * 86_400,
        description="seconds behind after which verdicts name it as not checked; 0: never",
    )
    max_loss: float = Field(0.2, ge=0, le=1, description="share that it may lose in a day before it asks")
    feedback: bool = Field(default=False, description="send people's findings back")
    category: Annotated[Text, Field(description="of the bank, if it is made")] = ""
    trust: Trust = "medium"
    benign: bool = False


class FeedPatch(Given):
    """What is to be otherwise; what is not named stays. Another config has the whole list fetched anew."""

    config: dict[str, Any] | None = Field(None, description="all of it, not only what changes")
    secrets: dict[str, Annotated[str, Field(max_length=1024)]] | None = Field(
        None, description="all references: env:NAME, file:/path or keyring:service/user"
    )
    every: int | None = Field(None, ge=60, le=30 * 86_400)
    stale_after: int | None = Field(None, ge=0, le=365 * 86_400)
    max_loss: float | None = Field(None, ge=0, le=1)
    feedback: bool | None = None


class Resume(Given):
    """How a feed goes on."""

    accept_loss: bool = Field(default=False, description="of a feed that has stopped: the loss is right")


class Pause(Given):
    """Why a feed rests."""

    why: Long = ""


class FeedRow(BaseModel):
    """A feed as it stands."""

    name: str
    kind: str
    bank: str
    config: dict[str, Any]
    secrets: dict[str, str] = Field(description="references, never secrets")
    every: int
    stale_after: int
    max_loss: float
    feedback: bool
    paused: Literal["", "person", "loss"]
    paused_why: str
    run: str = Field(description="the run under way: direct, staged or applying; empty: none")
    run_records: int
    run_total: int | None
    records: int = Field(description="entries of the source in force")
    prints: int = Field(description="fingerprints in force")
    unreadable: int = Field(description="records and fingerprints that were left out")
    behind: int = Field(description="seconds for which changes at the source may be unknown here")
    stale: bool
    why: str = Field(description="what a person should look at; empty: nothing")
    due: datetime
    last_ok_at: datetime | None
    failures: int
    error_kind: str
    error: str
    feedback_waiting: int
    feedback_doubtful: int


class FeedList(BaseModel):
    """All feeds."""

    feeds: list[FeedRow]


class FindingRow(BaseModel):
    """One thing that was looked at."""

    what: str
    well: bool
    words: str
    kind: str | None
    hint: str


class Findings(BaseModel):
    """What a look at a feed found."""

    findings: list[FindingRow]


@router.get("", dependencies=[ADMIN], responses=listings.of(FeedList))
def list_feeds(node: Asked) -> FeedList:
    """All feeds, and how they stand."""
    with reading(node.engine) as connection:
        return FeedList(feeds=[_row(each) for each in feeds.all_status(connection, utc_now())])


@router.post("", status_code=201)
def add_feed(node: Asked, principal: Admin, given: FeedIn) -> FeedRow:
    """Add a feed, and its bank if there is none of that name. Its first run begins within seconds."""
    check_places(node, given.secrets, given.config)
    new = NewFeed(**given.model_dump())
    node.change(lambda c: feeds.create_feed(c, new, actor=principal.actor))
    return _one(node, given.name)


@router.get("/{name}", dependencies=[ADMIN])
def read_feed(node: Asked, name: Name) -> FeedRow:
    """One feed, and how it stands."""
    return _one(node, name)


@router.patch("/{name}")
def change_feed(node: Asked, principal: Admin, name: Name, given: FeedPatch) -> FeedRow:
    """Change a feed; its next run begins within seconds. Its name, kind and bank stay."""
    change = FeedChange(**given.model_dump())
    return _change(node, name, lambda c: changed(c, node, name, change, principal.actor))


@router.delete("/{name}", status_code=204)
def remove_feed(node: Asked, principal: Admin, name: Name) -> None:
    """End a subscription. What it brought is taken out of force within seconds, and leaves tombstones."""

    def work(connection: Connection) -> None:
        _there(connection, name)
        feeds.remove_feed(connection, name, actor=principal.actor)

    node.change(work)


@router.post("/{name}/sync")
def sync_feed(node: Asked, principal: Admin, name: Name) -> FeedRow:
    """Make the next run due at once; it begins within seconds."""
    return _change(node, name, lambda c: feeds.ask_now(c, name, actor=principal.actor))


@router.post("/{name}/pause")
def pause_feed(node: Asked, principal: Admin, name: Name, given: Pause) -> FeedRow:
    """Let a feed rest; what it holds goes on matching."""
    return _change(node, name, lambda c: feeds.pause_feed(c, name, actor=principal.actor, why=given.why))


@router.post("/{name}/resume")
def resume_feed(node: Asked, principal: Admin, name: Name, given: Resume) -> FeedRow:
    """Let a feed go on. One that has stopped because of a loss begins anew, unless the loss is accepted."""
    accept = given.accept_loss
    return _change(
        node, name, lambda c: feeds.resume_feed(c, name, actor=principal.actor, accept_loss=accept)
    )


@router.post("/{name}/doctor", dependencies=[ADMIN])
def examine_feed(node: Asked, name: Name) -> Findings:
    """Look at a feed and its exchange: what is wrong, in plain words. Asks the exchange; changes nothing."""
    with reading(node.engine) as connection:
        _there(connection, name)
    found = feeds.examine_feed(node.engine, name, node.following.feeds.http)
    return Findings(
        findings=[
            FindingRow(what=f.what, well=f.well, words=f.words, kind=f.kind, hint=f.hint) for f in found
        ]
    )


def _change(node: Node, name: str, work: Any) -> FeedRow:
    def checked(connection: Connection) -> None:
        _there(connection, name)
        work(connection)

    node.change(checked)
    return _one(node, name)


def _there(connection: Connection, name: str) -> None:
    try:
        feeds.get_feed(connection, name)
    except FeedError as error:
        raise Problem("not-found", error.what, where="feed") from None


def _one(node: Node, name: str) -> FeedRow:
    with reading(node.engine) as connection:
        for each in feeds.all_status(connection, utc_now()):
            if each.feed.name == name:
                return _row(each)
    raise Problem("not-found", "there is no such feed", where="feed")


def check_places(node: Node, secrets: Mapping[str, str], config: Mapping[str, Any]) -> None:
    """What is named from afar must lie where it is meant to: else a stolen key could have any file read.

    Raises:
        FeedError: a secret's file, or a list's, is not in the folder that is set for it.
    """
    folder = node.settings.feeds.secrets_dir
    for name, reference in secrets.items():
        scheme, _, path = reference.partition(":")
        if scheme == "file" and not _within(folder, path):
            what = "over the API and in the console, a secret's file must be in the folder feeds.secrets_dir"
            raise FeedError(what, where=f"secrets.{name}", hint="nightlamp feed add, or env:NAME")
    folder = node.settings.feeds.lists_dir
    url = str(config.get("url", ""))
    named = [str(config["path"])] if "path" in config else []
    named += [_path_of(url)] if url.lower().startswith("file:") else []
    if not all(_within(folder, path) for path in named):
        what = "over the API and in the console, a list's files must be in the folder feeds.lists_dir"
        raise FeedError(what, where="config", hint="nightlamp feed add")


def changed(connection: Connection, node: Node, name: str, change: FeedChange, actor: str) -> StoredFeed:
    """Change a feed from afar; ``check_places`` holds of that too.

    Raises:
        FeedError: as ``check_places`` and ``feeds.change_feed``.
    """
    return feeds.change_feed(
        connection, name, change, actor=actor, allowed=lambda stored: _check_change(node, stored, change)
    )


def _check_change(node: Node, stored: StoredFeed, change: FeedChange) -> None:
    """Who asks elsewhere names anew what is sent there."""
    secrets = stored.secrets if change.secrets is None else change.secrets
    kind = feeds.kind_of(stored.kind)
    if change.config is not None and not feeds.asks_the_same(kind, change.config, stored.config):
        check_places(node, secrets, change.config)
    else:
        new = {name: each for name, each in secrets.items() if stored.secrets.get(name) != each}
        check_places(node, new, {})


def _path_of(url: str) -> str:
    """Of a ``file:`` URL, as the exchange reads it."""
    try:
        return unquote(urlsplit(url).path)
    except ValueError:
        raise FeedError("not a URL", where="config.url") from None


def _within(folder: FilePath | None, path: str) -> bool:
    try:
        return folder is not None and FilePath(path).resolve().is_relative_to(folder.resolve())
    except ValueError:  # a NUL
        return False


def _row(status: FeedStatus) -> FeedRow:
    f = status.feed
    return FeedRow(
        name=f.name,
        kind=f.kind,
        bank=status.bank,
        config=dict(f.config),
        secrets=dict(f.secrets),
        every=f.every,
        stale_after=f.stale_after,
        max_loss=f.max_loss,
        feedback=f.feedback,
        paused=f.paused,
        paused_why=f.paused_why,
        run=f.run_mode,
        run_records=f.run_records,
        run_total=f.run_total,
        records=f.records,
        prints=f.prints,
        unreadable=f.unreadable,
        behind=int(status.behind),
        stale=status.stale,
        why=status.why,
        due=f.due,
        last_ok_at=f.last_ok_at,
        failures=f.failures,
        error_kind=f.error_kind,
        error=f.error,
        feedback_waiting=status.waiting,
        feedback_doubtful=status.doubtful,
    )
