"""Work in another process: it ends by itself, by its error, or because somebody stops it."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event, Thread

from nightlamp.store.elsewhere import run_elsewhere


def write(path: Path) -> None:
    path.write_text("done")


def fail() -> None:
    raise SystemExit(3)


def wait(path: Path) -> None:
    path.write_text("begun")
    time.sleep(3600)


def test_work_is_done_or_it_is_said_that_it_was_not(tmp_path: Path) -> None:
    assert run_elsewhere(write, tmp_path / "file", name="test", stopping=Event())
    assert (tmp_path / "file").read_text() == "done"
    assert not run_elsewhere(fail, name="test", stopping=Event())


def test_work_is_broken_off(tmp_path: Path) -> None:
    stopping, ended = Event(), []
    file = tmp_path / "file"
    thread = Thread(target=lambda: ended.append(run_elsewhere(wait, file, name="test", stopping=stopping)))
    thread.start()
    while not file.exists():
        time.sleep(0.02)
    stopping.set()
    thread.join()
    assert ended == [False]
