"""Banks and their entries. Entries are secrets: they are shown to nobody but a key with the scope admin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse
from sqlalchemy import Connection

from nightlamp.access import Principal
from nightlamp.banks import Entry, ListOptions
from nightlamp.banks.arriving import Arriving
from nightlamp.banks.live import (
    StoredBank,
    add_entries,
    all_banks,
    count_entries,
    create_bank,
    delete_bank,
    disable_bank,
    enable_bank,
    export_bank,
    find_bank,
    find_entries,
    get_bank,
    import_list,
    page_entries,
    remove_entries,
    rename_bank,
    set_disputed,
    set_trust,
)
from nightlamp.banks.options import Format
from nightlamp.errors import BankError
from nightlamp.server import listings, shapes, telling
from nightlamp.server.asking import Asked, Limit, Line, need, page
from nightlamp.server.problems import Problem
from nightlamp.server.submitting import value_of
from nightlamp.signals import installed
from nightlamp.store import reading
from nightlamp.values import Bank

router = APIRouter(tags=["banks"], prefix="/v1/banks")
ADMIN = Depends(need("admin"))
Admin = Annotated[Principal, ADMIN]
VIEWER = Depends(need("read", "admin"))
Which = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("", dependencies=[VIEWER], response_model=None, responses=listings.of(listings.BankList))
def list_banks(node: Asked) -> dict[str, Any]:
    """All banks."""
    with reading(node.engine) as connection:
        return {"banks": [telling.bank(stored) for stored in all_banks(connection)]}


@router.post("", status_code=201, response_model=shapes.BankOut)
def make_bank(node: Asked, principal: Admin, given: shapes.BankIn) -> Any:
    """Make an empty bank."""
    new = Bank(given.name, given.source, given.category, given.trust, given.benign)

    def work(connection: Connection) -> StoredBank:
        _free(connection, given.name)
        return create_bank(connection, new, actor=principal.actor, enabled=given.enabled)

    return telling.bank(node.change(work))


@router.get("/{number}", response_model=shapes.BankOut, dependencies=[VIEWER])
def read_bank(node: Asked, number: Which) -> Any:
    """One bank, with its entries counted."""
    with reading(node.engine) as connection:
        return telling.bank(_there(connection, number), count_entries(connection, number))


@router.patch("/{number}", response_model=shapes.BankOut)
def change_bank(node: Asked, principal: Admin, number: Which, given: shapes.BankChange) -> Any:
    """Enable, disable or rename a bank, or set its trust. In force on every node within a second."""

    def work(connection: Connection) -> StoredBank:
        stored, actor = _there(connection, number), principal.actor
        if given.name is not None and given.name != stored.bank.name:
            _free(connection, given.name)
            stored = rename_bank(connection, number, given.name, actor=actor)
        if given.trust is not None:
            stored = set_trust(connection, number, given.trust, actor=actor)
        if given.enabled is not None:
            stored = (enable_bank if given.enabled else disable_bank)(connection, number, actor=actor)
        return stored

    return telling.bank(node.change(work))


@router.delete("/{number}", status_code=204)
def remove_bank(node: Asked, principal: Admin, number: Which) -> None:
    """Take a bank away for good."""

    def work(connection: Connection) -> None:
        _there(connection, number)
        delete_bank(connection, number, actor=principal.actor)

    node.change(work)


@router.get("/{number}/entries", dependencies=[ADMIN], responses=listings.of(listings.EntryPage))
def list_entries(
    node: Asked,
    number: Which,
    cursor: Annotated[int, Query(ge=0, le=2**62)] = 0,
    limit: Limit = 50,
) -> JSONResponse:
    """Entries in force, by number, without their values (those are in the export)."""
    with reading(node.engine) as connection:
        _there(connection, number)
        found = page_entries(connection, number, after=cursor, limit=limit)
    rows = [
        {
            "number": entry.id,
            "signal": entry.signal,
            "id": entry.source_id,
            "category": entry.category,
            "disputed": entry.disputed,
            "added_at": entry.added_at.isoformat(),
        }
        for entry in found
    ]
    return page("entries", rows, limit, lambda: found[-1].id)


@router.post("/{number}/entries")
def put_entries(node: Asked, principal: Admin, number: Which, given: shapes.EntriesIn) -> dict[str, Any]:
    """Add entries; they are in force here when the answer comes, on other nodes within a second."""
    entries = [_entry(each, at) for at, each in enumerate(given.entries)]

    def work(connection: Connection) -> dict[str, Any]:
        _there(connection, number)
        return asdict(add_entries(connection, number, entries, actor=principal.actor))

    return node.change(work)


@router.post("/{number}/entries/remove")
def take_entries(node: Asked, principal: Admin, number: Which, given: shapes.EntriesOut) -> dict[str, Any]:
    """Take entries out of force: by number, by the source's id, or by value."""
    return {
        "removed": _on_entries(
            node, number, given, lambda c, ids: remove_entries(c, number, ids, actor=principal.actor)
        )
    }


