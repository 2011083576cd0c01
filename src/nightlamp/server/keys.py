"""API keys."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from nightlamp import access
from nightlamp.access import Principal
from nightlamp.server import listings, shapes, telling
from nightlamp.server.asking import Asked, Identity, need
from nightlamp.store import reading, utc_now

router = APIRouter(tags=["keys"], prefix="/v1/keys")
ADMIN = Depends(need("admin"))
Admin = Annotated[Principal, ADMIN]


@router.get("", dependencies=[ADMIN], response_model=None, responses=listings.of(listings.KeyList))
def list_keys(node: Asked) -> dict[str, Any]:
    """All keys, revoked ones too, without their secrets."""
    with reading(node.engine) as connection:
        return {"keys": [telling.key(stored) for stored in access.every(connection)]}


@router.post("", status_code=201)
def make_key(node: Asked, principal: Admin, given: shapes.KeyIn) -> dict[str, Any]:
    """Make a key. `secret` is in this answer and never again."""
    made = node.change(
        lambda c: access.create(
            c,
            given.name,
            given.scopes,
            actor=principal.actor,
            now=utc_now(),
            expires_at=given.expires_at,
            rate=given.rate,
        )
    )
    return {**telling.key(made.key), "secret": made.secret.reveal()}


@router.delete("/{key_id}")
def revoke_key(node: Asked, principal: Admin, key_id: Identity) -> dict[str, Any]:
    """Revoke a key: in force here when the answer comes, on other nodes within 200 ms by default."""
    return telling.key(node.change(lambda c: access.revoke(c, key_id, actor=principal.actor, now=utc_now())))
