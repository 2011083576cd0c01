"""The commands ``serve`` and ``key``, as a newcomer runs them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from nightlamp.cli.app import app

PATIENCE = 200.0  # generous: the machine may be busy


class Running:
    """``nightlamp serve`` in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder.with_suffix(".out")
        self.err = folder.with_suffix(".err")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("NIGHTLAMP_")}
        environment["NIGHTLAMP_INTAKE_WORKERS"] = "1"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            command = [sys.executable, "-c", "from nightlamp.cli import main; main()", "serve"]
            command += ["--data-dir", str(folder), "--port", "0"]
            self.process = subprocess.Popen(command, stdout=out, stderr=err, env=environment)
        try:
            self.url = self._address()
        except BaseException:
            self.end()
            raise

    def _address(self) -> str:
        """Once it listens."""
        until = time.monotonic() + PATIENCE
        while "listens on" not in (said := self.err.read_text()):
            assert self.process.poll() is None, said
            assert time.monotonic() < until, said
            time.sleep(0.05)
        return re.search(r"http://[\d.:]+", said)[0]

    def end(self) -> None:
        """Whatever state it is in."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    started = Running(tmp_path / "data")
    yield started
    started.end()


def test_a_fresh_folder_is_all_it_needs_and_the_key_is_shown_once(running: Running, tmp_path: Path) -> None:
    # given a service on an empty folder
    key = running.out.read_text().strip()
    assert re.fullmatch(r"nlk_[a-z2-7]{12}_[a-z2-7]{52}", key)
    assert key not in running.err.read_text()
    assert (running.folder / "vault.key").stat().st_mode & 0o077 == 0
    headers = {"authorization": f"Bearer {key}"}

    # when it is told to stop while items are in flight
    answers: list[int] = []

    def submit(number: int) -> None:
        files = {"file": f"text {number}".encode() * 1000}
        with contextlib.suppress(httpx.TransportError):  # it came too late: nobody listens any more
            answer = httpx.post(f"{running.url}/v1/items", headers=headers, files=files, timeout=60)
            answers.append(answer.status_code)

    submit(0)
    threads = [threading.Thread(target=submit, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    status = running.stop()
    for thread in threads:
        thread.join()

    # then what was answered is there, and the next start shows no key
    assert status == 0
    again = Running(running.folder)
    try:
        assert again.out.read_text() == ""
        told = httpx.get(f"{again.url}/v1/items", headers=headers, params={"limit": 100}, timeout=60).json()
        assert len(told["items"]) >= answers.count(200) >= 1
        assert httpx.get(f"{again.url}/v1/audit/verify", headers=headers, timeout=60).json()["intact"]
        assert again.stop() == 0
    finally:
        again.end()


def test_keys_are_made_listed_and_revoked_without_the_service(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTLAMP_DATA_DIR", str(running.folder))

    def answers(status: int) -> None:
        """Within moments: each process of the service looks for changes by itself."""
        until, asked = time.monotonic() + 60, None
        while asked != status and time.monotonic() < until:
            asked = httpx.get(f"{running.url}/v1/items/x", headers=headers, timeout=60).status_code
        assert asked == status

    made = CliRunner().invoke(app, ["key", "create", "uploads", "--scope", "submit", "--rate", "500"])
    key = made.stdout.strip()
    headers = {"authorization": f"Bearer {key}"}
    answers(404)
    identity = key.split("_")[1]
    listed = CliRunner().invoke(app, ["key", "list"]).output
    assert identity in listed
    assert key.split("_")[2] not in listed
    assert CliRunner().invoke(app, ["key", "revoke", identity]).exit_code == 0
    answers(401)
    assert CliRunner().invoke(app, ["key", "revoke", "nobody"]).exit_code == 65
    assert CliRunner().invoke(app, ["key", "create", "x", "--scope", "everything"]).exit_code == 65
