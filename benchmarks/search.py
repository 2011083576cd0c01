"""Search within Hamming radius 31 on one core: Nightlamp beside its peers, on the same entries and queries.

python benchmarks/search.py [DATA] [--n N ...] [--kinds random skewed] [--no-peers] [--json]

Entries are ``random`` (independent fair bits) or ``skewed``: PDQ hashes of the photos in DATA's
``photos/grocery`` (default: NIGHTLAMP_TEST_DATA, or ../shared/data), each entry a photo's hash with every bit
flipped with one probability drawn from 0.15 to 0.5, so that bits are correlated and entries crowd around the
photos. Queries alternate between an entry with 0 to 31 bits flipped (planted: it must be found) and a new
value of the same kind (usually without a match).

Latency is of single calls from Python, throughput of one call with all queries, both with everything in
memory. Peers run the first few of the same queries: 200 at 100 thousand entries, 100 at a million, 20 at ten
millions. Recall counts, over those, the results that a brute-force search by FAISS gives and we give too;
``exact`` says that there is also nothing more. ``times`` are a peer's median by ours, ``batch_times`` the
same of the batch.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before FAISS is loaded
import faiss
import numpy as np
import pdqhash
from PIL import Image

from _machine import DATA, about, machine
from nightlamp.index import HammingIndex, open_snapshot, write_snapshot

RADIUS = 31
QUERIES = 2000
Row = dict[str, Any]


def flipped(codes: np.ndarray, share: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``codes`` (n, 32) with each bit of row i flipped with probability ``share[i]``, in bounded memory."""
    out = codes.copy()
    for first in range(0, len(codes), 100_000):
        part = slice(first, first + 100_000)
        flips = rng.random((len(out[part]), 256), np.float32) < share[part, None]
        out[part] ^= np.packbits(flips, axis=1)
    return out


def photo_hashes(data: Path) -> np.ndarray:
    photos = sorted((data / "photos" / "grocery").rglob("*.jpg"))
    if not photos:
        sys.exit(f"{data}: no photos/grocery; name the folder of test pictures")
    return np.array(
        [np.packbits(pdqhash.compute(np.asarray(Image.open(p).convert("RGB")))[0]) for p in photos]
    )


