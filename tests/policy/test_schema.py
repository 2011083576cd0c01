"""The documentation names every field, and its examples work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nightlamp.policy import lint, load, load_cases, profile_text, run_cases
from nightlamp.policy.schema import FACTS, RECORDS

PAGE = (Path(__file__).parents[2] / "docs" / "policy.md").read_text("utf-8")
EXAMPLES = re.findall(r"```(yaml|python)\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("record", RECORDS)
def test_the_page_names_every_field(record: str) -> None:
    of_the_whole = FACTS[record].type.name == record if record in FACTS else False
    for field in RECORDS[record]:
        if record == "facts" and FACTS[field].type.name == field:
            continue  # a record's own fields are named one by one
        assert (f"`{record}.{field}`" if of_the_whole else f"`{field}`") in PAGE


def test_the_pages_policy_has_no_finding_and_its_cases_can_be_read() -> None:
    policy, cases = (text for kind, text in EXAMPLES if kind == "yaml")

    assert lint(policy) == []
    assert run_cases(load_cases(cases)[1], load(policy))


def test_the_pages_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policy.yaml").write_text(profile_text("us"), "utf-8")
    monkeypatch.chdir(tmp_path)

    (code,) = (text for kind, text in EXAMPLES if kind == "python")
    names: dict[str, object] = {}
    exec(code, names)

    assert names["verdict"].action == "allow"  # type: ignore[attr-defined]


def test_no_field_can_hold_a_hash_or_an_entry() -> None:
    assert not {"value", "hash", "entry", "entry_id"} & {
        name for fields in RECORDS.values() for name in fields
    }
