"""``nightlamp vault``: keys, holds, destruction and upkeep of sealed content."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from nightlamp.cli.messages import safe, size_text, table, tell
from nightlamp.cli.service import config_option, load_settings, need_service, operator, vault_of
from nightlamp.errors import NightlampError

_FILE = click.Path(path_type=Path)
_DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.group()
def vault() -> None:
    """Keys and upkeep of the sealed content that must be kept."""


@vault.command()
@click.argument("file", metavar="FILE", type=_FILE)
def keygen(file: Path) -> None:
    """Make a private key in FILE, and print its public key, for which content is sealed.

    Run it on a machine that takes no content in, and keep FILE there.

    \b
    nightlamp vault keygen vault.key
    """
    need_service()
    from nightlamp.dumps import forbid_core_dumps
    from nightlamp.vault import Identity

    forbid_core_dumps()
    identity = Identity.generate()
    identity.write(file)
    click.echo(identity.public)
    tell(
        f"{file} opens everything that is sealed for this key. Keep it off the intake nodes, and keep a copy."
    )
    tell("Give the intake nodes the line above, as vault.recipients or in data_dir/vault.pub.")


@vault.command()
@config_option
def status(config_file: Path | None) -> None:
    """Count what the vault holds: blobs by state and key, and holds by jurisdiction."""
    settings = load_settings(config_file)
    from sqlalchemy import func, select

    from nightlamp.store import reading
    from nightlamp.vault.tables import vault_blob, vault_hold

    with vault_of(settings) as store, reading(store.engine) as connection:
        by = (vault_blob.c.state, vault_blob.c.recipients)
        blobs = connection.execute(
            select(*by, func.count(), func.sum(vault_blob.c.size)).group_by(*by).order_by(*by)
        ).all()
        kind = vault_hold.c.jurisdiction
        running = select(kind, func.count(), func.min(vault_hold.c.expires)).where(
            vault_hold.c.released.is_(None)
        )
        held = connection.execute(running.group_by(kind).order_by(kind)).all()
    rows = [(state, keys or "-", count, size_text(int(size or 0))) for state, keys, count, size in blobs]
    table(rows, ("state", "sealed for", "blobs", "size"))
    click.echo()
    table(
        [(j, count, f"{first:%Y-%m-%d}") for j, count, first in held], ("jurisdiction", "holds", "first end")
    )


@vault.command()
@config_option
def purge(config_file: Path | None) -> int:
    """Destroy what no hold keeps any more. The exit status is 1 if something could not be removed."""
    settings = load_settings(config_file)
    from nightlamp.vault import purge as run

    with vault_of(settings) as store:
        done = run(store, delay=settings.vault.destroy_after)
    click.echo(f"{done.destroyed} destroyed, {done.due} waiting for their delay, {done.failed} failed")
    return int(done.failed > 0)


@vault.command()
@config_option
def reconcile(config_file: Path | None) -> int:
    """Make storage and database agree after a crash. The exit status is 1 if something is lost or failed."""
    settings = load_settings(config_file)
    from nightlamp.vault import reconcile as run

    with vault_of(settings) as store:
        done = run(store)
    click.echo(
        f"{done.orphans} orphans removed, {done.finished} destructions finished, "
        f"{len(done.found)} found again, {len(done.lost)} lost, {done.failed} failed, "
        f"{len(done.strangers)} strangers"
    )
    for object_id in done.lost:
        click.echo(safe(f"lost: object {object_id}"))
    if done.strangers:
        tell(
            "Strangers are sealed content that this database does not know: was it restored from an older "
            "backup? They stay. See 'nightlamp vault strangers'."
        )
    return int(bool(done.lost) or done.failed > 0)


@vault.command()
@click.option("--adopt-until", type=_DAY, help="Take them into the database, held until then (UTC).")
@click.option("--jurisdiction", default="policy", show_default=True, help="Of that hold.")
@click.option("--remove", is_flag=True, help="Destroy them.")
@click.option("--reason", default="", help="Why, for the audit log; needed with the others.")
@config_option
def strangers(
    adopt_until: datetime | None, jurisdiction: str, remove: bool, reason: str, config_file: Path | None
) -> int:
    """Name sealed content that was held once and that the database does not know; adopt or remove it.

    It is there after a database was restored from an older backup, or if two installations share one vault.
    Nothing removes it but this command. What is adopted can be opened with its key again, as an object that
    no item refers to.

    \b
    nightlamp vault strangers
    nightlamp vault strangers --adopt-until 2028-01-31 --reason "restored backup of Monday"
    """
    if (remove or adopt_until) and not reason:
        raise click.UsageError("--adopt-until and --remove need --reason")
    if remove and adopt_until:
        raise click.UsageError("either --adopt-until or --remove")
    settings = load_settings(config_file)
    from nightlamp.vault import HoldRequest, adopt_stranger, remove_stranger
    from nightlamp.vault import strangers as find

    failed = 0
    with vault_of(settings) as store:
        for stored in find(store):
            said = f"{stored.name} stored {_day(stored.at)}"
            if remove:
                gone = remove_stranger(store, stored.name, actor=operator(), reason=reason)
                said, failed = f"{said}: {'removed' if gone else 'cannot be removed'}", failed + (not gone)
            elif adopt_until is not None:
                hold = HoldRequest(reason, jurisdiction, adopt_until.replace(tzinfo=UTC))
                said = f"{said}: object {adopt_stranger(store, stored.name, hold, actor=operator())}"
            click.echo(safe(said))
    return int(failed > 0)


@vault.command()
@click.option("--identity", required=True, type=_FILE, help="The private key that opens what is there now.")
@click.option("--to", "to", required=True, type=_FILE, help="A file of the new public keys.")
@config_option
def rekey(identity: Path, to: Path, config_file: Path | None) -> int:
    """Seal everything anew, for other keys, so that the old private key opens nothing any more.

    First give the intake nodes the new public keys. Can be stopped and run again. Backups made before still
    open with the old key: destroy them or it.

    \b
    nightlamp vault rekey --identity old.key --to new.pub
    """
    settings = load_settings(config_file)
    from nightlamp.dumps import forbid_core_dumps
    from nightlamp.vault import Identity, Recipients
    from nightlamp.vault import rekey as run

    forbid_core_dumps()
    with vault_of(settings) as store:
        fresh = Recipients.read(to)
        if store.recipients is not None and store.recipients.fingerprint != fresh.fingerprint:
            raise NightlampError(
                "the settings still seal for other keys",
                where="vault.recipients",
                hint="the keys of --to there first",
            )
        done = run(store, Identity.read(identity), fresh, actor=operator())
    click.echo(f"{done.resealed} sealed anew, {len(done.failed)} failed")
    for object_id in done.failed:
        click.echo(safe(f"failed: object {object_id}"))
    return int(bool(done.failed))


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
