"""What a person says of a case, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from nightlamp.errors import CaseError
from nightlamp.values import Outcome, Priority

Finding = Literal["csam", "not_csam", "escalate", "unsure"]
Classification = Literal["A1", "A2", "B1", "B2"]
AiMade = Literal["yes", "no", "unknown"]
Opinion = Literal["first", "second", "lead"]
State = Literal["open", "second", "escalated", "decided"]

PRIORITIES: tuple[Priority, ...] = ("urgent", "high", "normal", "low")
ORIGINS: tuple[Outcome, ...] = (
    "unknown",
    "inconsistent",
    "camera-signed",
    "edited",
    "declared AI-edited",
    "declared AI-made",
)
"""Outcomes, that which says least first: of a case's items it counts, one may be what it seems."""
FULL = 3
"""The highest level of a reveal: the pixels as they are."""
LONGEST_NOTE = 4_000

# What may be given as the reason; with csam and unsure none need be.
REASONS: Mapping[Finding, tuple[str, ...]] = {
    "csam": ("", "known", "seen"),
    "not_csam": (
        "adult",  # everybody in it is an adult
        "no_person",  # nobody is in it
        "innocent",  # a child, and nothing sexual
        "medical",  # medicine, teaching, news
        "wrong_match",  # it is not what the list's entry shows
        "lawful_drawing",  # drawn or made, and lawful where it was posted
        "other",
    ),
    "escalate": (
        "imminent_harm",  # a child may be in danger now
        "new_victim",  # perhaps a victim that nobody knows of
        "law",  # a question of law
        "staff",  # it concerns somebody at work here
        "other",
    ),
    "unsure": ("", "age", "content", "cannot_open", "other"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What one person says.

    Args:
        finding: ``unsure`` asks for a second opinion, ``escalate`` for the lead.
        classification: the industry's, of csam alone: A prepubescent, B pubescent; 1 sex act, 2 lascivious
            exhibition. None: not classified.
        ai_made: whether it was made by a trained model; its own dimension.
        drawn: drawn, animated or rendered; its own dimension.
        reason: one of ``REASONS[finding]``.
        note: for colleagues; stored, never logged.
    """

    finding: Finding
    classification: Classification | None = None
    ai_made: AiMade = "unknown"
    drawn: bool = False
    reason: str = ""
    note: str = field(default="", repr=False)

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            CaseError: naming the field.
        """
        faults = (
            ("finding", self.finding not in REASONS),
            ("reason", self.reason not in REASONS.get(self.finding, ("",))),
            ("ai_made", self.ai_made not in get_args(AiMade)),
            (
                "classification",
                self.classification is not None
                and (self.finding != "csam" or self.classification not in get_args(Classification)),
            ),
            ("note", len(self.note) > LONGEST_NOTE),
        )
        for where, wrong in faults:
            if wrong:
                raise CaseError("invalid", "not an answer that can be given", where=where)

    def agrees(self, other: Answer) -> bool:
        """Whether two people said the same, in all that follows from it; reasons and notes may differ."""
        mine = (self.finding, self.classification, self.ai_made, self.drawn)
        return mine == (other.finding, other.classification, other.ai_made, other.drawn)


@dataclass(frozen=True, slots=True)
class Case:
    """A case as it stands.

    Args:
        known: an entry of a list of high trust matches it.
        listed: an entry of any list matches each of its items.
        origin: how they say that they were made: of their outcomes the one that says least.
        round: 1; more if it was opened again.
        rule: of the policy, that opened it.
        order_at: what the queue goes by within a priority: its deadline, or a week after it was opened.
        grown_at: when its last item came.
        items, actors, places: how many; ``contents``: how many different ones there are at most.
        version: what a page was made of; an answer names it.
        changed: what the last change was.
        claimed_by, claim_until: who has it, and until when; a claim that ended counts no more.
        decision: id of the final one.
        earlier: a decided case of the very same content.
    """

    id: str
    queue: str
    priority: Priority
    two_person: bool
    known: bool
    listed: bool
    origin: Outcome
    state: State
    round: int
    rule: str
    opened_at: datetime
    due_at: datetime | None
    order_at: datetime
    grown_at: datetime
    items: int
    contents: int
    actors: int
    places: int
    version: int
    changed: str
    claimed_by: str | None
    claimed_at: datetime | None
    claim_until: datetime | None
    decided_at: datetime | None
    decision: str | None
    earlier: str | None

    def holder(self, now: datetime) -> str | None:
        """Who has it now; a claim that has ended is nobody's."""
        return self.claimed_by if self.claim_until is not None and self.claim_until > now else None


@dataclass(frozen=True, slots=True)
class Given:
    """An answer that was given.

    Args:
        id: the decision's.
        final: it decided the case.
        undone_at: taken back.
        effective_at: from then on it is applied, if it is final.
        applied_at: banks, feedback and reports know it.
    """

    id: str
    case: str
    round: int
    by: str
    at: datetime
    answer: Answer
    opinion: Opinion
    final: bool
    undone_at: datetime | None
    effective_at: datetime
    applied_at: datetime | None


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of an answer.

    Args:
        case: as it stands now.
        given: the answer as it is stored; ``given.effective_at`` is the end of the time to undo it.
    """

    case: Case
    given: Given

    @property
    def final(self) -> bool:
        """The case is decided."""
        return self.given.final


@dataclass(frozen=True, slots=True)
class FinalDecision:
    """A decision that is in force, for those who act on it.

    Args:
        decision: its id: act once for each.
        by: who agreed on it, the first one first.
        items: all of the case's.
    """

    case: str
    decision: str
    finding: Finding
    classification: Classification | None
    ai_made: AiMade
    drawn: bool
    reason: str
    by: tuple[str, ...]
    at: datetime
    items: tuple[str, ...]
