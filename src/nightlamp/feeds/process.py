"""Feeds run in a process of their own: to read and store millions of entries must not hold up a match.

The process is started when a feed is due and ends when none is. It may be killed at any instant, and ends by
itself when its parent does.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from threading import Event

from nightlamp.feeds.fetching import fetcher_of
from nightlamp.feeds.schedule import Feeds
from nightlamp.settings.feeds import FeedsSettings
from nightlamp.store import connect

_LOOK = 0.5
_NICE = 10  # what is asked of the service comes first


def run_due_elsewhere(feeds: Feeds, settings: FeedsSettings, stopping: Event) -> bool:
    """Run all feeds that are due, in another process, and wait for it; whether any was due."""
    if stopping.is_set() or not feeds.any_due():
        return False
    url = feeds.engine.url.render_as_string(hide_password=False)
    child = multiprocessing.get_context("spawn").Process(
        target=_run, args=(url, settings, os.getpid()), name="nightlamp-feeds", daemon=True
    )
    child.start()
    while child.is_alive():
        child.join(_LOOK)
        if stopping.is_set():
            child.kill()  # it goes on where it was at the next start
            child.join()
    return not stopping.is_set()


def _run(url: str, settings: FeedsSettings, parent: int) -> None:
    os.nice(_NICE)
    feeds = Feeds(connect(url, pool_size=2), fetcher_of(settings))

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK)
        feeds.stop()

    threading.Thread(target=watch, daemon=True).start()
    while feeds.run_once():
        pass
