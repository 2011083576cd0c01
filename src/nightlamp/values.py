"""The values that travel along the way of an item, in the order in which they appear.

Content bytes → ``Examination`` (``Fingerprint``s and what is ``Unchecked``) → ``Match``es → ``Verdict``.
All are frozen. Hash values and entry ids are secrets of the list's owner, so no ``repr`` shows them:
ask for ``.value`` or ``.entry_id`` on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
    """

    signal: str
    value: bytes = field(repr=False)
    view: str = AS_IS
    frame: int = 0
    quality: int | None = None


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
    """

    media_type: str
    size: int
    width: int = 0
    height: int = 0
    frames: int = 0
    fingerprints: tuple[Fingerprint, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()


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
    """

    fingerprint: Fingerprint
    bank: Bank
    entry_id: str = field(repr=False)
    category: str
    distance: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policy says to do with an item, and why.

    Args:
        action: ``"allow"``, ``"review"`` or ``"block"``.
        reasons: one line each, for people; they name banks and signals, never hash values.
        matches: all of them, closest first.
        unchecked: what could not be examined; never empty together with an unearned ``"allow"``.
        benign: the item is a known file by a benign filter.
    """

    action: Action
    reasons: tuple[str, ...]
    matches: tuple[Match, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    benign: bool = False
