"""``nightlamp origin``: what a file says of how it was made, and what its pixels hint at."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nightlamp.cli.evaluating import evaluate
from nightlamp.cli.messages import NoInputError, safe, table
from nightlamp.cli.options import limit_options, limits_of
from nightlamp.cli.preparing import preparing
from nightlamp.errors import ConfigError

if TYPE_CHECKING:
    from nightlamp.media import Detail
    from nightlamp.origin import Asked, TrustList
    from nightlamp.origin.manifest import Manifest
    from nightlamp.values import Assessment

Command = TypeVar("Command", bound=Callable[..., Any])


class _WithFiles(click.Group):
    """A group whose command ``file`` need not be named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Names ``file`` where no command is named."""
        if not args or args[0] not in {*self.commands, "--help"}:
            args = ["file", *args]
        return super().parse_args(ctx, args)


@click.group("origin", cls=_WithFiles)
def origin() -> None:
    """Say how each FILE was made, as far as it tells ('-' is standard input): camera, AI, edited.

    'nightlamp origin FILE...' is short for 'nightlamp origin file FILE...'; see
    'nightlamp origin file --help'.
    """


def origin_options(command: Command) -> Command:
    """What is asked of an item's origin; ``asked_with`` reads them."""
    for option in reversed(
        (
            click.option(
                "--signers",
                type=click.Path(path_type=Path),
                metavar="PEM",
                help="Certificates of authorities whose C2PA signatures count. By default nobody's do.",
            ),
            click.option(
                "--forensics",
                is_flag=True,
                help="Look at the pixels too: open watermarks, and weak hints with known rates of error.",
            ),
            click.option(
                "--detector",
                "detectors",
                type=click.Path(path_type=Path),
                multiple=True,
                metavar="MANIFEST",
                help="Ask this detector too: the manifest of an ONNX model of your own. May be repeated.",
            ),
        )
    ):
        command = option(command)
    return command


origin.add_command(evaluate)


@origin.command("file")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a file, on one line each.")
@origin_options
@click.option(
    "--reveal",
    is_flag=True,
    help="Print prompts, serial numbers and file names too. They may be as bad as the picture.",
)
@limit_options
def of_files(files: tuple[str, ...], as_json: bool, reveal: bool, detail: Detail, **given: Any) -> None:
    """Say how each FILE was made, as far as it tells ('-' is standard input): camera, AI, edited.

    It reads C2PA manifests, EXIF, XMP, IPTC, and what image generators write into their files, and says how
    each statement could be forged. What a file does not say is "unknown", never "real". Nothing is fetched.
    The exit status is 2 if some evidence could not be checked. See docs/origin.md.

    Watermarks, measurements and detectors are asked only on request: weak hints decide nothing.

    \b
    nightlamp origin picture.png
    nightlamp origin --json --signers authorities.pem *.jpg | jq -r '[.path, .outcome] | @tsv'
    """
    from nightlamp.examine import Workers
    from nightlamp.origin import to_json
    from nightlamp.scan import path_text

    asked = asked_with(given, reveal=reveal)
    unchecked = False
    with preparing(), Workers(1, limits_of(given), detail, asked) as workers:
        for number, name in enumerate(files):
            source = sys.stdin.buffer.read() if name == "-" else Path(name)
            examination = workers.examine(source, received=_changed(name)).result()
            found = examination.origin
            assert found is not None, "it was asked for"
            unchecked = unchecked or bool(found.unchecked)
            if as_json:
                head = {
                    "path": path_text(name),
                    "media_type": examination.media_type,
                    "size": examination.size,
                }
                click.echo(json.dumps(head | to_json(found, reveal=reveal), ensure_ascii=True))
            else:
                _show(path_text(name), found, reveal=reveal, first=not number)
    if unchecked:
        raise click.exceptions.Exit(2)


def asked_with(given: dict[str, Any], *, reveal: bool = False) -> Asked:
    """What the options ask for; certificates and detectors that cannot be read end the command."""
    from nightlamp.origin import NOBODY, Asked

    signers: Path | None = given["signers"]
    detectors_named(given["detectors"])
    return Asked(
        NOBODY if signers is None else _trust(signers),
        reveal,
        forensics=given["forensics"],
        detectors=given["detectors"],
    )


def detectors_named(paths: tuple[Path, ...]) -> list[Manifest]:
    """Their manifests, looked at now; a detector itself is loaded only where it is confined."""
    if not paths:
        return []
    from nightlamp.origin.detector import checked

    return [checked(path)[0] for path in paths]


def _trust(signers: Path) -> TrustList:
    from nightlamp.origin import trust_of

    try:
        return trust_of(signers.read_text("utf-8"))
    except OSError as error:
        raise NoInputError("the certificates cannot be read", where=str(signers)) from error
    except UnicodeDecodeError as error:
        raise ConfigError("there is no certificate in it", where=str(signers)) from error
    except ConfigError as error:
        raise ConfigError(error.what, where=str(signers), hint=error.hint) from error


def _changed(name: str) -> datetime | None:
    """When a file last changed: a picture that is taken later is odd."""
    try:
        return None if name == "-" else datetime.fromtimestamp(Path(name).stat().st_mtime, UTC)
    except (OSError, OverflowError, ValueError):
        return None


def _show(path: str, found: Assessment, *, reveal: bool, first: bool) -> None:
    if not first:
        click.echo()
    click.echo(path)
    click.echo(safe(f"  {found.sentence}"))
    table(
        [(f"  {s.says}", s.source, s.strength.name.lower(), s.text) for s in found.statements],
        ("  says", "where", "strength", "text") if found.statements else (),
    )
    if reveal:
        from nightlamp.values import Sealed

        for statement in found.statements:
            for name, value in statement.fields:
                if isinstance(value, Sealed):
                    click.echo(safe(f"  {name}: {value.reveal()}"))
    for way in dict.fromkeys((s.source, s.forgeable) for s in found.statements):
        click.echo(safe(f"  {way[0]}: {way[1]}"))
    for missing in found.unchecked:
        click.echo(safe(f"  {missing}"))
