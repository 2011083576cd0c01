"""Feeds run in a process of their own: to read and store millions of entries must not hold up a match.

The process is started when a feed is due and ends when none is. It may be killed at any instant; runs go on
where they were.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from threading import Event

from nightlamp.errors import FeedError
from nightlamp.feeds.fetching import fetcher_of
from nightlamp.feeds.schedule import Feeds
from nightlamp.settings.feeds import FeedsSettings
from nightlamp.store import connect
from nightlamp.store.elsewhere import run_elsewhere


def run_due_elsewhere(
    feeds: Feeds, settings: FeedsSettings, stopping: Event, spool: Path | None = None
) -> bool:
    """Run all feeds that are due, in another process, and wait for it; whether any was due.

    Args:
        feeds: all of them.
        settings: for the requests.
        stopping: ends the process.
        spool: where temporary files go; by default the system's folder.

    Raises:
        FeedError: the process failed or was killed.
    """
    if stopping.is_set() or not feeds.any_due():
        return False
    url = feeds.engine.url.render_as_string(hide_password=False)
    ended = run_elsewhere(_run, url, settings, spool, name="nightlamp-feeds", stopping=stopping)
    if stopping.is_set():
        return False
    if not ended:  # started again at once, it would fail at once
        raise FeedError("the process of feeds failed", where="feeds", hint="its last words")
    return True


def _run(url: str, settings: FeedsSettings, spool: Path | None) -> None:
    if spool is not None:
        tempfile.tempdir = str(spool)
    feeds = Feeds(connect(url, pool_size=2), fetcher_of(settings))
    while feeds.run_once():
        pass
