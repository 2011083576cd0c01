"""Fill the ``{fields}`` of a rule's reason: those that a rule may ask about, so never a hash or an id."""

from __future__ import annotations

import re
from typing import Any

from nightlamp.policy.schema import FACTS, RECORDS

MAX_FILLED = 60
"""Characters of one field: a room's name comes from somebody's client."""
_MAX_VALUES = 5
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def placeholders(reason: str) -> list[tuple[int, str]]:
    """Offset and name of each ``{field}``; a brace that belongs to none is a name that is no field."""
    found = [(match.start(), match[1]) for match in _PLACEHOLDER.finditer(reason)]
    lone = re.search(r"[{}]", _PLACEHOLDER.sub(lambda match: " " * len(match[0]), reason))
    return [*found, (lone.start(), lone[0])] if lone else found


def known(name: str) -> bool:
    """Whether ``{name}`` can be filled: ``jurisdiction``, ``item.size``, ``matches.bank``, ``scores.x``."""
    first, _, second = name.partition(".")
    field = FACTS.get(first)
    if field is None:
        return False
    if field.type.name == "map":
        return re.fullmatch(r"[A-Za-z_][A-Za-z_0-9]*", second) is not None
    record = RECORDS.get((field.type.of or field.type).name)
    if record is None:
        return not second
    return second in record and record[second].type.name != "list"


def filled(reason: str, seen: Any) -> str:
    """The reason with its fields filled in, control characters and excess length left out.

    Args:
        reason: checked by ``known``; a field that is none stays as it is.
        seen: ``decide.Seen``.
    """
    if "{" not in reason:
        return reason
    return _PLACEHOLDER.sub(lambda match: _value(match[1], seen) if known(match[1]) else match[0], reason)


def _value(name: str, seen: Any) -> str:
    first, _, second = name.partition(".")
    field = FACTS[first]
    of = field.get(seen)
    if field.type.name == "map":
        return _safe(of.get(second, "none"))
    if field.type.name == "list" and field.type.of is not None:
        get = RECORDS[field.type.of.name][second].get
        values = sorted({get(each) for each in of})
        more = f" and {len(values) - _MAX_VALUES} more" if len(values) > _MAX_VALUES else ""
        return (", ".join(map(_safe, values[:_MAX_VALUES])) or "none") + more
    return _safe(RECORDS[field.type.name][second].get(of) if second else of)


def _safe(value: object) -> str:
    text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
    text = "".join(character if character.isprintable() else " " for character in text)
    return text if len(text) <= MAX_FILLED else text[: MAX_FILLED - 1] + "…"
