"""The few calls by which an output reaches a disk, in one place so that a test can let each of them fail."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Disk:
    """What the operating system does for an output.

    Args:
        write: as ``os.write``; may take less than it was given.
        fsync: as ``os.fsync``.
        replace: as ``os.replace``; atomic.
    """

    write: Callable[[int, bytes | memoryview], int] = os.write
    fsync: Callable[[int], None] = os.fsync
    replace: Callable[[Path, Path], None] = os.replace

    def write_all(self, fd: int, data: bytes | memoryview) -> None:
        """Write every byte, or raise ``OSError`` with some of them written."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.write(fd, rest) :]

    def write_file(self, path: Path, data: bytes) -> None:
        """Put a whole file in place: after a crash there is the old one or the new one.

        Only its owner may read it: an output names files and may hold hash values.
        """
        beside = path.with_name(path.name + ".tmp")
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            self.write_all(fd, data)
            self.fsync(fd)
        finally:
            os.close(fd)
        self.rename(beside, path)

    def rename(self, old: Path, new: Path) -> None:
        """Rename within a folder, and make the rename last."""
        self.replace(old, new)
        # Some file systems do not let a folder be synced.
        with suppress(OSError):
            fd = os.open(new.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
