"""The fields that a rule may ask about, with their types: the one place where they are listed.

The linter checks against it, the engine builds its variables from it, ``docs/policy.md`` must name them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from nightlamp.values import Priority, Trust

PRIORITIES: tuple[str, ...] = get_args(Priority)


@dataclass(frozen=True, slots=True)
class Type:
    """A type of the policy language.

    Args:
        name: ``bool``, ``int``, ``double``, ``string``, ``timestamp``, ``duration``, ``list``, ``map`` or the
            name of a record in ``RECORDS``.
        of: of a list's or a map's elements; a map's keys are strings. None in a list: of the empty list.
    """

    name: str
    of: Type | None = None

    def __str__(self) -> str:
        """As people write it, e.g. ``list of match``."""
        return f"{self.name} of {self.of}" if self.of else self.name


BOOL, INT, DOUBLE, STRING = Type("bool"), Type("int"), Type("double"), Type("string")
TIMESTAMP, DURATION = Type("timestamp"), Type("duration")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record.

    Args:
        type: of its values.
        get: takes the Python value that stands behind the record.
        values: all that it can be, where that is a short list.
        optional: it may be absent; a rule asks ``has(…)`` first.
    """

    type: Type
    get: Callable[[Any], Any]
    values: tuple[str, ...] = ()
    optional: bool = False


_MATCH: dict[str, Field] = {
    "bank": Field(STRING, lambda m: m.bank.name),
    "source": Field(STRING, lambda m: m.bank.source),
    "category": Field(STRING, lambda m: m.category),
    "bank_category": Field(STRING, lambda m: m.bank.category),
    "trust": Field(STRING, lambda m: m.bank.trust, values=get_args(Trust)),
    "signal": Field(STRING, lambda m: m.fingerprint.signal),
    "distance": Field(INT, lambda m: m.distance),
    "exact": Field(BOOL, lambda m: m.exact),
    "disputed": Field(BOOL, lambda m: m.disputed),
    "view": Field(STRING, lambda m: m.fingerprint.view),
    "frame": Field(INT, lambda m: m.fingerprint.frame),
}

RECORDS: Mapping[str, Mapping[str, Field]] = {
    # Of the whole: what a rule starts from. ``get`` takes the engine's ``Seen``.
    "facts": {
        "item": Field(Type("item"), lambda s: s),
        "matches": Field(Type("list", Type("match")), lambda s: s.hits),
        "unchecked": Field(Type("list", Type("unchecked")), lambda s: s.open),
        "origin": Field(Type("origin"), lambda s: s.facts.origin),
        "scores": Field(Type("map", DOUBLE), lambda s: s.facts.scores),
        "actor": Field(Type("actor"), lambda s: s.facts.actor),
        "context": Field(Type("context"), lambda s: s.facts.context),
        "jurisdiction": Field(STRING, lambda s: s.jurisdiction),
    },
    "item": {
        "known": Field(BOOL, lambda s: bool(s.known_by)),
        "media_type": Field(STRING, lambda s: s.facts.item.media_type),
        "size": Field(INT, lambda s: s.facts.item.size),
        "width": Field(INT, lambda s: s.facts.item.width),
        "height": Field(INT, lambda s: s.facts.item.height),
        "frames": Field(INT, lambda s: s.facts.item.frames),
    },
    "match": _MATCH,
    "unchecked": {
        "what": Field(STRING, lambda u: u.what),
        "why": Field(STRING, lambda u: u.why),
    },
    "origin": {
        "assessment": Field(STRING, lambda o: o.assessment),
        "statements": Field(Type("list", Type("statement")), lambda o: o.statements),
    },
    "statement": {
        "says": Field(STRING, lambda s: s.says),
        "evidence": Field(STRING, lambda s: s.evidence),
        "forgeable": Field(BOOL, lambda s: s.forgeable),
    },
    "actor": {
        "items": Field(INT, lambda a: a.items),
        "matches": Field(INT, lambda a: a.matches),
        "reviews": Field(INT, lambda a: a.reviews),
        "blocks": Field(INT, lambda a: a.blocks),
    },
    "context": {
        "service": Field(STRING, lambda c: c.service),
        "room": Field(STRING, lambda c: c.room),
        "submitted_at": Field(TIMESTAMP, lambda c: c.submitted_at, optional=True),
        "late": Field(BOOL, lambda c: c.late),
    },
}
FACTS = RECORDS["facts"]
