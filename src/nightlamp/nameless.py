"""Temporary files without a name: the system frees them with the process, however it ends."""

from __future__ import annotations

from pathlib import Path


def path_of(descriptor: int) -> Path:
    """A path that opens such a file, from its start, as long as this process has it open."""
    kernel = Path(f"/proc/self/fd/{descriptor}")
    return kernel if kernel.exists() else Path(f"/dev/fd/{descriptor}")
