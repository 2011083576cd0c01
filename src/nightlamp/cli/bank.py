"""``nightlamp bank``: what hash lists hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nightlamp.cli.messages import NoInputError, safe, table
from nightlamp.cli.options import reading_options

if TYPE_CHECKING:
    from nightlamp.banks import Inspection

_NAMED = 20


@click.group()
def bank() -> None:
    """Look at hash lists."""


@bank.command()
@click.argument("path", metavar="LIST")
@reading_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def inspect(path: str, as_json: bool, **given: Any) -> None:
    """Say what a hash list holds, and which of its rows are bad.

    Entries by signal, duplicates, entries too featureless to mean anything, categories, and bad rows with
    their numbers and reasons; never an entry itself.

    \b
    nightlamp bank inspect list.csv
    nightlamp bank inspect caid.json --profile uk --json
    """
    from nightlamp.banks import inspect_list
    from nightlamp.cli.lists import options_of

    if not Path(path).exists():
        raise NoInputError("no such file", where=path)
    found = inspect_list(path, options_of(given))
    if as_json:
        click.echo(json.dumps({**asdict(found), "path": path}, indent=2, default=str, ensure_ascii=True))
        return
    click.echo(safe(f"{path}: {found.format}, {found.rows:,} rows"))
    table(_lines(found))
    for bad in found.bad_rows[:_NAMED]:
        click.echo(safe(f"  row {bad.row:,}: {bad.reason}"))
    if found.bad > _NAMED:
        click.echo(f"  … and {found.bad - min(_NAMED, len(found.bad_rows)):,} more; --json names up to 100")


def _lines(found: Inspection) -> Iterator[tuple[str, str, int]]:
    for name, n in found.entries.items():
        missing = " (not installed: nothing here can match these)" if name in found.not_installed else ""
        yield "entries", name + missing, n
    for told, counts in (
        ("duplicates", found.duplicates),
        ("says nothing", found.degenerate),
        ("low quality", found.low_quality),
        ("category", found.categories),
        ("no hits", found.ignored),
    ):
        for name, n in counts.items():
            yield told, name or "(none given)", n
    yield "bad rows", "", found.bad
