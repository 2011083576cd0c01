"""Memory stays flat under steady load: the server's, and its workers'. ``--soak SECONDS`` for longer."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

import pytest

from .changing import Changes
from .conftest import Make
from .load import Ledger, Load
from .nodes import until
from .outside import Outside

_PAGE = 4096
SLACK = 8.0  # MB that may come and go


@pytest.mark.timeout(0)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_memory_is_flat(make: Make, outside: Outside, request: pytest.FixtureRequest) -> None:
    seconds: float = request.config.getoption("--soak", 8.0)
    node, ledger = make(intake={"workers": 1}).start(), Ledger()
    changes = Changes.prepared(node, ledger)
    node.told("/v1/webhooks", url=outside.address)
    samples: dict[str, list[float]] = {"server": [], "worker": []}
    with Load(node, ledger, outside, seed=9, clients=2, admin=changes.make_one, pause=0.02):
        until(lambda: len(ledger.statuses) > 150, "caches are filled, pools have grown to their size")
        begun = len(ledger.statuses)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            samples["server"] += _resident(node.pid)
            samples["worker"] += [size for pid in node.workers() for size in _resident(pid)]
            time.sleep(min(0.2, seconds / 300))
        answered = len(ledger.statuses) - begun
    assert not node.ready()[1]
    node.stop()
    for of, taken in samples.items():
        third = len(taken) // 3
        first, last = median(taken[:third]), median(taken[-third:])
        print(f"{of}: {first:.1f} MB at first, {last:.1f} MB at last, {answered} answers in {seconds:.0f} s")
        assert last <= first * 1.05 + SLACK, f"the {of} grows"


def _resident(pid: int) -> list[float]:
    """Megabytes; nothing of a process that has just ended."""
    try:
        return [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 1e6]
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return []
