"""One value, one spelling: the part of RFC 8785 (JSON Canonicalization Scheme) that audit records need.

Objects with ASCII keys, arrays, strings, integers within ±(2⁵³−1), ``true``, ``false``, ``null``. No
fractions: their spelling is the hard part of RFC 8785, and nothing here needs them.
"""

from __future__ import annotations

import json
from typing import Any

LARGEST = 2**53 - 1
# Made once: json.dumps makes another for each value that it is not to write as it does by default.
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def encode(value: Any) -> bytes:
    """``value`` as canonical JSON in UTF-8.

    Raises:
        ValueError: it holds something that has no place here; the message names the kind, not the value.
    """
    _check(value)
    return spelled(value).encode()


def spelled(value: Any) -> str:
    """As ``encode``, for a value that is known to have a canonical form."""
    return _ENCODER.encode(value)


def decode(text: str | bytes) -> Any:
    """The value of JSON ``text``; refuses a key that occurs twice, which two readers may read differently.

    Raises:
        ValueError: it is not JSON, or a key occurs twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _check(value: Any) -> None:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError("a lone surrogate is not text")
    elif isinstance(value, int):
        if not -LARGEST <= value <= LARGEST:
            raise ValueError("an integer beyond 2**53 - 1")
    elif isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise ValueError("a key that is not ASCII text")
            _check(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check(inner)
    else:
        raise ValueError(f"a {type(value).__name__} has no canonical form")


def object_of(line: bytes) -> dict[str, Any]:
    """The object on a line of a file; ``{}`` if there is none."""
    try:
        value = decode(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def line_of(value: dict[str, Any]) -> bytes:
    """A line of a file."""
    return encode(value) + b"\n"
