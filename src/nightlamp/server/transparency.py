"""Figures for a public report."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from nightlamp.reports.transparency import as_json, csv_text, figures, page
from nightlamp.server.asking import Asked, need
from nightlamp.store import reading

router = APIRouter(tags=["reports"], prefix="/v1/transparency")
READER = Depends(need("review", "report", "admin", "audit"))
_FORMS: dict[str, dict[str, str]] = {"application/json": {}, "text/csv": {}, "text/html": {}}


@router.get(
    "",
    dependencies=[READER],
    response_class=JSONResponse,
    responses={200: {"content": _FORMS, "description": "the figures, in the format that was asked for"}},
)
def read_transparency(
    node: Asked,
    start: Annotated[date, Query(alias="from", description="any day of the first month")],
    end: Annotated[date, Query(alias="to", description="any day of the last month")],
    form: Annotated[Literal["json", "csv", "html"], Query(alias="format")] = "json",
    threshold: Annotated[int, Query(ge=0, le=1_000, description="counts below it are not shown")] = 5,
) -> Response:
    """What was found, done and reported, month by month. Names no item, account, case or entry."""
    with reading(node.engine) as connection:
        found = figures(connection, start, end, threshold=threshold)
    if form == "csv":
        return PlainTextResponse(csv_text(found), media_type="text/csv")
    if form == "html":
        return HTMLResponse(page(found))
    return JSONResponse(as_json(found))
