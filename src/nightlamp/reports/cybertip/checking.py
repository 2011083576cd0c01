"""What is wrong with a report, field by field, in plain words.

Every problem names the field by its path in the schema (``incidentSummary.incidentDateTime``) and never
quotes what was written there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nightlamp.reports.cybertip.choices import Relevance
from nightlamp.reports.cybertip.model import (
    BatchedReport,
    FileDetails,
    FileHash,
    InternetDetails,
    Report,
)
from nightlamp.reports.cybertip.table import Part, Row, kind_says, rows


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Args:
        where: the field, e.g. ``"victim[1].victimPerson.age"``.
        what: what is wrong with it.
        missing: it only has to be filled in.
    """

    where: str
    what: str
    missing: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def check(document: Report | FileDetails, *, uploaded: bool = True) -> tuple[Fault, ...]:
    """All that is wrong, in the schema's order.

    Args:
        document: may be half-filled.
        uploaded: of a file: it has its ids already; without it, they are not asked for.
    """
    later = () if uploaded else ("reportId", "fileId")
    return tuple(fault for fault in _of(document, "") if fault.where not in later)


def _of(value: Any, path: str) -> Iterator[Fault]:
    for row in rows(type(value)):
        yield from _field(row, getattr(value, row.name), _join(path, row))
    rule = _RULES.get(type(value))
    if rule is not None:
        yield from rule(value, path)


def _field(row: Row, value: Any, path: str) -> Iterator[Fault]:
    if row.occurs == "many":
        if not isinstance(value, tuple):
            yield Fault(path, "must be a list")
            return
        if len(value) < row.least:
            yield Fault(path, f"give at least {row.least}", missing=True)
        for at, each in enumerate(value, 1):
            yield from _single(row, each, f"{path}[{at}]")
    elif value is None:
        if row.occurs in ("one", "content"):
            yield Fault(path, "must be given", missing=True)
    else:
        yield from _single(row, value, path)


def _single(row: Row, value: Any, path: str) -> Iterator[Fault]:
    said = kind_says(row.kind, value)
    if said:
        yield Fault(path, said)
    elif isinstance(row.kind, Part):
        yield from _of(value, path)


def _join(path: str, row: Row) -> str:
    if row.occurs == "content":
        return path
    dot = f"{path}." if path else ""
    return f"{dot}@{row.tag}" if row.occurs == "attribute" else dot + row.tag


def _exactly_one(details: InternetDetails, path: str) -> Iterator[Fault]:
    given = [row.tag for row in rows(InternetDetails) if getattr(details, row.name) is not None]
    if not given:
        yield Fault(path, "must say where it happened: give one kind of incident", missing=True)
    elif len(given) > 1:
        yield Fault(path, f"has {len(given)} kinds of incident ({', '.join(given)}); give each its own entry")


def _reason(batched: BatchedReport, path: str) -> Iterator[Fault]:
    if batched.reason is None:
        yield Fault(f"{path}.@reason", "must be given", missing=True)


def _hash_type(given: FileHash, path: str) -> Iterator[Fault]:
    if given.hash_type is None:
        yield Fault(f"{path}.@hashType", "must be given, e.g. MD5", missing=True)


def _supplemental(details: FileDetails, _: str) -> Iterator[Fault]:
    if details.file_relevance is not Relevance.SUPPLEMENTAL:
        return
    text = "may not be said of a supplemental file"
    if details.potential_meme is not None:
        yield Fault("potentialMeme", text)
    if details.file_annotations is not None and details.file_annotations.potential_meme:
        yield Fault("fileAnnotations.potentialMeme", text)
    if details.industry_classification is not None:
        yield Fault("industryClassification", text)


_RULES: Mapping[type[Any], Callable[[Any, str], Iterator[Fault]]] = {
    InternetDetails: _exactly_one,
    BatchedReport: _reason,
    FileHash: _hash_type,
    FileDetails: _supplemental,
}
