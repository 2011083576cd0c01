"""Ids that sort by the time at which they were made."""

from __future__ import annotations

import os
import threading
import time

_AT_ONCE = 512  # ids' worth of random bytes: to ask the system is to let another thread run, each time
_held = threading.local()


def new_id() -> str:
    """A UUIDv7: it sorts by the time at which it was made, to the millisecond."""
    pool: list[str] | None = getattr(_held, "pool", None)
    if not pool:
        text = os.urandom(10 * _AT_ONCE).hex()
        pool = _held.pool = [text[at : at + 20] for at in range(0, len(text), 20)]
    text = (time.time_ns() // 1_000_000).to_bytes(6, "big").hex() + pool.pop()
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-7{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"


def _forget() -> None:
    """A child must not make its parent's ids."""
    _held.pool = []


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
