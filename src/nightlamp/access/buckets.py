"""Token buckets: how much each key may do in a while, on this node.

A node's processes share their buckets, in memory; nodes do not: a shared count would cost every request a
round trip to the database. So a key may do as many times its rate as there are nodes.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from struct import Struct

_BUCKET = Struct("=16sdd")  # whose, tokens, when
_BUCKETS = 4096
_PROBES = 8  # places that a key's bucket may be at
_SIZE = _BUCKETS * _BUCKET.size


class Buckets:
    """One bucket a key: it holds ``seconds`` worth of its rate, and fills up steadily.

    Args:
        seconds: a rush of so much is let through at once.
        file: where the processes of a node keep their buckets; by default this one is alone.
        time: a steady clock, in seconds, the same in all of them.
    """

    def __init__(
        self, seconds: float = 2.0, file: Path | None = None, *, time: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._time = time
        self._lock = threading.Lock()
        self._shared = -1
        if file is not None:
            self._shared = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with self._alone():
                if os.fstat(self._shared).st_size < _SIZE:
                    os.pwrite(self._shared, bytes(_SIZE), 0)  # no hole, to fill when the disk is full
        self._table = mmap.mmap(self._shared, _SIZE)

    def take(self, key: str, rate: float | None, cost: float = 1.0) -> float:
        """Take ``cost`` tokens; 0 if they were there, else the seconds to wait, and nothing was taken.

        A cost above what a full bucket holds is let through by a full one, which then owes the rest: a large
        batch is slowed down, not shut out for ever.
        """
        if rate is None:
            return 0.0
        room = max(rate * self._seconds, 1.0)
        whose = blake2b(key.encode(), digest_size=16).digest()
        with self._alone():
            now = self._time()
            at, known = self._find(whose)
            _, tokens, then = _BUCKET.unpack_from(self._table, at) if known else (b"", room, now)
            tokens = min(room, tokens + (now - then) * rate)
            needed = min(cost, room)
            enough = tokens >= needed
            _BUCKET.pack_into(self._table, at, whose, tokens - cost if enough else tokens, now)
        return 0.0 if enough else (needed - tokens) / rate

    def close(self) -> None:
        """Let go of what is shared."""
        self._table.close()
        if self._shared >= 0:
            os.close(self._shared)

    def _find(self, whose: bytes) -> tuple[int, bool]:
        """Where a key's bucket is, or is to be: in place of the one that was asked for longest ago."""
        first = int.from_bytes(whose[:4], "little")
        oldest, since = 0, float("inf")
        for probe in range(_PROBES):
            at = (first + probe) % _BUCKETS * _BUCKET.size
            owner, _, then = _BUCKET.unpack_from(self._table, at)
            if owner == whose:
                return at, True
            if not any(owner):
                then = float("-inf")
            if then < since:
                oldest, since = at, then
        return oldest, False

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """A process that dies meanwhile lets go of the file, too."""
        with self._lock:
            if self._shared < 0:
                yield
                return
            fcntl.flock(self._shared, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._shared, fcntl.LOCK_UN)
