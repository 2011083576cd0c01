"""Which items an earlier run has done: 16 bytes each, whatever the length of their paths."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


class Seen:
    """A set of (path, size, mtime) that is filled first and asked afterwards.

    Keys are 128 bits of BLAKE2b, so that nobody can choose a path that passes for another one.
    """

    def __init__(self) -> None:
        self._added = bytearray()
        self._sorted: tuple[np.ndarray, np.ndarray] | None = None

    def add(self, path: str, size: int, mtime: int) -> None:
        """Take one more; only before the first question."""
        assert self._sorted is None
        self._added += _key(path, size, mtime)

    def has(self, path: str, size: int, mtime: int) -> bool:
        """Whether it was added."""
        if not self._added and self._sorted is None:
            return False
        first, second = self._halves()
        key = _key(path, size, mtime)
        high, low = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
        at = int(first.searchsorted(first.dtype.type(high)))
        while at < len(first) and first[at] == high:
            if second[at] == low:
                return True
            at += 1
        return False

    def _halves(self) -> tuple[np.ndarray, np.ndarray]:
        """The keys' halves, sorted by the first."""
        if self._sorted is None:
            import numpy as np

            keys = np.frombuffer(self._added, dtype="<u8").reshape(-1, 2)
            order = keys[:, 0].argsort()
            self._sorted = keys[order, 0], keys[order, 1]
            self._added = bytearray()
        return self._sorted


def _key(path: str, size: int, mtime: int) -> bytes:
    return hashlib.blake2b(f"{path}\0{size}\0{mtime}".encode(), digest_size=16).digest()
