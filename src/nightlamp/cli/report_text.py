"""What the commands of reports read from files, and how they say where a report stands."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, TypeVar

import click

from nightlamp.cli.messages import safe

if TYPE_CHECKING:
    from nightlamp.reports import StoredReport
    from nightlamp.reports.cybertip import FileDetails, Report

Part = TypeVar("Part", "Report", "FileDetails")


def read_part(kind: type[Part], given: IO[str]) -> Part:
    """A report, or the details of a file, from JSON by the schema's names."""
    from nightlamp.errors import ReportError
    from nightlamp.reports.cybertip import from_json

    try:
        return from_json(kind, json.load(given))
    except ValueError:
        raise ReportError("malformed", "not JSON", where=given.name) from None


def say_state(found: StoredReport) -> None:
    """Print where it stands, and of a draft what it still needs."""
    click.echo(safe(f"report {found.id}: {found.state}, version {found.version}"))
    if found.why:
        click.echo(safe(f"why: {found.why}"))
    if found.remote is not None:
        click.echo(f"number {found.remote} at the {found.host} host")
    if found.rule and found.decision is None:
        click.echo(f"confirmed by the policy's rule {found.rule}, and not by a person")
    if found.state == "draft":
        click.echo(f"approved by {len(found.approved_by)} of {found.approvals}")
        for fault in found.faults:
            click.echo(safe(f"must be put right: {fault}"))
        for ask in found.asks:
            click.echo(safe(f"please see to: {ask}"))
