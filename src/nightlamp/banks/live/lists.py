"""Lists into banks and out of them, in pieces: memory does not grow with them, and no change waits long."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Literal

from sqlalchemy import Engine, insert, update

from nightlamp.audit import append
from nightlamp.banks.live.editing import get_bank
from nightlamp.banks.live.entries import StoredEntry, add_entries, page_entries
from nightlamp.banks.live.tables import bank_list
from nightlamp.banks.options import ListOptions
from nightlamp.banks.reading import Reading, entries_of
from nightlamp.banks.rows import BadRow, Entry
from nightlamp.errors import ListError
from nightlamp.signals import Signal, installed
from nightlamp.store import reading, utc_now

PIECE = 10_000  # entries of one transaction
ExportFormat = Literal["csv", "jsonl"]
_COLUMNS = ("signal", "value", "id", "category", "disputed")


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import.

    Args:
        id: of its row in ``bank_list``.
        generation: that puts its last entries in force; 0 if it had none.
        rows: read, without blank lines and comments.
        added, replaced, known: entries, as in ``Added``.
        bad, bad_rows: rows that could not be read, and the first of them.
        ignored: rows or entries that are no hits, by reason.
    """

    id: int
    generation: int
    rows: int
    added: int
    replaced: int
    known: int
    bad: int
    bad_rows: tuple[BadRow, ...]
    ignored: Mapping[str, int] = field(default_factory=dict)


def import_list(
    engine: Engine,
    number: int,
    path: str | PathLike[str],
    options: ListOptions | None = None,
    *,
    actor: str,
    name: str | None = None,
    signals: Mapping[str, Signal] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Imported:
    """Put a list's entries into bank ``number``, piece by piece, each in force as soon as it is committed.

    If it breaks off, what was committed stays; importing the list again adds the rest.

    Args:
        engine: the database.
        number: the bank's.
        path: the list.
        options: what the list does not say of itself.
        actor: for the audit.
        name: of the list, if the file's own is not what people know it by.
        signals: by name; by default the installed ones.
        progress: called with the rows read so far, now and then.

    Raises:
        BankError: there is no such bank.
        ListError: the list cannot be read, or has bad rows and is ``strict`` (then nothing was added).
    """
    signals = installed() if signals is None else signals
    path = Path(path)
    with reading(engine) as connection:
        benign = get_bank(connection, number).bank.benign
    if options is not None and options.strict:
        for _ in Reading(path, options, signals):
            pass  # raises before anything is added
    read = Reading(path, options, signals)
    if read.format in ("nsrl", "nsrl-sqlite") and not benign:
        raise ListError(
            "the NSRL names known files, not abuse", where=name or path.name, hint="a benign bank"
        )
    list_id = _begin(engine, number, path, name or path.name, read.format)
    totals: Counter[str] = Counter()
    ignored: Counter[str] = Counter()
    generation = 0

    def put(entries: list[Entry]) -> None:
        nonlocal generation
        with engine.begin() as connection:
            added = add_entries(connection, number, entries, actor=actor, list_id=list_id, signals=signals)
        generation = added.generation
        totals.update(added=added.added, replaced=added.replaced, known=added.known)

    waiting: list[Entry] = []
    for parsed in read:
        for batch in parsed.batches:
            signal = signals.get(batch.signal)
            if benign and (signal is None or signal.index != "exact"):
                ignored[f"{batch.signal} of a benign bank (only exact digests count)"] += len(batch)
                continue
            named = batch.ids if batch.ids is not None else [""] * len(batch)
            # A row's number is no id: it moves when the list changes.
            waiting += (replace(e, entry_id=i) for e, i in zip(entries_of(batch), named, strict=True))
        while len(waiting) >= PIECE:
            put(waiting[:PIECE])
            del waiting[:PIECE]
        if progress is not None:
            progress(read.rows)
    if waiting:
        put(waiting)
    ignored += read.ignored
    counts = {
        **{k: totals[k] for k in ("added", "replaced", "known")},
        "bad": read.bad,
        "ignored": dict(ignored),
    }
    with engine.begin() as connection:
        done = update(bank_list).where(bank_list.c.id == list_id)
        connection.execute(done.values(finished_at=utc_now(), rows=read.rows, counts=counts))
        details = {"list": list_id, "rows": read.rows, "added": totals["added"], "bad": read.bad}
        append(connection, actor, "banks.list_imported", f"bank:{number}", details)
    return Imported(
        list_id,
        generation,
        read.rows,
        totals["added"],
        totals["replaced"],
        totals["known"],
        read.bad,
        tuple(read.bad_rows),
        dict(ignored),
    )


def export_bank(
    engine: Engine,
    number: int,
    form: ExportFormat = "csv",
    *,
    actor: str,
    signals: Mapping[str, Signal] | None = None,
) -> Iterator[bytes]:
    """The entries in force of bank ``number``, as a list that ``import_list`` reads back; recorded first.

    The pieces are secrets. They are of several moments: an entry added meanwhile may be in or not.

    Raises:
        BankError: there is no such bank.
    """
    signals = installed() if signals is None else signals
    with engine.begin() as connection:
        get_bank(connection, number)
        append(connection, actor, "banks.exported", f"bank:{number}", {"format": form})
    return _pieces(engine, number, form, signals)


def _pieces(
    engine: Engine, number: int, form: ExportFormat, signals: Mapping[str, Signal]
) -> Iterator[bytes]:
    if form == "csv":
        yield (",".join(_COLUMNS) + "\n").encode()
    after = 0
    while True:
        with reading(engine) as connection:  # no longer than a page: a slow reader holds up nothing
            page = page_entries(connection, number, after=after)
        if not page:
            return
        after = page[-1].id
        rows = [
            (e.signal, _text(e, signals), e.source_id, e.category, "yes" if e.disputed else "") for e in page
        ]
        if form == "csv":
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(rows)
            yield text.getvalue().encode()
        else:
            objects = (dict(zip(_COLUMNS, row, strict=True)) for row in rows)
            yield "".join(json.dumps(o, ensure_ascii=False) + "\n" for o in objects).encode()


def _text(entry: StoredEntry, signals: Mapping[str, Signal]) -> str:
    if not entry.parsed:
        return entry.value.decode("utf-8", "surrogatepass")
    signal = signals.get(entry.signal)
    return signal.text(entry.value) if signal is not None else entry.value.hex()


def _begin(engine: Engine, number: int, path: Path, name: str, form: str) -> int:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    row = {
        "bank": number,
        "file": name[:255],
        "size": size,
        "sha256": digest,
        "format": form,
        "started_at": utc_now(),
        "rows": 0,
        "counts": {},
    }
    with engine.begin() as connection:
        made = insert(bank_list).values(row).returning(bank_list.c.id)
        return int(connection.execute(made).scalar_one())
