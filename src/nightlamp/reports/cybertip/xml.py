"""Parts of the schema to XML and back, by the one ordered table; no DTD and no entities are read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, TypeVar

from nightlamp.errors import ReportError
from nightlamp.outbound import guarded_xml
from nightlamp.outbound.guarded_xml import Element
from nightlamp.reports.cybertip.model import FileDetails, Report
from nightlamp.reports.cybertip.table import Choice, Kind, Number, Part, Row, rows

T = TypeVar("T", Report, FileDetails)

MOST_BYTES = 4 << 20
_ROOTS = {Report: "report", FileDetails: "fileDetails"}
_SCHEMA = (
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' xsi:noNamespaceSchemaLocation="https://report.cybertip.org/ispws/xsd"'
)
_FOREIGN = ("noNamespaceSchemaLocation",)


def write(document: Report | FileDetails) -> bytes:
    """The document as it is sent; ``checking.check`` says beforehand whether it may be."""
    root = _ROOTS[type(document)]
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + _written(document, root, _SCHEMA)).encode()


def read(kind: type[T], data: bytes) -> T:
    """The inverse of ``write``.

    Raises:
        ReportError: it is not such a document, or has an element at a place that the schema does not give it.
    """
    return _part(kind, parse(data, _ROOTS[kind]), _ROOTS[kind])  # type: ignore[no-any-return]


def parse(data: bytes, *roots: str) -> Element:
    """The root of a document, which must have one of these names.

    Raises:
        ReportError: it has another, is too large, has a DTD or entities, or is not XML.
    """
    if len(data) > MOST_BYTES:
        raise ReportError("malformed", f"XML of more than {MOST_BYTES} bytes")
    try:
        [root] = guarded_xml.elements([data], roots, roots)
    except ValueError as error:
        raise ReportError("malformed", f"not a {' or '.join(roots)}: {error}") from None
    return root


def _written(value: Any, tag: str, extra: str = "") -> str:
    attributes, inner = extra, ""
    for row in rows(type(value)):
        given = getattr(value, row.name)
        if row.occurs == "attribute":
            if given is not None:
                attributes += f' {row.tag}="{_quoted(_text(given))}"'
        elif row.occurs == "content":
            inner += _escaped(_text(given))
        elif row.occurs == "flag":
            inner += f"<{row.tag}/>" if given else ""
        else:
            many = given if row.occurs == "many" else () if given is None else (given,)
            for each in many:
                simple = f"<{row.tag}>{_escaped(_text(each))}</{row.tag}>"
                inner += _written(each, row.tag) if isinstance(row.kind, Part) else simple
    return f"<{tag}{attributes}>{inner}</{tag}>" if inner else f"<{tag}{attributes}/>"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return repr(value) if isinstance(value, float) else str(value)


def _escaped(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#13;")  # a bare one would be read as a line feed


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")


def _part(kind: type[Any], element: Element, path: str) -> Any:
    values: dict[str, Any] = {}
    attributes = {k: v for k, v in element.attributes.items() if k not in _FOREIGN}
    children = iter([*element.children, None])
    child = next(children)
    for row in rows(kind):
        where = f"{path}.{row.tag}"
        if row.occurs == "attribute":
            if row.tag in attributes:
                values[row.name] = _value(row.kind, attributes.pop(row.tag), f"{path}.@{row.tag}")
        elif row.occurs == "content":
            values[row.name] = _value(row.kind, element.text, path)
        else:
            found: list[Any] = []
            while child is not None and child.name == row.tag and (row.occurs == "many" or not found):
                found.append(_element(row, child, where))
                child = next(children)
            if row.occurs == "many":
                values[row.name] = tuple(found)
            elif found:
                values[row.name] = found[0]
    if child is not None or attributes:
        raise ReportError("malformed", "has something that the schema does not have, or not here", where=path)
    return kind(**values)


def _element(row: Row, child: Element, where: str) -> Any:
    if row.occurs == "flag":
        return True
    if isinstance(row.kind, Part):
        return _part(row.kind.of, child, where)
    return _value(row.kind, child.text, where)


def _value(kind: Kind, text: str, where: str) -> Any:
    try:
        if isinstance(kind, Choice):
            return kind.of(text)
        if isinstance(kind, Number):
            return int(text) if kind.whole else float(text)
        if kind == "time":
            return datetime.fromisoformat(text)
        if kind == "date":
            return date.fromisoformat(text)
        if kind == "bool":
            return {"true": True, "1": True, "false": False, "0": False}[text]
    except (ValueError, KeyError):
        raise ReportError("malformed", "not a value of this field", where=where) from None
    return text
