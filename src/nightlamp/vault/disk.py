"""A place on a local disk: ``<root>/ab/cd/abcd…`` with 65,536 folders at most per two levels of fan-out.

A file is written under a temporary name in its own folder, synced, renamed, and the folder synced: it is
there whole or not at all, also after a power loss. As long as it is new its name ends in ``.new``.
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
from nightlamp.vault.place import Fill, Sink, Stored, is_name, new_name

_PART, _NEW = ".part", ".new"
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
        target = self._path(name, _NEW)
        part = self._path(name, _PART)
        try:
            self._make(target.parent)
            handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            try:
                with _Out(handle) as out:
                    fill(out)
                    os.fsync(handle)
                part.replace(target)
                sync_folder(target.parent)
            except BaseException:
                # Without the sync the name may or may not survive a power loss: take it away again.
                for path in (part, target):
                    with suppress(OSError):
                        path.unlink()
                raise
        except OSError as error:
            raise self._failed("cannot be written", error) from None

    def enter(self, name: str) -> None:
        """Rename, sync the folder."""
        try:
            with suppress(FileNotFoundError):
                self._path(name, _NEW).replace(self._path(name))
                sync_folder(self._path(name).parent)
        except OSError as error:
            raise self._failed("cannot be entered", error) from None

    def open(self, name: str) -> BinaryIO:
        """Open the file."""
        try:
            for ending in ("", _NEW, ""):  # it may be entered between the first look and the second
                with suppress(FileNotFoundError):
                    return self._path(name, ending).open("rb")
        except OSError as error:
            raise self._failed("cannot be read", error) from None
        raise VaultError("a sealed object is not there", where=str(self._root))

    def delete(self, name: str) -> None:
        """Remove the file, and what is left of a broken ``put``."""
        folder = self._path(name).parent
        try:
            for ending in (_PART, _NEW, ""):
                with suppress(FileNotFoundError):
                    self._path(name, ending).unlink()
            if folder.is_dir():
                sync_folder(folder)
        except OSError as error:
            raise self._failed("cannot be removed", error) from None

    def exists(self, name: str) -> bool:
        """Whether the file is there, under any of its names."""
        return any(os.path.lexists(self._path(name, ending)) for ending in (_PART, _NEW, ""))

    def names(self) -> Iterator[Stored]:
        """Walk the folder."""
        for path in self._root.glob("??/??/*"):
            name = path.name.removesuffix(_PART).removesuffix(_NEW)
            if is_name(name):
                with suppress(FileNotFoundError):
                    at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                    yield Stored(name, at, entered=path.name == name)

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

    def _path(self, name: str, ending: str = "") -> Path:
        if not is_name(name):
            raise VaultError("not an object's name")
        return self._root / name[:2] / name[2:4] / (name + ending)

    def _make(self, folder: Path) -> None:
        """Make ``folder`` and sync each folder that got a new entry."""
        if folder.is_dir():
            return
        if folder.parent != folder:
            self._make(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir(0o700)
        sync_folder(folder.parent)

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


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
