"""The log as a file that anybody can check offline: JSON lines, each in canonical form.

A header with the public keys, then every record with its hash, each checkpoint after the last record that it
covers, and an end line, so that a file that was cut off is known as such.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, select

from nightlamp.audit import canonical
from nightlamp.audit.chain import ZERO, Link, Report, verify
from nightlamp.audit.checkpoint import Checkpoint, PublicKeys
from nightlamp.audit.extract import FORMAT as EXTRACT
from nightlamp.audit.extract import verify_extract
from nightlamp.audit.log import checkpoints, links
from nightlamp.audit.tables import audit_record
from nightlamp.errors import AuditError

FORMAT, VERSION = "nightlamp-audit", 1


def export(connection: Connection, keys: PublicKeys, *, after: int = 0) -> Iterator[bytes]:
    """The lines of an export, each with its newline.

    Args:
        connection: best of ``reading(engine)``, so that all is of one moment.
        keys: what the header offers to check the signatures with.
        after: leave out the records up to this sequence.

    Raises:
        AuditError: there is no record ``after``.
    """
    before = ZERO
    if after:
        found = connection.scalar(select(audit_record.c.hash).where(audit_record.c.sequence == after))
        if found is None:
            raise AuditError("there is no such record", where=f"record {after}")
        before = found
    waiting = [c for c in checkpoints(connection) if c.sequence > after]
    number = len(waiting)
    header = {
        "after": {"hash": before, "sequence": after},
        "format": FORMAT,
        "keys": keys.as_object(),
        "v": VERSION,
    }
    yield canonical.line_of(header)
    last, digest = after, before
    for link in links(connection, after):
        # A record that cannot be read is exported as null: the reader's check will name it.
        yield canonical.line_of({"hash": link.hash, "record": link.record, "sequence": link.sequence})
        last, digest = link.sequence, link.hash
        while waiting and waiting[0].sequence <= last:
            yield canonical.line_of(waiting.pop(0).as_object())
    for checkpoint in waiting:
        yield canonical.line_of(checkpoint.as_object())
    yield canonical.line_of({"end": {"checkpoints": number, "hash": digest, "sequence": last}})


def verify_export(
    path: Path, keys: PublicKeys | None = None, witnesses: tuple[Checkpoint, ...] = ()
) -> tuple[Report, PublicKeys]:
    """Check an export, or an extract, by itself; also gives the keys that were believed.

    Args:
        path: the file.
        keys: whose checkpoints are believed; by default those that the file offers, which proves only that
            the holder of *some* key signed it: compare the key's id with one from elsewhere.
        witnesses: checkpoints that were kept elsewhere.

    Raises:
        AuditError: it is not an export, or of another version.
    """
    try:
        with path.open("rb") as file:
            if canonical.object_of(file.readline()).get("format") == EXTRACT:
                return verify_extract(file, path, keys, witnesses)
            file.seek(0)
            header = _header(file, path)
            believed = keys or PublicKeys.from_object(header["keys"])
            start = file.tell()
            found = [*_checkpoints(file), *witnesses]
            file.seek(start)
            end: dict[str, Any] = {}
            report = verify(
                _links(file, end),
                dict.fromkeys(found),
                believed,
                after=header["after"]["sequence"],
                before=header["after"]["hash"],
            )
    except OSError as error:
        raise AuditError(f"cannot be read ({error.strerror})", where=str(path)) from None
    _check_end(report, end, len(found) - len(witnesses))
    return report, believed


def read_witness(path: Path) -> tuple[Checkpoint, ...]:
    """The checkpoints in an export, or in lines that were kept of one."""
    try:
        with path.open("rb") as file:
            return tuple(_checkpoints(file))
    except OSError as error:
        raise AuditError(f"cannot be read ({error.strerror})", where=str(path)) from None


def _check_end(report: Report, end: dict[str, Any], checkpoints_found: int) -> None:
    said = end.get("end")
    if not isinstance(said, dict):
        report.add("cut", report.last + 1, "the file has no end line")
    elif said != {"checkpoints": checkpoints_found, "hash": report.hash, "sequence": report.last}:
        sequence = said.get("sequence")
        last = sequence if isinstance(sequence, int) and sequence > report.last else report.last + 1
        text = "the end line speaks of other records or checkpoints"
        report.add("cut", report.last + 1, text, first=min(report.floor, report.last + 1), last=last)


def _header(file: IO[bytes], path: Path) -> dict[str, Any]:
    header = canonical.object_of(file.readline())
    if header.get("format") != FORMAT:
        raise AuditError("not an audit export", where=str(path), hint="a file of nightlamp audit export")
    if header.get("v") != VERSION:
        raise AuditError("of another version", where=str(path), hint="a newer Nightlamp")
    after, keys = header.get("after"), header.get("keys")
    try:
        PublicKeys.from_object(keys if isinstance(keys, dict) else {"": "-"})
        sound = (
            isinstance(after, dict)
            and type(after["sequence"]) is int
            and len(bytes.fromhex(after["hash"])) == 32
        )
    except (ValueError, TypeError, KeyError):
        sound = False
    if not sound:
        raise AuditError("its first line is damaged", where=str(path))
    return header


def _links(file: IO[bytes], end: dict[str, Any]) -> Iterator[Link]:
    """Every line that is or should be a record; what is none becomes an unreadable record."""
    expected = 0
    for line in file:
        value = canonical.object_of(line)
        if "end" in value:
            end.update(value)
        elif "checkpoint" not in value:
            sequence, record, digest = value.get("sequence"), value.get("record"), value.get("hash")
            whole = type(sequence) is int and isinstance(digest, str)
            expected = sequence if type(sequence) is int else expected + 1
            sound = whole and isinstance(record, dict) and not end
            yield Link(expected, record if sound else None, digest if isinstance(digest, str) else "")


def _checkpoints(file: IO[bytes]) -> Iterator[Checkpoint]:
    for line in file:
        value = canonical.object_of(line)
        if "checkpoint" in value:
            try:
                yield Checkpoint.from_object(value)
            except ValueError:
                yield Checkpoint(0, 0, ZERO, "", "damaged")  # no key has this id: it becomes a finding
