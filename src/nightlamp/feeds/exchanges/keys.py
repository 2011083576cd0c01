"""Keys and page sizes, for exchanges whose entries have no id but what they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from nightlamp.feeds.exchange import Record

_MOST = 1_000  # characters; a feed takes 1,024


def composed(kind: str, value: str) -> str:
    """``kind:value``; of a value that is too long its SHA-256 stands, and ``value_of`` gives none back."""
    key = f"{kind}:{value}"
    if len(key) <= _MOST:
        return key
    return f"{kind}:sha256={hashlib.sha256(value.encode('utf-8', 'replace')).hexdigest()}"


def value_of(key: str) -> tuple[str, str | None]:
    """Kind and value of a key; ``None`` where only the value's digest is known."""
    kind, _, value = key.partition(":")
    return kind, None if value.startswith("sha256=") else value


def newest(records: Iterable[Record]) -> tuple[Record, ...]:
    """One record a key: the newest version, and of equals the later."""
    found: dict[str, Record] = {}
    for record in records:
        older = found.get(record.key)
        if older is None or older.version <= record.version:
            found[record.key] = record
    return tuple(found.values())
