"""The values that travel along the way of an item, in the order in which they appear.

Content bytes → ``Examination`` (``Fingerprint``s, an ``Assessment`` of the origin and what is ``Unchecked``)
→ ``Match``es → ``Verdict``. All are frozen. Hash values and entry ids are secrets of the list's owner, so no
``repr`` shows them: ask for ``.value`` or ``.entry_id`` on purpose. Prompts and serials are ``Sealed``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Literal

Action = Literal["allow", "review", "block"]
AS_IS = "as is"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One value of a signal, computed from an item.

    Args:
        signal: the signal's name, e.g. ``"pdq"``.
        value: canonical bytes of the value, e.g. 32 for PDQ, most significant byte first.
        view: how the picture was looked at: ``"as is"``, ``"mirrored"``, ``"rotated 90"``, ``"on black"`` …
        frame: which page or animation frame, from 0.
        quality: the signal's own measure of its worth (PDQ: 0 to 100), if it has one.
        seconds: of a video, when the frame is shown, from the first one on.
    """

    signal: str
    value: bytes = field(repr=False)
    view: str = AS_IS
    frame: int = 0
    quality: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Something that could not be examined, and why: ``not checked: pdq (damaged: …)``.

    Args:
        what: a signal's name, ``"content"`` for the whole item, ``"bank <name>"``, or ``"frames"``.
        why: a ``MediaCode``, an ``ArchiveCode``, ``"not installed"`` …; short and stable, for programs.
        detail: one line for people; never content, never a hash.
    """

    what: str
    why: str
    detail: str = ""

    def __str__(self) -> str:
        return f"not checked: {self.what} ({self.why}{': ' + self.detail if self.detail else ''})"


class Sealed:
    """A text that is evidence and content at once (a prompt, a serial number, a name); never shown by itself.

    Args:
        text: what it says; None where it was left out on the way here, and only its being there is known.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str | None = None) -> None:
        self._text = text

    def reveal(self) -> str | None:
        """The text, for whoever asks on purpose and may."""
        return self._text

    def __repr__(self) -> str:
        return "Sealed()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and self._text == other._text

    def __hash__(self) -> int:
        return hash((Sealed, self._text))


class Strength(IntEnum):
    """How far a statement of origin may be relied on; each is stronger than those before it."""

    CONTEXT = 0
    """Says nothing of camera or AI by itself: a program's name, a time."""
    WEAK = 1
    """A hint with a known rate of error: a watermark, a measurement, a broken part's claim."""
    DECLARED = 2
    """Plain metadata: anybody can write, copy or remove it."""
    SIGNED = 3
    """A signature holds, but nobody on the operator's trust list vouches for the statement."""
    TRUSTED = 4
    """A signature holds, and its signer, who is on the operator's trust list, vouches for the statement."""