def make(kind: str, n: int, photos: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if kind == "random":
        return rng.integers(0, 256, (n, 32), np.uint8)
    return flipped(photos[rng.integers(0, len(photos), n)], rng.uniform(0.15, 0.5, n).astype(np.float32), rng)


def make_queries(
    kind: str, codes: np.ndarray, photos: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(q, 32) queries, and (q,) the planted row of every other one, −1 for the rest."""
    queries = make(kind, QUERIES, photos, rng)
    planted = np.full(QUERIES, -1)
    planted[::2] = rng.integers(0, len(codes), QUERIES // 2)
    for q in range(0, QUERIES, 2):
        bits = np.zeros(256, np.uint8)
        bits[rng.choice(256, rng.integers(0, RADIUS + 1), replace=False)] = 1
        queries[q] = codes[planted[q]] ^ np.packbits(bits)
    return queries, planted


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def latencies(search: Callable[[np.ndarray], Any], queries: np.ndarray) -> Row:
    seconds = np.array([timed(lambda q=q: search(queries[q : q + 1]))[0] for q in range(len(queries))])
    return {"median_us": float(np.median(seconds) * 1e6), "p99_us": float(np.percentile(seconds, 99) * 1e6)}


def measure_ours(codes: np.ndarray, queries: np.ndarray, folder: Path) -> tuple[Row, HammingIndex]:
    path = folder / "index"
    build, index = timed(lambda: HammingIndex.build(codes))
    row: Row = {"build_s": build, "bytes_per_entry": index.bytes_per_entry}
    row["write_s"], _ = timed(lambda: write_snapshot(path, index.arrays(), {}))

    def opened() -> HammingIndex:
        snapshot = open_snapshot(path)
        return HammingIndex.from_arrays(snapshot.arrays, trusted=not snapshot.verified)

    time.sleep(0.2)  # a record as young as its file would not be trusted
    row["first_open_s"], _ = timed(opened)
    row["open_ms"] = min(timed(opened)[0] for _ in range(5)) * 1e3
    index = opened()  # from here on everything is read from the mapped file
    index.search(queries)
    row |= latencies(lambda q: index.search(q, RADIUS), queries)
    row["batch_us"] = (
        min(timed(lambda: index.search(queries, RADIUS))[0] for _ in range(3)) / len(queries) * 1e6
    )
    return row, index


def faiss_search(index: Any, queries: np.ndarray) -> list[set[int]]:
    limits, _, labels = index.range_search(queries, RADIUS + 1)  # FAISS means "closer than"
    return [set(labels[limits[q] : limits[q + 1]].tolist()) for q in range(len(queries))]


def measure_faiss(index: Any, codes: np.ndarray, queries: np.ndarray) -> tuple[Row, list[set[int]]]:
    build, _ = timed(lambda: index.add(codes))
    index.range_search(queries[:1], RADIUS + 1)
    row = latencies(lambda q: index.range_search(q, RADIUS + 1), queries)
    batch, found = timed(lambda: faiss_search(index, queries))
    row |= {"build_s": build, "batch_us": batch / len(queries) * 1e6, "queries": len(queries)}
    return row, found


def measure_threatexchange(codes: np.ndarray, queries: np.ndarray) -> Row:
    from threatexchange.signal_type.pdq.pdq_index2 import PDQIndex2

    hashes = [code.tobytes().hex() for code in codes]
    index: Any = PDQIndex2()
    build, _ = timed(lambda: index.add_all(zip(hashes, range(len(hashes)), strict=True)))
    asked = [q.tobytes().hex() for q in queries]
    index.query(asked[0])
    seconds = [timed(lambda h=h: index.query(h))[0] for h in asked]
    return {
        "build_s": build,
        "median_us": float(np.median(seconds) * 1e6),
        "p99_us": float(np.percentile(seconds, 99) * 1e6),
    }


def compare(found: list[set[int]], truth: list[set[int]]) -> Row:
    """How much of the truth is found, over the queries that both answered."""
    pairs = list(zip(found, truth, strict=False))
    there = sum(len(t) for _, t in pairs)
    return {"recall": sum(len(f & t) for f, t in pairs) / there, "exact": all(f == t for f, t in pairs)}


def run(kind: str, n: int, photos: np.ndarray, peers: bool) -> list[Row]:
    rng = np.random.default_rng(n)
    codes = make(kind, n, photos, rng)
    queries, planted = make_queries(kind, codes, photos, rng)
    few = max(20, min(200, 100_000_000 // n))
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        ours, index = measure_ours(codes, queries, Path(folder))
        hits = index.search(queries, RADIUS)
        found = [set(hits.number[hits.query == q].tolist()) for q in range(few)]
        all_found = set(zip(hits.query.tolist(), hits.number.tolist(), strict=True))
        ours["planted_found"] = all((q, int(planted[q])) in all_found for q in range(0, QUERIES, 2))
        ours["results_per_query"] = len(hits) / QUERIES
        del index
    rows = {"nightlamp": ours}
    if peers:
        flat = faiss.IndexBinaryFlat(256)
        rows["faiss Flat"], truth = measure_faiss(flat, codes, queries[:few])
        ours |= compare(found, truth)
        del flat
        multi = faiss.IndexBinaryMultiHash(256, 16, 16)
        multi.nflip = 1
        rows["faiss MultiHash"], other = measure_faiss(multi, codes, queries[:few])
        rows["faiss MultiHash"] |= compare(other, truth)
        del multi
        if n <= 1_000_000:
            rows["threatexchange"] = measure_threatexchange(codes, queries[:few])
    for row in rows.values():
        row["times"] = row["median_us"] / ours["median_us"]
        if "batch_us" in row:
            row["batch_times"] = row["batch_us"] / ours["batch_us"]
    return [{"kind": kind, "n": n, "index": name, **row} for name, row in rows.items()]


COLUMNS = (
    ("index", "<16"),
    ("median_us", ">10.1f"),
    ("p99_us", ">10.1f"),
    ("batch_us", ">10.1f"),
    ("times", ">7.1f"),
    ("batch_times", ">12.1f"),
    ("recall", ">7.4f"),
    ("build_s", ">8.2f"),
    ("bytes_per_entry", ">16.1f"),
    ("open_ms", ">8.2f"),
    ("first_open_s", ">13.2f"),
    ("write_s", ">8.2f"),
    ("results_per_query", ">18.1f"),
)


def show(rows: list[Row]) -> None:
    print(f"\n{rows[0]['n']:,} {rows[0]['kind']} entries, radius {RADIUS}")
    widths = [int(form.strip("<>").split(".")[0].rstrip("f")) for _, form in COLUMNS]
    print(
        " ".join(
            name.ljust(w) if i == 0 else name.rjust(w)
            for i, ((name, _), w) in enumerate(zip(COLUMNS, widths, strict=True))
        )
    )
    for row in rows:
        print(
            " ".join(
                format(row[name], form) if name in row else " " * w
                for (name, form), w in zip(COLUMNS, widths, strict=True)
            )
        )
    ours = rows[0]
    if len(rows) > 1:
        print(f"peers and recall: the first {rows[1]['queries']} queries")
    print(f"planted entries found: {'all' if ours['planted_found'] else 'NOT ALL'}", end="")
    print(f"; results equal to brute force: {ours['exact']}" if "exact" in ours else "")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--n", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--kinds", nargs="+", choices=["random", "skewed"], default=["random", "skewed"])
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    faiss.omp_set_num_threads(1)
    found = machine("faiss-cpu", "threatexchange")
    photos = photo_hashes(options.data) if "skewed" in options.kinds else np.empty((0, 32), np.uint8)
    HammingIndex.build(np.zeros((10_000, 32), np.uint8)).search(np.zeros((1, 32), np.uint8))  # compile
    if not options.json:
        print(about(found))
    everything = []
    for kind in options.kinds:
        for n in options.n:
            rows = run(kind, n, photos, not options.no_peers)
            everything += rows
            if not options.json:
                show(rows)
    if options.json:
        print(json.dumps({"machine": found, "radius": RADIUS, "rows": everything}, indent=2))


if __name__ == "__main__":
    main()
