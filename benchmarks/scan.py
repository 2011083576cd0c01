"""The whole of ``nightlamp scan``: images a second, against decoding alone, and its memory.

Pictures: copies of the test photos, each cropped by a few pixels and recompressed, so that no two are equal;
four fifths at 348 × 348, one fifth at 1600 × 1200. List: random PDQ values, and a few of the pictures' own.
First, what a user waits for: ``nightlamp --help``, and the first scan after an install, which compiles.

    python benchmarks/scan.py [--images 10000] [--entries 1000000] [--workers 2] [--data FOLDER]
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _machine import DATA, about, machine

COMMAND = (sys.executable, "-c", "from nightlamp.cli import main; main()")


def draw(job: tuple[int, str, str]) -> None:
    """One picture of the set: job is (number, source file, target file)."""
    from PIL import Image

    number, source, target = job
    with Image.open(source) as picture:
        picture = picture.convert("RGB")
    edge = number // 50 % 6
    w, h = picture.size
    picture = picture.crop((edge, edge, w - edge, h - edge))
    size = (1600, 1200) if number % 5 == 0 else (348, 348)
    picture.resize(size).save(target, "JPEG", quality=80 + number % 13)


def make_pictures(folder: Path, count: int, data: Path, workers: int) -> None:
    small = sorted((data / "photos" / "grocery").rglob("*.jpg"))
    large = sorted((data / "photos" / "large").glob("*.jpg"))
    jobs = []
    for number in range(count):
        (folder / f"{number // 1000:03}").mkdir(exist_ok=True)
        sources = large if number % 5 == 0 else small
        source = sources[number // 5 % len(sources)] if number % 5 == 0 else sources[number % len(sources)]
        jobs.append((number, str(source), str(folder / f"{number // 1000:03}" / f"{number:06}.jpg")))
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        pool.map(draw, jobs, chunksize=50)


def make_index(folder: Path, pictures: Path, entries: int) -> Path:
    """An index of random values, and of twenty pictures' own."""
    own = sorted(pictures.rglob("*.jpg"))[:: max(1, len(list(pictures.rglob("*.jpg"))) // 20)]
    said = subprocess.run([*COMMAND, "hash", "--json", *own], stdout=subprocess.PIPE, check=False).stdout
    values = [
        f["value"]
        for line in said.splitlines()
        for f in json.loads(line)["fingerprints"]
        if f["signal"] == "pdq"
    ]
    with (folder / "list.txt").open("w") as file:
        file.writelines(f"{value}\n" for value in values)
        for _ in range(0, entries, 10_000):
            block = secrets.token_bytes(32 * 10_000)
            file.writelines(f"{block[at : at + 32].hex()}\n" for at in range(0, len(block), 32))
    nli = folder / "list.nli"
    subprocess.run(
        [*COMMAND, "index", "build", folder / "list.txt", "--signal", "pdq", "-o", nli], check=True
    )
    return nli


def decode_ours(paths: list[str]) -> None:
    from nightlamp.media import Limits, decode

    for path in paths:
        for frame in decode(memoryview(Path(path).read_bytes()), Limits(), "fast").frames:
            assert frame.luma.size  # type: ignore[union-attr]


def decode_pillow(paths: list[str]) -> None:
    from PIL import Image

    for path in paths:
        with Image.open(io.BytesIO(Path(path).read_bytes())) as picture:
            picture.convert("RGB")


def decode_alone(how: object, paths: list[Path], workers: int) -> float:
    """Seconds to decode all, in ``workers`` processes that are up already."""
    pieces = [[str(p) for p in paths[at : at + 50]] for at in range(0, len(paths), 50)]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        pool.map(how, [pieces[0]] * workers, chunksize=1)  # type: ignore[arg-type]
        began = time.perf_counter()
        pool.map(how, pieces, chunksize=1)  # type: ignore[arg-type]
        return time.perf_counter() - began


def memory_of(pid: int) -> tuple[int, int]:
    """(all, own) resident MiB of a process: own leaves out mapped files such as the index."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0, 0
    said = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith(("VmRSS", "RssAnon"))}
    return int(said.get("VmRSS", 0)) >> 10, int(said.get("RssAnon", 0)) >> 10


def scan(pictures: Path, count: int, nli: Path, folder: Path, workers: int) -> tuple[float, int, int, int]:
    """(seconds, peak MiB, peak own MiB, matches) of a scan of the first ``count`` pictures."""
    paths = "\n".join(map(str, sorted(pictures.rglob("*.jpg"))[:count])).encode()
    (folder / "paths").write_bytes(paths)
    out = folder / "out.jsonl"
    began = time.perf_counter()
    with (folder / "paths").open("rb") as given:
        process = subprocess.Popen(
            [*COMMAND, "scan", "-", "--bank", nli, "-o", out, "--overwrite", "--workers", str(workers), "-q"],
            stdin=given,
        )
    peak = own = 0
    while process.poll() is None:
        now = memory_of(process.pid)
        peak, own = max(peak, now[0]), max(own, now[1])
        time.sleep(0.02)
    took = time.perf_counter() - began
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == count
    return took, peak, own, sum(bool(row["matches"]) for row in rows)


def help_ms() -> float:
    """The median of eleven runs of ``nightlamp --help``, after one that does not count."""
    taken = []
    for _ in range(12):
        began = time.perf_counter()
        subprocess.run([*COMMAND, "--help"], stdout=subprocess.DEVNULL, check=True)
        taken.append((time.perf_counter() - began) * 1e3)
    return statistics.median(taken[1:])


def first_scans(pictures: Path, nli: Path, folder: Path, workers: int) -> tuple[float, float]:
    """(first, second) seconds of a scan of 100 pictures, from nothing compiled, as after an install."""
    os.environ["NUMBA_CACHE_DIR"] = str(folder / "compiled")
    try:
        first, *_ = scan(pictures, 100, nli, folder, workers)
        second, *_ = scan(pictures, 100, nli, folder, workers)
    finally:
        del os.environ["NUMBA_CACHE_DIR"]
    return first, second


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--images", type=int, default=10_000)
    arguments.add_argument("--entries", type=int, default=1_000_000)
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--data", type=Path, default=DATA)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="nightlamp-bench-") as temporary:
        folder = Path(temporary)
        pictures = folder / "pictures"
        pictures.mkdir()
        make_pictures(pictures, given.images, given.data, given.workers)
        nli = make_index(folder, pictures, given.entries)
        print(about(machine("pillow", "click")))
        print(f"\nnightlamp --help: {help_ms():.0f} ms, the median of 11")
        first, second = first_scans(pictures, nli, folder, given.workers)
        print(f"scan of 100 with nothing compiled, and again: {first:.1f} s, {second:.1f} s")
        paths = sorted(pictures.rglob("*.jpg"))
        size = sum(path.stat().st_size for path in paths) / 2**20
        print(
            f"\n{len(paths):,} images, {size:,.0f} MiB; {given.entries:,} entries; {given.workers} workers\n"
        )
        print(f"{'':34}{'seconds':>9}{'images/s':>10}{'peak MiB':>10}{'own MiB':>9}{'matched':>9}")
        rates = {}
        for count in sorted({given.images // 5, given.images // 2, given.images}):
            took, peak, own, hits = scan(pictures, count, nli, folder, given.workers)
            rates["scan"] = count / took
            name = f"nightlamp scan of {count:,}"
            print(f"{name:34}{took:9.1f}{rates['scan']:10.1f}{peak:10,}{own:9,}{hits:9,}")
        for name, how in (
            ("decode alone, as we do", decode_ours),
            ("decode alone, Pillow to RGB", decode_pillow),
        ):
            took = decode_alone(how, paths, given.workers)
            rates[name] = len(paths) / took
            print(f"{name:34}{took:9.1f}{rates[name]:10.1f}")
        print()
        for name, rate in list(rates.items())[1:]:
            print(f"The scan runs at {rates['scan'] / rate:.0%} of the speed of: {name}.")
        print("'own' leaves out the mapped index. The scan's seconds hold its start and that of its workers.")


if __name__ == "__main__":
    main()
