"""Figures for a public report: counted once, hidden where few, told in three ways."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from nightlamp.cases.tables import review_case
from nightlamp.errors import ReportError
from nightlamp.intake.tables import item
from nightlamp.reports.tables import report
from nightlamp.reports.transparency import Figures, as_json, csv_text, figures, page
from nightlamp.reports.transparency.counting import _shown
from nightlamp.store import reading

from .conftest import Office
from .model import NOON
from .test_bundle import case_of
from .test_drafts import DECLARED, submitted

MARCH = datetime(2026, 3, 10, tzinfo=UTC)


def at(office: Office, table: Any, row: str, **values: Any) -> None:
    office.writer.write(lambda c: c.execute(update(table).where(table.c.id == row).values(**values)))


def of(office: Office, start: date, end: date, threshold: int = 0) -> Figures:
    with reading(office.engine) as connection:
        return figures(connection, start, end, threshold=threshold)


def counted(found: Figures) -> dict[tuple[str, str, str], int | None]:
    return {(cell.table, cell.month, cell.name): cell.count for cell in found.cells}


def test_each_thing_is_counted_once_in_its_month(either: Office) -> None:
    office = either
    first, second, third = submitted(office, origin=DECLARED), submitted(office), submitted(office)
    at(office, item, first, received_at=MARCH)
    at(office, item, second, received_at=datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC))
    at(office, item, third, received_at=datetime(2026, 4, 1, tzinfo=UTC))
    case = case_of(office, first, second)
    at(office, review_case, case, opened_at=MARCH, decided_at=MARCH + timedelta(hours=6))
    for host, number in (("production", 1), ("test", 2)):
        made = office.draft(0, case=case)
        done = MARCH + timedelta(hours=8)
        at(office, report, made, state="finished", host=host, remote=number, finished_at=done)

    found = of(office, date(2026, 3, 15), date(2026, 4, 2))
    assert found.months == ("2026-03", "2026-04")
    assert counted(found) == {
        ("actions", "2026-03", "block"): 2,
        ("actions", "2026-04", "block"): 1,
        ("sources", "2026-03", "a hotline"): 2,
        ("sources", "2026-04", "a hotline"): 1,
        ("categories", "2026-03", "csam"): 2,
        ("categories", "2026-04", "csam"): 1,
        ("origins", "2026-03", "declared AI-made"): 1,
        ("origins", "2026-03", "not asked"): 1,
        ("origins", "2026-04", "not asked"): 1,
        ("findings", "2026-03", "csam"): 1,
        ("classifications", "2026-03", "A1"): 1,
        ("reports", "2026-03", "NCMEC CyberTipline"): 1,
        ("confirmations", "2026-03", "people"): 1,
    }
    assert {(each.what, each.month): each.seconds for each in found.medians} == {
        ("decision", "2026-03"): 6 * 3600.0,
        ("report", "2026-03"): 2 * 3600.0,
    }


def test_what_a_rule_confirmed_alone_is_told_apart(either: Office) -> None:
    office = either
    sent = MARCH + timedelta(hours=2)
    for number, decided in enumerate((None, MARCH, sent + timedelta(hours=1)), 1):
        case = case_of(office, submitted(office), finding="csam" if decided else None)
        at(office, review_case, case, opened_at=MARCH, decided_at=decided)
        made = office.draft(0, case=case, rule="exact")
        done = sent + timedelta(minutes=1)
        values = {"state": "finished", "host": "production", "remote": number, "finished_at": done}
        at(office, report, made, approved_at=sent, **values)
    found = of(office, date(2026, 3, 1), date(2026, 3, 1))
    told = {name: count for (table, _, name), count in counted(found).items() if table == "confirmations"}
    assert told == {"a rule of the policy alone": 2, "people": 1}
    assert [each.seconds for each in found.medians if each.what == "report"] == [2 * 3600 + 60.0]


def test_few_are_hidden_in_every_form(office: Office) -> None:
    for _ in range(3):
        at(office, item, submitted(office), received_at=MARCH)
    found = of(office, MARCH.date(), MARCH.date(), threshold=5)
    assert set(counted(found).values()) == {None}
    assert {row["count"] for row in csv.DictReader(io.StringIO(csv_text(found)))} == {"hidden"}
    assert {each["count"] for each in as_json(found)["counts"]} == {None}
    assert "<td>few</td>" in page(found)
    assert "<td>3</td>" not in page(found)
    assert set(counted(of(office, MARCH.date(), MARCH.date(), threshold=3)).values()) == {3}


@given(st.lists(st.integers(0, 30), max_size=8), st.integers(0, 12))
def test_no_hidden_count_stands_alone(counts: list[int], threshold: int) -> None:
    """Else whoever knows the sum knows it."""
    cells = _shown("t", "2026-01", [(str(at), n) for at, n in enumerate(counts)], threshold)
    hidden = [cell for cell in cells if cell.count is None]
    assert len(cells) == sum(1 for n in counts if n)
    assert all(cell.count is None or cell.count >= threshold for cell in cells)
    assert len(hidden) != 1 or len(cells) == 1


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.ids: list[str] = []
        self.refers: set[str] = set()
        self.elsewhere: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "line"):
            self.open.append(tag)
        self.seen.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name == "aria-labelledby":
                self.refers.update((value or "").split())
            if name in ("src", "href") or name.startswith("on"):
                self.elsewhere.append(name)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone_and_is_named_for_those_who_do_not_see_it(office: Office) -> None:
    hostile = '<script>alert("x")</script>&'
    at(office, item, submitted(office), received_at=MARCH)
    found = of(office, MARCH.date(), date(2026, 6, 1))
    cells = tuple(type(cell)(cell.table, cell.month, hostile, cell.count) for cell in found.cells)
    read = _Page()
    read.feed(page(Figures(found.months, 0, cells, found.medians), hostile))
    assert read.open == []
    assert {"svg", "table", "title", "desc"} <= read.seen
    assert "script" not in read.seen
    assert read.elsewhere == []
    assert read.refers <= set(read.ids)
    assert len(read.ids) == len(set(read.ids))


def test_a_spreadsheet_runs_no_name() -> None:
    from nightlamp.reports.transparency import Cell

    cells = (Cell("sources", "2026-01", '=cmd|"x"!A0', 7),)
    assert "'=cmd" in csv_text(Figures(("2026-01",), 0, cells, ()))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2026, 2, 1), date(2026, 1, 31)),
        (date(2000, 1, 1), date(2026, 1, 1)),
        (date(9999, 12, 1), date(9999, 12, 1)),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(office: Office, start: date, end: date) -> None:
    with pytest.raises(ReportError):
        of(office, start, end)


def test_nothing_is_a_page_too(office: Office) -> None:
    assert "<h1>" in page(of(office, NOON.date(), NOON.date()))
