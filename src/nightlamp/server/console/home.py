"""The first page after signing in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from nightlamp.accounts import Person
from nightlamp.server.console.pages import page
from nightlamp.server.console.visiting import Visiting, need

router = APIRouter()


@router.get("/")
def start(request: Request, visit: Visiting, person: Annotated[Person, Depends(need())]) -> Response:
    """Where one can go, and, for who runs it, how this node is."""
    checks = visit.node.checks() if person.may("admin", "lead") else None
    return page(request, "home.html", checks=checks)


@router.get("/still")
def still(visit: Visiting, person: Annotated[Person, Depends(need())]) -> Response:
    """For a page that has stood open: who is signed in, and what its forms must carry."""
    return JSONResponse({"csrf": visit.csrf, "person": person.id})
