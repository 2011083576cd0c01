"""The auditor reads the log from its newest record, and finds what became of one thing."""

from __future__ import annotations

import re

import pytest

from nightlamp import audit
from nightlamp.server.console import chain
from nightlamp.store import utc_now

from .conftest import House


@pytest.fixture
def log(house: House) -> int:
    """Records of two kinds and three subjects; the number of the last."""

    def work(connection) -> int:
        for at in range(12):
            action = "thing.made" if at % 4 else "thing.x_ed"
            last = audit.append(connection, "key:1", action, f"thing:{at % 3}", {"at": at}, at=utc_now())
        return last.sequence

    return house.node.writer.write(work)


def numbers(page: str) -> list[int]:
    return [int(found) for found in re.findall(r'<tr><td translate="no">(\d+)</td>', page)]


def following(page: str) -> str | None:
    found = re.search(r'href="/console(/chain[^"]*after=\d+)" rel="next"', page)
    return found[1].replace("&amp;", "&") if found else None


def walk(browser, path: str | None) -> list[int]:
    """All that the pages show, one after the other."""
    seen: list[int] = []
    while path:
        page = browser.get(path).text
        seen += numbers(page)
        path = following(page)
    return seen


def test_the_newest_comes_first_and_every_record_comes_once(house: House, log: int, monkeypatch) -> None:
    monkeypatch.setattr(chain, "_LISTED", 7)
    browser = house.signed_in("auditor")
    page = browser.get("/chain").text
    assert numbers(page) == list(range(log, log - 7, -1))
    assert walk(browser, following(page)) == list(range(log - 7, 0, -1))


def test_records_are_picked_by_subject_and_by_action(house: House, log: int, monkeypatch) -> None:
    browser = house.signed_in("auditor")
    assert walk(browser, "/chain?subject=thing:1") == [log - 1, log - 4, log - 7, log - 10]
    assert walk(browser, "/chain?subject=thing:1&action=thing.x_") == [log - 7]
    assert walk(browser, "/chain?action=thing.x_ed") == [log - 3, log - 7, log - 11]
    assert walk(browser, "/chain?action=thing.xx") == []  # the line is no wildcard
    assert walk(browser, "/chain?subject=thing:9") == []
    # each subject leads to all of its records
    assert 'href="/console/chain?subject=thing%3A1"' in browser.get("/chain").text
    # and where the log is long, a page that finds little says how far back it has looked
    monkeypatch.setattr(chain, "_SEARCHED", 5)
    page = browser.get("/chain?action=thing.x_ed").text
    assert numbers(page) == [log - 3]
    assert f"as far back as record {log - 4};" in page
    assert walk(browser, "/chain?action=thing.x_ed") == [log - 3, log - 7, log - 11]
