"""Exports of originals: asked for with a reason, authorised by somebody else, fetched once, sealed.

What is fetched is sealed for its recipient before it is on a disk; neither this page nor the browser ever has
anything clear.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from nightlamp import reports
from nightlamp.accounts import Person
from nightlamp.errors import AccessError, CaseError, NightlampError, ReportError, VaultError
from nightlamp.reports.bundle import Manifest, Office, export_originals
from nightlamp.server.console.desk import names_of
from nightlamp.server.console.pages import go, page, refusal
from nightlamp.server.console.visiting import Posted, Visit, Visiting, fresh, need
from nightlamp.server.packages import sealed
from nightlamp.server.problems import Problem, problem_of
from nightlamp.store import reading, utc_now
from nightlamp.vault import Recipients

router = APIRouter(prefix="/exports")
Exporter = Annotated[Person, Depends(need("lead", "admin"))]
_LISTED = 50
_ID = 40


@router.get("")
def show(
    request: Request,
    visit: Visiting,
    person: Exporter,  # noqa: ARG001 (a role is needed)
    case: Annotated[str, Query(max_length=_ID)] = "",
    item: Annotated[str, Query(max_length=_ID)] = "",
    after: Annotated[str | None, Query(max_length=_ID)] = None,
) -> Response:
    """All of them, the newest first, and room to ask for another."""
    return _show(request, visit, kept={"case": case, "item": item}, before=after)


@router.post("")
def ask(request: Request, visit: Visiting, person: Exporter, form: Posted) -> Response:
    """Ask for the originals of a case."""
    s = visit.node.settings.reports

    def work(connection: Connection) -> None:
        reports.ask_export(
            connection,
            form.get("case", "").strip(),
            Recipients.of(form.get("recipient", "").split()),
            form.get("reason", ""),
            by=person.actor,
            now=utc_now(),
            good_for=_good_for(visit),
            item=form.get("item", "").strip() or None,
            allowed=s.export_recipients,
        )

    return _change(request, visit, work, kept=form, done="asked")


@router.post("/{export_id}/authorise")
def authorise(request: Request, visit: Visiting, person: Exporter, form: Posted, export_id: str) -> Response:  # noqa: ARG001
    """Let its asker fetch it."""

    def work(connection: Connection) -> None:
        good_for = _good_for(visit)
        reports.authorise_export(connection, export_id, by=person.actor, now=utc_now(), good_for=good_for)

    return _change(request, visit, work, recent=True)


@router.post("/{export_id}/stop")
def stop(request: Request, visit: Visiting, person: Exporter, form: Posted, export_id: str) -> Response:  # noqa: ARG001
    """Refuse it, or withdraw one's own."""
    return _change(
        request, visit, lambda c: reports.stop_export(c, export_id, by=person.actor, now=utc_now())
    )


@router.post("/{export_id}/fetch")
def fetch(request: Request, visit: Visiting, person: Exporter, form: Posted, export_id: str) -> Response:  # noqa: ARG001
    """The sealed file, once."""

    def make(office: Office, out: Path) -> Manifest:
        return export_originals(office, export_id, out)

    try:
        fresh(visit)
        return sealed(visit.node, person.actor, make)
    except (ReportError, AccessError) as error:
        return _show(request, visit, error=error)
    except Problem as problem:
        if problem.kind != "unavailable":
            raise
        said = ReportError("stopped", problem.detail, where="export", hint=problem.hint)
        return _show(request, visit, error=said)


def _show(
    request: Request,
    visit: Visit,
    *,
    kept: Mapping[str, str] | None = None,
    before: str | None = None,
    error: NightlampError | None = None,
) -> Response:
    with reading(visit.node.engine) as connection:
        found = reports.page_exports(connection, now=utc_now(), before=before, limit=_LISTED)
        people = [name for each in found for name in (each.asked_by, each.settled_by)]
        names = names_of(connection, people)
    return page(
        request,
        "exports.html",
        status=problem_of(error).status_code if error else 200,
        error=refusal(error) if error else None,
        exports=found,
        names=names,
        kept=kept or {},
        allowed=visit.node.settings.reports.export_recipients,
        hours=visit.node.settings.reports.export_hours,
        first=before is None,
        next=found[-1].id if len(found) == _LISTED else None,
    )


def _change(
    request: Request,
    visit: Visit,
    work: Callable[[Connection], object],
    *,
    kept: Mapping[str, str] | None = None,
    done: str = "changed",
    recent: bool = False,
) -> Response:
    try:
        if recent:
            fresh(visit)
        visit.node.writer.write(work)
    except (ReportError, CaseError, AccessError) as error:
        return _show(request, visit, kept=kept, error=error)
    except VaultError as error:  # of the public key that was typed, and no fault of the service
        said = ReportError("invalid", error.what, where="recipient", hint=error.hint)
        return _show(request, visit, kept=kept, error=said)
    return go("/exports", done)


def _good_for(visit: Visit) -> timedelta:
    return timedelta(hours=visit.node.settings.reports.export_hours)
