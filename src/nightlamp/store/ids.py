"""Ids that sort by the time at which they were made."""

from __future__ import annotations

import os
import time


def new_id() -> str:
    """A UUIDv7: it sorts by the time at which it was made, to the millisecond."""
    text = (time.time_ns() // 1_000_000).to_bytes(6, "big").hex() + os.urandom(10).hex()
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-7{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"
