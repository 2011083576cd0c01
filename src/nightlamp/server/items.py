"""Reading items, verdicts and matches."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse

from nightlamp.access import Principal
from nightlamp.intake import get_item, page_items, page_matches, page_rulings, rulings_of
from nightlamp.server import listings, shapes, telling
from nightlamp.server.asking import Asked, Identity, Limit, Line, Number, need, page, sees_all
from nightlamp.store import reading
from nightlamp.values import Action

router = APIRouter(tags=["items"])
Anybody = Annotated[Principal, Depends(need("submit", "read", "review"))]
READER = Depends(need("read", "review"))
Reader = Annotated[Principal, READER]


@router.get("/v1/items", dependencies=[READER], responses=listings.of(listings.ItemPage))
def list_items(
    node: Asked,
    cursor: Identity | None = None,
    limit: Limit = 50,
    action: Action | None = None,
    state: Literal["pending", "done", "failed"] | None = None,
    actor: Line | None = None,
    platform_id: Line | None = None,
) -> JSONResponse:
    """Items, the newest first."""
    with reading(node.engine) as connection:
        found = page_items(
            connection,
            before=cursor,
            limit=limit,
            action=action,
            state=state,
            actor=actor,
            platform_id=platform_id,
        )
    return page("items", [telling.full_item(item) for item in found], limit, lambda: found[-1].id)


@router.get("/v1/items/{item_id}", response_model=shapes.ItemWithOrigin | shapes.Short)
def read_item(node: Asked, principal: Anybody, item_id: Identity) -> Any:
    """One item. A key that may only submit sees what to do with its own items, and no others."""
    own = None if sees_all(principal) else principal.key
    with reading(node.engine) as connection:
        stored = get_item(connection, item_id, key=own)
    told = telling.short_item(stored) if own else telling.item_with_origin(stored)
    return shapes.Short(**told) if own else shapes.ItemWithOrigin(**told)


@router.get("/v1/items/{item_id}/verdicts", responses=listings.of(listings.VerdictList))
def read_verdicts(node: Asked, principal: Reader, item_id: Identity) -> JSONResponse:
    """All verdicts on an item, the newest first, with their matches."""
    with reading(node.engine) as connection:
        get_item(connection, item_id)
        found = rulings_of(connection, item_id)
    review = principal.may("review")
    return JSONResponse({"verdicts": [telling.verdict(ruling, review) for ruling in found]})


@router.get("/v1/verdicts", tags=["verdicts"], responses=listings.of(listings.VerdictPage))
def list_verdicts(
    node: Asked,
    principal: Reader,
    cursor: Identity | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    action: Action | None = None,
) -> JSONResponse:
    """Verdicts on all items, the newest first."""
    with reading(node.engine) as connection:
        found = page_rulings(connection, before=cursor, limit=limit, action=action)
    review = principal.may("review")
    rows = [telling.verdict(ruling, review) for ruling in found]
    return page("verdicts", rows, limit, lambda: found[-1].id)


@router.get("/v1/matches", tags=["matches"], responses=listings.of(listings.MatchPage))
def list_matches(
    node: Asked,
    principal: Reader,
    cursor: Number | None = None,
    limit: Limit = 50,
    bank: Line | None = None,
) -> JSONResponse:
    """Matches of all items, the newest first."""
    with reading(node.engine) as connection:
        found = page_matches(connection, before=cursor, limit=limit, bank=bank)
    review = principal.may("review")
    rows = [
        {"number": number, "item": item, "verdict": verdict, **telling.match(match, review)}
        for number, item, verdict, match in found
    ]
    return page("matches", rows, limit, lambda: found[-1][0])
