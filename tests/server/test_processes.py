"""A node of two processes, as ``nightlamp serve`` starts it: one may die, and no client sees two nodes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from nightlamp.server import siblings
from nightlamp.server.metrics import together
from nightlamp.server.run import share
from nightlamp.settings import Settings
from nightlamp.settings.lookups import LookupsSettings
from nightlamp.settings.sections import IntakeSettings

PATIENCE = 120.0  # generous: the machine may be busy


@dataclass
class Pair:
    process: subprocess.Popen[bytes]
    folder: Path
    url: str
    key: str = field(repr=False)

    def ask(self, method: str, path: str, **rest: Any) -> httpx.Response:
        """On a connection of its own, which either process may get."""
        headers = {"authorization": f"Bearer {self.key}"}
        return httpx.request(method, self.url + path, headers=headers, timeout=60, **rest)

    def told(self, path: str, **body: Any) -> dict[str, Any]:
        answer = self.ask("POST", path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def action(self, digest: str) -> str:
        return self.told("/v1/fingerprints", fingerprints=[{"signal": "md5", "value": digest}])["action"]

    def processes(self) -> list[int]:
        """The process ids of those that serve."""
        listed = subprocess.run(
            ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=False,  # ps says 1 when it finds none
        )
        return [int(line.split()[0]) for line in listed.stdout.splitlines() if "pipe_handle=" in line]


def running(group: int) -> list[int]:
    """The process ids of a process group; of those that only wait to be noticed, none."""
    command = ["ps", "-eo", "pid=,pgid=,stat="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [line.split() for line in listed.stdout.splitlines()]
    return [int(pid) for pid, of, state in rows if int(of) == group and not state.startswith("Z")]


def until(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NIGHTLAMP_")}
    environment |= {"NIGHTLAMP_INTAKE_WORKERS": "1", "NIGHTLAMP_SERVER_PROCESSES": "2", "TMPDIR": str(folder)}
    command = [sys.executable, "-c", "from nightlamp.cli import main; main()", "serve"]
    command += ["--data-dir", str(folder / "data"), "--port", "0"]
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env=environment, start_new_session=True)
    try:
        said = ""
        end = time.monotonic() + PATIENCE
        while "listens on" not in said:
            assert process.poll() is None, said
            assert time.monotonic() < end, said
            time.sleep(0.05)
            said = (folder / "err").read_text()
        # The key comes first: a node that cannot listen has not lost it.
        assert said.index("The first API key") < said.index("listens on")
        url = re.search(r"http://[\d.:]+", said)[0]
        yield Pair(process, folder, url, (folder / "out").read_text().strip())
    finally:
        for pid in running(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def test_a_change_is_in_force_in_every_process_when_it_is_answered(pair: Pair) -> None:
    bank = pair.told("/v1/banks", name="list", source="test")["id"]
    proved = 0

    def proves() -> bool:
        nonlocal proved
        digest = secrets.token_hex(16)
        assert pair.action(digest) != "block"
        begun = time.monotonic()
        pair.told(f"/v1/banks/{bank}/entries", entries=[{"signal": "md5", "value": digest}])
        if time.monotonic() - begun < siblings._SECONDS:  # or one did not answer, and was not waited for
            assert [pair.action(digest) for _ in range(6)] == ["block"] * 6
            proved += 1
        return proved == 8

    until(proves, "changes are answered in time")


def test_one_request_sent_to_both_at_once_is_one_item(pair: Pair) -> None:
    # given requests with the same idempotency key, which come to both processes in the same instant
    for _ in range(5):
        name, digest = secrets.token_hex(8), secrets.token_hex(16)
        body = {"fingerprints": [{"signal": "md5", "value": digest}], "platform_id": name}

        def send(_: int, body: Any = body, name: str = name) -> dict[str, Any]:
            return pair.told("/v1/fingerprints", **body, idempotency_key=name)

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(send, range(8)))

        # then all have the same answer, and there is one item
        assert len({answer["id"] for answer in answers}) == 1
        assert len({answer["verdict"]["id"] for answer in answers}) == 1
        assert sum(not answer["replayed"] for answer in answers) == 1
        found = pair.ask("GET", "/v1/items", params={"platform_id": name}).json()
        assert [item["id"] for item in found["items"]] == [answers[0]["id"]]


def test_a_key_has_its_rate_once_whatever_process_it_comes_to(pair: Pair) -> None:
    secret = pair.told("/v1/keys", name="slow", scopes=["submit"], rate=0.001)["secret"]
    headers = {"authorization": f"Bearer {secret}"}
    given = {"fingerprints": [{"signal": "md5", "value": secrets.token_hex(16)}]}

    def status() -> int:
        return httpx.post(f"{pair.url}/v1/fingerprints", headers=headers, json=given, timeout=60).status_code

    # 401: a process that did not answer in time when it was told of the key
    until(lambda: status() == 200, "the key is in force")
    assert {status() for _ in range(20)} <= {429, 401}


def test_processes_have_parts_of_what_a_node_has() -> None:
    lookups = LookupsSettings(photodna_rate=5.0, threads=3)
    whole = Settings(lookups=lookups, intake=IntakeSettings(workers=4))
    own = share(whole, 2)
    assert (own.lookups.photodna_rate, own.lookups.threads, own.intake.workers) == (2.5, 1, 2)
    rates = {name for name in LookupsSettings.model_fields if name.endswith("_rate")}
    assert {name for name in rates if getattr(own.lookups, name) * 2 == getattr(lookups, name)} == rates
    assert share(whole, 8).intake.workers == 1  # each process needs one


def test_metrics_are_of_all_processes(pair: Pair) -> None:
    wanted = {f'nightlamp_up{{process="{number}",check="database"}} 1.0' for number in (0, 1)}

    def page() -> str:
        return pair.ask("GET", "/metrics").text

    until(lambda: wanted <= {*page().splitlines()}, "both are there and well")
    assert page().count("# TYPE nightlamp_up gauge") == 1


def test_a_process_that_dies_is_missed_and_replaced(pair: Pair) -> None:
    before = pair.processes()
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)

    # The other goes on; a connection of the dead one may be lost.
    def goes_on() -> bool:
        try:
            given = {"fingerprints": [{"signal": "md5", "value": secrets.token_hex(16)}]}
            answer = pair.ask("POST", "/v1/fingerprints", json=given)
            return answer.is_success and answer.json()["action"] == "allow"
        except httpx.TransportError:
            return False

    until(goes_on, "the other one goes on")
    until(lambda: len(pair.processes()) == 2 and before[0] not in pair.processes(), "another one")

    def ready() -> bool:
        try:
            checks = pair.ask("GET", "/v1/health/ready").json()["checks"]
        except httpx.TransportError:
            return False
        return next(check["well"] for check in checks if check["check"] == "processes")

    until(ready, "all answer")
    assert pair.ask("GET", "/v1/audit/verify").json()["intact"]


def test_pages_become_one() -> None:
    head = "# HELP a b\n# TYPE a counter\n"
    page = together({0: f"{head}a 1.0\n", 1: f'{head}a 2.0\n# HELP c d\n# TYPE c gauge\nc{{x="a b"}} 3.0\n'})
    assert page == (
        f'{head}a{{process="0"}} 1.0\na{{process="1"}} 2.0\n'
        '# HELP c d\n# TYPE c gauge\nc{process="1",x="a b"} 3.0\n'
    )


def test_nobody_tidies_up_what_the_processes_share(pair: Pair) -> None:
    [folder] = pair.folder.glob("nightlamp-*")
    opened = os.open(folder, os.O_RDONLY)
    try:
        with pytest.raises(BlockingIOError):
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as systemd-tmpfiles tries
    finally:
        os.close(opened)


def test_when_the_first_process_is_killed_all_end(pair: Pair) -> None:  # the last: nothing is left of them
    until(lambda: len(pair.processes()) == 2, "both run")
    assert len(running(pair.process.pid)) > 3  # workers, too
    pair.process.kill()
    pair.process.wait()
    until(lambda: not running(pair.process.pid), "those that serve end, and their workers")
    assert not list(pair.folder.glob("nightlamp-*"))  # nor is anything left lying about