@router.post("/{number}/entries/dispute")
def dispute_entries(
    node: Asked,
    principal: Admin,
    number: Which,
    given: shapes.EntriesOut,
    disputed: bool = True,
) -> dict[str, Any]:
    """Flag entries as disputed, or take the flag away; the policy sees it."""
    return {
        "changed": _on_entries(
            node, number, given, lambda c, ids: set_disputed(c, number, ids, disputed, actor=principal.actor)
        )
    }


@router.post(
    "/{number}/import",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def import_entries(
    request: Request,
    node: Asked,
    principal: Admin,
    number: Which,
    name: Annotated[Line, Query(description="of the list, for people")] = "list",
    format: Annotated[Format | None, Query(description="see docs/lists.md")] = None,  # noqa: A002
    signal: Annotated[Line, Query(description="of bare hashes")] = "",
    profile: Annotated[Line, Query(description="what category numbers mean")] = "",
    strict: bool = False,
) -> dict[str, Any]:
    """Import a hash list: the body is its file. If it breaks off, send it again: the rest is added."""
    with reading(node.engine) as connection:
        _there(connection, number)
    options = ListOptions(format=format, signal=signal or None, profile=profile or None, strict=strict)
    with Arriving(node.settings.intake.spool_dir) as file:
        async for piece in request.stream():
            await asyncio.to_thread(file.write, piece)

        def work() -> dict[str, Any]:
            done = import_list(
                node.engine, number, file.path(), options, actor=principal.actor, name=name[:255] or "list"
            )
            node.catch_up()
            told = asdict(done)
            return {**told, "bad_rows": told["bad_rows"][:20]}

        return await asyncio.to_thread(work)


@router.get("/{number}/export", response_class=StreamingResponse)
def export_entries(
    node: Asked,
    principal: Admin,
    number: Which,
    format: Literal["csv", "jsonl"] = "csv",  # noqa: A002
) -> StreamingResponse:
    """All entries in force, as a list that can be imported. A secret: the audit log notes who took it."""
    with reading(node.engine) as connection:
        _there(connection, number)
    pieces: Iterator[bytes] = export_bank(node.engine, number, format, actor=principal.actor)
    media_type = "text/csv" if format == "csv" else "application/jsonl"
    return StreamingResponse(pieces, media_type=media_type)


def _on_entries(
    node: Asked, number: int, given: shapes.EntriesOut, change: Callable[[Connection, list[int]], int]
) -> int:
    values = [(each.signal, _entry(each, at).value) for at, each in enumerate(given.values)]

    def work(connection: Connection) -> int:
        _there(connection, number)
        ids = set(given.numbers) | set(find_entries(connection, number, source_ids=given.ids, values=values))
        return change(connection, sorted(ids))

    return node.change(work)


def _entry(given: shapes.EntryIn, at: int) -> Entry:
    value = value_of(given.signal, given.value, at)
    return Entry(given.signal, value, given.id, given.category, parsed=given.signal in installed())


def _there(connection: Connection, number: int) -> StoredBank:
    try:
        return get_bank(connection, number)
    except BankError as error:
        raise Problem("not-found", error.what, where="bank") from None


def _free(connection: Connection, name: str) -> None:
    try:
        find_bank(connection, name)
    except BankError:
        return
    raise Problem("conflict", "there is a bank of this name", where="name")
