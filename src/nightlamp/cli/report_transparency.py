"""``nightlamp report transparency``: figures for a public report."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from nightlamp.cli.service import config_option, database, load_settings
from nightlamp.errors import OutputError

_MONTH = click.DateTime(["%Y-%m", "%Y-%m-%d"])


@click.command()
@click.option("--from", "start", type=_MONTH, required=True, help="The first month.")
@click.option("--to", "end", type=_MONTH, required=True, help="The last month.")
@click.option(
    "--format", "form", type=click.Choice(["html", "csv", "json"]), default="html", show_default=True
)
@click.option(
    "--threshold",
    type=click.IntRange(0, 1_000),
    default=5,
    show_default=True,
    help="Counts below it are not shown; 0 shows all.",
)
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="Where to; else standard output."
)
@config_option
def transparency(
    start: datetime,
    end: datetime,
    form: str,
    threshold: int,
    output: Path | None,
    config_file: Path | None,
) -> None:
    """Count what was found, done and reported, month by month, for a public report.

    \b
    nightlamp report transparency --from 2026-01 --to 2026-06 -o report.html
    """
    settings = load_settings(config_file)
    from nightlamp.reports.transparency import as_json, csv_text, figures, page
    from nightlamp.store import reading

    with database(settings) as engine, reading(engine) as connection:
        found = figures(connection, start.date(), end.date(), threshold=threshold)
    platform = settings.reports.platform or settings.reports.company
    title = f"Transparency report: {platform}" if platform else "Transparency report"
    if form == "html":
        text = page(found, title)
    elif form == "csv":
        text = csv_text(found)
    else:
        text = json.dumps(as_json(found), indent=1, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        with output.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise OutputError(f"cannot be written ({error.strerror})", where=str(output)) from None
