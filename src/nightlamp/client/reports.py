"""Calls about reports to authorities, to look at. People write and approve in the console."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nightlamp.client.call import Call, Paged
from nightlamp.client.making import called, listed, one, quoted


@dataclass(frozen=True, slots=True)
class Report:
    """A report to an authority.

    Args:
        rule: of the policy, that confirmed it alone; empty: people did.
        state: how far it is; a newer service may know more words.
        why: what it waits for, or what went wrong.
        number: the authority's.
        document: what it says; only where one report was asked for.
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
    return called("GET", f"/v1/reports/{quoted(report_id)}", one(Report))


def exports(*, limit: int = 200) -> Paged[Export]:
    """Exports of originals, the newest first."""
    return listed("/v1/exports", "exports", Export, limit=limit)


def export(export_id: str) -> Call[Export]:
    """One export of originals."""
    return called("GET", f"/v1/exports/{quoted(export_id)}", one(Export))


def stop_export(export_id: str) -> Call[Export]:
    """Refuse an export, or end its authorisation."""
    return called("POST", f"/v1/exports/{quoted(export_id)}/stop", one(Export))
