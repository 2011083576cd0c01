"""What a node does while something that it needs is away, and that it comes back by itself."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import resource
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from nightlamp.store import connect
from nightlamp.vault import DiskPlace, Vault

from .conftest import Make, making
from .load import FREE, LISTED, Kind, Ledger, Load, Op, new_op, pdq, resend_open, send
from .nodes import Node, Nursery, until
from .outside import Cable, Mode, Outside
from .truth import Truth, audit_is_intact, settle, spilled

SHORT = {"database": {"busy_seconds": 0.5}, "writer": {"patience_seconds": 1.0}}


@dataclass
class Survivor:
    """A node that lives through everything that the tests of this module do to it, without a restart."""

    node: Node
    ledger: Ledger
    outside: Outside
    vault: Path
    disk: Path | None  # a small disk with the database on it; None: disks cannot be made here

    def send(self, kind: Kind, seed: int) -> Op:
        """One item; what comes of it is in the ledger."""
        op = new_op(kind, random.Random(0), seed)
        with self.node.client() as client:
            send(client, [op], self.ledger, self.outside)
        return op

    def refused(self, op: Op) -> str:
        """That nothing was done, in the words of the problem; and when to come again."""
        status, problem = op.answers[-1]
        assert status == 503, (status, problem)
        assert problem["type"] in ("urn:nightlamp:problem:unavailable", "urn:nightlamp:problem:undecided")
        return str(problem.get("detail", ""))

    def works_again(self) -> None:
        """Items are taken and checked, and the node says that it is well."""

        def well() -> bool:
            op = self.send("sync", LISTED)
            return bool(op.answers) and op.answers[-1][0] == 200 and op.answers[-1][1]["action"] == "block"

        until(well, "items are taken again")
        until(lambda: not self.unwell(), "it is well again", pause=0.2)

    def unwell(self) -> dict[str, tuple[str, str]]:
        """Checks that are not well, but for a small disk's being small."""
        return {name: why for name, why in self.node.ready()[1].items() if "nearly full" not in why[1]}


@pytest.fixture(scope="module")
def survivor(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Survivor]:
    folder = tmp_path_factory.mktemp("faults")
    with making(nursery, folder) as make, _small_disk(folder / "disk") as disk:
        url = f"sqlite:///{disk}/nightlamp.db" if disk else ""
        settings = {**SHORT, "database": SHORT["database"] | ({"url": url} if url else {})}
        node = make(**settings).start()
        node.bank("steady", ("pdq", pdq(LISTED)), trust="high")
        node.told("/v1/webhooks", url=make.outside.address)
        ledger = Ledger()
        yield Survivor(node, ledger, make.outside, make.vault, disk)

        # after all of it, nothing that was taken is lost or in doubt
        resend_open(node, ledger, make.outside)
        engine = connect(url or f"sqlite:///{node.data / 'nightlamp.db'}")
        settle(node, make.outside, engine)
        node.stop()
        truth = Truth(engine, ledger, Vault(engine, DiskPlace(make.vault)), make.identity)
        truth.check()
        truth.webhooks_arrived(make.outside)
        assert audit_is_intact(node)
        engine.dispose()
        assert spilled(folder) == []
        assert node.starts == 1


