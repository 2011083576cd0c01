"""Calls about reports to authorities, packages for others, and exports of originals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nightlamp.client.bodies import json_body
from nightlamp.client.call import Call, Download, Paged
from nightlamp.client.making import called, listed, nothing, one, quoted, some


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A file of a report."""

    id: str
    item: str | None
    object: str
    state: str
    details: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReportFault:
    """A field of a report, and what is to be done about it."""

    where: str
    what: str
    missing: bool


@dataclass(frozen=True, slots=True)
class Report:
    """A report to an authority.

    Args:
        rule: of the policy, that confirmed it alone; empty: people did.
        state: how far it is; a newer service may know more words.
        why: what it waits for, or what went wrong.
        number: the authority's.
        document: what it says; with the following only where one report was asked for.
        faults: what must be put right before it can be approved.
        asks: what a person should see to.
    """

    id: str
    authority: str
    case: str | None
    decision: str | None
    follows: str | None
    rule: str
    state: str
    why: str
    version: int
    created_at: datetime
    created_by: str
    approved_at: datetime | None
    number: int | None
    finished_at: datetime | None
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    files: tuple[ReportFile, ...] = ()
    faults: tuple[ReportFault, ...] = ()
    asks: tuple[ReportFault, ...] = ()
    approved_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """How many reports there are by state, and what needs somebody's eyes."""

    states: Mapping[str, Any]
    unreported: int
    doubled: int
    left: int
    overdue: int
    person: int
    stuck: int


@dataclass(frozen=True, slots=True)
class AuthorityCall:
    """A call to the authority, with the id that its support asks for."""

    at: datetime
    call: str
    number: int | None
    means: str
    code: int | None
    status: int
    request_id: str


@dataclass(frozen=True, slots=True)
class Package:
    """A package that was made; ``by`` had it made."""

    id: str
    purpose: str
    authority: str
    case: str | None
    item: str | None
    process: str
    recipients: tuple[str, ...]
    files: int
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority that packages can be made for, and how a package gets there."""

    name: str
    title: str
    jurisdiction: str
    transport: str
    duties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Export:
    """An export of originals; people do the rest in the console.

    Args:
        item: that alone; None: all ``items`` that the case had when it was asked for.
        recipients: age public keys.
        state: a newer service may know more words.
        settled_by: who authorised, refused or withdrew it.
        expires_at: until when it is to be authorised, or fetched.
        package: that was given.
    """

    id: str
    case: str
    item: str | None
    items: int
    recipients: tuple[str, ...]
    reason: str = field(repr=False)
    state: str
    asked_by: str
    asked_at: datetime
    settled_by: str | None
    settled_at: datetime | None
    expires_at: datetime
    given_at: datetime | None
    package: str | None


def reports(*, state: str | None = None, case: str | None = None, limit: int = 200) -> Paged[Report]:
    """Reports, the newest first."""
    return listed("/v1/reports", "reports", Report, state=state, case=case, limit=limit)


def report(report_id: str) -> Call[Report]:
    """One report, with its document."""
    return called("GET", _path(report_id), one(Report))


def report_calls(report_id: str) -> Call[tuple[AuthorityCall, ...]]:
    """Every call to the authority about a report, the oldest first."""
    return called("GET", f"{_path(report_id)}/calls", some("calls", AuthorityCall))


def report_standing() -> Call[Standing]:
    """How many reports there are in each state, and what needs somebody's eyes."""
    return called("GET", "/v1/reports/standing", one(Standing))


def draft_report(
    document: Mapping[str, Any],
    *,
    items: Sequence[str] = (),
    supplemental: Sequence[str] = (),
    case: str | None = None,
    actor: str = "",
) -> Call[Report]:
    """Draft a report by hand; confirmed cases draft theirs themselves.

    Args:
        document: by the names of the authority's schema; may be half-filled.
        items: whose contents are reported.
        supplemental: whose contents belong to the incident.
        case: that it is about.
        actor: whom it is about, under the platform's pseudonym.
    """
    told = {"document": dict(document), "items": _items(items, supplemental), "case": case, "actor": actor}
    return called("POST", "/v1/reports", one(Report), told, again=False)


def change_report(
    report_id: str,
    document: Mapping[str, Any],
    *,
    version: int,
    files: Mapping[str, Mapping[str, Any]] | None = None,
) -> Call[Report]:
    """Replace what a draft says, as it was read; ``files``: details by their ids, the others stay."""
    told = {"version": version, "document": dict(document), "files": dict(files or {})}
    return called("PUT", _path(report_id), one(Report), told, again=False)


def add_report_files(
    report_id: str, items: Sequence[str], *, version: int, supplemental: Sequence[str] = ()
) -> Call[Report]:
    """Add the contents of items to a draft; from now on they are held."""
    told = {"version": version, "items": _items(items, supplemental)}
    return called("POST", f"{_path(report_id)}/files", one(Report), told, again=False)


def approve_report(report_id: str, *, version: int) -> Call[Report]:
    """Say that a draft is right as it was read; with the last approval that it needs it is on its way."""
    return called("POST", f"{_path(report_id)}/approve", one(Report), {"version": version}, again=False)


def send_report(report_id: str) -> Call[Report]:
    """Go on with a report that stopped, or at once with one that waits for its time."""
    return called("POST", f"{_path(report_id)}/send", one(Report))


def retract_report(report_id: str, reason: str) -> Call[Report]:
    """Take a report back, as long as it is not finished."""
    return called("POST", f"{_path(report_id)}/retract", one(Report), {"reason": reason}, again=False)


def follow_up_report(report_id: str) -> Call[Report]:
    """Draft a report that adds to a finished one."""
    return called("POST", f"{_path(report_id)}/follow-up", one(Report), again=False)


def packages(*, limit: int = 200) -> Paged[Package]:
    """What was made for whom, the newest first."""
    return listed("/v1/packages", "packages", Package, limit=limit)


def package_authorities() -> Call[tuple[Authority, ...]]:
    """The authorities that packages can be made for."""
    return called("GET", "/v1/packages/authorities", some("authorities", Authority))


def make_package(
    case: str, recipients: Sequence[str], *, authority: str = "generic", urgent: str = "", again: bool = False
) -> Download:
    """The sealed package of a case that is decided as csam, as a tar file; it is sent to nobody.

    Args:
        case: the case's id.
        recipients: age public keys.
        authority: one of ``package_authorities``.
        urgent: why it cannot wait.
        again: though it was reported elsewhere, and that is enough.
    """
    told = {
        "case": case,
        "recipients": list(recipients),
        "authority": authority,
        "urgent": urgent,
        "again": again,
    }
    return Download(Call("POST", "/v1/packages", nothing, body=json_body(told), again=False))


def exports(*, limit: int = 200) -> Paged[Export]:
    """Exports of originals, the newest first."""
    return listed("/v1/exports", "exports", Export, limit=limit)


def export(export_id: str) -> Call[Export]:
    """One export of originals."""
    return called("GET", f"/v1/exports/{quoted(export_id)}", one(Export))


def stop_export(export_id: str) -> Call[Export]:
    """Refuse an export, or end its authorisation."""
    return called("POST", f"/v1/exports/{quoted(export_id)}/stop", one(Export))


def _path(report_id: str) -> str:
    return f"/v1/reports/{quoted(report_id)}"


def _items(reported: Sequence[str], supplemental: Sequence[str]) -> list[dict[str, Any]]:
    both = ((reported, False), (supplemental, True))
    return [{"item": item, "supplemental": more} for items, more in both for item in items]
