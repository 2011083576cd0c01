"""The page of a report, however it stands."""

from __future__ import annotations

from typing import get_args

import pytest
from sqlalchemy import update

from nightlamp.reports import STATES
from nightlamp.reports.records import FileState
from nightlamp.reports.tables import report, report_file

from .conftest import House


@pytest.mark.parametrize("role", ["reporter", "lead"])
def test_every_state_has_its_words(house: House, role: str) -> None:
    browser = house.signed_in(role)
    for state in STATES:
        for file in get_args(FileState):

            def work(connection, state=state, file=file):
                connection.execute(update(report).values(state=state))
                connection.execute(update(report_file).values(state=file))

            house.node.writer.write(work)
            assert browser.get(f"/reports/{house.ids['report_id']}").status_code == 200, (state, file)
        assert browser.get("/reports", params={"state": state}).status_code == 200, state


@pytest.mark.parametrize("role", ["reviewer", "auditor", "admin"])
def test_others_do_not_find_it(house: House, role: str) -> None:
    browser = house.signed_in(role)
    assert browser.get(f"/reports/{house.ids['report_id']}").status_code == 403
    assert "/console/reports" not in browser.get("/").text


def test_a_rules_word_is_told_apart_from_a_persons(house: House) -> None:
    browser, path = house.signed_in("reporter"), f"/reports/{house.ids['report_id']}"
    assert "and not a person" not in browser.get(path).text
    house.node.writer.write(lambda c: c.execute(update(report).values(rule="exact")) and None)
    page = browser.get(path).text
    assert "confirmed it, and not a person" in page
    assert "exact" in page
    assert "without an approval" not in page
    house.node.writer.write(lambda c: c.execute(update(report).values(approvals=0)) and None)
    assert "without an approval" in browser.get(path).text
    house.node.writer.write(lambda c: c.execute(update(report).values(decision="d")) and None)
    assert "and not a person" not in browser.get(path).text
