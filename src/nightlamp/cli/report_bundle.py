"""``nightlamp report bundle``: signed, sealed packages for authorities that have no interface."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nightlamp.cli.messages import safe, tell
from nightlamp.cli.service import config_option, load_settings, need_service, operator, vault_of

if TYPE_CHECKING:
    from nightlamp.reports.bundle import Manifest, Office
    from nightlamp.settings import Settings

_TO = click.option(
    "--to", "recipients", metavar="age1…", multiple=True, required=True, help="Whom it is sealed for."
)
_PATH = click.Path(path_type=Path)


class _Bundle(click.Group):
    """A first word that is no command's name is the CASE of ``make``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["make", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Bundle)
def bundle() -> None:
    """Make and check signed packages: report.json, a PDF and files, all sealed for the recipient.

    \b
    nightlamp report bundle 0198… --to age1… --out ./package
    nightlamp report bundle verify ./package
    """


@bundle.command()
@click.argument("case_id", metavar="CASE")
@_TO
@click.option("--out", required=True, type=_PATH, help="The folder that is made.")
@click.option(
    "--for", "authority", default="generic", show_default=True, help="generic, nca, or a plug-in's."
)
@click.option("--urgent", default="", metavar="WHY", help="Why it cannot wait: a child may be in danger now.")
@click.option("--again", is_flag=True, help="Though it was reported elsewhere, and that is enough.")
@config_option
def make(
    case_id: str,
    recipients: tuple[str, ...],
    out: Path,
    authority: str,
    urgent: str,
    again: bool,
    config_file: Path | None,
) -> None:
    """Make the package of a CASE that is decided as csam. It is sent to nobody.

    Needs the private key of the vault (reports.identity_file) and that of the audit log, which signs it. The
    word make may be left out.
    """
    settings = load_settings(config_file)
    from nightlamp.reports.authorities import authority_named
    from nightlamp.reports.bundle import bundle as make_bundle
    from nightlamp.vault import Recipients

    to = Recipients.of(recipients)
    with office_of(settings) as office:
        made = make_bundle(office, case_id, out, to, authority=authority, urgent=urgent, again=again)
    profile = authority_named(authority).profile
    _say_made(out, made, office)
    tell(profile.transport)
    for duty in profile.duties:
        tell(f"- {duty}")


@bundle.command()
@click.argument("path", metavar="PACKAGE", type=_PATH)
@click.option(
    "--public-key", "keys", metavar="PEM", multiple=True, type=_PATH, help="Believe this key alone."
)
@click.option(
    "--identity", metavar="FILE", type=_PATH, help="The recipient's private key: see inside, in memory, too."
)
def verify(path: Path, keys: tuple[Path, ...], identity: Path | None) -> int:
    """Check a PACKAGE (a folder, or the file of a disclosure) offline, by itself.

    Checks the signature, and size and SHA-256 of every part; with --identity also that files, report and
    audit extract agree. The exit status is 0 if all is well and 1 if not.
    """
    need_service()
    from nightlamp.audit import PublicKeys
    from nightlamp.dumps import forbid_core_dumps
    from nightlamp.reports.bundle import check, check_opened
    from nightlamp.vault import Identity

    believed = PublicKeys.read(keys) if keys else None
    if identity is None:
        found = check(path, believed)
    else:
        forbid_core_dumps()
        found, document = check_opened(path, Identity.read(identity), believed)
        click.echo(f"{document.purpose} {document.id}: {len(document.items)} items, of {document.made_at}")
    for fault in found.faults:
        click.echo(safe(fault))
    state = "NOT WELL" if found.faults else "whole and unchanged"
    click.echo(safe(f"{state}: {len(found.manifest.parts)} parts, signed by {found.manifest.key}"))
    if not found.trusted:
        tell("The key came with the package: compare its id with the sender's, or give --public-key.")
    return int(bool(found.faults))


@bundle.command()
def authorities() -> None:
    """List the authorities that packages can be made for, and how a package gets there."""
    need_service()
    from nightlamp.reports.authorities import authorities as known

    for name, each in known().items():
        click.echo(safe(f"{name}: {each.profile.title}. {each.profile.transport}"))


@click.command()
@click.argument("subject", metavar="CASE|ITEM")
@click.option("--process", required=True, help="The court's or authority's own reference.")
@_TO
@click.option("--out", required=True, type=_PATH, help="The file that is made: a tar of sealed parts.")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Hold the content until then; by default the law's term.",
)
@config_option
def disclose(
    subject: str,
    process: str,
    recipients: tuple[str, ...],
    out: Path,
    until: object,
    config_file: Path | None,
) -> int:
    """Seal what is known of a CASE or an ITEM for law enforcement, on a legal process.

    The file has content, report, chain of custody and an extract of the audit log, each sealed for the
    recipient, and a signed manifest; nightlamp report bundle verify checks it. The content is held for the
    process. Where reports.disclosure_people is 2, another person must run the same command within a week;
    until then the exit status is 2.

    \b
    nightlamp disclose 0198… --process "warrant 26-114" --to age1… --out warrant-26-114.tar
    """
    settings = load_settings(config_file)
    from datetime import UTC, datetime

    from nightlamp.reports.bundle import disclose as make
    from nightlamp.vault import Recipients

    end = until.replace(tzinfo=UTC) if isinstance(until, datetime) else None
    to = Recipients.of(recipients)
    with office_of(settings) as office:
        made = make(office, subject, out, to, process=process, until=end)
    if made is None:
        click.echo("asked for; another person must run the same command within a week")
        tell(f"In the audit log it is asked for by {office.actor}, the account on this machine.")
        return 2
    _say_made(out, made, office)
    return 0


def _say_made(out: Path, made: Manifest, office: Office) -> None:
    click.echo(safe(f"{out}: package {made.id}, {len(made.parts)} parts, signed by {made.key}"))
    tell(safe(f"In the audit log it is made by {office.actor}, the account on this machine."))


@contextmanager
def office_of(settings: Settings) -> Iterator[Office]:
    """What makes packages, by the settings."""
    from nightlamp.audit import SigningKey
    from nightlamp.dumps import forbid_core_dumps
    from nightlamp.reports.bundle import Office
    from nightlamp.reports.wiring import identity_file
    from nightlamp.vault import Identity

    forbid_core_dumps()
    key, identity = SigningKey.read(settings.audit_key_file), Identity.read(identity_file(settings))
    with vault_of(settings) as vault:
        yield Office(vault, identity, key, settings.reports, operator())
