from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click

from nightlamp.cli import app
from nightlamp.cli.app import _COMMANDS
from nightlamp.cli.lists import _banks_of
from nightlamp.cli.reference import reference

DOCS = Path(__file__).parents[2] / "docs"


def test_the_reference_is_what_the_commands_say_of_themselves() -> None:
    written = (DOCS / "cli.md").read_text("utf-8")

    assert written == reference(), "run: python -m nightlamp.cli.reference > docs/cli.md"


def test_every_command_and_option_is_in_the_reference() -> None:
    text = reference()
    ctx = click.Context(app)
    for name in app.list_commands(ctx):
        command = app.get_command(ctx, name)
        assert command is not None
        assert f"## nightlamp {name}\n" in text
        for parameter in command.params:
            assert all(option in text for option in parameter.opts if option.startswith("--"))


def test_what_help_says_of_a_command_is_what_the_command_says_of_itself() -> None:
    for name, (_, _, told) in _COMMANDS.items():
        command = app.get_command(click.Context(app), name)
        assert command is not None
        assert " ".join((command.help or "").split()).startswith(told)


def test_the_example_of_a_banks_file_works(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", reference(), re.DOTALL)
    (tmp_path / "banks.toml").write_text(example)

    found = _banks_of(tmp_path / "banks.toml")

    assert len(found) == len(tomllib.loads(example)["bank"]) == 4


def test_the_page_on_scans_names_every_column_and_status() -> None:
    from dataclasses import fields

    from nightlamp.scan import Row, RowMatch

    text = (DOCS / "scan.md").read_text("utf-8")
    for column in (*fields(Row), *fields(RowMatch)):
        assert f"`{column.name}`" in text
