"""What is free goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nightlamp.server import memory

_CHILD = """
from nightlamp.server.memory import give_back

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20

blocks = [bytearray(50_000) for _ in range(2_000)]
kept = blocks[::100]  # among the others, so that the heap cannot shrink by itself
blocks.clear()
before = resident()
give_back()
print(before - resident(), len(kept))
"""


@pytest.mark.skipif(memory._trim() is None, reason="needs glibc")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_what_is_free_goes_back() -> None:
    child = [sys.executable, "-c", _CHILD]
    told = subprocess.run(child, capture_output=True, text=True, check=True, timeout=120).stdout.split()
    assert float(told[0]) > 50, told


def test_it_may_be_asked_at_any_time() -> None:
    memory.give_back()
    memory.give_back()
