from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nightlamp.cli import app
from nightlamp.cli.policy import _PROFILES
from nightlamp.policy import PROFILES, profile_text

CASES = """\
nightlamp-policy-cases: 1
policy: mine.yaml
cases:
  - name: nothing found
    expect: {action: allow}
  - name: an equal digest
    given: {matches: [{bank: hotline, exact: true}]}
    expect: {action: block, rule: exact}
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["policy", *map(str, arguments)])


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(profile_text("us"), "utf-8")
    return path


@pytest.mark.parametrize("name", PROFILES)
def test_what_show_prints_passes_lint(name: str, tmp_path: Path) -> None:
    shown = run("show", name)
    (tmp_path / "copy.yaml").write_text(shown.stdout, "utf-8")

    linted = run("lint", tmp_path / "copy.yaml")

    assert (shown.exit_code, linted.exit_code, linted.stdout) == (0, 0, "no findings\n")
    assert _PROFILES == PROFILES


def test_lint_tells_file_line_column_and_a_hint(mine: Path) -> None:
    mine.write_text(mine.read_text("utf-8").replace("m.disputed", "m.dispute", 1), "utf-8")

    found = run("lint", mine)
    as_json = run("lint", mine, "--json")

    told = next(line for line in found.stdout.splitlines() if "error" in line)
    assert told.startswith(f"{mine}:")
    assert "a match has no 'dispute'. Try: did you mean 'disputed'?" in told
    assert found.exit_code == as_json.exit_code == 1
    (finding,) = json.loads(as_json.stdout)
    assert finding["severity"] == "error"
    assert (
        mine.read_text("utf-8")
        .splitlines()[finding["line"] - 1][finding["column"] - 1 :]
        .startswith("dispute")
    )


def test_lint_knows_the_banks_that_it_is_told(mine: Path) -> None:
    mine.write_text(mine.read_text("utf-8").replace("m.exact &&", "m.bank == 'ncmc' &&", 1), "utf-8")

    assert run("lint", mine).exit_code == 0
    assert "there is no bank 'ncmc'" in run("lint", mine, "--banks", "ncmec, stopncii").stdout


def test_a_policy_is_tried_on_its_cases(mine: Path, tmp_path: Path) -> None:
    cases = tmp_path / "cases.yaml"
    cases.write_text(CASES, "utf-8")

    passed = run("test", cases)
    cases.write_text(CASES.replace("action: block", "action: review"), "utf-8")
    failed = run("test", cases)
    as_json = run("test", cases, "--json", "--policy", mine)

    assert passed.exit_code == 0
    assert "2 cases, 0 failed" in passed.stdout
    assert failed.exit_code == as_json.exit_code == 1
    assert f"{cases}:6: an equal digest: action: expected review, got block" in failed.stdout
    assert [row["passed"] for row in json.loads(as_json.stdout)] == [True, False]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["lint", "absent.yaml"], 66),
        (["test", "absent.yaml"], 66),
        (["show", "atlantis"], 64),
    ],
)
def test_what_cannot_be_read_ends_with_its_own_status(arguments: list[str], status: int) -> None:
    assert run(*arguments).exit_code == status


def test_cases_of_a_broken_policy_or_of_none_do_not_run(mine: Path, tmp_path: Path) -> None:
    cases = tmp_path / "cases.yaml"
    cases.write_text(CASES.replace("policy: mine.yaml\n", ""), "utf-8")
    mine.write_text("rules: []", "utf-8")

    assert run("test", cases).exit_code == 64
    assert run("test", cases, "--policy", mine).exit_code == 65
    mine.write_bytes(b"\xff\xfe")
    assert run("test", cases, "--policy", mine).exit_code == 65
