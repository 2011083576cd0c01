"""Random parts of the schema, by the table: valid ones, with everything that may be there."""

from __future__ import annotations

import string
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from nightlamp.reports.cybertip.choices import Relevance
from nightlamp.reports.cybertip.model import FileDetails, InternetDetails, Report
from nightlamp.reports.cybertip.table import Choice, Number, Part, Row, Text, rows

_ALPHABET = st.characters(
    exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff", include_characters="\t\n\r"
)
_SHAPED = {
    r"\+[0-9]{1,3}": st.from_regex(r"\+[0-9]{1,3}", fullmatch=True, alphabet=string.printable),
    r"[0-9]{1,10}": st.text("0123456789", min_size=1, max_size=10),
    r"[A-Z]{2}": st.text(string.ascii_uppercase, min_size=2, max_size=2),
    r"[A-Z][A-Z0-9]": st.text(string.ascii_uppercase, min_size=2, max_size=2),
    r"[0-9A-Fa-f:.]{2,45}": st.ip_addresses().map(str),
}
_ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-7)), timezone(timedelta(hours=5, minutes=30))])
_TIMES = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=_ZONES)


def single(row: Row) -> st.SearchStrategy[Any]:
    kind = row.kind
    if isinstance(kind, Text):
        if kind.pattern:
            return _SHAPED[kind.pattern]
        longest = min(kind.longest or 40, 40)
        return st.text(_ALPHABET, min_size=1, max_size=longest).filter(str.strip)
    if isinstance(kind, Choice):
        return st.sampled_from(list(kind.of))
    if isinstance(kind, Number):
        if kind.whole:
            return st.integers(int(kind.least), int(kind.most))
        return st.floats(kind.least, kind.most, allow_nan=False)
    if isinstance(kind, Part):
        return part(kind.of)
    if kind == "time":
        return _TIMES
    return st.dates(date(1900, 1, 1), date(2090, 1, 1)) if kind == "date" else st.booleans()


@st.composite
def part(draw: st.DrawFn, of: type[Any]) -> Any:
    if of is InternetDetails:  # exactly one
        row = draw(st.sampled_from(rows(of)))
        return of(**{row.name: draw(single(row))})
    values: dict[str, Any] = {}
    for row in rows(of):
        if row.occurs == "many":
            most = max(row.least, draw(st.integers(0, 2)))
            values[row.name] = tuple(draw(single(row)) for _ in range(most))
        elif row.occurs == "flag":
            values[row.name] = draw(st.booleans())
        elif row.occurs in ("one", "content") or row.tag in ("reason", "hashType") or draw(st.booleans()):
            values[row.name] = draw(single(row))
    if of is FileDetails and values.get("file_relevance") is Relevance.SUPPLEMENTAL:
        for name in ("potential_meme", "industry_classification", "file_annotations"):
            values.pop(name, None)
    return of(**values)


REPORTS = part(Report)
FILES = part(FileDetails)
