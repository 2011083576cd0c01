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


@hold.command()
@click.argument("object_id", metavar="OBJECT")
@click.option("--process", required=True, help="The court's or authority's own reference.")
@click.option("--until", required=True, type=_DAY, help="Until when, in UTC.")
@click.option("--jurisdiction", default="US", show_default=True, help="Whose process it is.")
@config_option
def request(
    object_id: str, process: str, until: datetime, jurisdiction: str, config_file: Path | None
) -> None:
    """Keep an OBJECT because a court or an authority asked for it.

    The same --process again moves the end to the later date. As long as it is in force, hold destroy refuses.

    \b
    nightlamp hold request k3f… --process "warrant 26-114" --until 2027-06-30
    """
    settings = load_settings(config_file)
    from nightlamp.vault import hold_for_request

    with vault_of(settings) as store, store.engine.begin() as connection:
        made = hold_for_request(
            connection,
            object_id,
            process,
            until=until.replace(tzinfo=UTC),
            jurisdiction=jurisdiction,
            actor=operator(),
            now=store.clock(),
        )
    click.echo(f"{made.id}: held until {_day(made.expires)}")


@hold.command()
@click.argument("object_id", metavar="OBJECT")
@click.option("--request", required=True, help="The authority's reference of its request to destroy.")
@click.option(
    "--despite-reports", is_flag=True, help="Though a report or a disclosure that is under way needs it."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
def destroy(object_id: str, request: str, despite_reports: bool, yes: bool, config_file: Path | None) -> int:
    """Destroy an OBJECT now, though holds keep it, because an authority asked for it.

    A hold of a legal request must be released first, and a report with it finished or retracted. The order
    and the destruction are in the audit log: nightlamp audit show --subject object:… proves them. The exit
    status is 1 if its bytes could not be removed.
    """
    settings = load_settings(config_file)
    from nightlamp.reports import destroy as destroy_now

    if not yes:
        click.confirm(f"Destroy object {object_id} for good?", abort=True)
    with vault_of(settings) as store:
        gone = destroy_now(store, object_id, actor=operator(), request=request, despite=despite_reports)
    click.echo("destroyed" if gone else "marked; its bytes could not be removed yet: nightlamp vault purge")
    return int(not gone)


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
