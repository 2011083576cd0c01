"""One line of a scan's output, the same in JSON lines, CSV and Parquet."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any, get_args

from nightlamp.scan.items import Item
from nightlamp.scan.names import printable
from nightlamp.values import Action, Examination, Match, Statement, Unchecked, Verdict

SCHEMA = 4


@dataclass(frozen=True, slots=True)
class RowMatch:
    """A match as it may be written down: ``value`` and ``entry_id`` only where they were asked for.

    Args:
        bank, category: of the entry.
        signal, distance, view, frame: how the item matched it.
        benign: the bank is a filter of known files.
        seconds: of a video, when that frame is shown.
        value: the item's own fingerprint, as the signal's text.
        entry_id: the source's id of the entry.
    """

    bank: str
    signal: str
    distance: int
    view: str
    frame: int
    category: str
    benign: bool = False
    seconds: float | None = None
    value: str | None = field(default=None, repr=False)
    entry_id: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RowStatement:
    """What the item says of how it was made: a ``Statement`` without fields, which no two readers share."""

    source: str
    says: str
    text: str
    strength: str
    forgeable: str


@dataclass(frozen=True, slots=True)
class Row:
    """What a scan says of one item; see docs/scan.md for each column."""

    path: str
    size: int
    mtime: int
    media_type: str
    sha256: str = field(repr=False)
    action: Action
    reasons: tuple[str, ...]
    matches: tuple[RowMatch, ...]
    unchecked: tuple[Unchecked, ...]
    benign: bool
    origin: str = ""
    origin_sentence: str = ""
    origin_statements: tuple[RowStatement, ...] = ()

    @property
    def hit(self) -> bool:
        """Whether it matched a bank that is no filter of known files."""
        return any(not match.benign for match in self.matches)

    def open_questions(self, without: Collection[str]) -> list[Unchecked]:
        """What could not be checked and is not accepted by ``without``; of a known file, nothing."""
        return [] if self.benign else [u for u in self.unchecked if u.what not in without]


@dataclass(frozen=True, slots=True)
class Secrets:
    """Which secrets of the lists' owners may be written into an output; none by default."""

    hashes: bool = False
    entry_ids: bool = False


def row_of(item: Item, examination: Examination, verdict: Verdict, secrets: Secrets) -> Row:
    """The row of an item that was examined and judged.

    A worker that content has taken over, or a list, may send any text: what is not safe to show is escaped.
    """
    sha256 = next((f.value.hex() for f in examination.fingerprints if f.signal == "sha256"), "")
    return Row(
        item.path,
        item.size,
        item.mtime,
        printable(examination.media_type),
        sha256,
        verdict.action,
        tuple(map(printable, verdict.reasons)),
        tuple(_row_match(match, secrets) for match in verdict.matches),
        tuple(Unchecked(printable(u.what), printable(u.why), printable(u.detail)) for u in verdict.unchecked),
        verdict.benign,
        examination.origin.outcome if examination.origin else "",
        printable(examination.origin.sentence) if examination.origin else "",
        tuple(map(_row_statement, examination.origin.statements)) if examination.origin else (),
    )


def _row_statement(statement: Statement) -> RowStatement:
    return RowStatement(
        statement.source,
        statement.says,
        printable(statement.text),
        statement.strength.name.lower(),
        printable(statement.forgeable),
    )


def _row_match(match: Match, secrets: Secrets) -> RowMatch:
    value = None
    if secrets.hashes:
        from nightlamp.signals import signal_named

        value = signal_named(match.fingerprint.signal).text(match.fingerprint.value)
    return RowMatch(
        printable(match.bank.name),
        match.fingerprint.signal,
        match.distance,
        printable(match.fingerprint.view),
        match.fingerprint.frame,
        printable(match.category),
        match.bank.benign,
        match.fingerprint.seconds,
        value,
        printable(match.entry_id) if secrets.entry_ids else None,
    )


def to_json(row: Row) -> dict[str, Any]:
    """A row as JSON would have it; secrets that were not asked for have no key."""
    plain = asdict(row)
    for match in plain["matches"]:
        for secret in ("value", "entry_id"):
            if match[secret] is None:
                del match[secret]
    return plain


def from_json(plain: Any) -> Row:
    """The row that ``to_json`` wrote.

    Raises:
        ValueError: it is not such a row.
    """
    try:
        row = Row(
            **{
                **plain,
                "reasons": tuple(plain["reasons"]),
                "matches": tuple(RowMatch(**match) for match in plain["matches"]),
                "unchecked": tuple(Unchecked(**u) for u in plain["unchecked"]),
                "origin_statements": tuple(RowStatement(**s) for s in plain["origin_statements"]),
            }
        )
    except (TypeError, KeyError) as error:
        raise ValueError("not a row of a scan") from error
    whole = isinstance(row.path, str) and type(row.size) is int and type(row.mtime) is int
    if not whole or row.action not in get_args(Action) or not isinstance(row.benign, bool):
        raise ValueError("not a row of a scan")
    return row
