"""Hash lists: rows read a second by format, building a catalog, opening it."""

from __future__ import annotations

import argparse
import base64
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from nightlamp.banks import Catalog, ListFile, ListOptions, build_catalog, inspect_list
from nightlamp.banks.reading import Reading
from nightlamp.values import Bank, Fingerprint


def hexes(n: int, size: int, seed: int) -> Iterator[str]:
    for first in range(0, n, 100_000):
        count = min(100_000, n - first)
        text = np.random.default_rng(seed + first).bytes(count * size).hex()
        yield from (text[at : at + 2 * size] for at in range(0, len(text), 2 * size))


def timed(what: Callable[[], object]) -> tuple[float, object]:
    begin = time.perf_counter()
    result = what()
    return time.perf_counter() - begin, result


def write_lists(folder: Path, n: int) -> dict[str, tuple[Path, ListOptions]]:
    """One list a format, the same random PDQ values in each."""
    few = n // 10
    forms = {
        "plain": ("{1}\n", "", n),
        "csv, wide": ("id-{0},{1},A1\n", "uuid,pdq,category\n", n),
        "csv, long": ("pdq,{1},id-{0}\n", "signal_type,value,id\n", few),
        "json lines": ('{{"id": "id-{0}", "pdq": "{1}"}}\n', "", few),
    }
    lists = {}
    for name, (row, header, count) in forms.items():
        path = folder / name.replace(", ", "-")
        with path.open("w") as file:
            file.write(header)
            file.writelines(row.format(k, text) for k, text in enumerate(hexes(count, 32, 1)))
        lists[name] = path, ListOptions(signal="pdq")
    path = folder / "vics.json"
    with path.open("w", encoding="utf-8-sig") as file:
        file.write('{"odata.metadata": "http://example.org/1.3.xml#Media", "value": [')
        dna = base64.b64encode(bytes(144)).decode()
        for k, md5 in enumerate(hexes(few, 16, 2)):
            media = {
                "MediaID": k,
                "Category": k % 6,
                "MD5": md5.upper(),
                "PhotoDNA": dna,
                "VictimIdentified": "False",
                "MediaSize": "1",
                "MediaFiles": [{"MD5": md5, "FileName": "a", "FilePath": "b"}],
            }
            file.write((", " if k else "") + json.dumps(media))
        file.write("]}")
    lists["vics"] = path, ListOptions(profile="us")
    return lists


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    n = parser.parse_args().entries
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lists = write_lists(folder, n)
        for form, (path, options) in lists.items():
            reading = Reading(path, options)
            seconds, _ = timed(lambda r=reading: sum(len(b) for piece in r for b in piece.batches))
            rate = reading.rows / seconds
            print(f"read      {form:<12} {reading.rows:>12,} rows {seconds:8.2f} s {rate:>12,.0f} rows/s")
        path, options = lists["plain"]
        seconds, _ = timed(lambda: inspect_list(path, options))
        print(f"inspect   plain        {n:>12,} rows {seconds:8.2f} s")
        for form in ("plain", "csv, wide"):
            path, options = lists[form]
            seconds, catalog = timed(lambda p=path, o=options: build_catalog([ListFile(p, Bank("b"), o)]))
            assert isinstance(catalog, Catalog)
            saved = folder / "c.nli"
            save, _ = timed(lambda c=catalog, s=saved: c.save(s))
            print(f"build     {form:<12} {n:>12,} rows {seconds:8.2f} s, save {save:.2f} s", end="")
            print(f", {saved.stat().st_size / n:.0f} bytes/entry")
        del catalog
        first, _ = timed(lambda: Catalog.open(saved))
        warm = min(timed(lambda: Catalog.open(saved))[0] for _ in range(5))
        print(f"open      first (verifies every byte) {first:.2f} s, then {1000 * warm:.1f} ms")
        opened = Catalog.open(saved)
        items = [[Fingerprint("pdq", bytes.fromhex(text))] for text in hexes(1000, 32, 1)]
        opened.lookup_many(items[:10])
        seconds, found = timed(lambda: opened.lookup_many(items))
        assert all(len(matches) == 1 for matches in found)  # type: ignore[attr-defined]
        print(f"look up   batch of {len(items)}: {1e6 * seconds / len(items):.0f} µs an item")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:,.0f} MiB, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
