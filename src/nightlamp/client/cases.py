"""Calls about cases, and their answers. What a case's items show is seen in the console alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from nightlamp.client.call import Call, Paged
from nightlamp.client.making import called, listed, one, quoted, some
from nightlamp.client.reading import read
from nightlamp.values import Priority

if TYPE_CHECKING:
    import httpx

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
    listed: bool
    origin: str
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
    opinion: str = ""
    note: str = field(default="", repr=False)
    undone_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CaseItem:
    """An item of a case; ``how`` it came to be in it, ``object`` in the vault."""

    id: str
    how: str
    distance: int | None
    actor: str
    place: str
    platform_id: str
    media_type: str
    size: int
    width: int
    height: int
    frames: int
    received_at: datetime
    object: str | None
    action: str | None


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
    unlisted: bool | None = None,
    limit: int = 200,
) -> Paged[Case]:
    """Cases that wait, in their order; decided ones with the last first.

    Args:
        unlisted: those with an item on no list, and one of which nothing says how it was made.
    """
    narrowed = {
        "state": state,
        "queue": queue,
        "priority": priority,
        "finding": finding,
        "unlisted": unlisted,
    }
    return listed("/v1/cases", "cases", Case, **narrowed, limit=limit)


def case(case_id: str) -> Call[Dossier]:
    """What is known of a case."""
    return called("GET", _path(case_id), one(Dossier))


def case_items(case_id: str, *, limit: int = 200) -> Paged[CaseItem]:
    """Its items, in the order in which they came."""
    return listed(f"{_path(case_id)}/items", "items", CaseItem, limit=limit)


def case_answers(case_id: str) -> Call[tuple[GivenAnswer, ...]]:
    """What was answered; without the first answer while a second person is to give theirs."""
    return called("GET", f"{_path(case_id)}/answers", some("answers", GivenAnswer))


def next_case(queues: Sequence[str] | None = None) -> Call[Case | None]:
    """Claim the case that is to be looked at next, of all queues or of these; None: there is none."""

    def reader(response: httpx.Response) -> Case | None:
        told = response.json()["case"]
        return read(Case, told) if told is not None else None

    return called("POST", "/v1/cases/next", reader, {"queues": None if queues is None else list(queues)})


def release_case(case_id: str) -> Call[Case]:
    """Give a case back."""
    return called("POST", f"{_path(case_id)}/release", one(Case))


def split_case(case_id: str, items: Sequence[str], *, version: int) -> Call[Case]:
    """Make a case of its own of items that do not belong to the others."""
    told = {"version": version, "items": list(items)}
    return called("POST", f"{_path(case_id)}/split", one(Case), told, again=False)


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


def reopen_case(case_id: str, reason: str, *, version: int) -> Call[Case]:
    """Have a decided case decided anew; the reason stays in the audit log for good: no names."""
    told = {"version": version, "reason": reason}
    return called("POST", f"{_path(case_id)}/reopen", one(Case), told, again=False)


def _path(case_id: str) -> str:
    return f"/v1/cases/{quoted(case_id)}"
