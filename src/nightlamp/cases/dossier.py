"""What a case knows without anybody looking at a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from nightlamp.cases.decision import Case, FinalDecision
from nightlamp.policy import Actor
from nightlamp.values import Action, Assessment, Match, Unchecked


@dataclass(frozen=True, slots=True)
class CaseItem:
    """An item of a case.

    Args:
        id: the item's.
        how: why it is here: first, exact, near, video, entry, burst, split.
        distance: bits, of near ones.
        place: service and room.
        object: its content in the vault; None: it was not kept.
    """

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
    submitted_at: datetime | None
    jurisdiction: str
    object: str | None
    action: Action | None


@dataclass(frozen=True, slots=True)
class Hit:
    """Matches of one kind among the case's items: the same bank, category, signal; the closest of them.

    Args:
        match: the closest one, its fingerprint without a value.
        item: whose.
        items: how many items of the case match that bank and category so.
    """

    match: Match
    item: str
    items: int


@dataclass(frozen=True, slots=True)
class Person:
    """One actor of the case.

    Args:
        id: the platform's pseudonym.
        here: items of theirs in this case.
        history: what they did in the 30 days before.
        decided: their items in decided cases, by finding.
    """

    id: str
    here: int
    history: Actor
    decided: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A decided case that looks like this one; ``how``: exact, near, video; ``distance`` in bits."""

    case: str
    how: str
    distance: int | None
    final: FinalDecision


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that is known of a case without a look.

    Args:
        case: itself.
        hits: which lists, whose, how close; the closest of the most trusted first.
        origin: what the contents say of how they were made, as far as it was stored: (item, assessment).
        scores: of classifiers: (item, name, score).
        reasons: of the verdicts, without repetition.
        actors: the busiest first, at most 20.
        neighbours: earlier decisions on what looks like it.
        contents: how many different contents (by SHA-256) there are among the items.
        items: the first ``MOST_ITEMS`` of them, in the order in which they came.
        unchecked: what could not be examined, without repetition.
    """

    case: Case
    hits: tuple[Hit, ...]
    origin: tuple[tuple[str, Assessment], ...]
    scores: tuple[tuple[str, str, float], ...]
    reasons: tuple[str, ...]
    actors: tuple[Person, ...]
    neighbours: tuple[Neighbour, ...]
    contents: int
    items: tuple[CaseItem, ...]
    unchecked: tuple[Unchecked, ...]


MOST_ITEMS = 200


def dossier(connection: Connection, case_id: str, *, now: datetime) -> Dossier:
    """Gather it.

    Raises:
        CaseError: there is no such case.
    """
    raise NotImplementedError


def page_case_items(
    connection: Connection, case_id: str, *, after: str | None = None, limit: int = MOST_ITEMS
) -> list[CaseItem]:
    """Items of a case in the order in which they came, from behind the item ``after``."""
    raise NotImplementedError
