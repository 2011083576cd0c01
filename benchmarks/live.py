"""Live banks and look-back: how soon a change is in force, what it costs to match, how fast the past is.

    python benchmarks/live.py [--entries 1000000] [--items 200000] [--url postgresql+psycopg://…/empty_database]

By default on a SQLite file in a temporary folder. Values are random.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import Engine

from nightlamp.banks import Entry
from nightlamp.banks.live import LiveBanks, StoredBank, add_entries, create_bank
from nightlamp.lookback import LookBack, remember
from nightlamp.store import connect, upgrade, utc_now
from nightlamp.values import Bank, Fingerprint

POLL_SECONDS = 0.2
VIEWS = (
    "as is",
    "mirrored",
    "rotated 90",
    "rotated 180",
    "rotated 270",
    "flipped",
    "transposed",
    "transverse",
)


def random_values(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 32), np.uint8)


def put(engine: Engine, bank: StoredBank, values: np.ndarray, name: str) -> int:
    entries = [Entry("pdq", value.tobytes(), f"{name}-{at}") for at, value in enumerate(values)]
    with engine.begin() as connection:
        return add_entries(connection, bank.id, entries, actor="benchmark").generation


def took(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def show(what: str, seconds: list[float]) -> float:
    middle = statistics.median(seconds)
    high = float(np.quantile(seconds, 0.99))
    print(f"{what:58} median {middle * 1e3:9.2f} ms   p99 {high * 1e3:9.2f} ms   n {len(seconds)}")
    return middle


@contextmanager
def polled(node: LiveBanks) -> Iterator[None]:
    """As the service's loop does."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(POLL_SECONDS):
            node.poll()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def starts(engine: Engine, cache: Path, bank: StoredBank, entries: int) -> LiveBanks:
    step = 10_000
    seconds = took(
        lambda: [
            put(engine, bank, random_values(min(step, entries - n), n), f"base {n}")
            for n in range(0, entries, step)
        ]
    )
    print(f"add {entries:,} entries, {step:,} a change: {entries / seconds:,.0f} a second")
    node = LiveBanks(engine, cache_dir=cache)
    print(f"start from the database: {took(node.poll):.2f} s")
    print(f"build a snapshot: {took(node.build_snapshot):.2f} s")
    node.adopt_snapshot()
    print(f"start from a snapshot checked before: {took(LiveBanks(engine, cache_dir=cache).poll):.2f} s")
    for note in cache.glob("*.verified"):
        note.unlink()
    print(
        f"start from a snapshot, checking every byte: {took(LiveBanks(engine, cache_dir=cache).poll):.2f} s"
    )
    return node


def lookups(node: LiveBanks, seconds: float) -> list[float]:
    """Latency of one item's eight views."""
    queries = random_values(8 * 1000, 7).reshape(-1, 8, 32)
    items = [
        [Fingerprint("pdq", v.tobytes(), view, 0, 100) for v, view in zip(q, VIEWS, strict=True)]
        for q in queries
    ]
    found: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        item = items[len(found) % len(items)]
        found.append(took(lambda item=item: node.current().lookup(item)))  # type: ignore[misc]
    return found


def changes(engine: Engine, node: LiveBanks, bank: StoredBank, seconds: float) -> None:
    lookups(node, 1)
    with polled(node):
        idle = show("look up 8 views, idle (polling)", lookups(node, seconds))
    stop = threading.Event()
    count = [0]

    def stream() -> None:
        while not stop.is_set():
            put(engine, bank, random_values(10, 10**6 + count[0]), f"stream {count[0]}")
            count[0] += 1
            time.sleep(0.02)

    writer = threading.Thread(target=stream)
    writer.start()
    with polled(node):
        busy = show("look up 8 views, while changes of 10 entries stream in", lookups(node, seconds))
    stop.set()
    writer.join()
    print(f"  {count[0] / seconds:.0f} changes a second; ratio of medians {busy / idle:.2f}")
    building = threading.Thread(target=node.build_snapshot)
    building.start()
    found: list[float] = []
    while building.is_alive():
        found += lookups(node, 0.2)
    show("look up 8 views, while a snapshot is built in-process", found)

    other = LiveBanks(engine)
    other.poll()
    delays = []
    rng = np.random.default_rng(5)
    with polled(other):
        for n in range(60):
            time.sleep(float(rng.random()) * POLL_SECONDS)
            generation = put(engine, bank, random_values(1, 2 * 10**6 + n), f"one {n}")
            begun = time.perf_counter()
            while other.current().generation < generation:
                time.sleep(0.0005)
            delays.append(time.perf_counter() - begun)
    show(f"from commit to in force on another node, poll {POLL_SECONDS} s", delays)
    polls = [took(other.poll) for _ in range(500)]
    show("a poll when nothing changed", polls)
    homes = []
    for n in range(60):
        generation = put(engine, bank, random_values(1, 3 * 10**6 + n), f"home {n}")
        homes.append(took(lambda g=generation: other.applied(g)))  # type: ignore[misc]
    show("applied() at home", homes)


def look_back(engine: Engine, bank: StoredBank, items: int, generation: int) -> None:
    until = utc_now() + timedelta(days=1)
    step = 1_000

    def fill() -> None:
        for n in range(0, items, step):
            values = random_values(step * 8, 4 * 10**6 + n).reshape(step, 8, 32)
            with engine.begin() as connection:
                for at, eight in enumerate(values):
                    prints = [
                        Fingerprint("pdq", v.tobytes(), view, 0, 100)
                        for v, view in zip(eight, VIEWS, strict=True)
                    ]
                    digests = [Fingerprint("md5", eight[0][:16].tobytes())]
                    item = f"item {n + at}"
                    remember(connection, item, [*digests, *prints], until, generation=generation)

    print(f"remember {items:,} items of eight views: {items / took(fill):,.0f} a second")
    node = LookBack(engine)
    while node.run_once():
        pass
    for new in (1, 100, 1_000, 10_000, 50_000):
        put(engine, bank, random_values(new, 5 * 10**6 + new), f"late {new}")

        def work() -> None:
            while node.run_once():
                pass

        seconds = took(work)
        print(
            f"look back with {new:6,} new entries: {items / seconds * 60 / 1e6:6.1f} million items a minute"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--url")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = connect(given.url or f"sqlite:///{folder}/nightlamp.db")
        upgrade(engine)
        with engine.begin() as connection:
            bank = create_bank(connection, Bank("benchmark"), actor="benchmark")
        print(engine.dialect.name)
        node = starts(engine, Path(folder) / "cache", bank, given.entries)
        changes(engine, node, bank, given.seconds)
        node.poll()
        look_back(engine, bank, given.items, node.current().generation)
        engine.dispose()


if __name__ == "__main__":
    main()
