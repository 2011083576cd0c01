"""Calls about feeds, and their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from nightlamp.client.call import Call
from nightlamp.client.making import called, nothing, one, quoted, some
from nightlamp.values import Trust


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed as it stands.

    Args:
        secrets: references, never secrets.
        run: how the run under way goes on; empty: none is.
        records, prints: of the source, in force.
        unreadable: what was left out.
        behind: seconds for which changes at the source may be unknown.
        why: what a person should look at; empty: nothing.
    """

    name: str
    kind: str
    bank: str
    config: Mapping[str, Any] = field(repr=False)
    secrets: Mapping[str, Any] = field(repr=False)
    every: int
    stale_after: int
    max_loss: float
    feedback: bool
    paused: Literal["", "person", "loss"]
    paused_why: str
    run: str
    run_records: int
    run_total: int | None
    records: int
    prints: int
    unreadable: int
    behind: int
    stale: bool
    why: str
    due: datetime
    last_ok_at: datetime | None
    failures: int
    error_kind: str
    error: str
    feedback_waiting: int
    feedback_doubtful: int


@dataclass(frozen=True, slots=True)
class FeedFinding:
    """What the doctor says of one thing: ``kind`` of fault, ``hint`` what to try."""

    what: str
    well: bool
    words: str
    kind: str | None
    hint: str


def feeds() -> Call[tuple[Feed, ...]]:
    """All feeds."""
    return called("GET", "/v1/feeds", some("feeds", Feed))


def feed(name: str) -> Call[Feed]:
    """One feed."""
    return called("GET", _path(name), one(Feed))


def add_feed(
    name: str,
    kind: str,
    bank: str,
    *,
    config: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    every: int = 3_600,
    stale_after: int | None = None,
    max_loss: float = 0.2,
    feedback: bool = False,
    category: str = "",
    trust: Trust = "medium",
    benign: bool = False,
) -> Call[Feed]:
    """Subscribe; its first run begins at once.

    Args:
        name: the feed's.
        kind: of exchange.
        bank: that it fills; made if there is none.
        config: what the kind needs.
        secrets: references (``env:NAME``, ``file:/path``, ``keyring:service/user``), never secrets.
        every: seconds between runs.
        stale_after: seconds behind after which verdicts name it as not checked; 0: never.
        max_loss: share that it may lose in a day before it asks.
        feedback: send people's findings back.
        category, trust, benign: of the bank, if it is made.
    """
    told = {
        "name": name,
        "kind": kind,
        "bank": bank,
        "config": dict(config or {}),
        "secrets": dict(secrets or {}),
        "every": every,
        "stale_after": stale_after,
        "max_loss": max_loss,
        "feedback": feedback,
        "category": category,
        "trust": trust,
        "benign": benign,
    }
    return called("POST", "/v1/feeds", one(Feed), told, again=False)


def change_feed(
    name: str,
    *,
    config: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    every: int | None = None,
    stale_after: int | None = None,
    max_loss: float | None = None,
    feedback: bool | None = None,
) -> Call[Feed]:
    """Change what is given, as for ``add_feed``; another config has the whole list fetched anew."""
    told = {
        "config": None if config is None else dict(config),
        "secrets": None if secrets is None else dict(secrets),
        "every": every,
        "stale_after": stale_after,
        "max_loss": max_loss,
        "feedback": feedback,
    }
    given = {name: value for name, value in told.items() if value is not None}
    return called("PATCH", _path(name), one(Feed), given)


def sync_feed(name: str) -> Call[Feed]:
    """Make its next run due at once."""
    return called("POST", f"{_path(name)}/sync", one(Feed))


def pause_feed(name: str, why: str = "") -> Call[Feed]:
    """Let it rest; what it holds goes on matching."""
    return called("POST", f"{_path(name)}/pause", one(Feed), {"why": why})


def resume_feed(name: str, *, accept_loss: bool = False) -> Call[Feed]:
    """Let it go on; ``accept_loss``: after the safety stop, the loss that it has shown is right."""
    return called("POST", f"{_path(name)}/resume", one(Feed), {"accept_loss": accept_loss})


def remove_feed(name: str) -> Call[None]:
    """End it, and take what it brought out of force."""
    return called("DELETE", _path(name), nothing)


def examine_feed(name: str) -> Call[tuple[FeedFinding, ...]]:
    """What is wrong with it, in plain words; asks the exchange, changes nothing."""
    return called("POST", f"{_path(name)}/doctor", some("findings", FeedFinding))


def _path(name: str) -> str:
    return f"/v1/feeds/{quoted(name)}"
