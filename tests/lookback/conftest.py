"""Banks and past items with harmless random values in a database of the test's own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from nightlamp.banks import Entry
from nightlamp.banks.live import StoredBank, add_entries, create_bank, current_mark
from nightlamp.lookback import Late, LookBack, remember, take
from nightlamp.store import reading
from nightlamp.values import Bank, Fingerprint

START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock:
    """The time, which a test may move."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


def value_of(signal: str, seed: object) -> bytes:
    """A random-looking value that depends on ``seed`` only."""
    return hashlib.shake_128(f"{signal} {seed}".encode()).digest({"md5": 16, "sha1": 20}.get(signal, 32))


def flipped(value: bytes, bits: int) -> bytes:
    """``value`` with its last bits turned."""
    mask = ((1 << bits) - 1).to_bytes(len(value), "big")
    return bytes(a ^ b for a, b in zip(value, mask, strict=True))


def prints(*seeds: object) -> list[Fingerprint]:
    """An item's fingerprints: PDQ in two views of each seed, and the MD5 of the first."""
    found = [Fingerprint("md5", value_of("md5", seeds[0]))]
    for frame, seed in enumerate(seeds):
        found.append(Fingerprint("pdq", value_of("pdq", seed), frame=frame, quality=100))
        found.append(Fingerprint("pdq", value_of("pdq", f"{seed} mirrored"), "mirrored", frame, 99))
    return found


def finish(*nodes: LookBack) -> None:
    """Let the nodes work in turn until there is nothing to do."""
    while sum(node.run_once() for node in nodes):
        pass


def taken(engine: Engine, now: datetime = START) -> list[Late]:
    found: list[Late] = []
    while True:
        with engine.begin() as connection:
            some = take(connection, now)
        if not some:
            return found
        found += some


def pairs(late: Iterable[Late]) -> list[tuple[str, int]]:
    return sorted((each.item, entry) for each in late for entry, _ in each.matches)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def lookback(engine: Engine, clock: FakeClock) -> LookBack:
    return LookBack(engine, clock=clock)


@pytest.fixture
def bank(engine: Engine) -> StoredBank:
    with engine.begin() as connection:
        return create_bank(connection, Bank("first", "NCMEC", "A1", "high"), actor="test")


@pytest.fixture
def put(engine: Engine) -> Callable[..., int]:
    """Add PDQ or other entries by their seeds; gives the generation."""

    def put(bank: StoredBank, *seeds: object, signal: str = "pdq") -> int:
        entries = [Entry(signal, value_of(signal, seed), f"id-{seed}") for seed in seeds]
        with engine.begin() as connection:
            return add_entries(connection, bank.id, entries, actor="test").generation

    return put


@pytest.fixture
def submit(engine: Engine) -> Callable[..., None]:
    """Remember an item, screened with the banks of ``generation`` (by default: as they are now)."""

    def submit(
        item: str, fingerprints: list[Fingerprint], *, generation: int | None = None, days: float = 30
    ) -> None:
        if generation is None:
            with reading(engine) as connection:
                generation = current_mark(connection).generation
        with engine.begin() as connection:
            until = START + timedelta(days=days)
            remember(connection, item, fingerprints, until, generation=generation)

    return submit
