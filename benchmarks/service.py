"""The service under load, beside the bare core and beside threatexchange, in one run on the same inputs.

- Intake: 1 MP JPEGs one by one over HTTP, verdict in the answer, against many entries, on SQLite and on
  PostgreSQL; then at 80 % of that rate, for the latencies.
- The bare core: the same pictures through the same workers, lookup and policy, without HTTP and a database.
- Hashes only: one a request, and a hundred a request.
- threatexchange: its own flow, 'hash, then look up', one process, one item after the other.

    python benchmarks/service.py [--entries 1000000] [--seconds 15] [--databases sqlite,postgresql]
    python benchmarks/service.py --soak 30 [--databases sqlite]      # minutes at half load, memory over time

The load generator runs on the same cores: what it takes is printed, and missing to the service.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from _postgres import postgres

DATA = Path(os.environ.get("NIGHTLAMP_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")
PICTURES = 120
CONNECTIONS = 32
WORKER = "nightlamp.examine.worker"
STAGE = re.compile(r'nightlamp_stage_seconds_(sum|count)\{(?:process="\d+",)?stage="(\w+)"\} (\S+)')


def draw_pictures(folder: Path) -> None:
    """One-megapixel JPEGs, no two alike: from the test photos, or from noise where they are absent."""
    import numpy as np
    from PIL import Image

    sources = sorted((DATA / "photos" / "large").glob("*.jpg"))
    folder.mkdir()
    for number in range(PICTURES):
        if sources:
            with Image.open(sources[number % len(sources)]) as source:
                picture = source.convert("RGB")
            edge = 3 * (number // len(sources))
            picture = picture.crop((edge, edge, picture.width - edge, picture.height - edge))
        else:
            rough = np.random.default_rng(number).integers(0, 255, (24, 32, 3), np.uint8)
            picture = Image.fromarray(rough)
        picture.resize((1152, 864)).save(folder / f"{number:03}.jpg", quality=88)


def fill(url: str, entries: int) -> None:
    """A database with one bank of random values."""
    from nightlamp.banks import ListOptions
    from nightlamp.banks.live import create_bank, import_list
    from nightlamp.store import connect, upgrade
    from nightlamp.values import Bank

    engine = connect(url)
    upgrade(engine)
    with engine.begin() as connection:
        bank = create_bank(connection, Bank("list", "benchmark", "example"), actor="benchmark")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        for _ in range(0, entries, 10_000):
            block = secrets.token_bytes(32 * 10_000)
            file.writelines(f"{block[at : at + 32].hex()}\n" for at in range(0, len(block), 32))
        file.flush()
        begun = time.perf_counter()
        done = import_list(engine, bank.id, file.name, ListOptions(signal="pdq"), actor="benchmark")
    seconds = time.perf_counter() - begun
    print(f"  import of {done.added:,} entries: {seconds:.0f} s, {done.added / seconds:,.0f} a second")
    engine.dispose()


@dataclass
class Service:
    """A running ``nightlamp serve``."""

    process: psutil.Process
    port: int
    key: str

    def get(self, path: str) -> str:
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.key}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            text: str = answer.read().decode()
            return text

    def stages(self) -> dict[str, tuple[float, float]]:
        """Seconds and items of each stage so far."""
        found: dict[str, dict[str, float]] = {}
        for what, stage, value in STAGE.findall(self.get("/metrics")):  # of each process
            each = found.setdefault(stage, {})
            each[what] = each.get(what, 0.0) + float(value)
        return {stage: (each["sum"], each["count"]) for stage, each in found.items()}

    def settle(self) -> None:
        """Wait until what follows a start is done: workers, and a snapshot of the banks."""
        end, quiet = time.monotonic() + 180, 0
        while quiet < 4 and time.monotonic() < end:
            before = cpu_of(self.process)[0]
            time.sleep(1)
            quiet = quiet + 1 if cpu_of(self.process)[0] - before < 0.15 else 0

    def memory(self) -> tuple[float, float]:
        """MB of the service's processes, and of its workers; what several share counts once."""
        mb: Callable[[psutil.Process], float] = lambda each: each.memory_full_info().pss / 2**20  # noqa: E731
        return _sums(self.process, mb)


def cpu_of(process: psutil.Process) -> tuple[float, float]:
    """CPU seconds of a process and of those that it started, but for workers; and of its workers; so far."""
    return _sums(process, lambda each: sum(each.cpu_times()[:2]))


def _sums(process: psutil.Process, of: Callable[[psutil.Process], float]) -> tuple[float, float]:
    found = [(WORKER in each.cmdline(), of(each)) for each in [process, *process.children(recursive=True)]]
    return sum(n for worker, n in found if not worker), sum(n for worker, n in found if worker)


