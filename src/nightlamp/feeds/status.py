"""How each feed stands, for readiness, metrics, the console and people; nothing secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from nightlamp.banks.live.tables import bank
from nightlamp.feeds.subscriptions import StoredFeed, all_feeds
from nightlamp.feeds.tables import feedback
from nightlamp.values import Unchecked


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """One feed at one moment.

    Args:
        feed: as it is stored.
        bank: name of the bank that it fills.
        behind: seconds for which changes at its source may be unknown here.
        stale: whether that is too long.
        waiting, doubtful: opinions that are to be sent, and ones of which nobody knows whether they arrived.
    """

    feed: StoredFeed
    bank: str
    behind: float
    stale: bool
    waiting: int
    doubtful: int

    @property
    def why(self) -> str:
        """What is wrong, in a sentence; ``""``: nothing that a person should look at."""
        f = self.feed
        if f.paused == "loss":
            return f"feed {f.name} has stopped: {f.paused_why}"
        if self.stale and f.paused:
            return f"{self._late}: feed {f.name} is paused"
        if self.stale:
            return f"{self._late}: {f.error or f'feed {f.name} has not ended a run'}"
        return ""

    @property
    def unchecked(self) -> Unchecked | None:
        """What verdicts must say of it, whether it is paused, stopped or failing; ``None``: nothing."""
        return Unchecked(f"feed {self.feed.name}", "stale", self._late) if self.stale else None

    @property
    def _late(self) -> str:
        return f"bank {self.bank} is {span(self.behind)} behind"


def all_status(connection: Connection, now: datetime) -> list[FeedStatus]:
    """Every feed, by name."""
    names = {row.id: row.name for row in connection.execute(select(bank.c.id, bank.c.name))}
    f = feedback.c
    counts: dict[tuple[int, str], int] = {}
    open_ones = f.state.in_(("waiting", "sending", "doubtful"))
    for number, state, n in connection.execute(
        select(f.feed, f.state, func.count()).where(open_ones).group_by(f.feed, f.state)
    ):
        counts[number, state] = n
    return [
        FeedStatus(
            each,
            names.get(each.bank, ""),
            each.behind(now),
            each.stale(now),
            counts.get((each.id, "waiting"), 0) + counts.get((each.id, "sending"), 0),
            counts.get((each.id, "doubtful"), 0),
        )
        for each in all_feeds(connection)
    ]


def span(seconds: float) -> str:
    """A length of time for people: "26 h", "3 days"."""
    for most, size, unit in ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if seconds < most:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"
