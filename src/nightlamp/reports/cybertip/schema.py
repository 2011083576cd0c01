"""Checking a document against the CyberTipline's own XSD, which the operator has fetched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nightlamp.errors import ReportError


def validator(path: Path) -> Callable[[bytes], str]:
    """Says what the schema in ``path`` has against a document: ``""``, or where and what, without any value.

    Raises:
        ReportError: the package ``xmlschema`` is not installed, or the file is no schema.
    """
    try:
        import xmlschema
    except ImportError:
        raise ReportError(
            "invalid", "xmlschema is not installed", where=str(path), hint="pip install 'nightlamp[xsd]'"
        ) from None
    try:
        schema = xmlschema.XMLSchema(path.read_text(), defuse="always", allow="none")
    except (OSError, ValueError, xmlschema.XMLSchemaException):
        raise ReportError("malformed", "no schema", where=str(path), hint="nightlamp report xsd") from None

    def says(document: bytes) -> str:
        fault = next(schema.iter_errors(document.decode()), None)
        if fault is None:
            return ""
        # The fault's own words would quote the report.
        return f"{fault.path or 'document'} ({type(fault.validator).__name__})"

    return says
