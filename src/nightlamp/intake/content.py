"""Content on its way in: in memory up to a limit, above it in a temporary file without a name.

Nothing here is ever written under a name, so nothing is left when the process dies.
"""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from nightlamp.errors import IntakeError
from nightlamp.examine import Source
from nightlamp.nameless import path_of

MEMORY = 4 << 20


class Reader(Protocol):
    """Bytes to be read from the start, once."""

    def read(self, size: int = -1, /) -> bytes:
        """The next piece; ``b""`` at the end."""


class Content:
    """Bytes that arrive in pieces. Its ``repr`` shows the size alone.

    Args:
        memory: up to so many bytes stay in memory.
        most: more than so many are refused.
        folder: for the file; by default the system's.
    """

    def __init__(self, memory: int = MEMORY, most: int = 1 << 40, folder: Path | None = None) -> None:
        self._memory = memory
        self._most = most
        self._folder = folder
        self._bytes = bytearray()
        self._file: BinaryIO | None = None
        self.size = 0

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Content that is there already."""
        content = cls(memory=len(data))
        content.write(data)
        return content

    def __repr__(self) -> str:
        return f"Content({self.size} bytes)"

    @property
    def spilled(self) -> bool:
        """Whether the next piece goes to the disk, which may block."""
        return self._file is not None or len(self._bytes) >= self._memory

    def write(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            IntakeError: ``too large``, or the temporary file cannot be written (``unavailable``).
        """
        self.size += len(piece)
        if self.size > self._most:
            raise IntakeError("too large", f"more than {self._most:,} bytes", where="content")
        if self._file is None and self.size <= self._memory:
            self._bytes += piece
            return
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0, dir=self._folder)  # noqa: SIM115
                self._put(self._bytes)
                self._bytes = bytearray()
            self._put(piece)
        except OSError:
            raise IntakeError("unavailable", "no room for the content", where="content") from None

    def source(self) -> Source:
        """For ``Workers.examine``."""
        if self._file is None:
            return self._bytes
        return path_of(self._file.fileno())

    def reader(self) -> Reader:
        """From the start; valid until ``close``."""
        if self._file is None:
            return io.BytesIO(self._bytes)
        return _Pieces(self._file.fileno())

    def close(self) -> None:
        """Forget it."""
        self._bytes = bytearray()
        if self._file is not None:
            self._file.close()

    def _put(self, data: bytes | bytearray) -> None:
        assert self._file is not None
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]


class _Pieces:
    """Reads a descriptor from its start without moving its position."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._at = 0

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            size = max(os.fstat(self._fd).st_size - self._at, 0)
        data = os.pread(self._fd, size, self._at)
        self._at += len(data)
        return data
