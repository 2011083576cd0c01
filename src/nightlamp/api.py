"""The Python API's few functions, re-exported by ``nightlamp``.

Hash content, open or build an index of hash lists, look one up in the other.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from nightlamp.examine import Workers
from nightlamp.values import Bank, Examination

if TYPE_CHECKING:
    from nightlamp.banks import Catalog, ListOptions
    from nightlamp.media import Detail


def open_index(path: str | os.PathLike[str]) -> Catalog:
    """Open an index that ``nightlamp index build`` or ``Catalog.save`` wrote; memory-mapped, read-only.

    Raises:
        SnapshotError: it is damaged, half-written or of another version. Nothing of it is used then.
    """
    from nightlamp.banks import Catalog

    return Catalog.open(Path(path))


def build_index(
    lists: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], options: ListOptions | None = None
) -> Catalog:
    """Read hash lists into an index in memory; each file becomes a bank named after it.

    Args:
        lists: paths of hash lists in any format that ``docs/lists.md`` names.
        options: how to read them, where sniffing is not enough.

    Raises:
        ListError: a list cannot be read.
    """
    from nightlamp.banks import ListFile, ListOptions, build_catalog

    paths = [Path(p) for p in ([lists] if isinstance(lists, str | os.PathLike) else lists)]
    return build_catalog([ListFile(path, Bank(path.stem), options or ListOptions()) for path in paths])


def hash_file(path: str | os.PathLike[str], detail: Detail = "fast") -> Examination:
    """Every signal of a file, computed in a worker process with limits on time, memory and pixels.

    Args:
        path: a regular file of any type.
        detail: ``"full"`` decodes every JPEG at full resolution; ``"fast"`` moves PDQ by a few bits.

    Returns:
        Digests of the whole file, PDQ of each frame in its eight orientations (``.view``), and what could not
        be checked. Never raises for what the file is. Called for many files, use ``Workers`` instead.
    """
    return _workers(detail).examine(Path(path)).result()


def hash_bytes(data: bytes | bytearray | memoryview, detail: Detail = "fast") -> Examination:
    """``hash_file`` for content in memory."""
    return _workers(detail).examine(data).result()


@cache
def _workers(detail: Detail) -> Workers:
    """One worker process a kind of detail, started by the first call and ended with this process."""
    workers = Workers(1, detail=detail)
    workers.__enter__()
    atexit.register(workers.__exit__, None, None, None)
    return workers
