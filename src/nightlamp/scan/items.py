"""Files one by one, in a fixed order, in memory that does not grow with their number."""

from __future__ import annotations

import errno
import heapq
import os
import stat
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from nightlamp.scan.names import path_text
from nightlamp.values import Unchecked

_LONGEST_PATH = 1 << 16
_FOLDER, _FILE, _LINK, _OTHER = b"d", b"f", b"l", b"o"


@dataclass(frozen=True, slots=True)
class Item:
    """Something to examine, by name.

    Args:
        path: its text as in the output, see ``nightlamp.scan.names``.
        size: bytes.
        mtime: microseconds since 1970-01-01 UTC.
        file: where the operating system has it; ``None`` if it is content in memory.
        content: an archive member's bytes.
        problem: why it cannot be examined at all, if so.
    """

    path: str
    size: int
    mtime: int
    file: str | None = None
    content: bytes | None = field(default=None, repr=False)
    problem: Unchecked | None = None


def walk(
    roots: Iterable[str],
    *,
    follow: bool = False,
    passed_over: Counter[str] | None = None,
    leave_out: Iterable[Path] = (),
    run: int = 100_000,
) -> Iterator[Item]:
    """Every file at and below ``roots``, depth first, names in byte order.

    A root may be a symbolic link; below, links are not followed unless ``follow``. No folder is entered
    twice on the way down, and with ``follow`` none twice at all, so there is no loop. What cannot be read is
    an item with a ``problem``, never an exception.

    Args:
        roots: files or folders, as ``os.fsdecode`` gives them.
        follow: enter links to folders, examine what links to files point to.
        passed_over: counts what is no content: ``"link"``, ``"special file"``.
        leave_out: files that are not to be examined, such as the scan's own output.
        run: names of one folder that are sorted in memory; more are sorted on disk.
    """
    skipped = Counter[str]() if passed_over is None else passed_over
    ours = {(parent, os.fsencode(p.name)) for p in leave_out if (parent := _identity(p.parent)) is not None}
    entered: set[tuple[int, int]] = set()
    for root in roots:
        kind = _FOLDER if Path(root).is_dir() else _FILE
        yield from _below(root, kind, follow, skipped, ours, entered, run)


def listed(stream: BinaryIO, *, separator: bytes = b"\n") -> Iterator[str]:
    """Paths from a stream, one by one; empty ones are passed over.

    Raises:
        ValueError: a path is longer than any system allows, so this is no list of paths.
    """
    rest = b""
    while piece := stream.read1(1 << 16) if hasattr(stream, "read1") else stream.read(1 << 16):
        *whole, rest = (rest + piece).split(separator)
        yield from (os.fsdecode(path) for path in whole if path)
        if len(rest) > _LONGEST_PATH:
            raise ValueError(f"a path of more than {_LONGEST_PATH} bytes")
    if rest:
        yield os.fsdecode(rest)


def _below(
    root: str,
    kind: bytes,
    follow: bool,
    skipped: Counter[str],
    ours: set[tuple[tuple[int, int], bytes]],
    entered: set[tuple[int, int]],
    run: int,
) -> Iterator[Item]:
    """The items of one root; a stack instead of recursion, so that depth costs no Python frames."""
    on_the_way: list[tuple[str, tuple[int, int], Iterator[tuple[bytes, bytes]]]] = []
    todo: tuple[str, bytes] | None = (root, kind)
    while todo or on_the_way:
        if todo is None:
            folder, identity, names = on_the_way[-1]
            found = next(names, None)
            if found is None:
                on_the_way.pop()
                continue
            name, kind = found
            if (identity, name) in ours:
                continue
            todo = (os.path.join(folder, os.fsdecode(name)), kind)  # noqa: PTH118 (ten times faster, and keeps bytes)
        path, kind = todo
        todo = None
        if kind == _FOLDER:
            here = _identity(path)
            if here is None or here in entered or any(here == above for _, above, _ in on_the_way):
                if here is None:
                    yield _unreadable(path, _last_error(path))
                continue
            if follow:
                entered.add(here)
            try:
                on_the_way.append((path, here, _sorted_names(path, follow, run)))
            except OSError as error:
                yield _unreadable(path, error)
        elif kind == _FILE:
            yield file_item(path)
        else:
            skipped["link" if kind == _LINK else "special file"] += 1


def file_item(path: str) -> Item:
    """The item of one file, with a ``problem`` if it is none or cannot be asked."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError) as error:
        return _unreadable(path, error)
    if not stat.S_ISREG(status.st_mode):
        return Item(path_text(path), 0, _micros(status), path, problem=_problem("not a regular file"))
    return Item(path_text(path), status.st_size, _micros(status), path)


def _sorted_names(folder: str, follow: bool, run: int) -> Iterator[tuple[bytes, bytes]]:
    """(name, kind) of everything in a folder, in byte order; a large folder is sorted on disk.

    Raises:
        OSError: the folder cannot be read. Nothing has been given by then.
    """
    runs: list[BinaryIO] = []
    names: list[bytes] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            names.append(os.fsencode(entry.name) + b"\0" + _kind(entry, follow))
            if len(names) >= run:
                runs.append(_spill(sorted(names)))
                names.clear()
    merged = heapq.merge(*map(_records, runs), iter(sorted(names))) if runs else iter(sorted(names))
    return (_split(record) for record in merged)


def _split(record: bytes) -> tuple[bytes, bytes]:
    name, _, kind = record.partition(b"\0")
    return name, kind


def _spill(names: list[bytes]) -> BinaryIO:
    """Sorted names in a temporary file that has no name itself; a slash, which no name holds, ends each."""
    run: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as its reader)
    run.write(b"/".join(names) + b"/")
    run.seek(0)
    return run


def _records(run: BinaryIO) -> Iterator[bytes]:
    rest = b""
    with run:
        while piece := run.read(1 << 13):
            *whole, rest = (rest + piece).split(b"/")
            yield from whole


def _kind(entry: os.DirEntry[str], follow: bool) -> bytes:
    try:
        if entry.is_symlink() and not follow:
            return _LINK
        if entry.is_dir(follow_symlinks=follow):
            return _FOLDER
        if entry.is_file(follow_symlinks=follow) or entry.is_symlink():
            return _FILE
    except OSError:
        # Asking again when its turn comes says why.
        return _FILE
    return _OTHER


def _identity(folder: str | Path) -> tuple[int, int] | None:
    try:
        status = os.stat(folder)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _last_error(path: str) -> Exception:
    try:
        os.stat(path)  # noqa: PTH116
    except (OSError, ValueError) as error:
        return error
    return OSError(errno.EIO, os.strerror(errno.EIO))


def _micros(status: os.stat_result) -> int:
    return status.st_mtime_ns // 1000


def _unreadable(path: str, error: Exception) -> Item:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
    return Item(path_text(path), 0, 0, path, problem=_problem(reason.lower()))


def _problem(detail: str) -> Unchecked:
    return Unchecked("content", "unreadable", detail)
