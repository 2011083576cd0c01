"""docs/getting-started-service.md, run as it stands: each command, and the answer that follows it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "getting-started-service.md").read_text()
BLOCK = re.compile(r"(?:<!-- (\w+) -->\n)?```(sh|python|json|text)\n(.*?)```", re.DOTALL)


@dataclass
class Reader:
    """Somebody who follows the page: a folder, a shell's variables, and the last thing that was printed."""

    folder: Path
    environment: dict[str, str]
    command: str = ""
    printed: str = ""

    def run(self, command: str) -> None:
        self.command = command
        save = f"\ncode=$?; env -0 > {self.folder}/.environment; exit $code"
        done = subprocess.run(
            ["bash", "-c", "set -a -e -o pipefail\n" + command + save],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        self.printed = done.stdout
        saved = (self.folder / ".environment").read_text().rstrip("\0").split("\0")
        self.environment = dict(line.split("=", 1) for line in saved)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader whose service runs; the port is a free one instead of the page's."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    plain = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    environment = {**plain, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    [start] = [text for mark, _, text in BLOCK.findall(PAGE) if mark == "serve"]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            f"exec {start.strip()} --port 0",
            shell=True,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert server.stdout is not None
        key = server.stdout.readline().strip()
        assert re.fullmatch(r"nlk_\w+", key), (tmp_path / "log").read_text()
        url = listening(server, tmp_path / "log")  # the key is told before anything listens
        yield Reader(tmp_path, {**environment, "KEY": key, "URL": url})
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(120) in (0, -signal.SIGTERM)
    assert key not in (tmp_path / "log").read_text()


def listening(server: subprocess.Popen[str], log: Path) -> str:
    """The service's address, once it listens."""
    until = time.monotonic() + 120
    while not (said := re.search(r"listens on (http://[\d.:]+)", log.read_text())):
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < until, "the service does not listen"
        time.sleep(0.1)
    return said[1]


def test_the_page_says_what_happens(reader: Reader) -> None:
    compared = 0
    for mark, kind, text in BLOCK.findall(PAGE):
        if mark:  # done by the fixture, or before
            continue
        if kind == "sh":
            reader.run(text)
        elif kind == "python":
            (reader.folder / "page.py").write_text(text)
            reader.run("python page.py")
        elif kind == "json":
            compared += 1
            answer = json.loads(text)
            until = time.monotonic() + 90
            reads = "-F" not in reader.command and "--json" not in reader.command
            while reads and not holds(answer, json.loads(reader.printed)) and time.monotonic() < until:
                time.sleep(0.2)  # "a second or two later"
                reader.run(reader.command)
            assert holds(answer, json.loads(reader.printed)), reader.printed
        else:
            compared += 1
            missing = [line for line in text.strip().splitlines() if line not in reader.printed]
            assert not missing, reader.printed
    assert compared >= 8


def holds(told: object, actual: object) -> bool:
    """Whether an answer is as the page says, which leaves out members and writes … for what varies."""
    if isinstance(told, dict) and isinstance(actual, dict):
        return all(name in actual and holds(value, actual[name]) for name, value in told.items())
    if isinstance(told, list) and isinstance(actual, list):
        return len(told) == len(actual) and all(map(holds, told, actual))
    return told in ("…", actual)
