"""The load generator of the service's benchmark: a process of its own, on loopback alone, with bounded load.

Reads its orders as JSON from standard input, and prints what it measured as JSON. Requests are made before
the clock starts, so that it takes as little as possible of the cores that it shares with the service.
"""

from __future__ import annotations

import itertools
import json
import random
import socket
import statistics
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

MOST_CONNECTIONS = 256
MOST_SECONDS = 4 * 3600.0


def requests_of(orders: dict[str, Any]) -> list[bytes]:
    """The requests, whole, that are sent in turn."""
    key, kind = orders["key"], orders["kind"]
    if kind == "items":
        bodies = [path.read_bytes() for path in sorted(Path(orders["pictures"]).glob("*.jpg"))]
        return [_request("/v1/items", key, "image/jpeg", body) for body in bodies]
    rng = random.Random(1)
    values = [f"{rng.getrandbits(256):064x}" for _ in range(2_000)]
    items = [{"fingerprints": [{"signal": "pdq", "value": value, "quality": 100}]} for value in values]
    if kind == "fingerprints":
        bodies = [json.dumps(item).encode() for item in items]
        return [_request("/v1/fingerprints", key, "application/json", body) for body in bodies]
    batches = [items[at : at + 100] for at in range(0, len(items), 100)]
    bodies = [json.dumps({"items": batch}).encode() for batch in batches]
    return [_request("/v1/fingerprints/batch", key, "application/json", body) for body in bodies]


def _request(path: str, key: str, media_type: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
    head += f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Load:
    """One run: ``rate`` None sends as soon as an answer is there, else at due times that do not wait."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self.requests = requests_of(orders)
        self.address = ("127.0.0.1", int(orders["port"]))
        self.connections = min(int(orders["connections"]), MOST_CONNECTIONS)
        self.warm, self.seconds = float(orders["warm"]), min(float(orders["seconds"]), MOST_SECONDS)
        self.rate: float | None = orders.get("rate")
        self.next = itertools.count()
        self.latencies: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.actions: Counter[str] = Counter()

    def run(self) -> dict[str, Any]:
        self.begun = time.perf_counter()
        threads = [threading.Thread(target=self._send) for _ in range(self.connections)]
        for thread in threads:
            thread.start()
        time.sleep(self.warm)
        before = time.process_time()
        time.sleep(self.seconds)
        cpu = time.process_time() - before
        for thread in threads:
            thread.join()
        found = sorted(self.latencies)
        return {
            "per_second": len(found) / self.seconds,
            "p50": statistics.median(found),
            "p90": found[int(len(found) * 0.90)],
            "p99": found[int(len(found) * 0.99)],
            "n": len(found),
            "cpu": cpu / self.seconds,
            "statuses": dict(self.statuses),
            "actions": dict(self.actions),
        }

    def _send(self) -> None:
        connection = socket.create_connection(self.address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        file = connection.makefile("rb", buffering=65_536)
        start, end = self.begun + self.warm, self.begun + self.warm + self.seconds
        while True:
            number = next(self.next)
            due = time.perf_counter()
            if self.rate is not None:
                due = self.begun + number / self.rate
                time.sleep(max(due - time.perf_counter(), 0.0))
            if due >= end:
                connection.close()
                return
            connection.sendall(self.requests[number % len(self.requests)])
            status, body = _answer(file)
            done = time.perf_counter()
            # Without a rate, what ends within the time counts; with one, what was due within it.
            if start <= (done if self.rate is None else due) < end:
                self.latencies.append(done - due)
                self.statuses[status] += 1
                for action in (b'"action":"allow"', b'"action":"block"', b'"action":"review"'):
                    self.actions[action[10:-1].decode()] += action in body


def _answer(file: Any) -> tuple[int, bytes]:
    status = int(file.readline().split()[1])
    length = 0
    while (line := file.readline().strip()) != b"":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return status, file.read(length)


if __name__ == "__main__":
    print(json.dumps(Load(json.load(sys.stdin)).run()))
