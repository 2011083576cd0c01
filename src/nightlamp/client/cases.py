"""Calls about cases, and their answers. What a case's items show is seen in the console alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from nightlamp.client.call import Call, Paged
from nightlamp.client.making import called, listed, one, quoted
from nightlamp.values import Priority

State = Literal["open", "second", "escalated", "decided"]
Finding = Literal["csam", "not_csam", "escalate", "unsure"]


@dataclass(frozen=True, slots=True)
class Case:
    """A case.

    Args:
        queue: empty: the common one.
        round: more than 1: it was opened again.
        items, actors, places: how many.
        version: what an answer must name.
        changed: what the last change was.
        decision: the final one.
    """

    id: str
    queue: str
    priority: Priority
    two_person: bool
    known: bool
    state: State
    round: int
    rule: str
    opened_at: datetime
    due_at: datetime | None
    items: int
    actors: int
    places: int
    version: int
    changed: str
    claimed_by: str | None
    claim_until: datetime | None
    decided_at: datetime | None
    decision: str | None


@dataclass(frozen=True, slots=True)
class Dossier:
    """What a reviewer reads of a case, besides the content; the mappings are as ``/v1/openapi.json`` says."""

    case: Case
    hits: tuple[Mapping[str, Any], ...] = field(repr=False)
    reasons: tuple[str, ...]
    items: tuple[Mapping[str, Any], ...] = field(repr=False)
    unchecked: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """An answer to a case; ``id`` is what ``undo`` takes back."""

    id: str
    by: str
    at: datetime
    finding: Finding
    classification: str | None
    reason: str
    final: bool
    effective_at: datetime


@dataclass(frozen=True, slots=True)
class Decided:
    """The case after an answer, and the answer."""

    case: Case
    answer: GivenAnswer


def cases(
    *,
    state: State | None = None,
    queue: str | None = None,
    priority: Priority | None = None,
    finding: Finding | None = None,
    limit: int = 200,
) -> Paged[Case]:
    """Cases that wait, in their order; decided ones with the last first."""
    narrowed = {"state": state, "queue": queue, "priority": priority, "finding": finding}
    return listed("/v1/cases", "cases", Case, **narrowed, limit=limit)


def case(case_id: str) -> Call[Dossier]:
    """What is known of a case."""
    return called("GET", _path(case_id), one(Dossier))


def claim_case(case_id: str) -> Call[Case]:
    """Take a case, or keep it for longer; ``conflict`` if somebody else has it."""
    return called("POST", f"{_path(case_id)}/claim", one(Case))


def decide_case(
    case_id: str,
    finding: Finding,
    *,
    version: int,
    classification: Literal["A1", "A2", "B1", "B2"] | None = None,
    ai_made: Literal["yes", "no", "unknown"] = "unknown",
    drawn: bool = False,
    reason: str = "",
    note: str = "",
) -> Call[Decided]:
    """Answer a case as it was read; ``conflict`` if it has changed since."""
    told = {
        "version": version,
        "finding": finding,
        "classification": classification,
        "ai_made": ai_made,
        "drawn": drawn,
        "reason": reason,
        "note": note,
    }
    return called("POST", f"{_path(case_id)}/decide", one(Decided), told)


def undo_answer(case_id: str, answer_id: str) -> Call[Case]:
    """Take back one's own answer within its time."""
    return called("POST", f"{_path(case_id)}/undo", one(Case), {"decision": answer_id})


def _path(case_id: str) -> str:
    return f"/v1/cases/{quoted(case_id)}"
