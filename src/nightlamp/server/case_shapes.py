"""The JSON of cases: what is taken, and what is given."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from nightlamp.cases import Case, CaseItem, Dossier, Given, Hit, Neighbour, Person
from nightlamp.cases.decision import LONGEST_NOTE, AiMade, Answer, Classification, Finding, Opinion, State
from nightlamp.cases.reopening import LONGEST_REASON
from nightlamp.origin import to_json
from nightlamp.server import shapes, telling
from nightlamp.server.listings import Page
from nightlamp.values import Action, Outcome, Priority

Id = Annotated[str, StringConstraints(max_length=40, pattern=r"^[0-9A-Za-z-]+$")]


class AnswerIn(shapes.Given):
    """An answer to a case."""

    version: int = Field(ge=1, le=2**31 - 1, description="of the case, as it was read")
    finding: Finding
    classification: Classification | None = Field(None, description="of csam alone")
    ai_made: AiMade = "unknown"
    drawn: bool = False
    reason: Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z_]*$")] = Field(
        "", examples=["adult"], description="needed with not_csam and escalate"
    )
    note: Annotated[str, StringConstraints(max_length=LONGEST_NOTE)] = Field("", description="never logged")

    def answer(self) -> Answer:
        """For ``cases.decide``."""
        given = (self.finding, self.classification, self.ai_made, self.drawn, self.reason, self.note)
        return Answer(*given)


class UndoIn(shapes.Given):
    """Which answer is taken back."""

    decision: Id


class SplitIn(shapes.Given):
    """Which items are to be a case of their own."""

    version: int = Field(ge=1, le=2**31 - 1)
    items: list[Id] = Field(min_length=1, max_length=5_000)


class ReopenIn(shapes.Given):
    """Why a decided case is opened again."""

    version: int = Field(ge=1, le=2**31 - 1)
    reason: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_REASON)
    ] = Field(description="stays in the audit log for good: no names")


class NextIn(shapes.Given):
    """Which cases are wanted."""

    queues: list[shapes.Text] | None = Field(None, max_length=100, description="null: all")


class CaseOut(BaseModel):
    """A case as it stands."""

    id: str
    queue: str = Field(description="empty: the common one")
    priority: Priority
    two_person: bool
    known: bool = Field(description="an entry of a list of high trust matches all of it exactly")
    listed: bool = Field(description="an entry of any list matches each of its items")
    origin: Outcome = Field(description="how its items say that they were made: the one that says least")
    state: State
    round: int = Field(description="more than 1: it was opened again")
    rule: str
    opened_at: datetime
    due_at: datetime | None
    items: int
    actors: int
    places: int
    version: int = Field(description="an answer names it")
    changed: str = Field(description="what the last change was")
    claimed_by: str | None
    claim_until: datetime | None
    decided_at: datetime | None
    decision: str | None
    earlier: str | None = Field(description="a decided case of the very same content")


class CasePage(Page):
    """Cases."""

    cases: list[CaseOut]


class NextOut(BaseModel):
    """The next case, claimed; null: there is none."""

    case: CaseOut | None


class GivenOut(BaseModel):
    """An answer that was given."""

    id: str
    round: int
    by: str
    at: datetime
    finding: Finding
    classification: Classification | None
    ai_made: AiMade
    drawn: bool
    reason: str
    note: str
    opinion: Opinion
    final: bool
    undone_at: datetime | None
    effective_at: datetime
    applied_at: datetime | None


class GivenList(BaseModel):
    """Answers, the oldest first."""

    answers: list[GivenOut]


class DecidedOut(BaseModel):
    """What came of an answer; it can be taken back until ``answer.effective_at``."""

    case: CaseOut
    answer: GivenOut


class CaseItemOut(BaseModel):
    """An item of a case."""

    id: str
    how: Literal["first", "exact", "near", "video", "entry", "burst", "split"]
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
    object: str | None = Field(description="its content in the vault")
    action: Action | None


class CaseItemPage(Page):
    """Items of a case, in the order in which they came."""

    items: list[CaseItemOut]


class HitOut(BaseModel):
    """The closest match of one bank, category and signal."""

    match: shapes.MatchOut
    item: str
    items: int


class ScoreOut(BaseModel):
    """What a service that was asked said of an item."""

    item: str
    name: str
    score: float


class ActorOut(BaseModel):
    """An actor: items in this case, of the last 30 days, and in decided cases by finding."""

    id: str
    here: int
    items: int
    matches: int
    reviews: int
    blocks: int
    decided: dict[str, int]


class NeighbourOut(BaseModel):
    """An earlier decision on what looks like it."""

    case: str
    how: Literal["exact", "near", "video"]
    distance: int | None
    decision: str
    finding: Finding
    classification: Classification | None
    ai_made: AiMade
    drawn: bool
    reason: str
    at: datetime


class DossierOut(BaseModel):
    """All that is known of a case without a look."""

    case: CaseOut
    hits: list[HitOut]
    origin: list[dict[str, Any]] = Field(
        description="what items say of how they were made, each said once: the first item, and how many"
    )
    scores: list[ScoreOut]
    reasons: list[str]
    actors: list[ActorOut]
    neighbours: list[NeighbourOut]
    contents: int = Field(description="different contents among the items, at most")
    items: list[CaseItemOut] = Field(description="the first 200")
    unchecked: list[dict[str, str]]


def case_out(case: Case) -> CaseOut:
    """A case."""
    return CaseOut(**{name: getattr(case, name) for name in CaseOut.model_fields})


def given_out(given: Given) -> GivenOut:
    """An answer."""
    of_answer = Answer.__slots__
    values = {n: getattr(given.answer if n in of_answer else given, n) for n in GivenOut.model_fields}
    return GivenOut(**values)


def item_out(item: CaseItem) -> CaseItemOut:
    """An item of a case."""
    return CaseItemOut(**{name: getattr(item, name) for name in CaseItemOut.model_fields})


def dossier_out(found: Dossier) -> DossierOut:
    """A dossier."""
    return DossierOut(
        case=case_out(found.case),
        hits=[_hit(hit) for hit in found.hits],
        origin=[
            {"item": each.item, "items": each.items, "assessment": to_json(each.assessment)}
            for each in found.origin
        ],
        scores=[ScoreOut(item=i, name=n, score=s) for i, n, s in found.scores],
        reasons=list(found.reasons),
        actors=[_actor(person) for person in found.actors],
        neighbours=[_neighbour(each) for each in found.neighbours],
        contents=found.case.contents,
        items=[item_out(each) for each in found.items],
        unchecked=[{"what": u.what, "why": u.why, "detail": u.detail} for u in found.unchecked],
    )


def _hit(hit: Hit) -> HitOut:
    return HitOut(
        match=shapes.MatchOut(**telling.match(hit.match, review=True)), item=hit.item, items=hit.items
    )


def _actor(person: Person) -> ActorOut:
    of = person.history
    return ActorOut(
        id=person.id,
        here=person.here,
        items=of.items,
        matches=of.matches,
        reviews=of.reviews,
        blocks=of.blocks,
        decided=dict(person.decided),
    )


def _neighbour(of: Neighbour) -> NeighbourOut:
    names = ("decision", "finding", "classification", "ai_made", "drawn", "reason", "at")
    decided = {name: getattr(of.final, name) for name in names}
    return NeighbourOut(case=of.case, how=of.how, distance=of.distance, **decided)  # type: ignore[arg-type]
