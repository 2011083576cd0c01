"""How a run of a feed ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from nightlamp.feeds.entries import Change

Ended = Literal["done", "held", "stopped", "lost"]


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run ended.

    Args:
        ended: done, held by the safety stop, stopped because somebody asked or paused it, or lost to another
            node whose lease it is now.
        pages, change: of this process's share of the run.
        why: of ``held``.
    """

    ended: Ended
    pages: int = 0
    change: Change = field(default_factory=Change)
    why: str = ""


class EndedError(Exception):
    """The run ends here, for a reason that is no fault."""

    def __init__(self, how: Ended, why: str = "") -> None:
        super().__init__(how)
        self.how = how
        self.why = why


class HoldError(Exception):
    """The safety stop: the transaction must be undone."""

    def __init__(self, why: str, lost: int) -> None:
        super().__init__(why)
        self.why = why
        self.lost = lost
