"""``nightlamp key``: API keys, without a running service."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from nightlamp.cli.messages import table, tell
from nightlamp.cli.service import config_option, database, load_settings, operator


@click.group()
def key() -> None:
    """Make, list and revoke API keys in the database."""


@key.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    help="submit, read, review, report, disclose, admin, audit or share; give it several times for several.",
)
@click.option("--expires", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="In UTC.")
@click.option("--rate", type=float, help="Items a second, on each node.")
@config_option
def create(
    name: str, scopes: tuple[str, ...], expires: datetime | None, rate: float | None, config_file: Path | None
) -> None:
    """Make a key for NAME and print it, once. Running nodes know it within 200 ms.

    \b
    nightlamp key create uploads --scope submit --rate 100
    """
    settings = load_settings(config_file)
    from nightlamp import access
    from nightlamp.store import utc_now

    until = expires.replace(tzinfo=UTC) if expires else None
    with database(settings) as engine, engine.begin() as connection:
        made = access.create(
            connection, name, scopes, actor=operator(), now=utc_now(), expires_at=until, rate=rate
        )
    tell(f"key {made.key.id}, shown this once:")
    click.echo(made.secret.reveal())


@key.command("list")
@config_option
def list_keys(config_file: Path | None) -> None:
    """List all keys, revoked ones too, without their secrets."""
    settings = load_settings(config_file)
    from nightlamp import access
    from nightlamp.store import reading, utc_now

    with database(settings) as engine, reading(engine) as connection:
        keys = access.every(connection)
    now = utc_now()
    rows = [
        (
            each.id,
            each.name,
            " ".join(sorted(each.scopes)),
            "in force" if each.in_force(now) else "revoked" if each.revoked_at else "expired",
            f"{each.created_at:%Y-%m-%d}",
        )
        for each in keys
    ]
    table(rows, ("id", "name", "scopes", "state", "made"))


@key.command()
@click.argument("key_id", metavar="ID")
@config_option
def revoke(key_id: str, config_file: Path | None) -> None:
    """Put the key ID out of force. Running nodes refuse it within 200 ms."""
    settings = load_settings(config_file)
    from nightlamp import access
    from nightlamp.store import utc_now

    with database(settings) as engine, engine.begin() as connection:
        access.revoke(connection, key_id, actor=operator(), now=utc_now())
    click.echo(f"revoked {key_id}")
