"""Feeds of scripted exchanges, on a database of the test's own and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from nightlamp.banks.live.tables import bank_entry
from nightlamp.feeds import Feeds, NewFeed, StoredFeed, create_feed, get_feed
from nightlamp.outbound import Fetcher
from nightlamp.signals import installed
from nightlamp.store import reading

from .scripted import Source, kinds_of

SIGNALS = {name: installed()[name] for name in ("md5", "pdq")}
Rows = list[tuple[str, str, bytes, str, bool]]


@dataclass
class Clock:
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class World:
    """Sources by name, their feeds, one node."""

    engine: Engine
    clock: Clock = field(default_factory=Clock)
    sources: dict[str, Source] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kinds = kinds_of(self.sources)
        self.node = self.new_node()

    def new_node(self) -> Feeds:
        return Feeds(
            self.engine, Fetcher(), kinds=self.kinds, clock=self.clock, signals=SIGNALS, chance=lambda: 0.5
        )

    def add(self, name: str, kind: str = "incremental", **given: Any) -> Source:
        source = self.sources.setdefault(name, Source())
        new = NewFeed(name, kind, **{"bank": "list", "config": {"source": name}, **given})
        with self.engine.begin() as connection:
            create_feed(connection, new, actor="test", kinds=self.kinds, now=self.clock())
        return source

    def feed(self, name: str) -> StoredFeed:
        with reading(self.engine) as connection:
            return get_feed(connection, name)

    def rows(self, name: str) -> Rows:
        """What a feed keeps in its bank."""
        return rows_of(self.engine, self.feed(name).id)


def rows_of(engine: Engine, owner: int) -> Rows:
    e = bank_entry.c
    query = select(e.source_id, e.signal, e.value, e.category, e.disputed)
    with reading(engine) as connection:
        found = connection.execute(query.where(e.owner == owner, e.removed_generation.is_(None)))
        return sorted((r.source_id, r.signal, bytes(r.value), r.category, r.disputed) for r in found)


def expected(source: Source) -> Rows:
    """What a feed should keep when it is in step."""
    return sorted(
        (
            key,
            given.signal,
            given.value if isinstance(given.value, bytes) else bytes.fromhex(given.value),
            record.category,
            record.disputed,
        )
        for key, record in source.alive().items()
        for given in record.prints
    )


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


@pytest.fixture
def sqlite_world(sqlite_url: str) -> World:
    from nightlamp.store import connect

    return World(connect(sqlite_url))


Work = Callable[[], object]
