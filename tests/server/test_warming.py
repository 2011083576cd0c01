"""What searches is compiled before a node takes requests, and once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_STARTED = """
import sys
from pathlib import Path
from nightlamp.server import Node
from nightlamp.settings import Settings

node = Node(Settings(data_dir=Path(sys.argv[1])))
node.prepare()
node.start()
from nightlamp.index import _kernels
print(len(_kernels.search.signatures), sum(_kernels.search.stats.cache_misses.values()))
node.stop()
"""


def _start(folder: Path, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _STARTED, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})


def test_a_node_that_has_started_can_search(tmp_path: Path) -> None:
    told, _ = _start(tmp_path).communicate()

    assert told.split()[0] == "1"


@pytest.mark.slow
def test_of_two_processes_one_compiles(tmp_path: Path) -> None:
    both = [_start(tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache")) for _ in range(2)]
    told = sorted(each.communicate()[0].split() for each in both)

    assert told == [["1", "0"], ["1", "1"]]
