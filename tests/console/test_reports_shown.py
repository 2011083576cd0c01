"""The pages of reports, holds and figures: whose they are, and however things stand."""

from __future__ import annotations

from typing import get_args

import pytest
from sqlalchemy import select, update

from nightlamp.accounts import ROLES
from nightlamp.reports import STATES
from nightlamp.reports.records import FileState
from nightlamp.reports.tables import report, report_file
from nightlamp.store import reading

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


READERS = {"lead", "reporter", "auditor", "admin"}


@pytest.mark.parametrize("role", ROLES)
def test_holds_and_figures_are_for_those_who_answer_for_them(house: House, role: str) -> None:
    browser = house.signed_in(role)
    menu = browser.get("/").text
    for path in ("/holds", "/figures", "/figures/file?from=2026-01&to=2026-02"):
        assert (browser.get(path).status_code == 200) is (role in READERS), path
    for place in ("/console/holds", "/console/figures"):
        assert (place in menu) is (role in READERS)


def test_of_an_object_the_page_says_what_needs_it(house: House) -> None:
    browser = house.signed_in("auditor")
    with reading(house.node.engine) as connection:
        object_id = connection.scalar(select(report_file.c.object))
    listed = browser.get("/holds").text
    assert f"/console/holds?object={object_id}" in listed
    one = browser.get("/holds", params={"object": object_id}).text
    assert "report to NCMEC" in one
    assert f"report {house.ids['report_id']} needs it" in one
    assert "There are none." in browser.get("/holds", params={"object": "<b>"}).text
    assert browser.get("/holds", params={"after": "nothing"}).status_code == 404


def test_figures_are_a_file(house: House) -> None:
    browser = house.signed_in("reporter")
    found = browser.get("/figures/file", params={"from": "2026-01", "to": "2026-02", "format": "csv"})
    assert found.headers["content-disposition"] == 'attachment; filename="figures.csv"'
    assert found.headers["content-type"].startswith("text/csv")
    assert "<!doctype html>" in browser.get("/figures/file", params={"format": "html"}).text
    assert browser.get("/figures/file", params={"from": "2026-13"}).status_code == 400
    backwards = {"from": "2026-02", "to": "2026-01"}
    assert browser.get("/figures/file", params=backwards).status_code == 422
