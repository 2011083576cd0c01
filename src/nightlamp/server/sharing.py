"""Banks that others follow, in signed pages of changes. A key of the scope share sees nothing else."""

from __future__ import annotations

import base64
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from nightlamp.banks.live import get_bank
from nightlamp.banks.live.changes import Place, page_changes
from nightlamp.errors import BankError
from nightlamp.feeds import sharing
from nightlamp.server.asking import Asked, need
from nightlamp.server.problems import Problem
from nightlamp.store import reading, utc_now

router = APIRouter(tags=["banks"], prefix="/v1/banks")


@router.get(
    "/{number}/changes",
    dependencies=[Depends(need("share"))],
    response_class=Response,
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
def read_changes(
    node: Asked,
    number: Annotated[int, Path(ge=1, le=2**31 - 1)],
    after: Annotated[str, Query(max_length=500)] = "",
    nonce: Annotated[str, Query(max_length=64, pattern=r"^[0-9A-Za-z-]*$")] = "",
    limit: Annotated[int, Query(ge=1, le=sharing.MOST)] = 1_000,
) -> Response:
    """What changed in a shared bank behind `after`, signed with the key of the audit log."""
    share = node.settings.share
    try:
        place = Place.parse(after) if after else None
    except ValueError:
        raise Problem("conflict", "not a place in this bank's history", where="after") from None
    with reading(node.engine) as connection:
        try:
            bank = get_bank(connection, number)
        except BankError:
            bank = None
        if bank is None or bank.bank.name not in share.banks:
            raise Problem("not-found", "there is no such shared bank")
        try:
            changes = page_changes(connection, number, place, limit=limit, owners=share.feed_entries)
        except BankError as error:
            raise Problem("conflict", error.what, where="after") from None
    body = sharing.page_of(bank, changes, nonce=nonce, after=after, at=utc_now())
    signature = base64.b64encode(node.signing.sign_for(sharing.PURPOSE, body)).decode()
    headers = {sharing.HEADER: signature, "Cache-Control": "no-store"}
    return Response(body, media_type="application/json", headers=headers)
