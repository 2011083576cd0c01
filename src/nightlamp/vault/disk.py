"""A place on a local disk: ``<root>/ab/cd/abcd…`` with 65,536 folders at most per two levels of fan-out.

A file is written under a temporary name in its own folder, synced, renamed, and the folder synced: it is
there whole or not at all, also after a power loss.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from nightlamp.errors import VaultError
from nightlamp.vault.place import Fill, Sink, is_name, new_name

_PART = ".part"
_SHORT = 64 << 20  # bytes that should be free


class DiskPlace:
    """Sealed bytes in a folder.

    Args:
        root: made if it is not there; closed to other users.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def __repr__(self) -> str:
        return f"DiskPlace({str(self._root)!r})"

    def put(self, name: str, fill: Fill) -> None:
        """Write, sync, rename, sync the folder."""
        target = self._path(name)
        part = target.with_name(name + _PART)
        try:
            self._make(target.parent)
            handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            try:
                with _Out(handle) as out:
                    fill(out)
                    os.fsync(handle)
                part.replace(target)
                _sync(target.parent)
            except BaseException:
                # Without the sync the name may or may not survive a power loss: take it away again.
                for path in (part, target):
                    with suppress(OSError):
                        path.unlink()
                raise
        except OSError as error:
            raise self._failed("cannot be written", error) from None

    def open(self, name: str) -> BinaryIO:
        """Open the file."""
        try:
            return self._path(name).open("rb")
        except FileNotFoundError:
            raise VaultError("a sealed object is not there", where=str(self._root)) from None
        except OSError as error:
            raise self._failed("cannot be read", error) from None

    def delete(self, name: str) -> None:
        """Remove the file, and what is left of a broken ``put``."""
        target = self._path(name)
        try:
            for path in (target.with_name(name + _PART), target):
                with suppress(FileNotFoundError):
                    path.unlink()
            if target.parent.is_dir():
                _sync(target.parent)
        except OSError as error:
            raise self._failed("cannot be removed", error) from None

    def exists(self, name: str) -> bool:
        """Whether the file or its temporary file is there."""
        target = self._path(name)
        return os.path.lexists(target) or os.path.lexists(target.with_name(name + _PART))

    def names(self) -> Iterator[tuple[str, datetime]]:
        """Walk the folder."""
        for path in self._root.glob("??/??/*"):
            name = path.name.removesuffix(_PART)
            if is_name(name):
                with suppress(FileNotFoundError):
                    yield name, datetime.fromtimestamp(path.stat().st_mtime, UTC)

    def check(self) -> None:
        """Write, read and remove a file; see that there is room."""
        name = new_name()
        self.put(name, lambda out: _write(out, b"nightlamp"))
        with self.open(name) as file:
            whole = file.read() == b"nightlamp"
        self.delete(name)
        if not whole:
            raise VaultError("does not give back what was written", where=str(self._root))
        if shutil.disk_usage(self._root).free < _SHORT:
            raise VaultError("the disk is nearly full", where=str(self._root), hint="free some space")

    def _path(self, name: str) -> Path:
        if not is_name(name):
            raise VaultError("not an object's name")
        return self._root / name[:2] / name[2:4] / name

    def _make(self, folder: Path) -> None:
        """Make ``folder`` and sync each folder that got a new entry."""
        if folder.is_dir():
            return
        if folder.parent != folder:
            self._make(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir(0o700)
        _sync(folder.parent)

    def _failed(self, what: str, error: OSError) -> VaultError:
        return VaultError(
            f"a sealed object {what} ({error.strerror or type(error).__name__})",
            where=str(self._root),
            hint="check the disk's space and permissions",
        )


class _Out:
    """A plain writer over a descriptor: each ``write`` reaches the kernel whole, or raises."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def write(self, data: bytes, /) -> int:
        view = memoryview(data)
        while view:
            view = view[os.write(self._handle, view) :]
        return len(data)

    def __enter__(self) -> _Out:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)


def _write(out: Sink, data: bytes) -> None:
    out.write(data)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
