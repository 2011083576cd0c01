"""JSON that somebody else wrote → values: of bounded depth, with one meaning."""

from __future__ import annotations

import json
import re
from typing import Any

MAX_DEPTH = 32
# A text that never ends is taken to the end: else each quote in it would be looked at to the end again.
_MARKS = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


class HostileError(ValueError):
    """It breaks a limit, or uses what no honest sender needs; never quotes the data."""


def loads(data: bytes, depth: int = MAX_DEPTH) -> Any:
    """The value.

    Args:
        data: UTF-8, a byte order mark allowed; the caller has bounded its length.
        depth: objects and arrays within one another, at most.

    Raises:
        ValueError: no JSON (RFC 8259); ``HostileError`` if it is too deep, or an object names a key twice.
            Never quotes the data.
    """
    _check_depth(data, depth)
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=_once_each, parse_constant=_no_number)
    except json.JSONDecodeError:
        raise ValueError("not JSON") from None
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except RecursionError:
        raise HostileError("nested too deep") from None


def _check_depth(data: bytes, most: int) -> None:
    depth = 0
    for mark in _MARKS.finditer(data):
        first = data[mark.start()]
        if first in b"[{":
            depth += 1
            if depth > most:
                raise HostileError("nested too deep")
        elif first in b"]}":
            depth -= 1


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; readers of one with a key twice disagree about what it says."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise HostileError("an object that names a key twice")
    return found


def _no_number(_: str) -> None:
    raise ValueError("a number that is none")