@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[Path | None]:
    """A disk of 12 MB; None where we may not mount one."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=12m,mode=0700", "none", str(folder)]
    if os.geteuid() or subprocess.run(["mount", *options], capture_output=True).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True)


def test_the_disk_of_the_database_is_full(survivor: Survivor) -> None:
    if survivor.disk is None:
        pytest.skip("a small disk can be mounted by root alone; see the test of the largest file's size")
    # given a disk on which nothing is left
    ballast = survivor.disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))

    # when items come, they are refused in words that say why, not taken and lost
    def refusal() -> str:
        op = survivor.send("sync", LISTED)
        return survivor.refused(op) if op.answers[-1][0] != 200 else ""  # SQLite may have some room left

    try:
        why = until(refusal, "an item is refused")
        assert "full" in why
        assert "full" in survivor.unwell()["writes"][1]
    finally:
        ballast.unlink()

    # and when there is room again, all is well
    survivor.works_again()


def test_no_file_may_grow(survivor: Survivor) -> None:
    """As a quota, or a full disk, that the log is on too: nothing that the server writes gets through."""
    node = survivor.node
    unlimited = resource.prlimit(node.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (16, unlimited[1]))
    try:
        for seed in (LISTED, FREE[0]):
            survivor.refused(survivor.send("sync", seed))
        assert {"writes", "vault"} & survivor.unwell().keys()
        _every_loop_runs(node)  # and what fails cannot even say so
    finally:
        resource.prlimit(node.pid, resource.RLIMIT_FSIZE, unlimited)
    survivor.works_again()
    _every_loop_runs(node, well=True)


def _every_loop_runs(node: Node, *, well: bool = False) -> None:
    """Once more, whatever comes of it or ``well``."""
    loops, results = ("webhooks", "late", "urls", "look-back"), ("ok",) if well else ("ok", "failed")

    def runs() -> dict[str, float]:
        page = node.get("/metrics").text
        found = re.findall(r'^nightlamp_loop_runs_total\{loop="(.+)",result="(.+)"\} (\S+)$', page, re.M)
        counted = [(loop, float(count)) for loop, how, count in found if how in results]
        return {loop: sum(count for of, count in counted if of == loop) for loop in loops}

    before = runs()
    until(lambda: all(count > before[loop] for loop, count in runs().items()), "every loop runs", pause=0.2)


def test_another_process_locks_the_database(survivor: Survivor) -> None:
    path = survivor.disk / "nightlamp.db" if survivor.disk else survivor.node.data / "nightlamp.db"
    other = sqlite3.connect(path, isolation_level=None)
    until(lambda: _locks(other), "the lock is had")
    try:
        survivor.refused(survivor.send("sync", FREE[0]))  # before the client gives up waiting
        answer = survivor.node.post("/v1/banks", json={"name": "x"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert "writes" in survivor.unwell()
        assert survivor.node.get("/v1/items").status_code == 200  # reading goes on
    finally:
        other.close()
    survivor.works_again()


def _locks(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    return True


def test_the_folder_of_the_vault_is_gone(survivor: Survivor) -> None:
    survivor.works_again()  # so that the folder is there
    aside = survivor.vault.with_name("aside")
    survivor.vault.rename(aside)
    survivor.vault.write_bytes(b"")  # root may write anywhere, but not below a file
    try:
        # what must be held is refused, what is not held goes on
        survivor.refused(survivor.send("sync", LISTED))
        assert survivor.send("sync", FREE[0]).answers[-1][1]["action"] == "allow"
        assert survivor.send("fingerprints", LISTED).answers[-1][1]["action"] == "block"
        assert "vault" in survivor.unwell()
    finally:
        survivor.vault.unlink()
        aside.rename(survivor.vault)
    survivor.works_again()


def test_workers_are_killed_under_load(survivor: Survivor) -> None:
    node = survivor.node
    before = len(survivor.ledger.ops)
    with Load(node, survivor.ledger, seed=5, clients=2, kinds=("sync", "batch", "raw")):
        for _ in range(8):
            for pid in node.workers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.2)
    answers = [op.answers for op in survivor.ledger.ops[before:]]
    assert all(status == 200 for each in answers for status, _ in each)
    told = [body for each in answers for _, body in each]
    crashed = [body for body in told if any(u["why"] == "crashed" for u in body["verdict"]["unchecked"])]
    assert all(body["action"] != "allow" for body in crashed)
    survivor.works_again()
    print(f"{len(crashed)} of {len(told)} items lost their worker")


@pytest.mark.parametrize("hours", [-1, 24 * 366], ids=["an hour back", "a year ahead"])
def test_the_clock_jumps_and_is_put_right(survivor: Survivor, hours: int) -> None:
    node, outside = survivor.node, survivor.outside
    try:
        # what comes in while the clock is wrong …
        node.shift(hours * 3600)
        ops = [survivor.send(kind, LISTED) for kind in ("sync", "async", "url")]
        assert all(op.answers[-1][0] in (200, 202) for op in ops)
        assert ops[0].answers[-1][1]["action"] == "block"
        until(lambda: not survivor.unwell(), "it is well", pause=0.2)
    finally:
        node.shift(0)
    # … is worked on and told once it is right
    last = [survivor.send("async", LISTED), survivor.send("url", LISTED)]
    wanted = {op.answers[-1][1]["id"] for op in (*ops[1:], *last)}
    until(lambda: wanted <= _told(outside), "everything was told")
    survivor.works_again()


def _told(outside: Outside) -> set[str]:
    taken = [identity for identity, count in list(outside.taken.items()) if count]
    return {json.loads(body)["id"] for identity in taken for body in outside.bodies[identity]}


def test_too_much_at_once_is_refused_and_the_rest_is_done(make: Make, outside: Outside) -> None:
    # given a node with little room, whose line is soon full
    node = make(intake={"at_once": 6}, server={"uploads": 12}, writer={"waiting": 2}).start()
    node.bank("steady", ("pdq", pdq(LISTED)), trust="high")
    ledger = Ledger()

    # when many clients come at once
    def burst(number: int) -> None:
        rng = random.Random(number)
        with node.client() as client:
            for kind in ("sync", "batch", "fingerprints") if number < 4 else ("sync", "fingerprints"):
                ops = [new_op(kind, rng) for _ in range(8 if kind == "batch" else 1)]  # type: ignore[arg-type]
                send(client, ops, ledger, outside)

    def refused() -> bool:
        with ledger.lock:
            return 503 in ledger.statuses

    with ThreadPoolExecutor(16) as pool:
        workers = until(node.workers, "it has a worker")  # which does nothing until the line is full
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        try:
            done = pool.map(burst, range(16))
            until(refused, "somebody is refused")
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
        list(done)

    # then some are refused and told to come again, and all that were taken are there
    statuses = [status for op in ledger.ops for status, _ in op.answers]
    assert set(statuses) == {200, 503}
    resend_open(node, ledger, outside)
    engine = connect(f"sqlite:///{node.data / 'nightlamp.db'}")
    settle(node, outside, engine)
    until(lambda: node.ready()[1] == {}, "it is well", pause=0.2)
    node.stop()
    Truth(engine, ledger, Vault(engine, DiskPlace(make.vault)), make.identity).check()
    engine.dispose()
    print(f"{statuses.count(503)} of {len(statuses)} were refused")


def _terminate(url: str) -> Callable[[], contextlib.AbstractContextManager[None]]:
    """Ends every session of the node's, as a restart of the server does."""

    @contextlib.contextmanager
    def broken() -> Iterator[None]:
        parsed = make_url(url)
        engine = create_engine(parsed.set(database="postgres"), isolation_level="AUTOCOMMIT")
        query = text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = :name AND application_name = 'nightlamp'"
        )
        with engine.connect() as connection:
            for _ in range(20):
                connection.execute(query, {"name": parsed.database})
                time.sleep(0.1)
        engine.dispose()
        yield

    return broken


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        ("terminate", 0.0),
        ("refuse", 0.5),
        pytest.param("refuse", 30.0, marks=pytest.mark.slow),
        pytest.param("hang", 30.0, marks=pytest.mark.slow),
    ],
)
def test_postgresql_goes_away_and_comes_back(
    make: Make, outside: Outside, postgres_url: str, fault: str, seconds: float
) -> None:
    # given a node under load, and a cable to its database that can be cut
    parsed = make_url(postgres_url)
    host = str(parsed.query.get("host", parsed.host or "localhost"))
    upstream = (
        f"{host}/.s.PGSQL.{parsed.port or 5432}" if host.startswith("/") else (host, parsed.port or 5432)
    )
    with Cable(upstream) as cable:
        through = parsed.set(
            host="127.0.0.1", port=cable.port, query={"sslmode": "disable", "gssencmode": "disable"}
        )
        node = make(url=through.render_as_string(hide_password=False), **SHORT).start()
        node.bank("steady", ("pdq", pdq(LISTED)), trust="high")
        node.told("/v1/webhooks", url=outside.address)
        ledger = Ledger()
        mode: Mode = "hang" if fault == "hang" else "refuse"
        breaks = _terminate(postgres_url) if fault == "terminate" else lambda: cable.broken(mode)

        # when it goes away under load
        with Load(node, ledger, outside, seed=7, clients=2, pause=0.1):
            until(lambda: len(ledger.statuses) > 3, "items are taken")
            with breaks():
                time.sleep(seconds)
                if fault != "terminate":
                    _says_that_it_has_no_database(node)
            back = len(ledger.taken)
            until(lambda: len(ledger.taken) > back + 3, "items are taken again")

        # then it answers in its own words, is well again by itself, and has lost nothing
        assert {status for status in ledger.statuses if status >= 300} <= {503}
        until(lambda: node.ready() == (200, {}), "it is well again", pause=0.2)
        resend_open(node, ledger, outside)
        engine = connect(postgres_url)
        settle(node, outside, engine)
        node.stop()
    truth = Truth(engine, ledger, Vault(engine, DiskPlace(make.vault)), make.identity)
    truth.check()
    truth.webhooks_arrived(outside)
    assert audit_is_intact(make("checker", url=postgres_url).configured())
    engine.dispose()
    assert node.starts == 1
    print(f"{len(ledger.taken)} taken, {len([s for s in ledger.statuses if s >= 300])} refused")


