"""``nightlamp demo``: the whole way of an item on harmless pictures, explained line by line."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nightlamp.cli.messages import NoInputError
from nightlamp.cli.preparing import preparing

if TYPE_CHECKING:
    from nightlamp.scan import Row

_WENT_WRONG = 70


@click.command()
@click.option(
    "--keep", type=click.Path(path_type=Path), metavar="DIR", help="Draw into this folder and leave it."
)
def demo(keep: Path | None) -> None:
    """Show all of it on harmless pictures, and explain it.

    Draws pictures, makes a hash list of some, alters them, scans, and says what comes out and why.

    The exit status is 0 if everything was found as told.
    """
    from nightlamp.cli.example import PIECES, make_example

    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise NoInputError("the folder is not empty", where=os.fspath(keep), hint="a new folder")
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nightlamp-demo-")))
        click.echo(
            f"Drawing landscapes with houses and trees into {folder}/pictures, and listing four of them"
        )
        click.echo(f"in {folder}/known.csv, as a hotline would: hashes only, no pictures.\n")
        with preparing():
            make_example(folder)
        click.echo(f"Now: nightlamp scan {folder}/pictures --bank {folder}/known.csv\n")
        rows = {row.path.removeprefix(f"{folder}/pictures/"): row for row in _scan(folder)}
        wrong = 0
        for piece in PIECES:
            row = rows.pop(piece.name, None)
            as_told = row is not None and (
                row.action == piece.action
                and {m.signal for m in row.matches} == piece.signals
                and {u.what for u in row.unchecked} == piece.unchecked
            )
            wrong += not as_told
            click.echo(f"{row.action if row else 'missing':6}  {piece.name}: {piece.told}")
            for reason in row.reasons if row else ():
                click.echo(f"          {reason}")
            if not as_told:
                click.echo("          This is NOT what it should be.")
    wrong += len(rows)
    click.echo(
        "\nblock and review come from the built-in policy. 'allow' is never said of what was not examined:\n"
        "the damaged and the featureless picture are for a person to look at."
    )
    if keep:
        click.echo(f"The pictures and the list are in {keep}.")
    if wrong:
        click.echo(f"{wrong} of {len(PIECES)} did not come out as told.", err=True)
        raise click.exceptions.Exit(_WENT_WRONG)


def _scan(folder: Path) -> list[Row]:
    from nightlamp import Screener, Workers, build_index
    from nightlamp.scan import Pipeline, walk

    screener = Screener([build_index(folder / "known.csv")])
    with Workers(1) as workers:
        batches = Pipeline(workers, screener).rows(walk([os.fspath(folder / "pictures")]))
        return [row for batch in batches for row in batch]
