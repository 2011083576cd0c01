"""Feeds in the service: their loops, how they stand for readiness and metrics, and opinions to send back."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

from sqlalchemy import Engine

from nightlamp.banks.live import LiveBanks
from nightlamp.feeds import Feedback, Feeds, FeedStatus, all_status
from nightlamp.feeds.fetching import fetcher_of
from nightlamp.feeds.process import run_due_elsewhere
from nightlamp.server.metrics import Metrics
from nightlamp.server.supervisor import Loop
from nightlamp.settings import Settings
from nightlamp.store import reading, utc_now


class Following:
    """One process's feeds.

    Attributes:
        statuses: as they were at the last look.
    """

    def __init__(self, engine: Engine, settings: Settings, banks: LiveBanks) -> None:
        http = fetcher_of(settings.feeds)
        self.feeds = Feeds(engine, http)
        self._feedback = Feedback(engine, http)
        self._settings = settings.feeds
        self._spool = settings.intake.spool_dir
        self._banks = banks
        self._stopping = Event()
        self.statuses: list[FeedStatus] = []

    def loops(self) -> Iterator[Loop]:
        """For the supervisor."""
        for number in range(self._settings.at_once):
            yield Loop(f"feeds {number + 1}", 2.0, self._run_due)
        yield Loop("feedback", 5.0, self._feedback.run_once)
        yield Loop("feed ages", 10.0, self.look)

    def stop(self) -> None:
        """End runs under way; they go on at the next start."""
        self._stopping.set()

    def _run_due(self) -> bool:
        return run_due_elsewhere(self.feeds, self._settings, self._stopping, self._spool)

    def look(self) -> None:
        """See how the feeds stand; from then on verdicts name those that are too far behind."""
        with reading(self.feeds.engine) as connection:
            self.statuses = all_status(connection, utc_now())
        self._banks.note((each.feed.bank, each.unchecked) for each in self.statuses if each.unchecked)

    def unwell(self) -> str:
        """What is wrong, for those who may read; ``""``: nothing."""
        return "; ".join(each.why for each in self.statuses if each.why)

    def measure(self, metrics: Metrics) -> None:
        """Bring the gauges up to date."""
        for gauge in (metrics.feed_behind, metrics.feed_entries, metrics.feed_paused, metrics.feed_failures):
            gauge.clear()
        metrics.feedback.clear()
        for each in self.statuses:
            labels = (each.feed.name, each.bank)
            metrics.feed_behind.labels(*labels).set(each.behind)
            metrics.feed_entries.labels(*labels).set(each.feed.records)
            metrics.feed_paused.labels(*labels).set(bool(each.feed.paused))
            metrics.feed_failures.labels(*labels).set(each.feed.failures)
            metrics.feedback.labels(each.feed.name, "waiting").set(each.waiting)
            metrics.feedback.labels(each.feed.name, "doubtful").set(each.doubtful)
