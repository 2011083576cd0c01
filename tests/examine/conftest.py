"""A signal plug-in that misbehaves on demand, seen by worker processes only."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.signals.plugins import install

PLUGIN = """
import ctypes, os, sys, time
import numpy as np
from nightlamp.signals import Signal, hex_parser
from nightlamp.values import Fingerprint

def look(frame):
    value = int(frame.luma[0, 0])
    if frame.width == 301:
        ctypes.string_at(0)
    if frame.width == 302:
        time.sleep(600)
    if frame.width == 303:
        hoard = []
        while True:
            hoard.append(np.ones(1 << 26))
    if frame.width == 304:
        os._exit(3)
    if frame.width == 305:
        open("/tmp/nightlamp-leak", "wb").write(b"x")
    if frame.width == 306:
        raise RuntimeError("a bug, with hostile bytes \\\\x00 in its message")
    if frame.width == 307:
        nonsense = [b"5", b"[" * 50_000, b"null", b"{}", b"[5]", b'[["f","pdq","zz","",0,0,0]]']
        said = nonsense[frame.height - 240]
        os.write(int(sys.argv[1]), len(said).to_bytes(4, "little") + said)
        time.sleep(600)
    return [Fingerprint("hostile", bytes([value]))]

HOSTILE = Signal("hostile", 1, "exact", hex_parser(1), bytes.hex, of_frame=look)
"""


@pytest.fixture
def hostile_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installs, for processes started from now on, a signal that crashes at a width of 301, hangs at 302 …"""
    entry = {"hostile": "hostile_signal:HOSTILE"}
    site = install(tmp_path / "site", "hostile", entry, hostile_signal=PLUGIN)
    monkeypatch.setenv("PYTHONPATH", str(site))
