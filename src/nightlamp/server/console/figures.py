"""Figures for a public report, and the duties to keep content: to look at. They name nobody."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from nightlamp import reports
from nightlamp.accounts import Person
from nightlamp.errors import VaultError
from nightlamp.reports.transparency import csv_text, figures, page
from nightlamp.server.console.pages import page as page_of
from nightlamp.server.console.visiting import Visiting, need
from nightlamp.server.problems import Problem
from nightlamp.store import reading, utc_now
from nightlamp.vault.holds import page_holds

router = APIRouter()
# As the API's scopes review, report, admin and audit.
Reader = Annotated[Person, Depends(need("lead", "reporter", "auditor", "admin"))]
_LISTED = 100


@router.get("/figures")
def ask(request: Request, person: Reader) -> Response:  # noqa: ARG001 (a role is needed)
    """Of which months, and in which form."""
    return page_of(request, "figures.html", month=f"{_month(''):%Y-%m}")


@router.get("/figures/file")
def give(
    visit: Visiting,
    person: Reader,  # noqa: ARG001
    start: Annotated[str, Query(alias="from", max_length=7)] = "",
    end: Annotated[str, Query(alias="to", max_length=7)] = "",
    form: Annotated[Literal["html", "csv"], Query(alias="format")] = "csv",
    threshold: Annotated[int, Query(ge=0, le=1_000)] = 5,
) -> Response:
    """The figures as a file."""
    with reading(visit.node.engine) as connection:
        found = figures(connection, _month(start), _month(end), threshold=threshold)
    text, kind = (page(found), "text/html") if form == "html" else (csv_text(found), "text/csv")
    name = {"content-disposition": f'attachment; filename="figures.{form}"'}
    return Response(text, media_type=kind, headers=name)


@router.get("/holds")
def holds(
    request: Request,
    visit: Visiting,
    person: Reader,  # noqa: ARG001
    object_id: Annotated[str, Query(alias="object", max_length=40)] = "",
    after: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """Why and until when content is kept, the first to end above; of one object all there ever were."""
    wanted = object_id.strip() or None
    with reading(visit.node.engine) as connection:
        try:
            found = page_holds(connection, after=after, limit=_LISTED, object_id=wanted)
        except VaultError as error:
            raise Problem("not-found", error.what) from None
        needed = reports.needs(connection, wanted, utc_now()) if wanted else []
    return page_of(
        request,
        "holds.html",
        holds=found,
        wanted=wanted,
        needed=needed,
        first=after is None,
        next=found[-1].id if len(found) == _LISTED and wanted is None else None,
    )


def _month(text: str) -> date:
    """Its first day; of the last whole month where none is named."""
    if not text:
        return (utc_now().date().replace(day=1) - timedelta(days=1)).replace(day=1)
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise Problem("malformed", "no month") from None
