"""The fields of a feed's form, made of what its kind of exchange takes; and what a filled form says.

A setting's hint is the ``Args`` of its model's docstring, so that there is one place that tells of it.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from nightlamp.errors import FeedError
from nightlamp.feeds import Kind

Shape = Literal["text", "choice", "flag", "number", "list", "pairs"]
_ARGUMENT = re.compile(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)
_UNITS = {"min": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Setting:
    """One field: of what ``shape`` its value is, and how it stands in the form.

    Args:
        hint: in plain words; "" if its model tells nothing.
        options: of a choice.
        default: what an empty field means.
    """

    name: str
    hint: str
    shape: Shape
    required: bool
    options: tuple[str, ...]
    default: str


def settings_of(kind: Kind) -> list[Setting]:
    """What an operator sets for a feed of this kind, what must be set first."""
    hints = _hints(kind.config)
    found = [_setting(name, field, hints) for name, field in kind.config.model_fields.items()]
    return sorted(found, key=lambda each: not each.required)


def shown(settings: Sequence[Setting], config: Mapping[str, Any]) -> dict[str, str]:
    """A stored config as the fields of the form."""
    return {f"set-{each.name}": _text(config[each.name]) for each in settings if each.name in config}


def config_in(form: Mapping[str, str], settings: Sequence[Setting]) -> dict[str, Any]:
    """What a filled form says; what was left empty is not set.

    Raises:
        FeedError: a line is no pair.
    """
    found: dict[str, Any] = {}
    for each in settings:
        text = form.get(f"set-{each.name}", "").replace("\r\n", "\n").strip(" \n")
        if each.shape == "flag":
            found[each.name] = bool(text)
        elif text:
            found[each.name] = _value(each, text)
    return found


def secrets_in(form: Mapping[str, str], kind: Kind) -> dict[str, str]:
    """The references that a form names."""
    given = {name: form.get(f"secret-{name}", "").strip() for name in kind.secrets}
    return {name: reference for name, reference in given.items() if reference}


def seconds_in(text: str, where: str) -> int:
    """A length of time: 15min, 6h, 1d.

    Raises:
        FeedError: it is none.
    """
    matched = re.fullmatch(r"(\d{1,6})\s*(min|h|d)", text.strip())
    if matched is None:
        raise FeedError("a length of time, as 15min, 6h or 1d", where=where)
    return int(matched[1]) * _UNITS[matched[2]]


def span_of(seconds: int) -> str:
    """The shortest text of a length of time that ``seconds_in`` reads; odd seconds are rounded up."""
    unit = next(name for name, size in reversed(_UNITS.items()) if seconds % size == 0 or name == "min")
    return f"{-(-seconds // _UNITS[unit])}{unit}"


def _setting(name: str, field: FieldInfo, hints: Mapping[str, str]) -> Setting:
    shape, options = _shape(field.annotation)
    default = "" if field.is_required() else _text(field.get_default(call_default_factory=True))
    return Setting(name, hints.get(name, ""), shape, field.is_required(), options, default)


def _shape(annotation: Any) -> tuple[Shape, tuple[str, ...]]:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        shapes = [_shape(each) for each in inner if each is not type(None)]
        return next((each for each in shapes if each[0] == "pairs"), shapes[0])
    if origin is Literal:
        return "choice", tuple(map(str, inner))
    if origin is tuple:
        return "list", ()
    if origin is dict:
        return "pairs", ()
    return "flag" if annotation is bool else "number" if annotation is int else "text", ()


def _value(setting: Setting, text: str) -> Any:
    if setting.shape == "list":
        return [line.strip() for line in text.split("\n") if line.strip()]
    if setting.shape != "pairs":
        return text
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) == 1 and "=" not in lines[0]:  # e.g. the name of a profile instead of one's own mapping
        return lines[0].strip()
    pairs = [tuple(part.strip() for part in line.split("=", 1)) for line in lines]
    if any(len(pair) != 2 for pair in pairs):
        raise FeedError("a line for each, as name = value", where=setting.name)
    return {name: value or None for name, value in pairs}


def _text(value: Any) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return "yes"
    if isinstance(value, Mapping):
        return "\n".join(f"{name} = {'' if each is None else each}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return "\n".join(map(str, value))
    return str(value)


def _hints(model: type) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        told = inspect.cleandoc(each.__dict__.get("__doc__") or "")
        for name, text in _ARGUMENT.findall(told):
            found[name] = " ".join(text.replace("``", "").split()).rstrip(".")
    return found
