"""What the service answers, as values. Unknown fields of a newer service are passed over.

Where a field is None because the key may not know it, it says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from nightlamp.values import Action, Trust, Unchecked

T = TypeVar("T")
State = Literal["pending", "done", "failed"]
Scope = Literal["submit", "read", "review", "report", "disclose", "admin", "audit", "share"]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list.

    Args:
        items: in the list's order.
        next: the cursor of the next page; None: this is the last.
    """

    items: tuple[T, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Match:
    """What matched, and how closely.

    Args:
        signal: the fingerprint's, e.g. ``"pdq"``.
        distance: bits for PDQ, 0 for exact digests.
        view, frame: of the item, that matched.
        seconds: of a video, when that frame is shown.
        entry_id: the source's own id; None: the key has not the scope ``review``.
    """

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
    disputed: bool
    seconds: float | None = None
    entry_id: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class StoredMatch:
    """A match in the list of all of them: as ``Match``, with its number, its item's and its verdict's id."""

    number: int
    item: str
    verdict: str
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
    disputed: bool
    seconds: float | None = None
    entry_id: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policy said to do with an item, and why.

    Args:
        id, item: its own, and the item's.
        rule: id of the policy's rule; ``""`` if none gave it.
        unchecked: what could not be examined.
        known: a known file, by a benign bank.
        policy: number of the policy that was in force.
        generation: of the banks.
        late: an entry that came after the item matches it.
        hold: how long the content is kept, e.g. ``"P1Y"``; None: it is not.
        match_count: of all matches; ``matches`` may hold the closest alone.
        scores: what look-up services said, by name.
    """

    id: str
    item: str
    action: Action
    rule: str
    reasons: tuple[str, ...]
    unchecked: tuple[Unchecked, ...]
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
    matches: tuple[Match, ...]
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a submission: the item is durable.

    Args:
        id: the item's.
        state: ``pending``: the verdict comes by webhook.
        action: what to do; None as long as there is no verdict.
        verdict: None too if the key may only submit.
        replayed: the service knew the request's idempotency key, and this is its first answer.
    """

    id: str
    state: State
    action: Action | None
    verdict: Verdict | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class OriginStatement:
    """One thing that the content says of how it was made.

    Args:
        source: where in the file it stands, e.g. ``"c2pa"``.
        says: what, e.g. ``"ai-made"``.
        text: the same for people.
        strength: how far it may be relied on, e.g. ``"declared"``.
        forgeable: how it can be forged or stripped.
        fields: details; what is sealed is ``{"sealed": None}``.
    """

    source: str
    says: str
    text: str
    strength: str
    forgeable: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """What the content says of how it was made, e.g. ``"declared AI-made"``.

    Nothing said is ``"unknown"``, never "real".
    """

    outcome: str
    sentence: str
    statements: tuple[OriginStatement, ...]
    unchecked: tuple[Unchecked, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """An item as it stands. Of an item that it submitted, a key that may only submit sees the first three."""

    id: str
    state: State
    action: Action | None
    kind: str | None = None
    platform_id: str = ""
    actor: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    media_type: str = ""
    size: int = 0
    width: int = 0
    height: int = 0
    frames: int = 0
    url: str | None = field(default=None, repr=False)
    held: bool = False
    received_at: datetime | None = None
    verdict: str | None = None
    origin: Origin | None = None  # None: nobody asked, or it is one of a list


@dataclass(frozen=True, slots=True)
class Bank:
    """A bank; ``entries`` by signal where they were counted."""

    id: int
    name: str
    source: str
    category: str
    trust: Trust
    benign: bool
    enabled: bool
    created_at: datetime
    entries: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """What came of adding entries: new ones, those with another category than before, those known already."""

    generation: int
    added: int
    replaced: int
    known: int


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row of a list that could not be read."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of importing a list; ``bad_rows`` are the first, ``ignored`` counts by reason."""

    id: int
    generation: int
    rows: int
    added: int
    replaced: int
    known: int
    bad: int
    bad_rows: tuple[BadRow, ...]
    ignored: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry in force, without its value; ``id`` is the source's own."""

    number: int
    signal: str
    id: str = field(repr=False)
    category: str
    disputed: bool
    added_at: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the policy linter says; lines and columns from 1."""

    line: int
    column: int
    severity: str
    what: str
    hint: str


@dataclass(frozen=True, slots=True)
class Policy:
    """A version of a policy.

    Args:
        text: where one was asked for.
        findings: of an upload: warnings.
    """

    id: int
    name: str
    version: int
    active: bool
    created_at: datetime
    created_by: str
    text: str | None = field(default=None, repr=False)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """An action, and the rule that gave it."""

    action: Action
    rule: str


@dataclass(frozen=True, slots=True)
class Change:
    """An item that another policy decides otherwise."""

    item: str
    before: Decided
    after: Decided


@dataclass(frozen=True, slots=True)
class Moved:
    """How many items go from one action to another."""

    before: Action
    after: Action
    items: int


@dataclass(frozen=True, slots=True)
class DryRun:
    """What another policy would have said of past items."""

    total: int
    changed: int
    moved: tuple[Moved, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Key:
    """An API key.

    Args:
        rate: items a second; None: no limit.
        secret: the key itself; only where it was just made, and never again.
    """

    id: str
    name: str
    scopes: tuple[Scope, ...]
    rate: float | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint for verdicts.

    Args:
        every: it also gets verdicts that a submitter waited for.
        secret: signs its messages, for ``WebhookSecret.parse``; only where it was just made.
    """

    id: str
    url: str = field(repr=False)
    every: bool
    created_at: datetime
    disabled_at: datetime | None
    disabled_why: str
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one endpoint: ``pending``, ``delivered`` or ``dead``."""

    id: str
    item: str
    state: str
    attempts: int
    last: str
    created_at: datetime
    due: datetime
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """A record of the audit log with its hash; ``record`` is None if it cannot be read."""

    sequence: int
    hash: str
    record: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """Something wrong in the audit log: it shows at ``at``, and the change is among ``first`` to ``last``."""

    fault: str
    at: int
    first: int
    last: int
    text: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What a check of the whole audit log found; ``signed``: the last record that a signature covers."""

    intact: bool
    records: int
    signed: int
    findings: tuple[AuditFinding, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """How one part of the service is."""

    check: str
    well: bool
    why: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """How the node is: ``ready``, ``degraded`` (verdicts say what was not checked) or ``not ready``."""

    status: str
    checks: tuple[Check, ...]
