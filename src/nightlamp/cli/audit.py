"""``nightlamp audit``: the log of who did what, its proof, and its export."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nightlamp.cli.messages import safe, table, tell
from nightlamp.cli.service import config_option, database, load_settings, need_service
from nightlamp.errors import AuditError, OutputError

if TYPE_CHECKING:
    from nightlamp.audit import PublicKeys, Report
    from nightlamp.settings import Settings

_FILE = click.Path(path_type=Path)


@click.group()
def audit() -> None:
    """Check, export and show the audit log."""


@audit.command()
@click.argument("file", metavar="[FILE]", required=False, type=_FILE)
@click.option(
    "--public-key", "keys", metavar="PEM", multiple=True, type=_FILE, help="Believe this key alone."
)
@click.option(
    "--witness", metavar="FILE", multiple=True, type=_FILE, help="Checkpoints that were kept elsewhere."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@config_option
def verify(
    file: Path | None,
    keys: tuple[Path, ...],
    witness: tuple[Path, ...],
    as_json: bool,
    config_file: Path | None,
) -> int:
    """Find any change, gap, reordering or cut in the log, and say where.

    Checks an exported FILE, offline and by itself, or without one the database's log. The exit status is 0 if
    it is intact and 1 if it is not. A cut that also removed the last checkpoints can be found only with a
    --witness: an earlier export, or its lines with checkpoints, kept where nobody who can write the database
    can write.

    \b
    nightlamp audit verify
    nightlamp audit verify log.jsonl --public-key audit.key.pub --witness last-month.jsonl
    """
    need_service()
    from nightlamp.audit import PublicKeys, read_witness, verify_export, verify_log

    witnesses = tuple(checkpoint for path in witness for checkpoint in read_witness(path))
    given = PublicKeys.read(keys) if keys else None
    if file is not None:
        report, believed = verify_export(file, given, witnesses)
    else:
        settings = load_settings(config_file)
        believed = given or _keys(settings)
        from nightlamp.store import reading

        with database(settings) as engine, reading(engine) as connection:
            report = verify_log(connection, believed, witnesses)
    if as_json:
        click.echo(json.dumps(_as_json(report, believed), indent=2))
    else:
        _say(report, believed, trusted=file is None or given is not None)
    return int(not report.intact)


@audit.command()
@click.option("-o", "--output", metavar="FILE", type=_FILE, help="Where to; by default standard output.")
@click.option(
    "--after", metavar="N", type=click.IntRange(0), default=0, help="Leave out the first N records."
)
@config_option
def export(output: Path | None, after: int, config_file: Path | None) -> None:
    """Write the log with its checkpoints and public keys as JSON lines, which can be verified offline.

    \b
    nightlamp audit export -o log.jsonl
    """
    settings = load_settings(config_file)
    from nightlamp.audit import export as lines_of
    from nightlamp.store import reading

    with database(settings) as engine, reading(engine) as connection:
        lines = lines_of(connection, _keys(settings), after=after)
        if output is None:
            sys.stdout.buffer.writelines(lines)
            sys.stdout.buffer.flush()
            return
        try:
            with output.open("xb") as file:
                file.writelines(lines)
        except OSError as error:
            raise OutputError(f"cannot be written ({error.strerror})", where=str(output)) from None


@audit.command()
@click.option(
    "--last", metavar="N", type=click.IntRange(1), default=20, show_default=True, help="So many records."
)
@click.option("--subject", help="Only records of this subject, e.g. item:… or object:….")
@config_option
def show(last: int, subject: str | None, config_file: Path | None) -> None:
    """Print the newest records, the oldest of them first."""
    settings = load_settings(config_file)
    from nightlamp.audit.log import newest
    from nightlamp.store import reading

    with database(settings) as engine, reading(engine) as connection:
        rows = connection.execute(newest(limit=last, subject=subject or "")).all()
    table(
        [
            (str(r.sequence), f"{r.at:%Y-%m-%d %H:%M:%S}", r.actor, r.action, r.subject, r.details)
            for r in reversed(rows)
        ],
        ("record", "at (UTC)", "actor", "action", "subject", "details"),
    )


@audit.command()
@config_option
def checkpoint(config_file: Path | None) -> None:
    """Sign the log as it stands now."""
    settings = load_settings(config_file)
    from nightlamp.audit import SigningKey
    from nightlamp.audit import checkpoint as sign

    key = SigningKey.read(settings.audit_key_file)
    with database(settings) as engine, engine.begin() as connection:
        signed = sign(connection, key)
    click.echo(
        f"checkpoint {signed.number} covers {signed.sequence} records" if signed else "nothing new to sign"
    )


@audit.command()
@click.argument("file", metavar="[FILE]", required=False, type=_FILE)
@config_option
def keygen(file: Path | None, config_file: Path | None) -> None:
    """Make the key that signs checkpoints: FILE (by default where the settings say) and FILE.pub.

    \b
    nightlamp audit keygen
    """
    target = file or load_settings(config_file).audit_key_file
    need_service()
    from nightlamp.audit import SigningKey

    key = SigningKey.generate()
    key.write(target)
    click.echo(safe(f"{target}: private key {key.id}; {target}.pub: its public half"))
    tell("Keep a copy of the public half and of the key's id away from this machine: they check exports.")


def _keys(settings: Settings) -> PublicKeys:
    from nightlamp.audit import PublicKeys, SigningKey

    earlier = PublicKeys.read(settings.audit.public_keys).by_id.values()
    path = settings.audit_key_file
    if path.is_file():
        return PublicKeys.of([*earlier, SigningKey.read(path).public])
    if not earlier:
        raise AuditError(
            "no key to check signatures with", where=str(path), hint="--public-key, or audit.public_keys"
        )
    return PublicKeys.of(earlier)


def _say(report: Report, believed: PublicKeys, *, trusted: bool) -> None:
    for finding in report.findings:
        click.echo(safe(str(finding)))
    if report.count > len(report.findings):
        click.echo(f"and {report.count - len(report.findings)} more findings")
    state = "intact" if report.intact else f"NOT INTACT, first at record {report.first_bad}"
    keys = ", ".join(believed.by_id)
    click.echo(f"{state}: {report.records} records, {report.checkpoints} checkpoints, key {keys}")
    if report.last > report.signed:
        tell(f"records {report.signed + 1} to {report.last} are not covered by a checkpoint yet")
    if not trusted:
        tell("The key came with the file: compare its id with the one of audit keygen, or give --public-key.")


def _as_json(report: Report, believed: PublicKeys) -> dict[str, object]:
    return {
        "intact": report.intact,
        "records": report.records,
        "last": report.last,
        "signed": report.signed,
        "checkpoints": report.checkpoints,
        "keys": list(believed.by_id),
        "first_bad": report.first_bad,
        "count": report.count,
        "findings": [
            {"fault": f.fault, "at": f.at, "first": f.first, "last": f.last, "text": f.text}
            for f in report.findings
        ],
    }
