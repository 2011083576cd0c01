"""Real nodes on loopback: started, asked, killed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx

NURSERY = Path(__file__).with_name("nursery.py")
_LISTENS = re.compile(r"listens on (http://\S+);")
PATIENCE = 150.0  # seconds until something that must happen is missed: generous, the machine may be busy


class Nursery:
    """The forking process; see there. Ends everything that it started when it is left."""

    def __init__(self) -> None:
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, NURSERY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        if self._line() != "ready":
            raise RuntimeError("the nursery did not start")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def fork(self, **order: Any) -> int:
        """Start a command; its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@dataclass
class Node:
    """One node: its folder and settings outlive its processes.

    Args:
        nursery: starts it.
        folder: for settings, logs, temporary files and, by default, data.
        settings: as in ``nightlamp.toml``.
        processes: that serve. Of several the clock cannot be made wrong.
    """

    nursery: Nursery
    folder: Path
    settings: dict[str, Any]
    processes: int = 1
    pid: int = 0
    address: str = ""
    key: str = field(default="", repr=False)
    starts: int = 0

    @property
    def config(self) -> Path:
        return self.folder / "nightlamp.toml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """All its processes' standard error."""
        return self.folder / "log"

    @property
    def clock(self) -> Path:
        return self.folder / "clock"

    def configured(self) -> Self:
        """Write its settings, for commands that need no server."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(_toml({"data_dir": str(self.data)} | self.settings))
        return self

    def start(self, *, wait: bool = True, most_file: int = 0) -> Self:
        """Start it; ``wait`` until it listens."""
        self.configured()
        (self.folder / "tmp").mkdir(exist_ok=True)
        if not self.clock.exists():
            self.shift(0)
        begun = self.log.stat().st_size if self.log.exists() else 0
        self.starts += 1
        self.address = ""
        self.pid = self.nursery.fork(
            args=["serve", "--port", "0", "--config", str(self.config)],
            env={"TMPDIR": str(self.folder / "tmp"), "NIGHTLAMP_SERVER_PROCESSES": str(self.processes)},
            out=str(self.folder / "out"),
            log=str(self.log),
            clock=str(self.clock),
            most_file=most_file,
        )
        if wait:
            self._await_address(begun)
            self.key = self.key or until(self._first_key, "it prints the first key")
        return self

    def _await_address(self, begun: int) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.log.exists():
                with self.log.open() as file:
                    file.seek(begun)
                    said = _LISTENS.search(file.read())
                if said:
                    self.address = said[1]
                    return
            assert self.alive, f"it did not start: {self.log.read_text()[begun:][-1_000:]}"
            time.sleep(0.02)
        raise AssertionError("it does not listen")

    def _first_key(self) -> str:
        lines = (self.folder / "out").read_text().split()
        return next((line for line in lines if line.startswith("nlk_")), "")

    @property
    def alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return self.pid > 0

    def kill(self, *, workers_too: bool = False) -> None:
        """``kill -9``, of the first process alone or of all of them in the same instant."""
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if workers_too else os.kill)(self.pid, signal.SIGKILL)
        until(lambda: not self.alive, "it is dead")
        if self.processes > 1:  # the first one only watches: those that serve must end by themselves
            until(lambda: not self._running(), "all have ended", pause=0.1)

    def kill_one(self) -> None:
        """``kill -9`` of one of several that serve, which is started again."""
        os.kill(min(until(self.serving, "one serves", pause=0.1)), signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and wait until it has finished."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        until(lambda: not self.alive, "it has stopped")

    def end(self) -> None:
        """Whatever state it is in: nothing of it runs any more."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def shift(self, seconds: float) -> None:
        """Make its clock wrong by so much."""
        part = self.clock.with_suffix(".part")
        part.write_text(str(seconds))
        part.replace(self.clock)

    def serving(self) -> list[int]:
        """Process ids of those of several that serve."""
        return [pid for pid, parent, command in self._running() if parent == self.pid and "pipe_" in command]

    def _running(self) -> list[tuple[int, int, str]]:
        """All its processes: id, parent's id, command."""
        listed = subprocess.run(
            ["ps", "-ww", "-eo", "pid=,ppid=,pgid=,stat=,args="], capture_output=True, text=True, check=True
        )
        rows = [line.split(maxsplit=4) for line in listed.stdout.splitlines()]
        return [
            (int(pid), int(parent), command)
            for pid, parent, group, state, command in rows
            if int(group) == self.pid and not state.startswith("Z")
        ]

    def workers(self) -> list[int]:
        """Process ids of the workers of one that serves alone."""
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.pid)], capture_output=True, text=True)
        return [int(word) for word in listed.stdout.split()]

    def client(self, key: str = "", timeout: float = 30.0) -> httpx.Client:
        headers = {"authorization": f"Bearer {key or self.key}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=timeout)

    def call(self, method: str, path: str, **rest: Any) -> httpx.Response:
        with self.client(rest.pop("key", ""), rest.pop("timeout", 30.0)) as client:
            return client.request(method, path, **rest)

    def get(self, path: str, **rest: Any) -> httpx.Response:
        return self.call("GET", path, **rest)

    def post(self, path: str, **rest: Any) -> httpx.Response:
        return self.call("POST", path, **rest)

    def told(self, path: str, **body: Any) -> dict[str, Any]:
        """The answer to a JSON body that must be taken; of a node that is busy, in the end."""

        def ask() -> httpx.Response | None:
            answer = self.post(path, json=body)
            return None if answer.status_code == 503 and "nothing was done" in answer.text else answer

        answer = until(ask, "it is taken", pause=0.2)
        assert answer.is_success, answer.text
        return answer.json()

    def ready(self) -> tuple[int, dict[str, tuple[str, str]]]:
        """The status, and what is not well: check → why, detail."""
        answer = self.get("/v1/health/ready")
        checks = answer.json()["checks"]
        return answer.status_code, {
            c["check"]: (c["why"], c.get("detail", "")) for c in checks if not c["well"]
        }

    def metric(self, name: str) -> float:
        """A sample's value by its full name with labels; 0 if it is not there."""
        for line in self.get("/metrics").text.splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        return 0.0

    def bank(self, name: str, *entries: tuple[str, str], **rest: Any) -> int:
        """A new bank with entries in force."""
        number: int = self.told("/v1/banks", name=name, source="test", **rest)["id"]
        if entries:
            rows = [{"signal": s, "value": v, "id": f"{name}-{at}"} for at, (s, v) in enumerate(entries)]
            self.told(f"/v1/banks/{number}/entries", entries=rows)
        return number


def until(true: Callable[[], object], what: str, seconds: float = PATIENCE, pause: float = 0.02) -> Any:
    """Wait until something holds; fail if it does not in time."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(pause)
    return found


@contextlib.contextmanager
def all_ended(nodes: list[Node]) -> Iterator[None]:
    """End every node, whatever happens."""
    try:
        yield
    finally:
        for node in nodes:
            node.end()


def _toml(tree: dict[str, Any]) -> str:
    """Settings as TOML; JSON's values are TOML's too."""
    plain = [f"{name} = {json.dumps(v)}" for name, v in tree.items() if not isinstance(v, dict)]
    for section, values in tree.items():
        if isinstance(values, dict):
            plain += [f"[{section}]", *(f"{name} = {json.dumps(v)}" for name, v in values.items())]
    return "\n".join(plain) + "\n"
