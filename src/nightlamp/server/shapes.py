"""The JSON of the API: what is taken, checked, and what is given, as it is described in OpenAPI."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from nightlamp.access import Scope
from nightlamp.intake import Where
from nightlamp.values import Action, Channel, Outcome, Says, Trust

_PRINTED = r"^[^\x00-\x1f\x7f]*$"
Text = Annotated[str, StringConstraints(max_length=200, pattern=_PRINTED)]
Long = Annotated[str, StringConstraints(max_length=2_000, pattern=_PRINTED)]
Mode = Literal["sync", "async"]
MOST_TEXT = 100_000  # characters that come with an item


class Given(BaseModel):
    """What is taken: unknown fields are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class About(Given):
    """What the platform tells of an item, as far as it wants to."""

    platform_id: Text = Field("", description="the platform's own id of the item", examples=["post-81723"])
    actor: Text = Field("", description="who it is from, under a pseudonym", examples=["u-5521"])
    service: Text = Field("", description="the operator's name for the service", examples=["chat"])
    room: Text = Field("", description="a finer place in it", examples=["general"])
    submitted_at: AwareDatetime | None = Field(None, description="when it came to the platform")
    jurisdiction: Annotated[str, StringConstraints(max_length=20, pattern=r"^[A-Za-z-]*$")] = Field(
        "", description="whose law applies; by default the policy's", examples=["US"]
    )
    ip: Annotated[str, StringConstraints(max_length=45, pattern=r"^[0-9A-Fa-f:.]*$")] = Field(
        "", description="of the actor, for a report"
    )
    port: int | None = Field(None, ge=0, le=65535)
    text: Annotated[str, StringConstraints(max_length=MOST_TEXT)] = Field(
        "", description="that comes with it; URLs in it are matched; it is not kept"
    )
    mode: Mode = Field("sync", description="sync: the verdict in the answer; async: by webhook")

    def where(self) -> Where:
        """For the intake."""
        return Where(self.service, self.room, self.submitted_at, self.jurisdiction, self.ip, self.port)


class UrlItem(About):
    """An item to be fetched. The answer is always 202; the verdict comes by webhook."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=4_000)] = Field(
        description="http or https", examples=["https://cdn.example/u/1.jpg"]
    )


class GivenFingerprint(Given):
    """One value of a signal."""

    signal: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=_PRINTED)] = Field(
        examples=["pdq"]
    )
    value: Annotated[str, StringConstraints(min_length=1, max_length=70_000)] = Field(
        description="as in a hash list", repr=False, examples=["f" * 32 + "0" * 32]
    )
    quality: int | None = Field(None, ge=0, le=100, description="of a perceptual signal")
    view: Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z0-9 ,]*$")] = "as is"
    frame: int = Field(0, ge=0, le=2**31 - 1)
    seconds: float | None = Field(None, ge=0, le=1e9, description="of a video, when the frame is shown")


class FingerprintItem(About):
    """Fingerprints that the caller computed, and URLs to match without fetching them."""

    fingerprints: list[GivenFingerprint] = Field(default=[], max_length=1_000)
    idempotency_key: Text = ""

    @model_validator(mode="after")
    def _something(self) -> FingerprintItem:
        if not self.fingerprints and not self.text:
            raise ValueError("nothing to check: fingerprints or text")
        return self


class FingerprintBatch(Given):
    """Many items of fingerprints at once."""

    items: list[FingerprintItem] = Field(min_length=1, max_length=1_000)


class BatchItem(About):
    """One item of a batch: content or a URL."""

    content: str = Field("", description="base64", repr=False)
    url: Annotated[str, StringConstraints(max_length=4_000)] = ""
    idempotency_key: Text = ""

    @model_validator(mode="after")
    def _one(self) -> BatchItem:
        if bool(self.content) == bool(self.url):
            raise ValueError("either content or url")
        return self


class Batch(Given):
    """Many items at once."""

    items: list[BatchItem] = Field(min_length=1, max_length=1_000)


class Short(BaseModel):
    """What a key that may only submit gets, always in this shape."""

    id: str = Field(examples=["0198a9e2-7c1f-7d3a-9f57-1f9b4d1c2e3f"])
    state: Literal["pending", "done", "failed"]
    action: Action | None = Field(description="null as long as there is no verdict")


class MatchOut(BaseModel):
    """One match; ``entry_id`` for keys with the scope review alone."""

    bank: str
    source: str
    category: str
    trust: Trust
    benign: bool
    signal: str
    distance: int
    exact: bool
    view: str
    frame: int
    seconds: float | None = Field(description="of a video, when the frame is shown")
    disputed: bool
    entry_id: str | None = None


class VerdictOut(BaseModel):
    """A verdict, for keys that may read."""

    id: str
    item: str
    action: Action
    rule: str
    reasons: list[str]
    unchecked: list[dict[str, str]]
    known: bool
    policy: int | None
    generation: int
    late: bool
    hold: str | None
    priority: str
    queue: str
    two_person: bool
    confirms: bool
    decided_at: datetime
    match_count: int
    matches: list[MatchOut]
    scores: dict[str, float] = Field(description="what look-up services said, by name")


class Full(Short):
    """The same for keys that may read."""

    verdict: VerdictOut | None = None
    replayed: bool = False


class StatementOut(BaseModel):
    """One thing that the content says of how it was made."""

    source: Channel
    says: Says
    text: str
    strength: Literal["context", "weak", "declared", "signed", "trusted"]
    forgeable: str = Field(description="how it could be forged or stripped")
    fields: dict[str, Any] = Field(description='details; what is sealed is {"sealed": null}')


class OriginOut(BaseModel):
    """What the content says of how it was made. What it does not say is unknown, never real."""

    outcome: Outcome
    sentence: str
    statements: list[StatementOut]
    unchecked: list[dict[str, str]]


class ItemOut(Short):
    """An item as it is stored, for keys that may read."""

    kind: Literal["content", "url", "fingerprints"]
    platform_id: str
    actor: str
    context: dict[str, Any]
    media_type: str
    size: int
    width: int
    height: int
    frames: int
    url: str | None
    held: bool
    received_at: datetime
    verdict: str | None


class ItemWithOrigin(ItemOut):
    """One item by itself."""

    origin: OriginOut | None = Field(None, description="null: nobody asked")


class BankIn(Given):
    """A new bank."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_PRINTED)] = Field(
        examples=["ncmec"]
    )
    source: Text = Field("", examples=["NCMEC"])
    category: Annotated[str, StringConstraints(max_length=100, pattern=_PRINTED)] = Field(
        "", examples=["csam"]
    )
    trust: Trust = "medium"
    benign: bool = Field(False, description="a filter of known files, not material to find")
    enabled: bool = True