@contextmanager
def serving(folder: Path, url: str) -> Iterator[Service]:
    environment = {**os.environ, "NIGHTLAMP_DATABASE_URL": url, "NIGHTLAMP_DATA_DIR": str(folder)}
    keygen = [*COMMAND, "vault", "keygen", folder / "private.key"]
    made = subprocess.run(keygen, env=environment, check=True, capture_output=True, text=True)
    (folder / "vault.pub").write_text(made.stdout)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        key = process.stdout.readline().strip()
        port = 0
        while not port:
            found = re.search(r"listens on http://[\d.]+:(\d+)", (folder / "log").read_text())
            port = int(found[1]) if found else 0
            time.sleep(0.1)
        service = Service(psutil.Process(process.pid), port, key)
        begun = time.monotonic()
        while '"not ready"' in service.get("/v1/health/ready"):
            assert time.monotonic() - begun < 120
            time.sleep(0.2)
        service.settle()
        yield service
    finally:
        process.terminate()
        process.wait(60)


COMMAND = (sys.executable, "-c", "from nightlamp.cli import main; main()")


def load(service: Service, kind: str, pictures: Path, seconds: float, **more: Any) -> dict[str, Any]:
    """One run of the generator, in a process of its own."""
    # Closed loop: enough connections that the commits have company.
    orders = {"port": service.port, "key": service.key, "kind": kind, "pictures": str(pictures)}
    orders |= {"seconds": seconds, "warm": 3, "connections": CONNECTIONS, **more}
    child = [sys.executable, str(Path(__file__).with_name("_load.py"))]
    done = subprocess.run(child, input=json.dumps(orders), stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    if set(found["statuses"]) != {"200"}:
        print(f"  not all were answered: {found['statuses']}")
    return found


def ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


def intake(service: Service, pictures: Path, seconds: float, core: tuple[float, float]) -> None:
    before, cpu = service.stages(), cpu_of(service.process)
    full = load(service, "items", pictures, seconds)
    after, spent = service.stages(), [b - a for a, b in zip(cpu, cpu_of(service.process), strict=True)]
    rate = full["per_second"]
    left = core[0] * (os.cpu_count() - full["cpu"]) / os.cpu_count()  # type: ignore[operator]
    print(
        f"  intake, {CONNECTIONS} connections: {rate:.1f} requests/s   p50 {ms(full['p50'])}   "
        f"p99 {ms(full['p99'])}   {full['actions']}"
    )
    print(
        f"    of the bare core: {rate / core[0]:.0%}; of what the core does on what the generator leaves: "
        f"{rate / left:.0%}"
    )
    whole = seconds + 3
    each = sum(spent) / (rate * whole)
    print(f"    CPU of an item: {ms(each)}, in the bare core {ms(core[1])}: {core[1] / each:.0%}")
    print(
        f"    cores: generator {full['cpu']:.2f}, service {spent[0] / whole:.2f}, its workers "
        f"{spent[1] / whole:.2f}"
    )
    took = {s: after[s][0] - before.get(s, (0, 0))[0] for s in after}
    mean = {s: took[s] / max(after[s][1] - before.get(s, (0, 0))[1], 1) for s in after}
    total = sum(took.values()) or 1
    shares = "   ".join(f"{s} {took[s] / total:.0%} ({ms(mean[s])})" for s in took)
    print(f"    stages of an item: {shares}")
    eased = load(service, "items", pictures, seconds, rate=0.8 * rate, connections=128)
    print(
        f"  intake at 80 % ({0.8 * rate:.0f}/s offered): p50 {ms(eased['p50'])}   p99 {ms(eased['p99'])}   "
        f"p99/p50 {eased['p99'] / eased['p50']:.1f}"
    )


def hashes(service: Service, pictures: Path, seconds: float) -> None:
    single = load(service, "fingerprints", pictures, seconds)
    print(
        f"  hashes only, one a request: {single['per_second']:.0f}/s   p50 {ms(single['p50'])}   "
        f"p99 {ms(single['p99'])}   generator {single['cpu']:.2f} cores"
    )
    batch = load(service, "batches", pictures, seconds, connections=4)
    print(f"  hashes only, 100 a request: {100 * batch['per_second']:.0f}/s   p50 {ms(batch['p50'])}")


def soak(service: Service, pictures: Path, minutes: float) -> None:
    """Half load, and the memory every ten seconds."""
    rate = 0.5 * load(service, "items", pictures, 10)["per_second"]
    orders = {"seconds": minutes * 60, "rate": rate, "connections": 64}
    print(f"  soak: {minutes:g} minutes at {rate:.0f} requests/s")
    child = [sys.executable, __file__, "--load", json.dumps([service.port, str(pictures), orders])]
    environment = {**os.environ, "NIGHTLAMP_BENCH_KEY": service.key}
    with subprocess.Popen(child, stdout=subprocess.PIPE, text=True, env=environment) as generator:
        begun, seen = time.monotonic(), []
        while generator.poll() is None:
            time.sleep(min(10, minutes * 6))
            seen.append(service.memory())
            print(f"    {time.monotonic() - begun:6.0f} s   service {seen[-1][0]:7.1f} MB   ", end="")
            print(f"workers {seen[-1][1]:7.1f} MB", flush=True)
        assert generator.stdout is not None
        print(f"    {generator.stdout.read().strip()}")
    third = max(len(seen) // 3, 1)
    for name, at in (("service", 0), ("workers", 1)):
        early = statistics.median(each[at] for each in seen[third : 2 * third] or seen)
        late = statistics.median(each[at] for each in seen[-third:])
        print(f"  {name}: {early:.1f} MB in the middle third, {late:.1f} MB in the last", end="")
        print(f": {late / early - 1:+.1%}")


def bare_core(url: str, pictures: Path, seconds: float) -> tuple[float, float]:
    """Items a second through workers, lookup and policy, and CPU seconds of an item."""
    from nightlamp.banks.live import LiveBanks
    from nightlamp.examine import Workers
    from nightlamp.policy import load as rules_of
    from nightlamp.policy.profiles import profile_text
    from nightlamp.screening import Screener
    from nightlamp.store import connect

    engine = connect(url)
    banks = LiveBanks(engine)
    banks.poll()
    screener = Screener([banks.current()], rules_of(profile_text("default")))
    data = [path.read_bytes() for path in sorted(pictures.glob("*.jpg"))]
    done, number = 0, 16
    with Workers() as workers:
        waiting = [workers.examine(data[at % len(data)]) for at in range(16)]
        begun = time.perf_counter()
        end = begun + 3 + seconds
        while (now := time.perf_counter()) < end:
            if now - begun < 3:
                done, start, before = 0, now, sum(cpu_of(psutil.Process()))
            ready = [waiting.pop(0).result()]
            while waiting and waiting[0].done():
                ready.append(waiting.pop(0).result())
            screener.screen(ready)
            done += len(ready)
            for _ in ready:
                waiting.append(workers.examine(data[number % len(data)]))
                number += 1
        rate, each = done / (time.perf_counter() - start), (sum(cpu_of(psutil.Process())) - before) / done
    engine.dispose()
    return rate, each


def threatexchange(pictures: Path, entries: int, seconds: float) -> None:
    from threatexchange.signal_type.pdq.signal import PdqSignal

    hashes = (secrets.token_hex(32) for _ in range(entries))
    begun = time.perf_counter()
    index = PdqSignal.get_index_cls().build((value, number) for number, value in enumerate(hashes))
    built = time.perf_counter() - begun
    data = [path.read_bytes() for path in sorted(pictures.glob("*.jpg"))]
    done, begun = 0, time.perf_counter()
    hashing = 0.0
    while (now := time.perf_counter()) - begun < seconds:
        value = PdqSignal.hash_from_bytes(data[done % len(data)])
        hashing += time.perf_counter() - now
        index.query(value)
        done += 1
    rate = done / (time.perf_counter() - begun)
    print(
        f"threatexchange {version('threatexchange')}, hash then look up, one process: {rate:.1f} items/s "
        f"(hashing {hashing / seconds:.0%}); its index took {built:.0f} s to build"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--soak", type=float, default=0, metavar="MINUTES")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--load", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:  # the soak's generator
        port, pictures, orders = json.loads(options.load)
        service = Service(psutil.Process(), port, os.environ["NIGHTLAMP_BENCH_KEY"])
        print(load(service, "items", Path(pictures), **orders))
        return
    versions = ", ".join(f"{name} {version(name)}" for name in ("fastapi", "uvicorn", "sqlalchemy"))
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}", end=""
    )
    print(f", {versions}")
    with tempfile.TemporaryDirectory(prefix="nlbench") as name, postgres() as server:
        folder = Path(name)
        draw_pictures(folder / "pictures")
        size = statistics.median(path.stat().st_size for path in (folder / "pictures").iterdir())
        print(f"{PICTURES} JPEGs of 1152 × 864, median {size / 1024:.0f} KB; {options.entries:,} entries")
        for database in options.databases.split(","):
            home = folder / database
            home.mkdir()
            url = f"sqlite:///{home / 'nightlamp.db'}" if database == "sqlite" else server
            print(database)
            if url is None:
                print("  left out: no PostgreSQL can be started here")
                continue
            fill(url, options.entries)
            measure(options, home, url, folder / "pictures")
        if not options.no_peers and not options.soak:
            threatexchange(folder / "pictures", options.entries, options.seconds)


def measure(options: argparse.Namespace, home: Path, url: str, pictures: Path) -> None:
    if options.soak:
        with serving(home, url) as service:
            soak(service, pictures, options.soak)
        return
    core = bare_core(url, pictures, options.seconds)
    print(f"  bare core (workers, lookup, policy): {core[0]:.1f} items/s, {ms(core[1])} of CPU an item")
    with serving(home, url) as service:
        intake(service, pictures, options.seconds, core)
        hashes(service, pictures, options.seconds)
        print("  memory: service {:.0f} MB, workers {:.0f} MB".format(*service.memory()))
    core = bare_core(url, pictures, options.seconds)
    print(f"  bare core once more: {core[0]:.1f} items/s, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
