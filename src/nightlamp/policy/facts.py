"""What a policy decides upon: plain values, gathered by the door that calls ``decide``.

They hold no content, and a policy's rules see no hash value and no entry id of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from nightlamp.values import Assessment, Examination, Match, Strength, Unchecked


@dataclass(frozen=True, slots=True)
class Item:
    """The content, as far as its bytes tell; see ``Examination`` for the fields."""

    media_type: str = ""
    size: int = 0
    width: int = 0
    height: int = 0
    frames: int = 0


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that the content says of how it was made.

    Args:
        says: one of ``nightlamp.values.Says``, e.g. ``"ai-made"``, ``"camera"``, ``"edited"``.
        evidence: where it stands: one of ``nightlamp.values.Channel``, e.g. ``"c2pa"``, ``"exif"``.
        forgeable: anybody could have written it: no signature holds for it.
    """

    says: str
    evidence: str
    forgeable: bool = True


@dataclass(frozen=True, slots=True)
class Origin:
    """How the content seems to have been made; ``assessment`` is ``""`` where nobody asked."""

    assessment: str = ""
    statements: Sequence[Statement] = ()

    @staticmethod
    def of(found: Assessment | None) -> Origin:
        """An assessment as a policy sees it."""
        if found is None:
            return Origin()
        said = tuple(Statement(s.says, s.source, s.strength < Strength.SIGNED) for s in found.statements)
        return Origin(found.outcome, said)


@dataclass(frozen=True, slots=True)
class Actor:
    """What the submitter did in the 30 days before this item, which is not counted."""

    items: int = 0
    matches: int = 0
    reviews: int = 0
    blocks: int = 0


@dataclass(frozen=True, slots=True)
class Context:
    """Where the item came in.

    Args:
        service: the operator's name for the service, e.g. ``"avatars"``.
        room: a finer place in it, e.g. a channel.
        submitted_at: with a time zone.
        late: the item passed some time ago, and an entry that is new since matches it.
    """

    service: str = ""
    room: str = ""
    submitted_at: datetime | None = None
    late: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of one item.

    Args:
        matches: of all banks, benign ones too, any order.
        unchecked: of the item and of the banks.
        item, origin, actor, context: see there; what a door does not know stays at its default.
        scores: classifier name → its score, usually 0 to 1. A classifier that failed has no score here and
            stands in ``unchecked``.
        jurisdiction: whose law applies to this item; ``""`` takes the policy's.
    """

    matches: Sequence[Match] = ()
    unchecked: Sequence[Unchecked] = ()
    item: Item = Item()
    origin: Origin = Origin()
    scores: Mapping[str, float] = field(default_factory=dict)
    actor: Actor = Actor()
    context: Context = Context()
    jurisdiction: str = ""

    @staticmethod
    def of(examination: Examination, matches: Sequence[Match], unchecked: Sequence[Unchecked] = ()) -> Facts:
        """What an examination and the banks give; ``unchecked`` is what the banks could not check."""
        e = examination
        item = Item(e.media_type, e.size, e.width, e.height, e.frames)
        scores = _detected(e.origin) if e.origin is not None else {}
        return Facts(matches, (*e.unchecked, *unchecked), item, Origin.of(e.origin), scores)

    @property
    def hits(self) -> list[Match]:
        """The matches that count: those in a benign bank only make the item *known*."""
        return [match for match in self.matches if not match.bank.benign]

    @property
    def known_by(self) -> list[str]:
        """The benign banks that hold an equal digest of the item, by name."""
        return sorted({m.bank.name for m in self.matches if m.bank.benign and m.distance == 0})


def _detected(origin: Assessment) -> dict[str, float]:
    """What the operator's detectors said, by the names of their scores."""
    return {
        name: value
        for statement in origin.statements
        if statement.source == "detector"
        for name, value in statement.fields
        if isinstance(value, float)
    }
