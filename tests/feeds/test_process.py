"""The process in which feeds run: it does what is due, and it ends when it is told to."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event

from nightlamp.feeds import Feeds, NewFeed, create_feed, get_feed
from nightlamp.feeds.fetching import fetcher_of
from nightlamp.feeds.process import run_due_elsewhere
from nightlamp.settings.feeds import FeedsSettings
from nightlamp.store import connect, reading

from .conftest import rows_of


def test_what_is_due_is_run_in_another_process(sqlite_url: str, tmp_path: Path) -> None:
    engine = connect(sqlite_url)
    file = tmp_path / "list.txt"
    file.write_text("\n".join(f"{n:032x}" for n in range(3)))
    os.utime(file, (0, 0))  # it has not changed for long
    settings = FeedsSettings(lists_dir=tmp_path)
    feeds = Feeds(engine, fetcher_of(settings))
    assert not run_due_elsewhere(feeds, settings, Event())
    config = {"url": f"file://{file}", "signal": "md5", "format": "plain"}
    with engine.begin() as connection:
        stored = create_feed(connection, NewFeed("one", "list", "list", config), actor="test")
    assert run_due_elsewhere(feeds, settings, Event())
    with reading(engine) as connection:
        told = get_feed(connection, "one")
    assert (told.error, told.prints, told.leased_until) == ("", 3, None)
    assert len(rows_of(engine, stored.id)) == 3
    assert not run_due_elsewhere(feeds, settings, Event())  # nothing is due any more


def test_nothing_begins_once_it_is_stopping(sqlite_url: str) -> None:
    stopping = Event()
    stopping.set()
    settings = FeedsSettings()
    feeds = Feeds(connect(sqlite_url), fetcher_of(settings))
    assert not run_due_elsewhere(feeds, settings, stopping)
