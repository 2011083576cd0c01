"""JSON into the frozen dataclasses of ``answers``, by their own type hints."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin

T = TypeVar("T")


def read(kind: type[T], value: object) -> T:
    """``value`` as a ``kind``; fields that it does not know are passed over.

    Raises:
        ValueError: it is none. The message names the field, and never the value.
    """
    return cast("T", _read(kind, value, kind.__name__))


def _read(kind: Any, value: Any, where: str) -> Any:
    origin = get_origin(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        if value is None and types.NoneType in get_args(kind):
            return None
        [kind] = [each for each in get_args(kind) if each is not types.NoneType]
        return _read(kind, value, where)
    if origin is tuple and isinstance(value, list):
        return tuple(_read(get_args(kind)[0], each, where) for each in value)
    if origin is Literal and isinstance(value, str):
        return value  # a newer service may know more words
    if isinstance(value, dict) and (origin is Mapping or origin is dict):
        return value
    if isinstance(value, dict) and is_dataclass(kind):
        return _of_fields(kind, value, where)
    if kind is datetime and isinstance(value, str):
        return datetime.fromisoformat(value)
    if kind is float and type(value) in (int, float):
        return float(value)
    if kind in (int, str, bool) and type(value) is kind:
        return value
    raise ValueError(f"{where}: not what was expected")


def _of_fields(kind: Any, value: dict[str, Any], where: str) -> Any:
    made = {}
    for name, (hint, required) in _hints(kind).items():
        if name in value:
            made[name] = _read(hint, value[name], f"{where}.{name}")
        elif required:
            raise ValueError(f"{where}.{name}: is missing")
    return kind(**made)


@cache
def _hints(kind: Any) -> Mapping[str, tuple[Any, bool]]:
    hints = typing.get_type_hints(kind)
    return {
        f.name: (hints[f.name], f.default is MISSING and f.default_factory is MISSING) for f in fields(kind)
    }
