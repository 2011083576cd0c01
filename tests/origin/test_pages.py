"""The tables in docs/origin.md say what the code says; ``python -m tests.origin.pages`` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from tests.origin import pages

from nightlamp.origin import RULES
from nightlamp.values import Channel, Outcome, Says, Strength

pytest.importorskip("c2pa")


def test_the_table_of_samples_is_what_the_samples_say(shared_data: Path) -> None:
    assert pages.samples(shared_data) in pages.PAGE.read_text("utf-8"), "run: python -m tests.origin.pages"


def test_the_table_of_what_survives_is_what_survives() -> None:
    assert pages.survival() in pages.PAGE.read_text("utf-8"), "run: python -m tests.origin.pages"


def test_the_page_tells_every_word_and_every_rule_in_order() -> None:
    page = pages.PAGE.read_text("utf-8")

    for word in (
        *get_args(Outcome),
        *get_args(Says),
        *get_args(Channel),
        *(s.name.lower() for s in Strength),
    ):
        assert f"`{word}`" in page, word
    rows = [line for line in page.splitlines() if line.startswith("| rule: ")]
    assert [row.split("`")[1] for row in rows] == [rule.outcome for rule in RULES]
    for row, rule in zip(rows, RULES, strict=True):
        for need in rule.needs:
            assert need.strength.name.lower() in row
            assert all(f"`{word}`" in row for word in need.says)
