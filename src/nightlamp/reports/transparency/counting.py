"""Counts by month, and what of them may be shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from statistics import median

from sqlalchemy import Connection, Executable, case, distinct, func, select, true

from nightlamp.cases.tables import decision, review_case
from nightlamp.errors import ReportError
from nightlamp.intake.tables import item, match
from nightlamp.reports.tables import report, report_package

MOST_MONTHS = 120
TABLES = {
    "actions": "Items examined, by what was done",
    "sources": "Items acted on, by the owner of the list that matched",
    "categories": "Items acted on, by the category of the entry that matched",
    "origins": "Items acted on, by what their content says of its origin",
    "findings": "Cases decided, by what people found",
    "classifications": "Cases confirmed, by classification",
    "reports": "Reports finished, by authority",
    "confirmations": "Reports finished, by who had confirmed them when they were approved",
    "packages": "Packages made for other authorities and on legal process",
}
MEDIANS = {
    "decision": "From a case's opening to its decision",
    "report": "From a case's decision to its finished report",
}
_TITLES = {"cybertip": "NCMEC CyberTipline"}
Rows = Iterable[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure; ``count`` None: more than 0, and not shown."""

    table: str
    month: str
    name: str
    count: int | None


@dataclass(frozen=True, slots=True)
class Median:
    """A median of seconds; None: of too few to be shown."""

    what: str
    month: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of whole months.

    Args:
        months: ``"2026-03"`` …, the first one first.
        threshold: counts from 1 to below it are not shown; 0: all are.
    """

    months: tuple[str, ...]
    threshold: int
    cells: tuple[Cell, ...]
    medians: tuple[Median, ...]


def figures(connection: Connection, start: date, end: date, *, threshold: int = 5) -> Figures:
    """The figures of the months from that of ``start`` to that of ``end``, both included, in UTC.

    Args:
        connection: best of ``reading(engine)``, so that all is of one moment.
        start: any day of the first month.
        end: any day of the last.
        threshold: see ``Figures``.

    Raises:
        ReportError: the end is before the start, or it is more than ten years.
    """
    edges = _edges(start, end)
    cells: list[Cell] = []
    medians: list[Median] = []
    for first, after in pairwise(edges):
        month = f"{first:%Y-%m}"
        for table, rows in _counts(connection, first, after):
            cells += _shown(table, month, rows, threshold)
        for what, seconds in _times(connection, first, after):
            if seconds:
                few = len(seconds) < threshold
                medians.append(Median(what, month, None if few else round(median(seconds), 1)))
    months = tuple(f"{each:%Y-%m}" for each in edges[:-1])
    return Figures(months, threshold, tuple(cells), tuple(medians))


def _edges(start: date, end: date) -> list[datetime]:
    """The first instants of each month, and of the one after the last."""
    first, last = start.year * 12 + start.month - 1, end.year * 12 + end.month - 1
    if last < first:
        raise ReportError("invalid", "the end is before the start", where="to")
    if last - first >= MOST_MONTHS:
        raise ReportError("invalid", f"more than {MOST_MONTHS} months", where="from")
    if last + 1 >= 9999 * 12:
        raise ReportError("invalid", "too far ahead", where="to")
    return [datetime(n // 12, n % 12 + 1, 1, tzinfo=UTC) for n in range(first, last + 2)]


def _counts(connection: Connection, first: datetime, after: datetime) -> Iterator[tuple[str, Rows]]:
    c, d, r, p = review_case.c, decision.c, report.c, report_package.c
    received = (item.c.received_at >= first) & (item.c.received_at < after)
    acted = received & (item.c.action != "allow")
    decided = (c.decided_at >= first) & (c.decided_at < after) & (c.state == "decided")
    finished = (r.finished_at >= first) & (r.finished_at < after) & (r.state == "finished")
    made = (p.at >= first) & (p.at < after)

    def rows(query: Executable) -> Rows:
        return [(str(name), int(count)) for name, count in connection.execute(query)]

    n = func.count()
    yield (
        "actions",
        rows(select(item.c.action, n).where(received, item.c.action.is_not(None)).group_by(item.c.action)),
    )
    for table, column in (("sources", match.c.source), ("categories", match.c.category)):
        of = select(column, func.count(distinct(item.c.id))).join(item, item.c.verdict == match.c.verdict)
        yield table, rows(of.where(acted, ~match.c.benign, column != "").group_by(column))
    said = func.coalesce(item.c.origin["outcome"].as_string(), "not asked")
    yield "origins", rows(select(said, n).where(acted).group_by(said))
    answers = select(d.finding, n).join(review_case, c.decision == d.id)
    yield "findings", rows(answers.where(decided).group_by(d.finding))
    graded = func.coalesce(d.classification, "none")
    confirmed = select(graded, n).join(review_case, c.decision == d.id)
    yield "classifications", rows(confirmed.where(decided, d.finding == "csam").group_by(graded))
    # What went to a host that only tests use is no report.
    sent = select(r.authority, n).where(finished, r.host == "production").group_by(r.authority)
    yield "reports", [(_TITLES.get(name, name), count) for name, count in rows(sent)]
    by_rule = (r.rule != "") & func.coalesce(c.decided_at > r.approved_at, true())
    whose = case((by_rule, "a rule of the policy alone"), else_="people")
    of_cases = select(whose, n).select_from(report.outerjoin(review_case, c.id == r.case))
    yield "confirmations", rows(of_cases.where(finished, r.host == "production").group_by(whose))
    packages = connection.execute(
        select(p.purpose, p.authority, n).where(made).group_by(p.purpose, p.authority)
    )
    yield "packages", [(f"{purpose} {to}".strip(), int(count)) for purpose, to, count in packages]


def _times(connection: Connection, first: datetime, after: datetime) -> Iterator[tuple[str, list[float]]]:
    c, r = review_case.c, report.c
    decided = (c.decided_at >= first) & (c.decided_at < after) & (c.state == "decided")
    yield "decision", _seconds(connection, select(c.opened_at, c.decided_at).where(decided))
    finished = (r.finished_at >= first) & (r.finished_at < after) & (r.state == "finished")
    of = select(c.decided_at, r.finished_at).join(review_case, c.id == r.case)
    # What a rule had confirmed may have been finished before people decided the case.
    later = finished & (r.host == "production") & (c.decided_at <= r.finished_at)
    yield "report", _seconds(connection, of.where(later))


def _seconds(connection: Connection, query: Executable) -> list[float]:
    return [max((later - earlier).total_seconds(), 0.0) for earlier, later in connection.execute(query)]


def _shown(table: str, month: str, rows: Rows, threshold: int) -> list[Cell]:
    """Counts that may be shown.

    One hidden count could be computed from a sum that is known from elsewhere (each table splits the same
    items another way): then the smallest of the others is hidden with it.
    """
    counts = sorted(((count, name) for name, count in rows if count), key=lambda each: (each[0], each[1]))
    hidden = sum(count < threshold for count, _ in counts)
    if hidden == 1:
        hidden = min(2, len(counts))
    shown = [Cell(table, month, name, None if at < hidden else n) for at, (n, name) in enumerate(counts)]
    return sorted(shown, key=lambda cell: cell.name)


def names_of(cells: Sequence[Cell], table: str) -> list[str]:
    """The rows of a table, by name."""
    return sorted({cell.name for cell in cells if cell.table == table})
