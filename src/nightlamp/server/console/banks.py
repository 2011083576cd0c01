"""Banks: which lists there are, how large, and which are in force."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from nightlamp.accounts import Person
from nightlamp.banks.live import all_banks, count_entries, disable_bank, enable_bank
from nightlamp.server.console.pages import go, page
from nightlamp.server.console.visiting import Posted, Visiting, need
from nightlamp.store import reading

router = APIRouter(prefix="/banks")
Admin = Annotated[Person, Depends(need("admin"))]
Viewer = Annotated[Person, Depends(need("admin", "lead"))]


@router.get("")
def show(request: Request, visit: Visiting, person: Viewer) -> Response:  # noqa: ARG001 (a role is needed)
    """All banks, with the number of their entries by signal."""
    with reading(visit.node.engine) as connection:
        found = [(bank, count_entries(connection, bank.id)) for bank in all_banks(connection)]
    return page(request, "banks.html", banks=found, degraded=visit.node.banks.status().degraded)


@router.post("/{number}/enable")
def enable(visit: Visiting, person: Admin, form: Posted, number: int) -> Response:  # noqa: ARG001
    """Match against a bank again."""
    visit.node.change(lambda c: enable_bank(c, number, actor=person.actor))
    return go("/banks", "changed")


@router.post("/{number}/disable")
def disable(visit: Visiting, person: Admin, form: Posted, number: int) -> Response:  # noqa: ARG001
    """Match against a bank no more."""
    visit.node.change(lambda c: disable_bank(c, number, actor=person.actor))
    return go("/banks", "changed")
