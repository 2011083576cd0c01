"""The tables in docs/origin.md say what the code says; ``python -m tests.origin.pages`` writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest
from tests.origin import pages

from nightlamp.origin import RULES
from nightlamp.origin.forensics import MEASURES
from nightlamp.origin.manifest import read_manifest
from nightlamp.origin.watermark import CERTAIN, MARKS, needed
from nightlamp.values import Channel, Outcome, Says, Strength

pytest.importorskip("c2pa")


def test_the_table_of_samples_is_what_the_samples_say(shared_data: Path) -> None:
    assert pages.samples(shared_data) in pages.PAGE.read_text("utf-8"), "run: python -m tests.origin.pages"


def test_the_table_of_what_survives_is_what_survives() -> None:
    assert pages.survival() in pages.PAGE.read_text("utf-8"), "run: python -m tests.origin.pages"


@pytest.mark.slow
def test_the_rates_of_weak_signals_are_what_was_measured(shared_data: Path) -> None:
    assert pages.rates(shared_data) in pages.PAGE.read_text("utf-8"), (
        "run: python -m tests.origin.pages --slow"
    )


@pytest.mark.slow
def test_the_table_of_watermarks_is_what_survives(shared_data: Path) -> None:
    assert pages.fragile(shared_data) in pages.PAGE.read_text("utf-8"), (
        "run: python -m tests.origin.pages --slow"
    )


def test_every_weak_signal_and_mark_has_its_row() -> None:
    page = pages.PAGE.read_text("utf-8")

    for name in (*MEASURES, "watermark"):
        assert f"| {name} | `" in page
    for name, bits in MARKS.items():
        row = f"| {name} | {len(bits)} | {_or_none(needed(len(bits)), bits)} |"
        assert f"{row} {_or_none(needed(len(bits), CERTAIN), bits)} |" in page


def _or_none(count: int, bits: Sequence[int]) -> str:
    return str(count) if count <= len(bits) else "never"


def test_the_example_of_a_manifest_is_read(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", pages.PAGE.read_text("utf-8"), re.DOTALL)
    (tmp_path / "m.toml").write_text(example)

    manifest = read_manifest(tmp_path / "m.toml")

    assert manifest.made in manifest.labels
    assert manifest.threshold < 1


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
