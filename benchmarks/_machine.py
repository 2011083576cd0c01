"""What a benchmark's figures hang on: the machine, the versions, and the pictures."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DATA = Path(os.environ.get("NIGHTLAMP_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")


def machine(*packages: str) -> dict[str, str]:
    """The processor, Python, and the version of each package that is installed."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    found = {"cpu": cpu, "cores": str(os.cpu_count()), "python": platform.python_version()}
    for package in ("nightlamp", "numpy", "numba", *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def about(found: dict[str, str]) -> str:
    """The same as one line."""
    return " · ".join(f"{name} {value}" for name, value in found.items())
