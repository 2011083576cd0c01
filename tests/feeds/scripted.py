"""A source of entries in memory, and two exchanges in front of it: by checkpoint, and always the whole list.

Follows the rules that all real ones share (facts on exchanges): pages are not in the order of time, an entry
is served in its newest state only, a checkpoint counts only once the whole range was read, cursors are
short-lived, withdrawals are forgotten after a while.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nightlamp.access.keys import Secret
from nightlamp.errors import ExchangeError, ExchangeKind
from nightlamp.feeds.exchange import (
    Exchange,
    ExchangeConfig,
    Finding,
    Kind,
    Opinion,
    Page,
    Print,
    Record,
    Sent,
)
from nightlamp.outbound import Fetcher
from nightlamp.store import Clock


def value_of(signal: str, seed: object) -> bytes:
    """A random-looking value that depends on ``seed`` only."""
    return hashlib.shake_128(f"{signal} {seed}".encode()).digest({"md5": 16, "pdq": 32}[signal])


@dataclass
class Source:
    """What the exchange knows: the newest state of each key, with tombstones."""

    page: int = 2
    versioned: bool = True
    records: dict[str, Record] = field(default_factory=dict)
    late: dict[str, Record] = field(
        default_factory=dict
    )  # earlier states, which come again behind the newest
    version: int = 0  # grows with every change
    horizon: int = 0  # withdrawals up to here are forgotten
    cursors: int = 0  # a cursor of another number is refused
    hidden: bool = False  # ``stale`` does not know of the horizon; only the answers tell
    fault: ExchangeError | None = None
    opinions: list[Opinion] = field(default_factory=list)
    lost_answer: bool = False

    def put(
        self, key: str, prints: Sequence[tuple[str, object]], category: str = "", disputed: bool = False
    ) -> None:
        self.version += 1
        self._outdate(key)
        given = tuple(
            Print(signal, value_of(signal, seed) if at % 2 else value_of(signal, seed).hex())
            for at, (signal, seed) in enumerate(prints)
        )
        self.records[key] = Record(key, given, category, disputed=disputed, version=self.version)

    def delete(self, key: str) -> None:
        if key in self.records and not self.records[key].deleted:
            self.version += 1
            self._outdate(key)
            self.records[key] = Record(key, deleted=True, version=self.version)

    def _outdate(self, key: str) -> None:
        """What is replaced comes again, where versions tell which is the newer one."""
        if self.versioned and key in self.records:
            self.late[key] = self.records[key]

    def forget(self) -> None:
        """Drop all tombstones: whoever has not seen them must fetch everything."""
        gone = [record for record in self.records.values() if record.deleted]
        self.horizon = max([self.horizon, *(record.version for record in gone)])
        for record in gone:
            del self.records[record.key]
            self.late.pop(record.key, None)

    def alive(self) -> dict[str, Record]:
        return {key: record for key, record in self.records.items() if not record.deleted}


class Incremental:
    """By checkpoint; its pages are in no order."""

    full = False
    most = 10
    repeatable = True

    def __init__(self, source: Source) -> None:
        self.source = source

    def pages(self, checkpoint: Any, cursor: Any) -> Iterator[Page]:
        s = self.source
        if s.fault is not None:
            raise s.fault
        if cursor is not None:
            if cursor["of"] != s.cursors:
                raise ExchangeError("stale", "this cursor is not known any more")
            first, last, after = cursor["first"], cursor["last"], cursor["after"]
        else:
            first, last, after = (checkpoint["version"] if checkpoint else -1), s.version, ""
        if checkpoint is not None and first < s.horizon and cursor is None:
            raise ExchangeError("stale", "this checkpoint is too old")
        while True:
            # Nothing is prepared: what changes between two pages moves behind the range.
            ranked = sorted(
                (hashlib.md5(f"{key} {last}".encode()).hexdigest(), record)
                for key, record in s.records.items()
                if first < record.version <= last
            )
            # An exchange's own copies may lag: an earlier state comes behind the newest.
            ranked += [
                (f"z{key}", s.late[record.key])
                for key, record in sorted((record.key, record) for _, record in ranked)
                if record.key in s.late
            ]
            rest = [(rank, record) for rank, record in ranked if rank > after]
            some = rest[: s.page]
            records = tuple(r if s.versioned else _without_version(r) for _, r in some)
            if len(rest) <= s.page:
                yield Page(records, None, {"version": last}, len(ranked))
                return
            after = some[-1][0]
            yield Page(
                records, {"first": first, "last": last, "after": after, "of": s.cursors}, None, len(ranked)
            )

    def stale(self, checkpoint: Any, now: datetime) -> bool:
        return not self.source.hidden and checkpoint["version"] < self.source.horizon

    def probe(self) -> Sequence[Finding]:
        return (Finding("list", True, f"{len(self.source.records)} records"),)

    def feedback(self, opinions: Sequence[Opinion]) -> Sequence[Sent]:
        if self.source.fault is not None:
            raise self.source.fault
        self.source.opinions += opinions
        if self.source.lost_answer:
            raise ExchangeError("network", "no answer")
        return [Sent(each.id, each.key in self.source.records, "no such entry") for each in opinions]


class Whole:
    """The whole list each time, with an ETag."""

    full = True

    def __init__(self, source: Source) -> None:
        self.source = source

    def pages(self, checkpoint: Any, cursor: Any) -> Iterator[Page]:
        s = self.source
        if s.fault is not None:
            raise s.fault
        if cursor is not None and cursor["etag"] != s.version:
            raise ExchangeError("stale", "the list has changed")
        if cursor is None and checkpoint is not None and checkpoint["etag"] == s.version:
            yield Page(unchanged=True, checkpoint=checkpoint)
            return
        at, etag = (cursor["at"] if cursor else 0), s.version
        records = [
            Record(r.key, r.prints, r.category, disputed=r.disputed) for _, r in sorted(s.alive().items())
        ]
        while True:
            some = tuple(records[at : at + s.page])
            at += s.page
            if at >= len(records):
                yield Page(some, None, {"etag": etag}, len(records))
                return
            yield Page(some, {"etag": etag, "at": at}, None, len(records))
            if s.version != etag:
                raise ExchangeError("network", "the list changed while it was read")

    def stale(self, checkpoint: Any, now: datetime) -> bool:
        return False

    def probe(self) -> Sequence[Finding]:
        return ()


class ScriptedConfig(ExchangeConfig):
    source: str


def kinds_of(sources: Mapping[str, Source]) -> dict[str, Kind]:
    """Kinds of exchanges whose config names one of ``sources``."""

    def incremental(
        config: ScriptedConfig, secrets: Mapping[str, Secret], http: Fetcher, clock: Clock
    ) -> Exchange:
        return Incremental(sources[config.source])

    def whole(config: ScriptedConfig, secrets: Mapping[str, Secret], http: Fetcher, clock: Clock) -> Exchange:
        return Whole(sources[config.source])

    secret = {"password": "of the account"}
    optional = frozenset(secret)
    return {
        "incremental": Kind("incremental", "Scripted", ScriptedConfig, incremental, secret, optional),
        "whole": Kind("whole", "Scripted list", ScriptedConfig, whole, secret, optional),
    }


def fault(kind: ExchangeKind, retry_after: float | None = None) -> ExchangeError:
    return ExchangeError(kind, f"scripted: {kind}", hint="nothing", retry_after=retry_after)


def _without_version(record: Record) -> Record:
    return Record(record.key, record.prints, record.category, record.deleted, record.disputed)
