"""The example folder, drawn once, and a way to run commands as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nightlamp.cli.example import make_example

Run = Callable[..., subprocess.CompletedProcess[str]]
COMMAND = (sys.executable, "-c", "from nightlamp.cli import main; main()")


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``pictures/`` and ``known.csv``; look, do not change."""
    folder = tmp_path_factory.mktemp("example")
    make_example(folder)
    return folder


@pytest.fixture(scope="session")
def many(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 240 pictures, 48 of them copies of known ones, and an archive."""
    folder = tmp_path_factory.mktemp("many")
    contents = [(drawn / "pictures" / name).read_bytes() for name in ("exact.jpg", "new.jpg", "resized.jpg")]
    for number in range(240):
        content = contents[{0: 0, 1: 2}.get(number % 10, 1)]
        (folder / f"{number % 7}").mkdir(exist_ok=True)
        # Bytes after a JPEG's end make another file of the same picture.
        (folder / f"{number % 7}" / f"{number:04}.jpg").write_bytes(content + b"%d" % number)
    (folder / "album.zip").write_bytes((drawn / "pictures" / "album.zip").read_bytes())
    return folder


@pytest.fixture
def run() -> Run:
    """Run ``nightlamp`` in a process of its own."""

    def start(*arguments: str | os.PathLike[str], **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *map(os.fspath, arguments)], **{"capture_output": True, "text": True, **options}
        )

    return start
