"""A list on its way in: it can be read from a path, and lies on the disk under no name."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO, Self

from nightlamp.banks.sniff import SQLITE
from nightlamp.nameless import path_of


class Arriving:
    """A list that comes in pieces, in a temporary file: nothing of it is left when the process dies.

    A SQLite database alone has a name, since SQLite opens nothing else. Such a list is the NSRL's, of files
    that anybody may know.

    Args:
        folder: for the file; by default the system's.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._start = b""
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        if self._file is not None:
            self._file.write(piece)
            return
        self._start += piece
        if len(self._start) >= len(SQLITE):
            self._opened()

    def path(self) -> Path:
        """What has come so far, to be read as often as one likes until the end of the block."""
        file = self._file or self._opened()
        file.flush()
        return Path(file.name) if isinstance(file.name, str) else path_of(file.fileno())

    def _opened(self) -> IO[bytes]:
        make = tempfile.NamedTemporaryFile if self._start.startswith(SQLITE) else tempfile.TemporaryFile
        self._file = make(dir=self._folder, prefix="nightlamp-list-")
        self._file.write(self._start)
        return self._file
