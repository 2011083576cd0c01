"""``nightlamp hash``: every signal of a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nightlamp.cli.messages import safe, table
from nightlamp.cli.options import limit_options, limits_of
from nightlamp.cli.preparing import preparing

if TYPE_CHECKING:
    from nightlamp.media import Detail
    from nightlamp.values import Examination, Fingerprint


@click.command("hash")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a file, on one line each.")
@click.option(
    "--views",
    is_flag=True,
    help="Print the fingerprints of all views (mirrored, rotated …), not as is alone.",
)
@limit_options
def hash_command(files: tuple[str, ...], as_json: bool, views: bool, detail: Detail, **limits: Any) -> None:
    """Print every signal of each FILE ('-' is standard input).

    The exit status is 2 if something of a file could not be computed. Files are opened in a worker process
    with limits, like all content.

    \b
    nightlamp hash photo.jpg
    nightlamp hash --json *.jpg | jq -r '.fingerprints[] | select(.signal == "pdq") | .value'
    """
    from nightlamp.examine import Workers
    from nightlamp.scan import path_text

    unchecked = False
    with preparing(), Workers(1, limits_of(limits), detail) as workers:
        for name in files:
            source = sys.stdin.buffer.read() if name == "-" else Path(name)
            examination = workers.examine(source).result()
            unchecked = unchecked or bool(examination.unchecked)
            shown = [f for f in examination.fingerprints if views or f.view == "as is"]
            if as_json:
                click.echo(json.dumps(_as_json(path_text(name), examination, shown), ensure_ascii=True))
            else:
                _show(path_text(name), examination, shown, first=name == files[0])
    if unchecked:
        raise click.exceptions.Exit(2)


def _as_json(path: str, examination: Examination, shown: list[Fingerprint]) -> dict[str, Any]:
    return {
        "path": path,
        "media_type": examination.media_type,
        "size": examination.size,
        "width": examination.width,
        "height": examination.height,
        "frames": examination.frames,
        "fingerprints": [
            {
                "signal": f.signal,
                "value": _text(f),
                "view": f.view,
                "frame": f.frame,
                "seconds": f.seconds,
                "quality": f.quality,
            }
            for f in shown
        ],
        "unchecked": [{"what": u.what, "why": u.why, "detail": u.detail} for u in examination.unchecked],
    }


def _show(path: str, examination: Examination, shown: list[Fingerprint], *, first: bool) -> None:
    if not first:
        click.echo()
    seen = f", {examination.width} × {examination.height}" if examination.width else ""
    frames = f", {examination.frames} frames" if examination.frames > 1 else ""
    kind = safe(examination.media_type) or "unknown type"
    click.echo(f"{path}  ({kind}, {examination.size:,} bytes{seen}{frames})")
    table(
        (
            "  " + f.signal,
            _text(f),
            ", ".join(
                filter(
                    None,
                    [
                        f.view if f.view != "as is" else "",
                        f"frame {f.frame}" if f.frame else "",
                        f"{f.seconds:.2f} s" if f.seconds else "",
                        f"quality {f.quality}" if f.quality is not None else "",
                    ],
                )
            ),
        )
        for f in shown
    )
    for missing in examination.unchecked:
        click.echo(safe(f"  {missing}"))


def _text(fingerprint: Fingerprint) -> str:
    from nightlamp.signals import signal_named

    return signal_named(fingerprint.signal).text(fingerprint.value)
