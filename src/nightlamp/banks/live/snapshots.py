"""The folder of snapshots, which nodes may share: each a file of one generation, whole or ignored.

Names tell the database, the set of signals, the generation and its token. Whoever finds a newer whole file
may use it; a file that is mapped somewhere may be deleted, since its owner keeps it until it is done.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nightlamp.banks.live.counter import Mark
from nightlamp.banks.live.ledger import Ledger, Page
from nightlamp.banks.live.state import State
from nightlamp.banks.shelf import AnyIndex, index_of_arrays
from nightlamp.errors import SnapshotError
from nightlamp.index import open_snapshot, write_snapshot
from nightlamp.signals import Signal

SUFFIX = ".nlb"
KEPT = 2  # whole files of a kind
LEFTOVER_SECONDS = 3_600  # an unfinished file is a crash's after so long
_KIND = "nightlamp live banks"
_VERSION = 1
_NAME = re.compile(r"banks-([0-9a-f]{8})-([0-9a-f]{8})-([0-9]{19})-([0-9a-f]{16})" + re.escape(SUFFIX))


@dataclass(frozen=True, slots=True)
class Found:
    """A snapshot's file, by its name: not opened yet."""

    path: Path
    generation: int
    token: str


def kind_of(signals: Mapping[str, Signal]) -> str:
    """Tells sets of signals apart: a snapshot serves nodes with the same ones only."""
    rows = sorted(f"{signal.name} {signal.index} {signal.size}" for signal in signals.values())
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:8]


class SnapshotFolder:
    """Snapshots of one database and one set of signals in a folder."""

    def __init__(self, folder: Path, signals: Mapping[str, Signal]) -> None:
        """The folder is made when a snapshot is built."""
        self.folder = folder
        self._signals = signals
        self._kind = kind_of(signals)

    def newest(self, database: str) -> list[Found]:
        """What there is for that database, newest first, whole or not."""
        found = []
        for path in self.folder.glob(f"banks-{database[:8]}-{self._kind}-*{SUFFIX}"):
            named = _NAME.fullmatch(path.name)
            if named:
                found.append(Found(path, int(named[3]), named[4]))
        return sorted(found, key=lambda f: (-f.generation, f.token))

    def open(self, found: Found, database: str) -> State:
        """Map a snapshot.

        Raises:
            SnapshotError: it cannot be read, is damaged, or is not what its name says.
        """
        try:
            snapshot = open_snapshot(found.path)
        except OSError as error:
            raise SnapshotError(error.strerror or "cannot be read", where=str(found.path)) from None
        meta = snapshot.meta
        try:
            mark = Mark(**meta["mark"])
            named = (meta["kind"], meta["version"], mark.database, mark.generation, mark.token)
            if named != (_KIND, _VERSION, database, found.generation, found.token):
                raise ValueError
            trusted = not snapshot.verified
            bases: dict[str, AnyIndex] = {}
            for at, name in enumerate(meta["signals"]):
                arrays = snapshot.under(f"{at}/")
                bases[name] = index_of_arrays(self._signals[name], arrays, trusted=trusted)
            page = Page.from_arrays(
                snapshot.under("page/"), tuple(map(str, meta["categories"])), trusted=trusted
            )
            unsearchable = {
                (str(signal), str(why)): snapshot.arrays[f"unsearchable/{at}"]
                for at, (signal, why) in enumerate(meta["unsearchable"])
            }
            if not trusted and not all(
                page.knows(numbers)
                for numbers in [*(b.numbers for b in bases.values()), *unsearchable.values()]
            ):
                raise ValueError
            disputed = frozenset(snapshot.arrays["disputed"].tolist())
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            raise SnapshotError("its parts do not fit", where=str(found.path)) from None
        return State(self._signals, mark, bases, Ledger().with_page(page), disputed, unsearchable)

    def write(self, state: State) -> Path:
        """Save a state that was read from the database in one go; the file appears whole or not at all.

        Raises:
            SnapshotError: it cannot be written.
        """
        mark = state.mark
        assert mark is not None
        assert len(state.ledger.pages) <= 1
        page = state.ledger.pages[0] if state.ledger.pages else Page.of([], [], [], [])
        arrays = {f"page/{name}": array for name, array in page.arrays().items()}
        for at, index in enumerate(state.bases.values()):
            arrays |= {f"{at}/{name}": array for name, array in index.arrays().items()}
        for at, numbers in enumerate(state.unsearchable.values()):
            arrays[f"unsearchable/{at}"] = numbers
        arrays["disputed"] = np.array(sorted(state.disputed), np.int64)
        meta: dict[str, Any] = {
            "kind": _KIND,
            "version": _VERSION,
            "mark": {
                "database": mark.database,
                "generation": mark.generation,
                "token": mark.token,
                "last_entry": mark.last_entry,
            },
            "signals": list(state.bases),
            "categories": list(page.categories),
            "unsearchable": [list(key) for key in state.unsearchable],
        }
        name = f"banks-{mark.database[:8]}-{self._kind}-{mark.generation:019}-{mark.token}{SUFFIX}"
        path = self.folder / name
        try:
            write_snapshot(path, arrays, meta)
        except OSError as error:
            raise SnapshotError(error.strerror or "cannot be written", where=str(path)) from None
        return path

    @contextlib.contextmanager
    def building(self) -> Iterator[bool]:
        """Hold the right to build; false if another process holds it. A crash gives it back.

        Raises:
            SnapshotError: the folder cannot be written to.
        """
        path = self.folder / f".building-{self._kind}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise SnapshotError(error.strerror or "cannot be written", where=str(path)) from None
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(lock)

    def prune(self, database: str, keep: Path) -> None:
        """Delete all but ``keep`` and the newest ones older than it, and what crashes left behind."""
        spared = KEPT - 1
        for found in self.newest(database):
            if found.path == keep:
                continue
            if found.path.name < keep.name and spared > 0:
                spared -= 1
                continue
            self.discard(found.path)
        for path in self.folder.glob(f".banks-*{SUFFIX}*.tmp"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
                    path.unlink()

    def discard(self, path: Path) -> None:
        """Delete a snapshot and the note that it was verified."""
        for file in (path, path.with_name(path.name + ".verified")):
            with contextlib.suppress(OSError):
                file.unlink()
