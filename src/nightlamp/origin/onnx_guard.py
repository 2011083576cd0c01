"""Looks through an ONNX file before a runtime does: no data elsewhere, no tensor larger than the file.

Reads protocol buffers by their wire format alone, with bounds; knows the few field numbers of ``onnx.proto``
that lead to tensors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from nightlamp.errors import ConfigError

_DEPTH = 24
_FIELDS = 2_000_000
# message → field → message of that field
_MODEL, _GRAPH, _NODE, _ATTRIBUTE, _TENSOR, _SPARSE, _FUNCTION = range(7)
_BELOW: Mapping[int, Mapping[int, int]] = {
    _MODEL: {7: _GRAPH, 25: _FUNCTION},
    _GRAPH: {1: _NODE, 5: _TENSOR, 15: _SPARSE},
    _NODE: {5: _ATTRIBUTE},
    _ATTRIBUTE: {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE},
    _SPARSE: {1: _TENSOR, 2: _TENSOR},
    _FUNCTION: {7: _NODE, 11: _ATTRIBUTE},
}
_DIMS, _EXTERNAL, _LOCATION = 1, 13, 14


def check(model: bytes) -> None:
    """Refuse a model that reads other files or claims tensors that it does not hold.

    Raises:
        ConfigError: it does, or it is no ONNX file.
    """
    view = memoryview(model)
    left = _FIELDS
    waiting: list[tuple[int, memoryview, int]] = [(_MODEL, view, 0)]
    graphs = 0
    while waiting:
        kind, message, depth = waiting.pop()
        if depth > _DEPTH:
            raise ConfigError("the model is nested too deeply")
        graphs += kind == _GRAPH
        if kind == _TENSOR:
            left -= _tensor(message, len(model))
            continue
        for number, value in _fields(message):
            left -= 1
            if left < 0:
                raise ConfigError("the model has too many parts")
            below = _BELOW[kind].get(number)
            if below is not None and isinstance(value, memoryview):
                waiting.append((below, value, depth + 1))
    if not graphs:
        raise ConfigError("the model is not an ONNX file")


def _tensor(message: memoryview, held: int) -> int:
    """Check one tensor; gives the number of its fields."""
    dims: list[int] = []
    count = 0
    for number, value in _fields(message):
        count += 1
        if number == _EXTERNAL or (number == _LOCATION and value == 1):
            raise ConfigError("the model keeps data in other files", hint="convert it to a single file")
        if number == _DIMS:
            dims += [value] if isinstance(value, int) else _packed(value)
    # A value has four bits at least.
    if len(dims) > 16 or any(d < 0 or d >= 1 << 63 for d in dims) or math.prod(dims) > 2 * held:
        raise ConfigError("the model claims a tensor that it does not hold")
    return count


def _packed(values: memoryview) -> list[int]:
    found: list[int] = []
    at = 0
    while at < len(values) and len(found) < 20:
        value, at = _varint(values, at)
        found.append(value)
    return found


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(number, value) of each field of a message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _varint(message, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ConfigError("the model is not an ONNX file")
        if at + size > len(message):
            raise ConfigError("the model is cut short, or is not an ONNX file")
        if kind == 2:
            yield key >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 70:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (1 << 64) - 1, at
        shift += 7
    raise ConfigError("the model is cut short, or is not an ONNX file")
