"""How a part of the schema is written down: a frozen dataclass whose fields stand in the schema's order.

That is the one ordered table: checking, XML, JSON and the list of what is missing all walk over ``rows``. A
field says how it occurs (``one``, ``maybe``, ``many``, ``flag``, ``attribute``, ``content``) and of what
kind it is (``Text``, ``Choice``, ``Part``, ``TIME`` …). Everything may be left out of a value in Python, so
that a draft can be half-filled; what must be given is found by ``checking``.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal, TypeVar, dataclass_transform

T = TypeVar("T")

Occurs = Literal["one", "maybe", "many", "flag", "attribute", "content"]


@dataclass(frozen=True, slots=True)
class Text:
    """A string of at most ``longest`` characters, by ``pattern``, which ``shape`` says in words."""

    longest: int | None = None
    pattern: str = ""
    shape: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of an enumeration's values."""

    of: type[StrEnum]


@dataclass(frozen=True, slots=True)
class Number:
    """An integer (``whole``) or a float, from ``least`` to ``most``."""

    least: float
    most: float
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    """A nested dataclass of this kind."""

    of: type[Any]


Simple = Literal["time", "date", "bool"]
TIME: Simple = "time"
DATE: Simple = "date"
BOOL: Simple = "bool"
Kind = Text | Choice | Number | Part | Simple


@dataclass(frozen=True, slots=True)
class Row:
    """One field of a part.

    Args:
        name: in Python.
        tag: of the element or attribute.
        least: so many at least, of ``many``.
    """

    name: str
    tag: str
    occurs: Occurs
    kind: Kind
    least: int = 0


def one(kind: Kind, tag: str = "") -> Any:
    """An element that must be there."""
    return _field("one", kind, tag, default=None)


def maybe(kind: Kind, tag: str = "") -> Any:
    """An element that may be there."""
    return _field("maybe", kind, tag, default=None)


def many(kind: Kind, tag: str = "", *, least: int = 0) -> Any:
    """An element as often as needed: a tuple."""
    return _field("many", kind, tag, least, default=())


def flag(tag: str = "") -> Any:
    """An empty element that says something by being there."""
    return _field("flag", BOOL, tag, default=False)


def attribute(kind: Kind, tag: str = "") -> Any:
    """An attribute that may be there."""
    return _field("attribute", kind, tag, default=None)


def content(kind: Kind) -> Any:
    """The text of the element itself, which must be there."""
    return _field("content", kind, "", default=None)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def part(cls: type[T]) -> type[T]:
    """A part of the schema: frozen, by keyword only; its ``repr`` shows nothing of whom it speaks."""
    return dataclass(frozen=True, slots=True, kw_only=True, repr=False)(cls)


def rows(of: type[Any]) -> tuple[Row, ...]:
    """The fields of a part, in the schema's order."""
    known = _ROWS.get(of)
    if known is not None:
        return known
    found = []
    for each in dataclasses.fields(of):
        occurs, kind, tag, least = each.metadata["row"]
        found.append(Row(each.name, tag or _camel(each.name), occurs, kind, least))
    _ROWS[of] = tuple(found)
    return _ROWS[of]


def kind_says(kind: Kind, value: Any) -> str:
    """What is wrong with a single value; ``""``: nothing. Never quotes the value."""
    if isinstance(kind, Text):
        return _text_says(kind, value)
    if isinstance(kind, Choice):
        wanted = ", ".join(each.value for each in kind.of)
        return "" if isinstance(value, kind.of) else f"must be one of: {wanted}"
    if isinstance(kind, Number):
        fits = isinstance(value, int if kind.whole else int | float) and not isinstance(value, bool)
        within = fits and kind.least <= value <= kind.most
        word = "a whole number" if kind.whole else "a number"
        return "" if within else f"must be {word} from {kind.least:g} to {kind.most:g}"
    if kind == "time":
        if not isinstance(value, datetime):
            return "must be a date and time"
        return "" if value.tzinfo is not None else "needs a time zone"
    if kind == "date":
        plain = isinstance(value, date) and not isinstance(value, datetime)
        return "" if plain else "must be a date without a time"
    if kind == "bool":
        return "" if isinstance(value, bool) else "must be true or false"
    return "" if isinstance(value, kind.of) else f"must be a {kind.of.__name__}"


def _text_says(kind: Text, value: Any) -> str:
    if not isinstance(value, str):
        return "must be text"
    if not value.strip():
        return "must not be empty"
    if kind.longest is not None and len(value) > kind.longest:
        return f"has {len(value)} characters; at most {kind.longest} may be sent"
    if _UNSPEAKABLE.search(value):
        return "has a control character, which XML cannot hold"
    if kind.pattern and not re.fullmatch(kind.pattern, value):
        return f"must be {kind.shape}"
    return ""


_ROWS: dict[type[Any], tuple[Row, ...]] = {}
# All but what XML 1.0 calls Char.
_UNSPEAKABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _field(occurs: Occurs, kind: Kind, tag: str, least: int = 0, *, default: Any) -> Any:
    return dataclasses.field(default=default, metadata={"row": (occurs, kind, tag, least)})


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
