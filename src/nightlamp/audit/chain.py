"""The chain itself, pure: how a record is hashed onto the one before, and how a chain is checked.

``hash(n) = SHA-256(hash(n−1) ‖ digest(n))``, with 32 zero bytes before the first record, where ``digest(n)``
is the SHA-256 of the canonical JSON of record n: so a part of the chain can be shown and checked without what
its other records say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from nightlamp.audit import canonical
from nightlamp.audit.checkpoint import Checkpoint, PublicKeys

ZERO = "0" * 64
_MOST_FINDINGS = 100

Fault = Literal[
    "edited",  # a record does not follow from the one before
    "missing",  # sequence numbers are left out
    "out of order",  # a sequence number that has been before
    "malformed",  # a record that cannot have been written by us
    "rewritten",  # the chain is sound in itself, but is not the one that was signed
    "cut",  # a checkpoint or the end line speaks of records that are not there
    "bad signature",  # a checkpoint's signature is wrong
    "unknown key",  # a checkpoint is signed by a key that is not believed
    "checkpoint missing",  # checkpoint numbers are left out
    "unsigned",  # a part of an extract that no checkpoint ends
]


@dataclass(frozen=True, slots=True)
class Link:
    """One stored record with its stored hash.

    Args:
        record: its JSON object; None if unreadable, or left out of an extract.
        digest: of a record that is left out of an extract.
    """

    sequence: int
    record: dict[str, Any] | None
    hash: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong.

    Args:
        fault: what.
        at: the record at which it shows.
        first, last: the change is among these records, both included. They differ where a forger may have
            computed hashes anew: a break shows where they stopped, and the good checkpoint before is certain.
        text: for people.
    """

    fault: Fault
    at: int
    first: int
    last: int
    text: str

    def __str__(self) -> str:
        among = f" (changed among {self.first} to {self.last})" if self.first != self.last else ""
        return f"record {self.at}: {self.fault}: {self.text}{among}"


@dataclass(slots=True)
class Report:
    """What a check found.

    Args:
        after: the sequence before the first record that was to be checked.
        last: the highest sequence that is there.
        hash: its stored hash.
        records: how many were read.
        signed: the last sequence that a good checkpoint covers; what comes after could have been rewritten.
        checkpoints: how many good ones were met.
        findings: the first hundred; ``count`` is how many there are.
        floor: the first record that nothing before vouches for: what follows the last good checkpoint, or
            the last record at which something was wrong.
    """

    after: int = 0
    last: int = 0
    hash: str = ZERO
    records: int = 0
    signed: int = 0
    checkpoints: int = 0
    count: int = 0
    findings: list[Finding] = field(default_factory=list)
    floor: int = 1

    @property
    def intact(self) -> bool:
        """Nothing is wrong."""
        return self.count == 0

    @property
    def first_bad(self) -> int | None:
        """The lowest sequence at which something shows."""
        return min((finding.at for finding in self.findings), default=None)

    def add(
        self, fault: Fault, at: int, text: str, *, first: int | None = None, last: int | None = None
    ) -> None:
        """Note a finding at one record, or with the records among which the change is."""
        self.count += 1
        if len(self.findings) < _MOST_FINDINGS:
            self.findings.append(
                Finding(fault, at, at if first is None else first, at if last is None else last, text)
            )


def link_hash(before: str, record: dict[str, Any]) -> str:
    """The hash of ``record`` after a record whose hash is ``before``; both 64 hexadecimal digits."""
    return text_hash(before, canonical.encode(record))


def text_hash(before: str, record: bytes) -> str:
    """As ``link_hash``, for a record that is written already, in canonical form."""
    return _joined(before, hashlib.sha256(record).digest())


def digest_of(record: dict[str, Any]) -> str:
    """What stands for ``record`` where it is left out, 64 hexadecimal digits."""
    return hashlib.sha256(canonical.encode(record)).hexdigest()


def _joined(before: str, digest: bytes) -> str:
    return hashlib.sha256(bytes.fromhex(before) + digest).hexdigest()


