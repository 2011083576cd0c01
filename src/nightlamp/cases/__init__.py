"""Cases: what a person reviews, and what they decide.

Near-identical items are one case, so that a person decides once. Promises: nobody's work is lost and nothing
is decided twice, whoever races; every step is in the audit log, in the transaction that it records.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from nightlamp.cases.decision import (
    FULL,
    PRIORITIES,
    REASONS,
    Answer,
    Case,
    Classification,
    Decided,
    FinalDecision,
    Finding,
    Given,
)

LEASE = timedelta(minutes=15)
UNDO = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a person was shown since a time: reveals at any level above 0."""

    reveals: int
    seconds: float
    severe: int
    severity: int


@dataclass(frozen=True, slots=True)
class Viewed:
    """For reports. ``whole``: somebody saw every frame at the full level; ``exif``: somebody saw its metadata."""

    whole: bool
    exif: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """Soft and hard limits of exposure in a shift; 0: none."""

    soft_reveals: int = 0
    hard_reveals: int = 0
    soft_seconds: float = 0
    hard_seconds: float = 0
    shift: timedelta = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether more may be shown. ``soft``: say so and let them go on; ``hard``: no."""

    exposure: Exposure
    soft: bool
    hard: bool


def page_cases(
    connection: Connection,
    *,
    now: datetime,
    queue: str | None = None,
    state: str | None = None,  # one of State, or "waiting": all but decided
    priority: str | None = None,
    claimed_by: str | None = None,
    finding: str | None = None,
    actor: str | None = None,
    overdue: bool = False,
    before: str | None = None,  # id of the last case of the page before
    limit: int = 50,
) -> list[Case]:
    raise NotImplementedError


def get_case(connection: Connection, case_id: str) -> Case:
    raise NotImplementedError


def next_case(
    connection: Connection,
    person: str,
    *,
    now: datetime,
    queues: Sequence[str] | None = None,  # None: all
    lead: bool = False,  # escalated cases too, and first
    gentle: bool = False,  # known material first within a priority: over the soft limit
    lease: timedelta = LEASE,
) -> Case | None:
    """Claim the next one for ``person``, or what they hold already."""
    raise NotImplementedError


def claim(
    connection: Connection,
    case_id: str,
    *,
    by: str,
    now: datetime,
    lead: bool = False,
    lease: timedelta = LEASE,
) -> Case:
    raise NotImplementedError


def renew(connection: Connection, case_id: str, *, by: str, now: datetime, lease: timedelta = LEASE) -> Case:
    raise NotImplementedError


def release(connection: Connection, case_id: str, *, by: str, now: datetime) -> Case:
    raise NotImplementedError


def decide(
    connection: Connection,
    case_id: str,
    answer: Answer,
    *,
    by: str,
    version: int,
    now: datetime,
    lead: bool = False,
    undo: timedelta = UNDO,
) -> Decided:
    """Takes the claim: whoever decides must hold it (``not yours`` if somebody else does)."""
    raise NotImplementedError


def undo(connection: Connection, decision_id: str, *, by: str, now: datetime) -> Case:
    """Take back one's own answer until ``given.effective_at``; the case is open again and claimed by them."""
    raise NotImplementedError


def answers(connection: Connection, case_id: str, *, viewer: str) -> list[Given]:
    """What was answered, oldest first; without the first's while ``viewer`` may be the second."""
    raise NotImplementedError


def split(
    connection: Connection, case_id: str, items: Sequence[str], *, by: str, version: int, now: datetime
) -> Case:
    """What does not belong to the others becomes a case of its own."""
    raise NotImplementedError


def record_reveal(
    connection: Connection,
    case_id: str,
    item: str,
    *,
    by: str,
    level: int,  # 0 … FULL
    frame: int | None,  # None: every frame
    started_at: datetime,
    seconds: float,
    exif: bool = False,
) -> str:
    """Store what was shown, and give its id; call it when it is shown, ``end_reveal`` when it is hidden."""
    raise NotImplementedError


def end_reveal(connection: Connection, reveal_id: str, *, by: str, seconds: float) -> None:
    raise NotImplementedError


def exposure(connection: Connection, person: str, since: datetime) -> Exposure:
    raise NotImplementedError


def may_reveal(connection: Connection, person: str, *, now: datetime, limits: Limits) -> Allowance:
    raise NotImplementedError


def take_rest(connection: Connection, person: str, *, now: datetime, length: timedelta) -> datetime:
    """No cases until then (``next_case`` and ``claim`` say ``resting``); one key of the console."""
    raise NotImplementedError


def end_rest(connection: Connection, person: str, *, now: datetime) -> None:
    raise NotImplementedError


def resting_until(connection: Connection, person: str, *, now: datetime) -> datetime | None:
    raise NotImplementedError


def viewed(connection: Connection, item: str) -> Viewed:
    raise NotImplementedError


__all__ = [
    "FULL",
    "PRIORITIES",
    "REASONS",
    "Allowance",
    "Answer",
    "Case",
    "Classification",
    "Decided",
    "Exposure",
    "FinalDecision",
    "Finding",
    "Given",
    "Limits",
    "Viewed",
    "answers",
    "claim",
    "decide",
    "end_rest",
    "end_reveal",
    "exposure",
    "get_case",
    "may_reveal",
    "next_case",
    "page_cases",
    "record_reveal",
    "release",
    "renew",
    "resting_until",
    "split",
    "take_rest",
    "undo",
    "viewed",
]
