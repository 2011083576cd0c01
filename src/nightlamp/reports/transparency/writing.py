"""Figures as CSV and as JSON."""

from __future__ import annotations

import csv
import io
from typing import Any

from nightlamp.reports.transparency.counting import MEDIANS, TABLES, Figures


def csv_text(found: Figures) -> str:
    """One figure a line: table, month, name, count. What is not shown is ``hidden``."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("table", "month", "name", "count"))
    for cell in found.cells:
        writer.writerow((cell.table, cell.month, _plain(cell.name), _or_hidden(cell.count)))
    for each in found.medians:
        writer.writerow(("median seconds", each.month, MEDIANS[each.what], _or_hidden(each.seconds)))
    return out.getvalue()


def as_json(found: Figures) -> dict[str, Any]:
    """All of it; a ``count`` of null is more than 0, and not shown."""
    return {
        "format": "nightlamp-transparency",
        "v": 1,
        "months": list(found.months),
        "threshold": found.threshold,
        "tables": TABLES,
        "counts": [
            {"table": each.table, "month": each.month, "name": each.name, "count": each.count}
            for each in found.cells
        ],
        "medians": [
            {"what": MEDIANS[each.what], "month": each.month, "seconds": each.seconds}
            for each in found.medians
        ],
    }


def _or_hidden(value: float | None) -> float | str:
    return "hidden" if value is None else value


def _plain(text: str) -> str:
    """A spreadsheet takes what begins so for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