def verify(
    links: Iterable[Link],
    checkpoints: Iterable[Checkpoint],
    keys: PublicKeys,
    *,
    after: int = 0,
    before: str = ZERO,
) -> Report:
    """Check a chain against its own hashes and against signed checkpoints.

    Args:
        links: the records as they are stored, in stored order.
        checkpoints: all that are known, in any order.
        keys: whose signatures are believed.
        after: the chain starts after this sequence …
        before: … whose hash is this.
    """
    report = Report(after=after, last=after, hash=before, signed=after, floor=after + 1)
    believed = _believed(checkpoints, keys, report)
    for link in links:
        report.records += 1
        _check_link(link, report)
        for checkpoint in believed.pop(link.sequence, ()):
            if checkpoint.hash == link.hash:
                report.signed = max(report.signed, link.sequence)
                report.floor = report.signed + 1
                report.checkpoints += 1
            else:
                text = f"checkpoint {checkpoint.number} was signed for another chain"
                report.add("rewritten", link.sequence, text, first=min(report.floor, link.sequence))
    for sequence in sorted(believed):
        if sequence > report.last:
            number = believed[sequence][0].number
            text = f"checkpoint {number} covers {sequence} records, and {report.last} are there"
            report.add("cut", report.last + 1, text, first=min(report.floor, report.last + 1), last=sequence)
    return report


def _check_link(link: Link, report: Report) -> None:
    expected = report.last + 1
    if link.sequence < expected:
        report.add("out of order", link.sequence, "its number has been before")
        return
    if link.sequence > expected:
        report.add("missing", expected, "not there", last=link.sequence - 1)
        report.floor = link.sequence
    known = link.sequence == expected and _is_hash(report.hash)
    fault, text = _fault(link, report.hash if known else None)
    if fault:
        # Records before could have been edited together with their hashes, back to what is vouched for.
        first = min(report.floor, link.sequence) if fault == "edited" else link.sequence
        report.add(fault, link.sequence, text, first=first)
        report.floor = link.sequence
    report.last = link.sequence
    report.hash = link.hash


def _fault(link: Link, before: str | None) -> tuple[Fault | None, str]:
    if not _is_hash(link.hash):
        return "malformed", "its hash is not one"
    if link.record is None:
        if link.digest is None or not _is_hash(link.digest):
            return "malformed", "cannot be read as a record"
        if before is None or _joined(before, bytes.fromhex(link.digest)) == link.hash:
            return None, ""
        return "edited", "does not follow from the record before"
    if link.record.get("sequence") != link.sequence:
        return "malformed", "says another number of itself"
    if before is None:
        return None, ""
    try:
        if link_hash(before, link.record) == link.hash:
            return None, ""
    except ValueError as error:
        return "malformed", str(error)
    return "edited", "does not follow from the record before"


def _is_hash(text: str) -> bool:
    return len(text) == 64 and not set(text) - set("0123456789abcdef")


def _believed(
    checkpoints: Iterable[Checkpoint], keys: PublicKeys, report: Report
) -> dict[int, list[Checkpoint]]:
    """Those with a good signature, by sequence; the others become findings."""
    good: dict[int, list[Checkpoint]] = {}
    numbers: dict[int, int] = {}
    for checkpoint in checkpoints:
        fault = keys.fault(checkpoint)
        if fault == "unknown key":
            text = f"checkpoint {checkpoint.number} is signed by {checkpoint.key}"
            report.add("unknown key", checkpoint.sequence, text)
        elif fault:
            text = f"checkpoint {checkpoint.number} is forged or damaged"
            report.add("bad signature", checkpoint.sequence, text)
        elif checkpoint.sequence > report.after:
            good.setdefault(checkpoint.sequence, []).append(checkpoint)
            numbers[checkpoint.number] = checkpoint.sequence
    for number in sorted(numbers):
        if number - 1 not in numbers and number > min(numbers):
            earlier = max(n for n in numbers if n < number)
            text = f"checkpoints {earlier + 1} to {number - 1} are not there"
            first = numbers[earlier] + 1
            report.add("checkpoint missing", first, text, first=first, last=numbers[number])
    return good
