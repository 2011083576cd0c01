"""Log lines that wait for each other: each once, whole, in order."""

from __future__ import annotations

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from nightlamp.server import logs


class Pipe(io.StringIO):
    """Notes each write."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.came = threading.Event()

    def write(self, text: str) -> int:
        self.pieces.append(text)
        if text:
            self.came.set()
        return super().write(text)


@pytest.fixture
def pipe() -> Pipe:
    return Pipe()


def test_lines_of_many_threads_come_whole_and_each_once(pipe: Pipe) -> None:
    gathering = logs._Gathering(logs._Suffering(pipe), 0.01)

    def say(thread: int) -> None:
        for number in range(500):
            gathering.write(json.dumps({"thread": thread, "number": number, "text": "x" * 200}) + "\n")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(say, range(4)))
    gathering.close()
    said = [json.loads(line) for line in pipe.getvalue().splitlines()]
    for thread in range(4):
        assert [each["number"] for each in said if each["thread"] == thread] == list(range(500))
    assert len(pipe.pieces) < len(said) / 4
    assert all(len(piece) <= 4096 and piece[-1:] in ("\n", "") for piece in pipe.pieces)


def test_they_come_without_being_asked_for(pipe: Pipe) -> None:
    gathering = logs._Gathering(logs._Suffering(pipe), 0.001)
    for text in ("one\n", "two\n"):
        gathering.write(text)
        assert pipe.came.wait(30)
        pipe.came.clear()
    assert pipe.getvalue() == "one\ntwo\n"


def test_what_waits_is_bounded(pipe: Pipe) -> None:
    gathering = logs._Gathering(logs._Suffering(pipe), 3600)
    line = "x" * 1023 + "\n"
    for _ in range(2048):
        gathering.write(line)
    assert len(pipe.getvalue()) >= 1 << 20
    gathering.close()
    assert pipe.getvalue() == line * 2048


def test_a_longer_line_than_a_piece_is_one_write(pipe: Pipe) -> None:
    gathering = logs._Gathering(logs._Suffering(pipe), 3600)
    for text in ("a\n", "b" * 9000 + "\n", "c\n"):
        gathering.write(text)
    gathering.close()
    assert [len(piece) for piece in pipe.pieces] == [2, 9001, 2]