class BankChange(Given):
    """What to change of a bank; what is left out stays."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_PRINTED)] | None = None
    trust: Trust | None = None
    enabled: bool | None = None


class BankOut(BaseModel):
    """A bank; ``entries`` by signal where they were counted."""

    id: int
    name: str
    source: str
    category: str
    trust: Trust
    benign: bool
    enabled: bool
    created_at: datetime
    entries: dict[str, int] | None = None


class EntryIn(Given):
    """A new entry."""

    signal: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=_PRINTED)] = Field(
        examples=["md5"]
    )
    value: Annotated[str, StringConstraints(min_length=1, max_length=70_000)] = Field(repr=False)
    id: Annotated[str, StringConstraints(max_length=1_000, pattern=_PRINTED)] = Field(
        "", description="the source's own id"
    )
    category: Annotated[str, StringConstraints(max_length=100, pattern=_PRINTED)] = ""


class EntriesIn(Given):
    """New entries."""

    entries: list[EntryIn] = Field(min_length=1, max_length=10_000)


class EntriesOut(Given):
    """Entries to be removed: by number, by the source's id, or by value."""

    numbers: list[Annotated[int, Field(ge=1, le=2**62)]] = Field(default=[], max_length=10_000)
    ids: list[Annotated[str, StringConstraints(max_length=1_000, pattern=_PRINTED)]] = Field(
        default=[], max_length=10_000
    )
    values: list[EntryIn] = Field(default=[], max_length=10_000)


class PolicyIn(Given):
    """A policy file."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=100_000)] = Field(description="YAML")


class DryRunIn(Given):
    """Which policy to try: one that is stored, or a file."""

    policy: int | None = Field(None, ge=1, le=2**31 - 1)
    text: Annotated[str, StringConstraints(max_length=100_000)] = ""
    limit: int = Field(10_000, ge=1, le=1_000_000, description="so many of the newest items")


class KeyIn(Given):
    """A new API key."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_PRINTED)]
    scopes: list[Scope] = Field(min_length=1, examples=[["submit"]])
    expires_at: AwareDatetime | None = None
    rate: float | None = Field(None, gt=0, le=1e6, description="items a second on each node; null: no limit")


class WebhookIn(Given):
    """A new endpoint."""

    url: Long = Field(examples=["https://platform.example/hooks/nightlamp"])
    every: bool = Field(False, description="also verdicts that the submitter waited for")


class ReplayIn(Given):
    """Which messages to send again."""

    since: AwareDatetime | None = None
    delivery: Text = ""

    @model_validator(mode="after")
    def _one(self) -> ReplayIn:
        if (self.since is None) == (not self.delivery):
            raise ValueError("either since or delivery")
        return self
