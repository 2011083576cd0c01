"""Parts of the schema to JSON and back: how drafts are stored and edited. Names are the schema's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from nightlamp.errors import ReportError
from nightlamp.reports.cybertip.model import FileDetails, Report
from nightlamp.reports.cybertip.table import Choice, Kind, Number, Part, Row, rows

T = TypeVar("T", Report, FileDetails)


def as_json(document: Any) -> dict[str, Any]:
    """What says something; attributes start with ``@``, an element's own text is ``value``."""
    found: dict[str, Any] = {}
    for row in rows(type(document)):
        given = getattr(document, row.name)
        if given is None or given == () or (row.occurs == "flag" and not given):
            continue
        found[_key(row)] = [_out(each) for each in given] if row.occurs == "many" else _out(given)
    return found


def from_json(kind: type[T], stored: Mapping[str, Any]) -> T:
    """The inverse of ``as_json``.

    Raises:
        ReportError: naming the field that is unknown or has a value of another kind.
    """
    return _in(kind, stored, "")  # type: ignore[no-any-return]


def _key(row: Row) -> str:
    return "value" if row.occurs == "content" else ("@" if row.occurs == "attribute" else "") + row.tag


def _out(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat() if value.tzinfo else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return as_json(value) if hasattr(type(value), "__dataclass_fields__") else value


def _in(kind: type[Any], stored: Any, path: str) -> Any:
    if not isinstance(stored, Mapping):
        raise ReportError("invalid", "must be an object", where=path or "document")
    by_key = {_key(row): row for row in rows(kind)}
    values = {}
    for key, given in stored.items():
        row = by_key.get(key)
        if row is None:
            known = ", ".join(by_key)
            raise ReportError(
                "invalid", "has a field that is not the schema's", where=path or "document", hint=known
            )
        where = f"{path}.{key}" if path else key
        if row.occurs == "many":
            if not isinstance(given, list):
                raise ReportError("invalid", "must be a list", where=where)
            values[row.name] = tuple(_single(row.kind, each, where) for each in given)
        else:
            values[row.name] = _single(row.kind, given, where)
    return kind(**values)


def _single(kind: Kind, given: Any, where: str) -> Any:
    if isinstance(kind, Part):
        return _in(kind.of, given, where)
    try:
        if isinstance(kind, Choice):
            return kind.of(given)
        if kind == "time":
            return datetime.fromisoformat(given)
        if kind == "date":
            return date.fromisoformat(given)
    except (ValueError, TypeError):
        wanted = ", ".join(each.value for each in kind.of) if isinstance(kind, Choice) else f"a {kind}"
        raise ReportError("invalid", f"must be {wanted}", where=where) from None
    wanted_type: Any = bool if kind == "bool" else (int, float) if isinstance(kind, Number) else str
    if not isinstance(given, wanted_type) or (isinstance(kind, Number) and isinstance(given, bool)):
        word = "true or false" if kind == "bool" else "a number" if isinstance(kind, Number) else "text"
        raise ReportError("invalid", f"must be {word}", where=where)
    return given