def _says_that_it_has_no_database(node: Node) -> None:
    """Readiness does, after some seconds; and an item is refused."""
    until(lambda: {"database", "banks"} <= node.ready()[1].keys(), "it misses its database", pause=0.2)
    status, unwell = node.ready()
    assert status == 503
    assert unwell["database"][0] == "it does not answer"
    answer = node.post("/v1/items", content=b"x", timeout=60)
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.slow
def test_the_bucket_of_the_vault_refuses(make: Make, outside: Outside) -> None:
    pytest.importorskip("boto3", reason="the extra s3 is not installed")
    server_module = pytest.importorskip("moto.server", reason="moto is not installed")
    import boto3

    server = server_module.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "us-east-1"}
        client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", **keys)
        client.create_bucket(Bucket="held")
        with Cable((host, port)) as cable:
            s3 = {"backend": "s3", "s3_bucket": "held", "s3_endpoint": f"http://127.0.0.1:{cable.port}"}
            s3 |= {"s3_access_key": "k", "s3_secret_key": "s", "s3_region": "us-east-1"}
            node = make(vault=s3, **SHORT).start()
            node.bank("steady", ("pdq", pdq(LISTED)), trust="high")
            ledger = Ledger()
            with node.client(timeout=120) as asking:
                for broken in (False, True, False):
                    op = new_op("sync", random.Random(1), LISTED)
                    with cable.broken("refuse") if broken else contextlib.nullcontext():
                        status = send(asking, [op], ledger, outside)
                        assert status == (503 if broken else 200)
                        assert ("vault" in node.ready()[1]) == broken
            resend_open(node, ledger, outside)
            found = client.list_objects_v2(Bucket="held").get("Contents", [])
            assert len(found) == len(ledger.taken) == 3
    finally:
        server.stop()
