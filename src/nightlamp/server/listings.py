"""The JSON of listings, as OpenAPI describes it.

For the description alone: rows are told by the thousand, so ``telling`` makes them without these models. A
test asks every operation and compares its answers with what is said here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from nightlamp.access import Scope
from nightlamp.server.shapes import BankOut, ItemOut, MatchOut, VerdictOut


class Page(BaseModel):
    """What every page has."""

    next: str | None = Field(description="the cursor of the page after it; null on the last")


class ItemPage(Page):
    """Items."""

    items: list[ItemOut]


class VerdictPage(Page):
    """Verdicts."""

    verdicts: list[VerdictOut]


class VerdictList(BaseModel):
    """All verdicts on one item."""

    verdicts: list[VerdictOut]


class MatchRow(MatchOut):
    """A match, with where it belongs."""

    number: int
    item: str
    verdict: str


class MatchPage(Page):
    """Matches."""

    matches: list[MatchRow]


class BankList(BaseModel):
    """All banks."""

    banks: list[BankOut]


class EntryRow(BaseModel):
    """An entry without its value."""

    number: int
    signal: str
    id: str = Field(description="the source's own id")
    category: str
    disputed: bool
    added_at: datetime


class EntryPage(Page):
    """Entries."""

    entries: list[EntryRow]


class PolicyRow(BaseModel):
    """A version of a policy, without its text."""

    id: int
    name: str
    version: int
    active: bool
    created_at: datetime
    created_by: str


class PolicyPage(Page):
    """Versions of policies."""

    policies: list[PolicyRow]


class KeyRow(BaseModel):
    """An API key, without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    rate: float | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None


class KeyList(BaseModel):
    """All keys."""

    keys: list[KeyRow]


class WebhookRow(BaseModel):
    """An endpoint, without its secret."""

    id: str
    url: str
    every: bool
    created_at: datetime
    disabled_at: datetime | None
    disabled_why: str


class WebhookList(BaseModel):
    """All endpoints."""

    webhooks: list[WebhookRow]


class DeliveryRow(BaseModel):
    """A message to an endpoint."""

    id: str
    item: str
    state: Literal["pending", "delivered", "dead"]
    attempts: int
    last: str = Field(description="how the last attempt went")
    created_at: datetime
    due: datetime
    delivered_at: datetime | None


class DeliveryPage(Page):
    """Messages."""

    deliveries: list[DeliveryRow]


class RecordRow(BaseModel):
    """An audit record; ``record`` is null if it cannot be read."""

    sequence: int
    hash: str
    record: dict[str, Any] | None


class RecordPage(Page):
    """Audit records."""

    records: list[RecordRow]


def of(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """For ``responses=`` of an endpoint that makes its answer itself."""
    return {200: {"model": model}}
