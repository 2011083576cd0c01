"""A report as a form, and back: every field of the authority's schema, by its one table.

Inputs are named by the field's path, as faults are: ``victim[1].victimPerson.age``. A part that stands on the
page has a marker, so that an empty part of a draft stays one; what was added and left empty goes away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Literal, TypeVar

from nightlamp.reports.cybertip import Fault, FileDetails, Report
from nightlamp.reports.cybertip.table import Choice, Kind, Number, Part, Row, Text, rows
from nightlamp.server.console.language import N_
from nightlamp.server.console.report_words import WORDS
from nightlamp.server.console.visiting import Form

T = TypeVar("T", Report, FileDetails)
Input = Literal["line", "text", "choice", "number", "time", "date", "bool", "flag"]

# What of a file no person says: ids come from the authority, views from the audit log, hashes from the bytes.
NOT_EDITED = frozenset(
    {"report_id", "file_id", "file_viewed_by_esp", "exif_viewed_by_esp", "original_file_hash", "details"}
)
MOST_INPUTS = 1_500  # a form may have 2,000 fields
_LONG = 300  # characters from which a field is a box
_FIELD, _PART, _NEW = "field ", "part ", "new"
_NUMBERED = re.compile(r"(.*)\[([0-9]{1,5})\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Entry:
    """One input of the form.

    Args:
        path: in the schema.
        label: marked for translation.
        text: what stands in it; of a flag ``"yes"`` or ``""``.
        must: it must be given.
        faults: what is wrong with it, or missing.
        asked: what a person should see to.
        stored: what is stored by now, if that is something else.
    """

    path: str
    tag: str
    label: str
    input: Input
    text: str
    options: tuple[str, ...]
    longest: int | None
    must: bool
    faults: tuple[str, ...]
    asked: tuple[str, ...]
    stored: str | None

    @property
    def name(self) -> str:
        """Of the input."""
        return _FIELD + self.path


@dataclass(frozen=True, slots=True)
class Section:
    """A part: its inputs, the parts in it, and what can be added to it.

    Args:
        removable: it may be left out.
        marker: the value of its marker.
        adds: (path, label) of what is not there yet.
    """

    path: str
    tag: str
    label: str
    marker: str
    removable: bool
    faults: tuple[str, ...]
    asked: tuple[str, ...]
    entries: tuple[Entry, ...]
    sections: tuple[Section, ...]
    adds: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """Of its marker."""
        return _PART + self.path

    def count(self) -> int:
        """How many fields the form has for it."""
        return 1 + len(self.entries) + sum(each.count() for each in self.sections)


@dataclass
class Sent:
    """What a form says: the document as far as it can be read, and what cannot.

    Args:
        faults: of what cannot be read.
        texts: what stood in those inputs, by their paths.
        fresh: paths of parts that were added and are not stored yet; ``added``: of the last one.
    """

    faults: list[Fault] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    added: str = ""


def read(form: Form, base: T) -> tuple[T, Sent]:
    """What a form says; what it does not show stays as it is in ``base``. Never raises for what was typed."""
    reader = _Reader(form)
    made = reader.part(type(base), "", "", base)
    return made, reader.sent


def as_form(
    document: Report | FileDetails,
    *,
    faults: Sequence[Fault] = (),
    asks: Sequence[Fault] = (),
    sent: Sent | None = None,
    stored: Report | FileDetails | None = None,
) -> Section:
    """A document as a form.

    Args:
        document: may be half-filled.
        faults: what is wrong with it, besides what ``sent`` says.
        asks: what a person should see to.
        sent: what could not be read of it.
        stored: what is stored by now, to be shown where it differs.
    """
    said = sent or Sent()
    writer = _Writer([*said.faults, *faults], asks, said, dict(_texts(stored, "")) if stored else None)
    return writer.section(document, "", Row("", "", "one", Part(type(document))))


class _Reader:
    """Reads a form; parts are numbered anew, since some may have been removed."""

    def __init__(self, form: Form) -> None:
        self.sent = Sent()
        self._form = form
        self._add, self._remove = form.get("add", ""), form.get("remove", "")
        self._numbers: dict[str, set[int]] = {}
        for name in form:
            if found := _NUMBERED.fullmatch(name):
                self._numbers.setdefault(found[1], set()).add(int(found[2]))

    def part(self, kind: type[Any], old: str, new: str, base: Any) -> Any:
        values = {}
        for row in _shown(kind):
            was, now = _join(old, row), _join(new, row)
            if isinstance(row.kind, Part):
                values[row.name] = self._parts(row, row.kind.of, was, now)
            elif row.occurs == "many":
                values[row.name] = self._several(row, was, now)
            else:
                values[row.name] = self._single(row, was, now)
        return replace(base, **values) if base is not None else kind(**values)

    def _parts(self, row: Row, kind: type[Any], was: str, now: str) -> Any:
        if row.occurs != "many":
            return self._one(kind, was, now) if self._there(was) else None
        found: list[Any] = []
        for at in sorted(self._numbers.get(_PART + was, ())):
            if (made := self._one(kind, f"{was}[{at}]", f"{now}[{len(found) + 1}]")) is not None:
                found.append(made)
        if self._add == was:
            found.append(kind())
            self.sent.added = f"{now}[{len(found)}]"
            self.sent.fresh.add(self.sent.added)
        return tuple(found)

    def _one(self, kind: type[Any], was: str, now: str) -> Any:
        if was == self._remove:
            return None
        fresh = self._form.get(_PART + was, _NEW) == _NEW
        before = len(self.sent.faults)
        made = self.part(kind, was, now, None)
        going_on = self._add or self._remove
        if fresh and not going_on and made == kind() and len(self.sent.faults) == before:
            return None  # it was added, and left empty
        if fresh:
            self.sent.fresh.add(now)
        if was == self._add:
            self.sent.added = now
        return made

    def _there(self, was: str) -> bool:
        return _PART + was in self._form or self._add == was

    def _several(self, row: Row, was: str, now: str) -> tuple[Any, ...]:
        found: list[Any] = []
        for at in sorted(self._numbers.get(_FIELD + was, ())):
            path = f"{now}[{len(found) + 1}]"
            if (made := self._single(row, f"{was}[{at}]", path)) is not None or path in self.sent.texts:
                found.append(made)
        return tuple(found)

    def _single(self, row: Row, was: str, now: str) -> Any:
        text = self._form.get(_FIELD + was, "").replace("\r\n", "\n").strip()
        if row.occurs == "flag":
            return text == "yes"
        if not text:
            return None
        try:
            return _parsed(row.kind, text)
        except (ValueError, OverflowError):
            self.sent.faults.append(Fault(now, _wanted(row.kind)))
            self.sent.texts[now] = text
            return None


class _Writer:
    """Makes sections of parts."""

    def __init__(
        self, faults: Sequence[Fault], asks: Sequence[Fault], sent: Sent, stored: Mapping[str, str] | None
    ) -> None:
        self._faults = _by_path(faults)
        self._asks = _by_path(asks)
        self._sent = sent
        self._stored = stored

    def section(self, part: Any, path: str, row: Row) -> Section:
        entries: list[Entry] = []
        sections: list[Section] = []
        adds: list[tuple[str, str]] = []
        for each in _shown(type(part)):
            value, at = getattr(part, each.name), _join(path, each)
            if not isinstance(each.kind, Part):
                entries += self._entries(each, value, at)
                continue
            given = value if each.occurs == "many" else () if value is None else (value,)
            numbered = each.occurs == "many"
            sections += [
                self.section(one, f"{at}[{number}]" if numbered else at, each)
                for number, one in enumerate(given, 1)
            ]
            if numbered or value is None:
                adds.append((at, WORDS[each.tag]))
        marker = _NEW if path in self._sent.fresh else "kept"
        said = any(each.occurs == "content" for each in rows(type(part)))  # by the input of its text
        return Section(
            path,
            row.tag,
            WORDS.get(row.tag, ""),
            marker,
            bool(path),
            () if said else self._faults.get(path, ()),
            self._asks.get(path, ()),
            tuple(entries),
            tuple(sections),
            tuple(adds),
        )

    def _entries(self, row: Row, value: Any, path: str) -> Iterator[Entry]:
        if row.occurs != "many":
            yield self._entry(row, value, path)
            return
        for number, each in enumerate((*value, None), 1):  # and an empty one
            yield self._entry(row, each, f"{path}[{number}]")

    def _entry(self, row: Row, value: Any, path: str) -> Entry:
        text = self._sent.texts.get(path, _text(value))
        now = self._stored.get(path, "") if self._stored is not None else text
        options = tuple(each.value for each in row.kind.of) if isinstance(row.kind, Choice) else ()
        return Entry(
            path,
            row.tag,
            WORDS[row.tag],
            "text" if "\n" in text else _input(row),
            text,
            options,
            row.kind.longest if isinstance(row.kind, Text) else None,
            row.occurs in ("one", "content"),
            (*self._faults.get(path, ()), *self._of_text(row, path)),
            self._asks.get(path, ()),
            now if now != text else None,
        )

    def _of_text(self, row: Row, path: str) -> tuple[str, ...]:
        """Faults of an element's own text have the element's path."""
        return self._faults.get(path.removesuffix(f".{row.tag}"), ()) if row.occurs == "content" else ()


def _shown(kind: type[Any]) -> list[Row]:
    """The fields of a part that people may edit."""
    return [row for row in rows(kind) if kind is not FileDetails or row.name not in NOT_EDITED]


def _join(path: str, row: Row) -> str:
    """As faults name fields, but for an element's own text, which needs a name beside the element's."""
    dot = f"{path}." if path else ""
    return f"{dot}@{row.tag}" if row.occurs == "attribute" else dot + row.tag


def _by_path(faults: Sequence[Fault]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for fault in faults:
        found[fault.where] = (*found.get(fault.where, ()), fault.what)
    return found


def only_stored(form: Section, stored: Report | FileDetails) -> list[tuple[str, str]]:
    """(path, text) of what is stored by now and has no input in a form."""
    there = set(_paths(form))
    return [(path, text) for path, text in _texts(stored, "") if text not in ("", "no") and path not in there]


def _paths(section: Section) -> Iterator[str]:
    yield from (each.path for each in section.entries)
    for inner in section.sections:
        yield from _paths(inner)


def _texts(part: Any, path: str) -> Iterator[tuple[str, str]]:
    """The text of every input of a document, by its path."""
    for row in _shown(type(part)):
        value, at = getattr(part, row.name), _join(path, row)
        for number, each in enumerate(value if row.occurs == "many" else (value,), 1):
            one = f"{at}[{number}]" if row.occurs == "many" else at
            if isinstance(row.kind, Part):
                if each is not None:
                    yield from _texts(each, one)
            else:
                yield one, _text(each)


def _input(row: Row) -> Input:
    kind = row.kind
    if row.occurs == "flag":
        return "flag"
    if isinstance(kind, Text):
        short = kind.longest is not None and kind.longest <= _LONG
        return "line" if short or row.tag.lower().endswith("url") else "text"
    if isinstance(kind, Choice):
        return "choice"
    if isinstance(kind, Number):
        return "number"
    assert not isinstance(kind, Part)
    return kind


def _text(value: Any) -> str:
    if value is None or value is False:
        return "" if value is None else "no"
    if value is True:
        return "yes"
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value
        return moment.replace(tzinfo=None).isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date) else str(value)


def _parsed(kind: Kind, text: str) -> Any:
    if isinstance(kind, Choice):
        return kind.of(text)
    if isinstance(kind, Number):
        return int(text) if kind.whole else _finite(text)
    if kind == "time":
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    if kind == "date":
        return date.fromisoformat(text)
    if kind == "bool":
        if text not in ("yes", "no"):
            raise ValueError
        return text == "yes"
    return text


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError
    return number


def _wanted(kind: Kind) -> str:
    """What an input takes, marked for translation."""
    if isinstance(kind, Choice):
        return N_("must be one of the list")
    if isinstance(kind, Number):
        return N_("must be a whole number") if kind.whole else N_("must be a number")
    return {
        "time": N_("must be a date and time"),
        "date": N_("must be a date"),
    }.get(str(kind), N_("must be yes or no"))