Says = Literal[
    "ai-made",  # made by a trained model
    "ai-edited",  # a part was made, or the whole was changed, by a trained model
    "source picture",  # another picture went into it, perhaps of a real person
    "synthetic",  # made by software that is not said to be a trained model
    "signed capture",  # this file's own manifest: captured by a device, nothing done since
    "camera",  # a camera's name, or a capture device's mark
    "edited",  # changed by a person or program
    "thumbnail differs",  # the small picture within shows something else
    "software",  # a program had it in its hands
    "time",  # when it says that it was taken or changed
    "location",  # a position is in it; never which
    "serial",  # a serial number is in it
    "training",  # what it says of its use for training
    "signed",  # who signed it
    "broken",  # a signature or seal that does not hold
    "present",  # evidence that was found and could not be read here
    "measured",  # what a measurement or detector gave, whether it hints at something or not
]
Channel = Literal[
    "c2pa",
    "xmp",
    "exif",
    "iptc",
    "png text",
    "stealth",  # hidden in the lowest bits of the pixels
    "comment",  # of a JPEG or GIF
    "container",  # tags of a video's or RIFF file's boxes
    "thumbnail",
    "watermark",
    "forensics",
    "detector",
]
Value = str | int | float | bool | Sealed


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that the content says of how it was made.

    Args:
        source: where in the file it stands.
        says: what, in a closed vocabulary.
        text: the same for people: one line, without prompt, serial, name or position.
        strength: how far it may be relied on.
        forgeable: how it can be forged or stripped; one line.
        fields: (name, value) of what else is known: ``generator``, ``model``, ``seed`` …
    """

    source: Channel
    says: Says
    text: str
    strength: Strength
    forgeable: str
    fields: tuple[tuple[str, Value], ...] = ()

    def field(self, name: str) -> Value | None:
        """The value of a field, if there is one of that name."""
        return next((value for key, value in self.fields if key == name), None)


Outcome = Literal[
    "unknown", "camera-signed", "edited", "declared AI-edited", "declared AI-made", "inconsistent"
]


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the content says of its origin, all in all. Nothing said is ``"unknown"``, never "real".

    Args:
        outcome: by the rule table in ``nightlamp.origin.rules``.
        sentence: why, for a report.
        statements: all of them, strongest first.
        unchecked: evidence that could not be examined. It is not in the item's own ``unchecked``: matching
            does not suffer from it.
    """

    outcome: Outcome
    sentence: str
    statements: tuple[Statement, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()

    @property
    def generative_ai(self) -> bool:
        """Whether a report may say ``generativeAi``: declared or signed, and nothing contradicts it."""
        return self.outcome in ("declared AI-edited", "declared AI-made")


@dataclass(frozen=True, slots=True)
class Examination:
    """What was learnt from an item's bytes, before any list is asked.

    Args:
        media_type: by content, never by name, e.g. ``"image/jpeg"``; ``""`` if unknown.
        size: bytes.
        width, height: of the first frame as displayed, in pixels; 0 if it was not decoded.
        frames: pages or animation frames in the file, as far as known.
        fingerprints: every signal of every examined frame and view.
        unchecked: what could not be examined.
        origin: what the content says of how it was made; None if nobody asked.
    """

    media_type: str
    size: int
    width: int = 0
    height: int = 0
    frames: int = 0
    fingerprints: tuple[Fingerprint, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    origin: Assessment | None = None


Trust = Literal["low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class Bank:
    """A named hash list.

    Args:
        name: unique within a catalog, by default the file's stem.
        source: who the entries come from, e.g. ``"NCMEC"``.
        category: of entries that do not carry their own, e.g. ``"csam"``, ``"A1"``.
        trust: how far a single match may be relied on.
        benign: a filter of known files (NSRL); a match means "known", not "known good".
    """

    name: str
    source: str = ""
    category: str = ""
    trust: Trust = "medium"
    benign: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """Item × entry: the fingerprint that matched, the bank, and how close it was.

    Args:
        fingerprint: the item's side, with the view and frame that matched.
        bank: where the entry stands.
        entry_id: the source's own id of the entry.
        category: the entry's own category, or its bank's.
        distance: in the signal's own measure; bits for PDQ, 0 for exact digests.
        disputed: somebody whose word counts says that the entry is wrong.
    """

    fingerprint: Fingerprint
    bank: Bank
    entry_id: str = field(repr=False)
    category: str
    distance: int
    disputed: bool = False

    @property
    def exact(self) -> bool:
        """An equal digest, not a perceptual match that happens to be at distance 0."""
        return self.fingerprint.quality is None and self.distance == 0


@dataclass(frozen=True, slots=True)
class Hold:
    """How long content is kept, from the report or, as long as there is none, from the verdict.

    Args:
        months: calendar months.
        seconds: on top of them. Both 0: until a person releases it.
    """

    months: int = 0
    seconds: int = 0

    def until(self, start: datetime) -> datetime | None:
        """When the hold ends; None if it does not end by itself.

        A day that the last month lacks becomes the first of the next one, so that a hold is never too short.
        """
        if not self.months and not self.seconds:
            return None
        years, month = divmod(start.month - 1 + self.months, 12)
        first = start.replace(year=start.year + years, month=month + 1, day=1)
        end = first + timedelta(days=start.day - 1)
        if end.month != first.month:
            end = (first + timedelta(days=31)).replace(day=1)
        return end + timedelta(seconds=self.seconds)

    def __str__(self) -> str:
        """ISO 8601, e.g. ``P1Y`` or ``P30D``."""
        if not self.months and not self.seconds:
            return "until released"
        (years, months), (days, seconds) = divmod(self.months, 12), divmod(self.seconds, 86_400)
        date = "".join(f"{n}{unit}" for n, unit in ((years, "Y"), (months, "M"), (days, "D")) if n)
        return f"P{date}{f'T{seconds}S' if seconds else ''}"


Priority = Literal["low", "normal", "high", "urgent"]


@dataclass(frozen=True, slots=True)
class Handling:
    """What follows from a verdict for the people and the vault.

    Args:
        hold: how long the content is kept, sealed; None: it is not kept.
        priority: how soon somebody must look.
        queue: who must look, by the operator's own name; ``""`` is the common queue.
        two_person: two people must agree on the decision.
        confirms: the verdict alone starts a report, though no person has looked; never said in doubt.
    """

    hold: Hold | None = None
    priority: Priority = "normal"
    queue: str = ""
    two_person: bool = False
    confirms: bool = False


NO_HANDLING = Handling()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policy says to do with an item, and why.

    Args:
        action: ``"allow"``, ``"review"`` or ``"block"``.
        reasons: one line each, for people; they name banks and signals, never hash values.
        matches: all of them, closest first.
        unchecked: what could not be examined; never empty together with an unearned ``"allow"``.
        benign: the item is a known file by a benign filter.
        rule: id of the policy rule that gave it; ``""`` if none did.
        handling: what follows from it.
    """

    action: Action
    reasons: tuple[str, ...]
    matches: tuple[Match, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    benign: bool = False
    rule: str = ""
    handling: Handling = NO_HANDLING
