from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from nightlamp import __version__
from nightlamp.cli import app
from nightlamp.errors import ListError, NightlampError, OutputError, SnapshotError

_HEAVY = ("numpy", "numba", "PIL", "rich", "pyarrow", "py7zr", "ijson", "nightlamp.scan", "nightlamp.banks")


@pytest.mark.parametrize("arguments", [["--help"], ["scan", "--help"], ["--version"], ["index", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    look = (
        "import sys, json\n"
        "from nightlamp.cli import app\n"
        f"app({arguments!r}, standalone_mode=False)\n"
        f"print(json.dumps([m for m in {_HEAVY!r} if m in sys.modules]))"
    )

    said = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout

    assert json.loads(said.splitlines()[-1]) == []


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"nightlamp {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_names_our_command(shell: str) -> None:
    result = CliRunner().invoke(app, ["completion", shell])

    assert result.exit_code == 0
    assert "_NIGHTLAMP_COMPLETE" in result.output


def test_completion_knows_commands_and_options() -> None:
    environment = {
        "_NIGHTLAMP_COMPLETE": "bash_complete",
        "COMP_WORDS": "nightlamp scan --wi",
        "COMP_CWORD": "2",
    }

    said = CliRunner().invoke(app, [], env=environment, prog_name="nightlamp").output

    assert "plain,--without" in said
    assert "plain,--with-hashes" in said


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ([], 64),
        (["nosuch"], 64),
        (["scan"], 64),
        (["scan", "."], 64),
        (["scan", ".", "--bank", "x.csv", "--nosuch"], 64),
        (["scan", ".", "--bank", "x.csv", "--resume"], 64),
        (["scan", ".", "--bank", "x.csv", "--radius", "65"], 64),
        (["scan", ".", "--bank", "x.csv", "--memory", "much"], 64),
        (["scan", ".", "--bank", "x.csv", "--columns", "pdq"], 64),
        (["scan", ".", "--bank", "x.csv", "--output", "-", "--format", "parquet"], 64),
        (["scan", "nosuchfile", "--bank", "x.csv"], 66),
        (["scan", ".", "--bank", "nosuchlist.csv"], 66),
        (["bank", "inspect", "nosuchlist.csv"], 66),
        (["index", "info", "nosuch.nli"], 66),
        (["index", "build", "-o", "x.nli"], 64),
    ],
)
def test_what_cannot_run_says_so_and_has_its_status(arguments: list[str], status: int) -> None:
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == status
    assert result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ListError("what", where="where\x1b[31m", hint="hint"), 65),
        (SnapshotError("what", where="where\u202e", hint="hint"), 65),
        (OutputError("what", where="where\udcff", hint="hint"), 73),
        (NightlampError("what", where="where\r", hint="hint"), 70),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 73),
        (RuntimeError("with\x1b secrets"), 70),
    ],
)
def test_an_error_is_one_message_and_a_status(error: BaseException, status: int) -> None:
    @click.command()
    def breaks() -> None:
        raise error

    app.add_command(breaks, "breaks")
    try:
        result = CliRunner().invoke(app, ["breaks"])
        debugged = CliRunner().invoke(app, ["--debug", "breaks"])
    finally:
        del app.commands["breaks"]

    assert result.exit_code == debugged.exit_code == status
    assert "\x1b" not in result.stderr
    assert "\u202e" not in result.stderr
    assert "secrets" not in result.stderr
    assert "Traceback" not in result.stderr
    if isinstance(error, NightlampError):
        assert result.stderr.startswith("nightlamp: where")
        assert "\nTry: hint\n" in result.stderr
    if isinstance(error, Exception) and not isinstance(error, BrokenPipeError):
        assert "Traceback" in debugged.stderr


def test_a_reader_that_goes_away_is_no_traceback(drawn: Path) -> None:
    command = (
        f"{sys.executable} -c 'from nightlamp.cli import main; main()' hash {drawn}/pictures/*.jpg | true"
    )

    said = subprocess.run(["sh", "-c", command], capture_output=True, text=True).stderr

    assert "Traceback" not in said
    assert "Exception ignored" not in said
