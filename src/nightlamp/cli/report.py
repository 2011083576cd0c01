"""``nightlamp report``: reports to the CyberTipline, without a running service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from nightlamp.cli.messages import safe, table, tell
from nightlamp.cli.report_bundle import bundle
from nightlamp.cli.report_files import add, describe
from nightlamp.cli.report_text import read_part, say_state
from nightlamp.cli.report_transparency import transparency
from nightlamp.cli.service import config_option, database, load_settings, need_service, operator

if TYPE_CHECKING:
    from nightlamp.reports import Sender
    from nightlamp.settings import Settings

_REPORT = click.argument("report_id", metavar="REPORT")
_DOCUMENT = click.argument("document", metavar="DOCUMENT", type=click.File(encoding="utf-8"))


@click.group()
def report() -> None:
    """Draft, approve and send reports to the CyberTipline; make packages for other authorities."""


report.add_command(add)
report.add_command(bundle)
report.add_command(describe)
report.add_command(transparency)


@report.command("list")
@click.option("--state", help="draft, approved, open, finishing, person, finished, retracted …")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@config_option
def list_reports(state: str | None, limit: int, config_file: Path | None) -> None:
    """List reports, the newest first."""
    settings = load_settings(config_file)
    from nightlamp.reports import page_reports
    from nightlamp.store import reading

    with database(settings) as engine, reading(engine) as connection:
        found = page_reports(connection, state=state, limit=limit)
    rows = [
        (each.id, each.state, each.remote or "-", f"{each.created_at:%Y-%m-%d %H:%M}", each.why or "-")
        for each in found
    ]
    table(rows, ("report", "state", "number", "drafted", "why"))


@report.command()
@_REPORT
@click.option("--xml", is_flag=True, help="The document as it is sent.")
@click.option("--json", "as_json_", is_flag=True, help="The document as it is edited.")
@click.option(
    "--file",
    "number",
    metavar="FILE",
    type=click.IntRange(1),
    help="What is said of a file, as it is edited.",
)
@config_option
def show(report_id: str, xml: bool, as_json_: bool, number: int | None, config_file: Path | None) -> None:
    """Print a REPORT: what it says, what is missing, and what the authority answered.

    It holds personal data.
    """
    settings = load_settings(config_file)
    from nightlamp.reports import calls_of, get_report
    from nightlamp.reports.cybertip import as_json, write
    from nightlamp.store import reading

    with database(settings) as engine, reading(engine) as connection:
        found = get_report(connection, report_id)
        calls = calls_of(connection, report_id)
    if xml:
        click.echo(safe(write(found.document).decode()))
        return
    shown = found.document if number is None else found.file(number).details
    click.echo(safe(json.dumps(as_json(shown), indent=2, ensure_ascii=False)))
    if as_json_ or number is not None:
        return
    click.echo()
    say_state(found)
    if found.files:
        click.echo()
        rows = [
            (at, file.item or "-", file.state, _yes(file.details.file_viewed_by_esp), file.remote or "-")
            for at, file in enumerate(found.files, 1)
        ]
        table(rows, ("file", "item", "state", "viewed", "authority's id"))
    if calls:
        click.echo()
        lines = [
            (f"{each.at:%Y-%m-%d %H:%M:%S}", each.call, each.means, each.code or "-", each.request or "-")
            for each in calls
        ]
        table(lines, ("at", "call", "means", "code", "Request-ID"))


@report.command()
@_DOCUMENT
@click.option("--item", "items", multiple=True, help="An item whose content is reported.")
@config_option
def draft(document: IO[str], items: tuple[str, ...], config_file: Path | None) -> None:
    """Draft a report from DOCUMENT (JSON by the schema's names), and print its id.

    Confirmed cases draft theirs themselves.

    \b
    nightlamp report draft report.json --item 0198…
    """
    settings = load_settings(config_file)
    from nightlamp import reports
    from nightlamp.reports.cybertip import Report
    from nightlamp.store import utc_now

    by = reports.Operator.of(settings.reports)
    now = utc_now()
    with database(settings) as engine, engine.begin() as connection:
        files = reports.files_of(connection, items)
        new = reports.NewReport(read_part(Report, document), files, approvals=by.approvals)
        made = reports.draft(connection, new, by=operator(), now=now, hold=by.hold(now))
    click.echo(made)


@report.command()
@_REPORT
@_DOCUMENT
@click.option("--version", type=int, required=True, help="The version that you have read.")
@config_option
def change(report_id: str, document: IO[str], version: int, config_file: Path | None) -> None:
    """Replace what the draft REPORT says by DOCUMENT, as show --json prints it. Approvals are asked for anew.

    \b
    nightlamp report show 0198… --json > report.json
    nightlamp report change 0198… report.json --version 1
    """
    settings = load_settings(config_file)
    from nightlamp import reports
    from nightlamp.reports.cybertip import Report
    from nightlamp.store import utc_now

    with database(settings) as engine, engine.begin() as connection:
        found = reports.change(
            connection,
            report_id,
            read_part(Report, document),
            version=version,
            by=operator(),
            now=utc_now(),
            approvals=settings.reports.approvals,
        )
    say_state(found)


@report.command()
@_REPORT
@click.option("--version", type=int, required=True, help="The version that you have read.")
@config_option
def approve(report_id: str, version: int, config_file: Path | None) -> None:
    """Say that a REPORT is right as it stands. With the last approval that it needs it is sent.

    \b
    nightlamp report approve 0198… --version 1
    """
    settings = load_settings(config_file)
    from nightlamp import reports
    from nightlamp.store import utc_now

    with database(settings) as engine, engine.begin() as connection:
        found = reports.approve(connection, report_id, version=version, by=operator(), now=utc_now())
    say_state(found)


@report.command()
@_REPORT
@click.option("--reason", required=True, help="Why, for the audit log.")
@config_option
def retract(report_id: str, reason: str, config_file: Path | None) -> None:
    """Take a REPORT back, as long as it is not finished."""
    settings = load_settings(config_file)
    from nightlamp import reports
    from nightlamp.store import utc_now

    with database(settings) as engine, engine.begin() as connection:
        found = reports.retract(connection, report_id, by=operator(), reason=reason, now=utc_now())
    say_state(found)


@report.command()
@click.argument("report_id", metavar="[REPORT]", required=False)
@config_option
def send(report_id: str | None, config_file: Path | None) -> int:
    """Send what is approved and due, here and now; with REPORT, one that stopped, too.

    Needs the private key of the vault (reports.identity_file). The exit status is 1 if REPORT did not finish.
    """
    settings = load_settings(config_file)
    from concurrent.futures import ThreadPoolExecutor

    from nightlamp import reports
    from nightlamp.store import reading, utc_now

    with _sending(settings) as (engine, sender):
        if report_id is not None:
            with engine.begin() as connection:
                reports.send_again(connection, report_id, by=operator(), now=utc_now())
        with ThreadPoolExecutor(settings.reports.at_once) as pool:
            slots = [pool.submit(_sent, sender) for _ in range(settings.reports.at_once)]
            tell(f"worked on {sum(each.result() for each in slots)}")
        if report_id is None:
            return 0
        with reading(engine) as connection:
            found = reports.get_report(connection, report_id)
    say_state(found)
    return int(found.state != "finished")


@report.command("follow-up")
@_REPORT
@config_option
def follow_up(report_id: str, config_file: Path | None) -> None:
    """Draft a report that adds to a finished REPORT, and print its id."""
    settings = load_settings(config_file)
    from nightlamp import reports
    from nightlamp.store import utc_now

    with database(settings) as engine, engine.begin() as connection:
        people = settings.reports.approvals
        made = reports.follow_up(connection, report_id, by=operator(), now=utc_now(), approvals=people)
    click.echo(made)


@report.command()
@click.option("--ask", is_flag=True, help="Ask the authority too, whether our credentials are good.")
@config_option
def status(ask: bool, config_file: Path | None) -> int:
    """Count reports by state, and what needs somebody's eyes. The exit status is 1 if anything does."""
    settings = load_settings(config_file)
    from dataclasses import asdict

    from nightlamp.reports import client_of, count_states, standing
    from nightlamp.store import reading, utc_now

    with database(settings) as engine, reading(engine) as connection:
        counts = count_states(connection)
        found = standing(connection, now=utc_now(), draft_hours=settings.reports.draft_hours)
    table([(state, count) for state, count in counts.items() if count], ("state", "reports"))
    for name, count in asdict(found).items():
        if count:
            click.echo(f"{_WORDS[name]}: {count}")
    well = found.well
    if ask:
        client = client_of(settings)
        answer = client.status()
        click.echo(f"{client.host.name} host: {answer.says} (Request-ID {answer.request_id or '-'})")
        well &= answer.means == "done"
    return int(not well)


@report.command()
@config_option
def xsd(config_file: Path | None) -> None:
    """Fetch the authority's schema with your credentials; from then on reports are checked against it."""
    settings = load_settings(config_file)
    from nightlamp.errors import ReportError
    from nightlamp.reports import client_of
    from nightlamp.reports.cybertip.schema import speaks_of_files
    from nightlamp.reports.wiring import xsd_file

    answer, schema = client_of(settings).xsd()
    if answer.means != "done":
        raise ReportError(
            "malformed", f"no schema came ({answer.says})", where="/xsd", hint="report status --ask"
        )
    path = xsd_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(schema)
    click.echo(safe(str(path)))
    if not speaks_of_files(path):
        tell("It does not speak of fileDetails: what is said of files is not checked against it.")


@report.command()
def drill() -> int:
    """Show the whole way of a report against a fake CyberTipline on this machine; nothing leaves it."""
    need_service()
    from nightlamp.reports.drill import drill as run

    well = run(lambda line: click.echo(safe(line)), _drawn())
    click.echo("all as it should be" if well else "NOT as it should be")
    return int(not well)


_WORDS = {
    "unreported": "decisions without a report",
    "doubled": "reports that are finished twice",
    "left": "numbers that were left behind",
    "overdue": "drafts that wait too long",
    "person": "reports that need a person",
    "stuck": "reports on their way for more than a day",
}


def _sent(sender: Sender) -> int:
    count = 0
    while sender.run_once():
        count += 1
    return count


@contextmanager
def _sending(settings: Settings) -> Iterator[tuple[Any, Any]]:
    from nightlamp.dumps import forbid_core_dumps
    from nightlamp.reports import sender_of
    from nightlamp.store import Writer
    from nightlamp.vault import open_vault

    forbid_core_dumps()
    with database(settings) as engine, Writer(engine) as writer:
        yield engine, sender_of(settings, writer, open_vault(settings, engine))


def _yes(value: bool | None) -> str:
    return "-" if value is None else "yes" if value else "no"


def _drawn() -> bytes:
    """A small drawn picture."""
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.linear_gradient("L").save(out, "PNG")
    return out.getvalue()
