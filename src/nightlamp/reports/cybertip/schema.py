"""Checking documents against the CyberTipline's own XSD, which the operator has fetched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nightlamp.errors import ReportError

_DETAILS = "fileDetails"


def validator(path: Path) -> Callable[[bytes], str]:
    """Says what the schema in ``path`` has against a document: ``""``, or where and what, without any value.

    Details of a file pass if the schema does not speak of them at all, see ``speaks_of_files``.

    Raises:
        ReportError: the package ``xmlschema`` is not installed, or the file is no schema.
    """
    schema = _schema(path)
    files = _DETAILS in schema.elements
    start = f"<{_DETAILS} ".encode()

    def says(document: bytes) -> str:
        if not files and start in document[:200]:
            return ""
        fault = next(schema.iter_errors(document.decode()), None)
        if fault is None:
            return ""
        # The fault's own words would quote the report.
        return f"{fault.path or 'document'} ({type(fault.validator).__name__})"

    return says


def speaks_of_files(path: Path) -> bool:
    """Whether the schema in ``path`` says what the details of a file may be.

    Raises:
        ReportError: as ``validator``.
    """
    return _DETAILS in _schema(path).elements


def _schema(path: Path) -> Any:
    try:
        import xmlschema
    except ImportError:
        raise ReportError(
            "invalid", "xmlschema is not installed", where=str(path), hint="pip install 'nightlamp[xsd]'"
        ) from None
    try:
        return xmlschema.XMLSchema(path.read_text(), defuse="always", allow="none")
    except (OSError, ValueError, xmlschema.XMLSchemaException):
        raise ReportError("malformed", "no schema", where=str(path), hint="nightlamp report xsd") from None
