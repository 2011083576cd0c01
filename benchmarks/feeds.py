"""Feeds: first sync and daily change against an exchange on loopback, and matching meanwhile.

    python benchmarks/feeds.py [--entries 5000000] [--changes 50000] [--page 5000]

The feed runs in a process of its own, as in the service; this process polls and matches as a node does.
Values are random. Ratios of latencies are against the same index at rest.
"""

from __future__ import annotations

import argparse
import http.server
import json
import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from nightlamp.banks.live import LiveBanks
from nightlamp.feeds import Feeds, NewFeed, create_feed
from nightlamp.feeds.exchange import ExchangeConfig, Kind, Page, Print, Record
from nightlamp.outbound import Fetcher, Rules
from nightlamp.store import connect, upgrade
from nightlamp.values import Fingerprint

VIEWS = 8


def serve(entries: int, changes: int, page: int, port: Any) -> None:
    """The exchange: entry n has a value made of n; on day 2 some are withdrawn, changed and added."""

    def value(n: int, version: int) -> str:
        return np.random.default_rng((n, version)).bytes(32).hex()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _, _, kind, at = self.path.split("/")
            first = int(at)
            if kind == "all":
                block = np.random.default_rng(first).bytes(32 * page)
                rows = [
                    [f"{n}", block[32 * i : 32 * i + 32].hex(), 1]
                    for i, n in enumerate(range(first, min(first + page, entries)))
                ]
                last = first + page >= entries
            else:
                third = changes // 3
                rows = []
                for i in range(first, min(first + page, changes)):
                    n = entries + i if i < third else (i * 37) % entries
                    rows.append([f"{n}", "" if i % 3 == 1 and i >= third else value(n, 2), 2])
                last = first + page >= changes
            body = json.dumps({"rows": rows, "next": None if last else first + page}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    os.nice(19)  # it would be another machine
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    port.value = server.server_port
    server.serve_forever()


class Config(ExchangeConfig):
    url: str


class Client:
    full = False

    def __init__(self, url: str, http: Fetcher) -> None:
        self._url, self._http = url, http

    def pages(self, checkpoint: Any, cursor: Any) -> Iterator[Page]:
        kind, at = ("all" if checkpoint is None else "changes"), (cursor or 0)
        while at is not None:
            told = json.loads(self._http.ask("GET", f"{self._url}/v1/{kind}/{at}").body)
            records = tuple(
                Record(key, (Print("pdq", value),) if value else (), "A1", deleted=not value, version=version)
                for key, value, version in told["rows"]
            )
            at = told["next"]
            yield Page(records, at, {"done": 1} if at is None else None)

    def stale(self, checkpoint: Any, now: Any) -> bool:  # noqa: ARG002
        return False

    def probe(self) -> tuple[()]:
        return ()


KINDS = {
    "bench": Kind("bench", "Bench", Config, lambda config, _secrets, http, _clock: Client(config.url, http))
}


def follow(url: str, port: int, told: Any) -> None:
    """One run, in its own process, which gives way as the service's does."""
    os.nice(10)
    rules = Rules(ports=frozenset({port}), allow=("127.0.0.0/8",))
    node = Feeds(connect(url), Fetcher(rules), kinds=KINDS)
    me, peaks = psutil.Process(), []
    begun = time.perf_counter()

    def progress(pages: int, _records: int, _total: int | None) -> None:
        if pages % 5 == 0:
            peaks.append(me.memory_info().rss >> 20)

    ran = node.sync("bench", progress=progress)
    cpu = time.process_time()
    told.put((ran.change.added, ran.change.removed, time.perf_counter() - begun, cpu, peaks or [0]))


def matching(node: LiveBanks, until: Any) -> list[float]:
    """Latencies of one item's eight views, until ``until`` says so."""
    queries = np.random.default_rng(7).integers(0, 256, (1000, VIEWS, 32), np.uint8)
    items = [[Fingerprint("pdq", v.tobytes(), "as is", 0, 100) for v in q] for q in queries]
    found: list[float] = []
    while not until(len(found)):
        begun = time.perf_counter()
        node.current().lookup(items[len(found) % 1000])
        found.append(time.perf_counter() - begun)
        time.sleep(0.002)
    return found


def at_rest(node: LiveBanks) -> tuple[float, float]:
    """Median and p99."""
    matching(node, lambda n: n >= 200)
    return middle_and_tail(matching(node, lambda n: n >= 2000))


def middle_and_tail(seconds: list[float]) -> tuple[float, float]:
    return statistics.median(seconds), float(np.quantile(seconds, 0.99))


def compared(busy: list[float], *rests: tuple[float, float]) -> str:
    median, tail = middle_and_tail(busy)
    base, base_tail = (sum(each) / len(rests) for each in zip(*rests, strict=True))
    return (
        f"median {median * 1e3:.2f} ms, p99 {tail * 1e3:.2f} ms; at rest {base * 1e3:.2f} and "
        f"{base_tail * 1e3:.2f} ms; ratio {median / base:.2f} and {tail / base_tail:.2f}"
    )


def run(what: str, url: str, port: int, node: LiveBanks, context: Any) -> tuple[list[float], float]:
    told = context.Queue()
    child = context.Process(target=follow, args=(url, port, told))
    child.start()
    seconds = matching(node, lambda _: not child.is_alive() or not told.empty())
    added, removed, wall, cpu, rss = told.get()
    child.join()
    print(
        f"{what}: {added:,} added, {removed:,} removed in {wall:.1f} s; "
        f"{(added + removed) / wall:,.0f} a second, "
        f"{(added + removed) / cpu:,.0f} a second of CPU; "
        f"memory {rss[0]} MiB at first, {max(rss)} at most, {rss[-1]} at the end, {len(rss)} samples"
    )
    return seconds, wall


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--entries", type=int, default=5_000_000)
    parser.add_argument("--changes", type=int, default=50_000)
    parser.add_argument("--page", type=int, default=5_000)
    given = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    port = context.Value("i", 0)
    server = context.Process(target=serve, args=(given.entries, given.changes, given.page, port), daemon=True)
    server.start()
    while not port.value:
        time.sleep(0.05)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db"
        engine = connect(url)
        upgrade(engine)
        config = {"url": f"http://127.0.0.1:{port.value}"}
        with engine.begin() as connection:
            create_feed(connection, NewFeed("bench", "bench", "list", config), actor="bench", kinds=KINDS)
        node = LiveBanks(engine, cache_dir=Path(folder) / "cache", elsewhere=True)
        node.poll()
        stop = threading.Event()

        def poll() -> None:
            while not stop.wait(0.2):
                node.poll()

        def upkeep() -> None:
            while not stop.wait(10.0):
                node.maintain()

        for work in (poll, upkeep):
            threading.Thread(target=work, daemon=True).start()
        meanwhile, _ = run("first sync", url, port.value, node, context)
        node.poll()
        node.maintain()
        rest = at_rest(node)
        own = psutil.Process().memory_info().rss >> 20
        print(f"memory of the process that matches: {own} MiB with {given.entries:,} entries")
        late = meanwhile[-max(200, len(meanwhile) // 10) :]
        print(f"matching during the end of the first sync: {compared(late, rest)}")
        meanwhile, _ = run("daily change", url, port.value, node, context)
        print(f"matching during the daily change: {compared(meanwhile, rest, at_rest(node))}")
        stop.set()
        engine.dispose()
    server.terminate()


if __name__ == "__main__":
    main()
