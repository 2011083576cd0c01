"""What the operator sets about cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from nightlamp.settings.console import ConsoleSettings
from nightlamp.values import Priority

LEASE = timedelta(minutes=15)
UNDO = timedelta(seconds=60)
UNHURRIED = timedelta(days=7)  # where a case without a deadline stands in its queue


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one person is to be shown in a shift; 0: no limit.

    Args:
        soft_reveals, soft_seconds, soft_severity: above, they are told, and get what can be decided without a
            look first.
        hard_reveals, hard_seconds, hard_severity: above, nothing more is shown.
        shift: how far back it is counted.
    """

    soft_reveals: int = 0
    hard_reveals: int = 0
    soft_seconds: float = 0
    hard_seconds: float = 0
    soft_severity: int = 0
    hard_severity: int = 0
    shift: timedelta = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Terms:
    """The settings of cases.

    Args:
        lease: of a claim.
        undo: time to take an answer back; a decision has no effect before.
        radius: bits of PDQ within which pictures are one case.
        burst: the longest pause between items of one burst; zero: bursts are not grouped.
        due: hours to decide, by ``priority`` or ``jurisdiction/priority``.
        own_bank, cleared_bank: names of the operator's own banks; ``""``: none.
        limits: of exposure.
    """

    lease: timedelta = LEASE
    undo: timedelta = UNDO
    radius: int = 8
    burst: timedelta = timedelta(minutes=10)
    due: Mapping[str, float] = field(default_factory=dict)
    own_bank: str = "own"
    cleared_bank: str = "cleared"
    limits: Limits = Limits()

    @classmethod
    def of(cls, console: ConsoleSettings) -> Self:
        """From the settings' section."""
        return cls(
            timedelta(minutes=console.claim_minutes),
            timedelta(seconds=console.undo_seconds),
            console.group_radius,
            timedelta(minutes=console.burst_minutes),
            {name.lower(): hours for name, hours in console.due_hours.items()},
            console.own_bank,
            console.cleared_bank,
            Limits(
                console.soft_reveals,
                console.hard_reveals,
                console.soft_minutes * 60.0,
                console.hard_minutes * 60.0,
                console.soft_severity,
                console.hard_severity,
                timedelta(hours=console.shift_hours),
            ),
        )

    def due_at(self, at: datetime, priority: Priority, jurisdiction: str) -> datetime | None:
        """When a case that comes ``at`` is to be decided; None: it may take its time."""
        hours = self.due.get(f"{jurisdiction.lower()}/{priority}", self.due.get(priority))
        return at + timedelta(hours=hours) if hours is not None else None
