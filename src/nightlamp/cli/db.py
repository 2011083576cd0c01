"""``nightlamp db``: the database's schema."""

from __future__ import annotations

from pathlib import Path

import click

from nightlamp.cli.service import config_option, database, load_settings


@click.group()
def db() -> None:
    """Look at the database's schema, and bring it up to date."""


@db.command()
@config_option
def upgrade(config_file: Path | None) -> None:
    """Bring the schema up to date. Safe to run on several machines at once; there is no way back.

    \b
    nightlamp db upgrade
    """
    from nightlamp.store import upgrade as run

    with database(load_settings(config_file), current=False) as engine:
        found = run(engine)
    click.echo(
        f"up to date ({found.wanted})"
        if found.current
        else f"upgraded from {found.found or 'empty'} to {found.wanted}"
    )


@db.command()
@config_option
def check(config_file: Path | None) -> int:
    """Say whether the schema is up to date; the exit status is 1 if it is not."""
    from nightlamp.store import schema

    with database(load_settings(config_file), current=False) as engine:
        found = schema(engine)
    click.echo(
        f"up to date ({found.wanted})"
        if found.current
        else f"{found.found or 'empty'}, wanted {found.wanted}"
    )
    return int(not found.current)
