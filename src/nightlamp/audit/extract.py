"""A part of the log that anybody can check offline, without what the rest of it says.

It holds the records on some subjects. Each is followed, up to the next signed checkpoint, by the digests of
the records between, which say nothing and join the chain; stretches without any such record are left out. So
every record that is shown is proven to have stood at its place in the chain when the checkpoint was signed.
That none on these subjects was left out is what the log's keeper says.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, select

from nightlamp.audit import canonical
from nightlamp.audit.chain import ZERO, Link, Report, digest_of, verify
from nightlamp.audit.checkpoint import Checkpoint, PublicKeys
from nightlamp.audit.log import checkpoints, links
from nightlamp.audit.tables import audit_record
from nightlamp.errors import AuditError

FORMAT, VERSION = "nightlamp-audit-extract", 1
_AT_ONCE = 500


def extract(connection: Connection, keys: PublicKeys, subjects: Sequence[str]) -> Iterator[bytes]:
    """The lines of an extract, each with its newline.

    Args:
        connection: best of ``reading(engine)``, so that all is of one moment.
        keys: what the header offers to check the signatures with.
        subjects: whose records are shown, e.g. ``"item:…"``.

    Raises:
        AuditError: no checkpoint covers the last of them, or one cannot be read.
    """
    shown = sequences_of(connection, subjects)
    signed = sorted(checkpoints(connection), key=lambda each: each.sequence)
    ends = [each.sequence for each in signed]
    if shown and (not ends or ends[-1] < shown[-1]):
        raise AuditError(
            "no checkpoint covers the newest records", where="audit", hint="nightlamp audit checkpoint"
        )
    yield canonical.line_of(
        {"format": FORMAT, "keys": keys.as_object(), "subjects": len(subjects), "v": VERSION}
    )
    parts, last = 0, 0
    for checkpoint, wanted in _parts(shown, signed, ends):
        parts, last = parts + 1, checkpoint.sequence
        yield canonical.line_of(
            {"after": {"hash": _hash_at(connection, wanted[0] - 1), "sequence": wanted[0] - 1}}
        )
        told = set(wanted)
        for link in links(connection, wanted[0] - 1, last):
            if link.record is None:
                raise AuditError("a record cannot be read", where=f"record {link.sequence}", hint="verify")
            if link.sequence in told:
                yield canonical.line_of({"hash": link.hash, "record": link.record, "sequence": link.sequence})
            else:
                yield canonical.line_of(
                    {"digest": digest_of(link.record), "hash": link.hash, "sequence": link.sequence}
                )
        yield canonical.line_of(checkpoint.as_object())
    yield canonical.line_of({"end": {"parts": parts, "records": len(shown), "sequence": last}})


def sequences_of(connection: Connection, subjects: Sequence[str]) -> list[int]:
    """The numbers of all records on some subjects, in order."""
    found: set[int] = set()
    names = list(dict.fromkeys(subjects))
    for at in range(0, len(names), _AT_ONCE):
        mine = audit_record.c.subject.in_(names[at : at + _AT_ONCE])
        found.update(connection.scalars(select(audit_record.c.sequence).where(mine)))
    return sorted(found)


def verify_extract(
    file: IO[bytes], path: Path, keys: PublicKeys | None, witnesses: Sequence[Checkpoint]
) -> tuple[Report, PublicKeys]:
    """Check an extract from behind its header; see ``export.verify_export``.

    Raises:
        AuditError: its first line is damaged, or of another version.
    """
    file.seek(0)
    header = canonical.object_of(file.readline())
    offered = header.get("keys")
    if header.get("v") != VERSION:
        raise AuditError("of another version", where=str(path), hint="a newer Nightlamp")
    try:
        believed = keys or PublicKeys.from_object(offered if isinstance(offered, dict) else {"": "-"})
    except (ValueError, TypeError):
        raise AuditError("its first line is damaged", where=str(path)) from None
    whole, shown, parts, end = Report(), 0, 0, None
    part: _Part | None = None
    for line in file:
        value = canonical.object_of(line)
        if "after" in value or "end" in value:
            if part is not None:
                part.close(whole, believed, witnesses)
                shown += part.shown
            part = None
            if "end" in value:
                end = value["end"]
                continue
            parts += 1
            part = _Part.of(value["after"])
            if part is None or part.after < whole.last:
                whole.add("malformed", whole.last + 1, "a part does not say where it starts")
                part = None
        elif part is not None:
            part.take(value)
        else:
            whole.add("malformed", whole.last + 1, "a line that belongs to no part")
    if part is not None:
        part.close(whole, believed, witnesses)
        shown += part.shown
    if end != {"parts": parts, "records": shown, "sequence": whole.last}:
        whole.add("cut", whole.last + 1, "the end line is not there, or speaks of other records")
    return whole, believed


class _Part:
    """One stretch of the chain: from the record before the first that is shown, to a checkpoint."""

    def __init__(self, after: int, before: str) -> None:
        self.after, self.before = after, before
        self.shown = 0
        self._links: list[Link] = []
        self._signed: list[Checkpoint] = []

    @classmethod
    def of(cls, value: Any) -> _Part | None:
        try:
            sound = type(value["sequence"]) is int and len(bytes.fromhex(value["hash"])) == 32
        except (KeyError, TypeError, ValueError):
            return None
        return cls(value["sequence"], value["hash"]) if sound and value["sequence"] >= 0 else None

    def take(self, value: dict[str, Any]) -> None:
        """A line of it."""
        if "checkpoint" in value:
            try:
                self._signed.append(Checkpoint.from_object(value))
            except ValueError:
                self._signed.append(Checkpoint(0, 0, ZERO, "", "damaged"))  # no key has this id
            return
        sequence, record, digest = value.get("sequence"), value.get("record"), value.get("digest")
        at = sequence if type(sequence) is int else self.after + len(self._links) + 1
        hash_ = value.get("hash")
        self.shown += isinstance(record, dict)
        self._links.append(
            Link(
                at,
                record if isinstance(record, dict) else None,
                hash_ if isinstance(hash_, str) else "",
                digest if isinstance(digest, str) and record is None else None,
            )
        )

    def close(self, whole: Report, keys: PublicKeys, witnesses: Sequence[Checkpoint]) -> None:
        """Check it, and add what was found."""
        last = self._links[-1].sequence if self._links else self.after
        elsewhere = [each for each in witnesses if self.after < each.sequence <= last]
        signed = dict.fromkeys([*self._signed, *elsewhere])
        numbers = sorted(signed, key=lambda each: each.number)
        found = verify(self._links, numbers, keys, after=self.after, before=self.before)
        whole.records += found.records
        whole.checkpoints += found.checkpoints
        for finding in found.findings:
            # A witness between two checkpoints leaves numbers out: an extract need not have them all.
            if finding.fault != "checkpoint missing":
                whole.add(finding.fault, finding.at, finding.text, first=finding.first, last=finding.last)
        if found.signed < found.last or not self._links:
            whole.add("unsigned", found.last, "no good checkpoint ends this part", first=self.after + 1)
        whole.last, whole.hash, whole.signed = found.last, found.hash, max(whole.signed, found.signed)


def _parts(
    shown: Sequence[int], signed: Sequence[Checkpoint], ends: Sequence[int]
) -> Iterator[tuple[Checkpoint, list[int]]]:
    """The records that are shown, by the checkpoint that covers them first."""
    mine: list[int] = []
    for at, sequence in enumerate(shown):
        mine.append(sequence)
        place = bisect_left(ends, sequence)
        if at + 1 == len(shown) or bisect_left(ends, shown[at + 1]) != place:
            yield signed[place], mine
            mine = []


def _hash_at(connection: Connection, sequence: int) -> str:
    if sequence == 0:
        return ZERO
    found = connection.scalar(select(audit_record.c.hash).where(audit_record.c.sequence == sequence))
    if found is None:
        raise AuditError("a record is missing", where=f"record {sequence}", hint="nightlamp audit verify")
    return str(found)
