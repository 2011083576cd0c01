"""``nightlamp hold``: why and until when sealed content is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from nightlamp.cli.messages import table
from nightlamp.cli.service import config_option, load_settings, operator, vault_of

_DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.group()
def hold() -> None:
    """List, extend and end the duties to keep sealed content."""


@hold.command("list")
@click.argument("object_id", metavar="[OBJECT]", required=False)
@click.option("--ends-before", type=_DAY, help="Only those that end before then, in UTC.")
@config_option
def list_holds(object_id: str | None, ends_before: datetime | None, config_file: Path | None) -> None:
    """List the holds in force, those that end first above; of an OBJECT all that there ever were."""
    settings = load_settings(config_file)
    from nightlamp.store import reading
    from nightlamp.vault.holds import holds, running

    until = ends_before.replace(tzinfo=UTC) if ends_before else None
    with vault_of(settings) as store, reading(store.engine) as connection:
        found = holds(connection, object_id) if object_id else running(connection, before=until)
    rows = [
        (
            each.id,
            each.object,
            each.jurisdiction,
            each.reason,
            _day(each.created),
            _day(each.expires),
            _day(each.released) if each.released else "-",
        )
        for each in found
    ]
    table(rows, ("hold", "object", "jurisdiction", "reason", "made", "ends", "released"))


@hold.command()
@click.argument("hold_id", metavar="HOLD")
@click.option("--until", required=True, type=_DAY, help="The new end, in UTC; later than the present one.")
@click.option("--reason", required=True, help="Why, for the audit log: e.g. the number of a legal request.")
@config_option
def extend(hold_id: str, until: datetime, reason: str, config_file: Path | None) -> None:
    """Move the end of a HOLD to a later date."""
    settings = load_settings(config_file)
    from nightlamp.vault.holds import extend as move

    end = until.replace(tzinfo=UTC)
    with vault_of(settings) as store, store.engine.begin() as connection:
        move(connection, hold_id, end, actor=operator(), reason=reason, now=store.clock())
    click.echo(f"held until {_day(end)}")


@hold.command()
@click.argument("hold_id", metavar="HOLD")
@click.option("--reason", required=True, help="Why, for the audit log.")
@config_option
def release(hold_id: str, reason: str, config_file: Path | None) -> None:
    """End a HOLD now. The next purge destroys the object if no other hold keeps it."""
    settings = load_settings(config_file)
    from nightlamp.vault.holds import release as end

    with vault_of(settings) as store, store.engine.begin() as connection:
        end(connection, hold_id, actor=operator(), reason=reason, now=store.clock())
    click.echo("released")


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
