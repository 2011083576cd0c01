"""What comes in through a door, and what it gets back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from nightlamp.intake.content import Content
from nightlamp.policy import Actor
from nightlamp.urls import TRACKING, find_urls
from nightlamp.urls import fingerprints as url_fingerprints
from nightlamp.values import Action, Examination, Fingerprint, Verdict

NO_HISTORY = Actor()
State = Literal["pending", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Where:
    """What the platform tells of an item's way in, as far as it wants to.

    Args:
        service, room: see ``nightlamp.policy.Context``.
        submitted_at: when it came to the platform, with a zone.
        jurisdiction: whose law applies; ``""`` takes the policy's.
        ip, port: of the actor, for a report.
    """

    service: str = ""
    room: str = ""
    submitted_at: datetime | None = None
    jurisdiction: str = ""
    ip: str = field(default="", repr=False)
    port: int | None = field(default=None, repr=False)

    def as_json(self) -> dict[str, Any]:
        """What is stored: the fields that say something."""
        values = {name: getattr(self, name) for name in self.__slots__}
        if self.submitted_at is not None:
            values["submitted_at"] = self.submitted_at.isoformat()
        return {name: value for name, value in values.items() if value not in ("", None)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Where:
        """The inverse of ``as_json``."""
        moment = stored.get("submitted_at")
        return cls(**{**stored, "submitted_at": datetime.fromisoformat(moment) if moment else None})


@dataclass(frozen=True, slots=True)
class Submission:
    """An item, from any door: content, or a URL to fetch, or fingerprints and text alone.

    Args:
        key: id of the API key that submits it.
        content: its bytes; ``Intake`` closes it.
        url: to be fetched later, if there is no content.
        fingerprints: what the caller computed itself.
        text: that comes with it; the URLs in it are matched, and it is not kept.
        platform_id: the platform's own id of the item.
        actor: who it is from, under a pseudonym.
        where: see there.
        wait: the verdict is wanted in the answer; if not, it goes to the webhooks.
        idempotency: the submitter's own name for this request; ``""``: none.
    """

    key: str
    content: Content | None = None
    url: str = field(default="", repr=False)
    fingerprints: tuple[Fingerprint, ...] = ()
    text: str = field(default="", repr=False)
    platform_id: str = ""
    actor: str = ""
    where: Where = Where()
    wait: bool = True
    idempotency: str = ""

    @property
    def kind(self) -> Literal["content", "url", "fingerprints"]:
        """What was handed in."""
        return "content" if self.content is not None else "url" if self.url else "fingerprints"

    def given(self, tracking: frozenset[str] = TRACKING) -> tuple[Fingerprint, ...]:
        """The fingerprints that need no content: those given, and of the URLs in URL and text.

        URLs are spelled as the rows of lists are, and also without the query parameters in ``tracking``.
        """
        found = list(self.fingerprints)
        for text in filter(None, (self.url, self.text)):
            own = (tracking,) if tracking != TRACKING and "?" in text else ()
            for drop in (TRACKING, *own):
                for url in find_urls(text, drop):
                    found += url_fingerprints(url)
        return tuple(dict.fromkeys(found))

    def request(self, examination: Examination | None) -> bytes:
        """SHA-256 of all that makes two requests the same request."""
        digest = examination and next(
            (f.value.hex() for f in examination.fingerprints if f.signal == "sha256"), ""
        )
        parts: list[object] = [
            self.kind,
            digest if self.content is not None else "",
            self.url,
            self.text,
            packed(self.fingerprints),
        ]
        parts += [self.platform_id, self.actor, self.where.as_json(), self.wait]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()


def packed(fingerprints: Iterable[Fingerprint]) -> list[list[Any]]:
    """As JSON, for a request's hash and the row of a URL that is to be fetched."""
    return [[f.signal, f.value.hex(), f.view, f.frame, f.quality, f.seconds] for f in fingerprints]


def unpacked(stored: Iterable[Sequence[Any]]) -> tuple[Fingerprint, ...]:
    """The inverse of ``packed``."""
    return tuple(Fingerprint(signal, bytes.fromhex(value), *told) for signal, value, *told in stored)


@dataclass(frozen=True, slots=True)
class Ruling:
    """A verdict, and what it stands on.

    Args:
        id: the verdict's.
        item: whose.
        policy: number of the policy in force; None if none could be read.
        generation: of banks and policy.
        late: the item passed before, and an entry that is new since matches it.
        matches: how many there were; ``verdict.matches`` may hold the closest alone.
        history: the actor's, as the policy saw it.
        scores: of look-up services and detectors, as the policy saw them.
    """

    id: str
    item: str
    verdict: Verdict
    policy: int | None
    generation: int
    late: bool
    matches: int
    decided_at: datetime
    history: Actor = NO_HISTORY
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the submitter gets: durable when it is in hand.

    Args:
        item: its id.
        state: ``pending`` as long as there is no verdict.
        ruling: None as long as there is none.
        replayed: this request was answered before, and this is that answer.
        wait: as it was asked.
    """

    item: str
    state: State
    ruling: Ruling | None
    wait: bool
    replayed: bool = False

    @property
    def action(self) -> Action | None:
        """What to do."""
        return self.ruling.verdict.action if self.ruling else None
