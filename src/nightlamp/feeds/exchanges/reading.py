"""A list that lies in files → the pages of a run, by the readers of ``nightlamp.banks``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from nightlamp.banks.options import ListOptions
from nightlamp.banks.reading import Reading, entries_of
from nightlamp.banks.rows import Entry
from nightlamp.errors import ExchangeError, ListError
from nightlamp.feeds.exchange import Json, Page, Print, Record
from nightlamp.feeds.exchanges.keys import composed

PER_PAGE = 5_000
_BLOCK = 1 << 20


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes, as hexadecimal."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def mark_of(options: ListOptions, digests: Sequence[str]) -> str:
    """Names what files hold and how they are read: as long as it is the same, so are their entries."""
    how = json.dumps([repr(options), *digests])
    return hashlib.sha256(how.encode()).hexdigest()


def pages_of(
    name: str, files: Sequence[Path], options: ListOptions, mark: str, cursor: Json | None, done: Json
) -> Iterator[Page]:
    """The whole list, in pages.

    Args:
        name: of the exchange, for messages.
        files: one after the other.
        options: how they are read.
        mark: as ``mark_of``.
        cursor: of the page behind which to go on.
        done: the checkpoint of the last page.

    Raises:
        ExchangeError: "stale" if the cursor is not of this mark; "malformed" if the files cannot be read, or
            have no entry (a blank page or a column misread is no reason to withdraw a list).
    """
    try:
        given = 0 if cursor is None else int(cursor["given"])
        if cursor is not None and cursor["mark"] != mark:
            raise ExchangeError("stale", "the list has changed while it was read", where=name)
    except (KeyError, TypeError, ValueError):
        raise ExchangeError("stale", "a place to go on at that is not one of a list", where=name) from None
    reading = _Files(files, options)
    try:
        records = islice(reading, given, None)
        page = tuple(islice(records, PER_PAGE))
        told = 0
        while True:
            following = tuple(islice(records, PER_PAGE))
            given += len(page)
            bad, told = reading.bad - told, reading.bad
            if not following:
                break
            yield Page(page, {"mark": mark, "given": given}, unreadable=bad)
            page = following
    except ListError as error:
        raise ExchangeError("malformed", error.what, where=name, hint=error.hint) from None
    if not given and not reading.ignored:
        what = f"no entry in it, and {reading.bad:,} rows that cannot be read"
        raise ExchangeError("malformed", what, where=name, hint="check its format and columns")
    yield Page(page, None, done, total=given, unreadable=bad)


class _Files:
    """The records of files; counts, so far, of rows that could not be read, and of those that are no hits."""

    def __init__(self, files: Sequence[Path], options: ListOptions) -> None:
        self._files = files
        self._options = options
        self.bad = 0
        self.ignored = 0

    def __iter__(self) -> Iterator[Record]:
        for path in self._files:
            reading = Reading(path, self._options)
            for parsed in reading:
                self.bad += len(parsed.bad)
                self.ignored += parsed.ignored.total()
                for batch in parsed.batches:
                    yield from map(_record, entries_of(batch))


def _record(entry: Entry) -> Record:
    """An entry by itself: ids of lists need not be unique, and a row's number is none."""
    value: Any = entry.value if entry.parsed else entry.value.decode("utf-8", "replace")
    text = entry.value.hex() if entry.parsed else value
    if not entry.entry_id.startswith("row "):
        text = f"{text} {entry.entry_id}"
    return Record(composed(entry.signal, text), (Print(entry.signal, value),), entry.category)
