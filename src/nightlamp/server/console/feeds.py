"""Feeds: how the subscriptions to exchanges are."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from nightlamp.accounts import Person
from nightlamp.server.console.pages import page
from nightlamp.server.console.visiting import need

router = APIRouter(prefix="/feeds")
Viewer = Annotated[Person, Depends(need("admin", "lead"))]


@router.get("")
def show(request: Request, person: Viewer) -> Response:  # noqa: ARG001 (a role is needed)
    """All feeds."""
    return page(request, "feeds.html")
