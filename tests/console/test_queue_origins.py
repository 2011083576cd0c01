"""The queue says how items were made, and shows what nobody knows of yet."""

from __future__ import annotations

from sqlalchemy import update

from nightlamp.cases.tables import review_case

from . import drawn
from .conftest import House


def test_the_queue_tells_the_origin_and_filters_by_it(house: House) -> None:
    other = drawn.file(house.node, 5)

    def work(connection) -> None:
        mine = update(review_case).where(review_case.c.id == other.case)
        connection.execute(mine.values(origin="unknown", listed=False, known=False))

    house.node.writer.write(work)
    browser = house.signed_in("reviewer")
    everything = browser.get("/cases").text
    assert "said to be made by AI" in everything  # as the drawings say
    assert "on no list" in everything
    new = browser.get("/cases?unlisted=yes").text
    assert other.case in new
    assert house.ids["case_id"] in everything
    assert house.ids["case_id"] not in new
