"""``nightlamp report add`` and ``describe``: the files of a draft, and what is said of each."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import click

from nightlamp.cli.report_text import read_part, say_state
from nightlamp.cli.service import config_option, database, load_settings, operator

_REPORT = click.argument("report_id", metavar="REPORT")
_VERSION = click.option("--version", type=int, required=True, help="The version that you have read.")


@click.command()
@_REPORT
@click.option("--item", "items", multiple=True, required=True, help="An item whose content is reported.")
@click.option("--supplemental", is_flag=True, help="It only belongs to the incident.")
@_VERSION
@config_option
def add(
    report_id: str, items: tuple[str, ...], supplemental: bool, version: int, config_file: Path | None
) -> None:
    """Add the contents of items to the draft REPORT, and hold them. Approvals are asked for anew.

    \b
    nightlamp report add 0198… --item 0199… --version 1
    """
    settings = load_settings(config_file)
    from nightlamp import reports
    from nightlamp.reports.cybertip.choices import Relevance
    from nightlamp.store import utc_now

    by, now = reports.Operator.of(settings.reports), utc_now()
    relevance = Relevance.SUPPLEMENTAL if supplemental else Relevance.REPORTED
    with database(settings) as engine, engine.begin() as connection:
        found = reports.add_files(
            connection,
            report_id,
            reports.files_of(connection, items, relevance),
            version=version,
            by=operator(),
            now=now,
            hold=by.hold(now),
            approvals=by.approvals,
        )
    say_state(found)


@click.command()
@_REPORT
@click.argument("number", metavar="FILE", type=click.IntRange(1))
@click.argument("details", metavar="DETAILS", type=click.File(encoding="utf-8"))
@_VERSION
@config_option
def describe(report_id: str, number: int, details: IO[str], version: int, config_file: Path | None) -> None:
    """Replace what the draft REPORT says of its FILE (1, 2 …) by DETAILS, as show --file prints it.

    Who has viewed the file stays as the audit log has it. Approvals are asked for anew.

    \b
    nightlamp report show 0198… --file 1 > details.json
    nightlamp report describe 0198… 1 details.json --version 1
    """
    settings = load_settings(config_file)
    from nightlamp import reports
    from nightlamp.reports.cybertip import FileDetails
    from nightlamp.store import utc_now

    said = read_part(FileDetails, details)
    with database(settings) as engine, engine.begin() as connection:
        before = reports.get_report(connection, report_id, lock=True)
        found = reports.change(
            connection,
            report_id,
            before.document,
            version=version,
            by=operator(),
            now=utc_now(),
            files={before.file(number).id: said},
            approvals=settings.reports.approvals,
        )
    say_state(found)
