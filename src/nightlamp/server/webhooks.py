"""Webhooks: endpoints, their messages, and sending them again."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from nightlamp.access import Principal
from nightlamp.intake import add_webhook, all_webhooks, page_deliveries, remove_webhook, replay_deliveries
from nightlamp.server import listings, shapes, telling
from nightlamp.server.asking import Asked, Identity, Limit, need, page
from nightlamp.store import reading, utc_now

router = APIRouter(tags=["webhooks"], prefix="/v1/webhooks")
ADMIN = Depends(need("admin"))
Admin = Annotated[Principal, ADMIN]


@router.get("", dependencies=[ADMIN], response_model=None, responses=listings.of(listings.WebhookList))
def list_webhooks(node: Asked) -> dict[str, Any]:
    """All endpoints, without their secrets."""
    with reading(node.engine) as connection:
        return {"webhooks": [telling.webhook(stored) for stored in all_webhooks(connection)]}


@router.post("", status_code=201)
def make_webhook(node: Asked, principal: Admin, given: shapes.WebhookIn) -> dict[str, Any]:
    """Make an endpoint. `secret`, which signs its messages, is in this answer and never again."""
    made, secret = node.change(
        lambda c: add_webhook(c, given.url, every=given.every, actor=principal.actor, now=utc_now())
    )
    return {**telling.webhook(made), "secret": secret.text()}


@router.delete("/{webhook_id}", status_code=204)
def drop_webhook(node: Asked, principal: Admin, webhook_id: Identity) -> None:
    """Put an endpoint out of use."""
    node.change(lambda c: remove_webhook(c, webhook_id, actor=principal.actor, now=utc_now()))


@router.get("/{webhook_id}/deliveries", dependencies=[ADMIN], responses=listings.of(listings.DeliveryPage))
def list_deliveries(
    node: Asked,
    webhook_id: Identity,
    cursor: Identity | None = None,
    limit: Limit = 50,
    state: Literal["pending", "delivered", "dead"] | None = None,
) -> JSONResponse:
    """An endpoint's messages, the newest first, and how they went."""
    with reading(node.engine) as connection:
        found = page_deliveries(connection, webhook_id, before=cursor, limit=limit, state=state)
    return page("deliveries", [telling.delivery(each) for each in found], limit, lambda: found[-1].id)


@router.post("/{webhook_id}/replay")
def replay(node: Asked, principal: Admin, webhook_id: Identity, given: shapes.ReplayIn) -> dict[str, Any]:
    """Send messages again, with the ids that they had."""
    now = utc_now()
    count = node.change(
        lambda c: replay_deliveries(
            c, webhook_id, since=given.since or now, only=given.delivery, actor=principal.actor, now=now
        )
    )
    return {"replayed": count}
