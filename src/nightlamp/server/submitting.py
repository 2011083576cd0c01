"""``POST /v1/items``, ``/v1/items/batch`` and ``/v1/fingerprints``."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_json
from starlette.requests import ClientDisconnect

from nightlamp.access import Principal
from nightlamp.errors import IntakeError, NightlampError
from nightlamp.intake import Content, Outcome, Submission
from nightlamp.server import shapes, telling
from nightlamp.server.asking import Asked, Line, need, node_of, permitted, sees_all, spend
from nightlamp.server.bodies import read_form, read_raw
from nightlamp.server.gatekeeping import header
from nightlamp.server.landing import landed
from nightlamp.server.node import Node
from nightlamp.server.problems import Problem, problem_of, told_to
from nightlamp.signals import installed
from nightlamp.values import Fingerprint

M = TypeVar("M", bound=BaseModel)
router = APIRouter(tags=["items"])
Submitter = Annotated[Principal, Depends(need("submit"))]
_line: TypeAdapter[str] = TypeAdapter(Line)
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": shapes.Full | shapes.Short},
    202: {"model": shapes.Short},
}
_NAME = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": _line.json_schema(),
    "description": "the same for a request sent again",
}
_LONG = 4_000  # characters of a text; URLs are looked for at about one megabyte a second
_JSON = (b"content-type", b"application/json")
_BODIES = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "contentMediaType": "application/octet-stream"},
                        **{name: {"type": "string"} for name in shapes.About.model_fields},
                    },
                }
            },
            "application/octet-stream": {
                "schema": {"type": "string", "contentMediaType": "application/octet-stream"}
            },
            "application/json": {"schema": {"$ref": "#/components/schemas/UrlItem"}},
        },
    },
    "parameters": [
        _NAME,
        *(
            {
                "name": name,
                "in": "query",
                "required": False,
                "schema": {"type": "string"},
                "description": f"for a raw body: {field.description or name}",
            }
            for name, field in shapes.About.model_fields.items()
        ),
    ],
}


class _Quick(JSONResponse):
    """The same, by a quicker encoder, and without headers of its own."""

    def render(self, content: Any) -> bytes:
        """Encode."""
        return to_json(content, inf_nan_mode="null")

    def init_headers(self, headers: Any = None) -> None:  # noqa: ARG002
        """Length and type."""
        self.raw_headers = [(b"content-length", b"%d" % len(self.body)), _JSON]


def _json(model: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    """How a body is described that an endpoint reads itself."""
    schema = {"$ref": f"#/components/schemas/{model}"}
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {"requestBody": body, **({"parameters": list(parameters)} if parameters else {})}


@router.post("/v1/items", responses=_ANSWERS, openapi_extra=_BODIES)
async def submit_item(request: Request) -> JSONResponse:
    """Submit one item: a multipart form with the part `file`, a raw body, or JSON with a URL to fetch.

    With a raw body the item's other fields are query parameters. In mode `sync` the answer (200) has the
    verdict; in mode `async`, and for a URL, it is 202 and the verdict comes by webhook. Either way the item
    is durable when the answer comes.
    """
    node, principal, name = node_of(request), permitted(request, "submit"), _name_of(request)
    media_type = _media_type(request)
    if _text_of(request, b"content-encoding", "identity").strip().lower() != "identity":
        raise Problem("unsupported", "send the bytes as they are", where="Content-Encoding")
    if media_type == "application/json":
        item = _parsed(shapes.UrlItem, await request.body())
        submission = _submission(principal, item, name, url=item.url)
    elif media_type == "application/x-www-form-urlencoded":
        raise Problem("unsupported", "send a multipart form, a raw body or JSON", where="Content-Type")
    else:
        content = node.new_content()
        try:
            if media_type == "multipart/form-data":
                fields = await read_form(request, content)
                if not content.size:
                    raise Problem("invalid", "an empty part, or none, named file", where="file")
            else:
                fields = dict(request.query_params)
                await read_raw(request, content)
            submission = _submission(principal, _checked(shapes.About, fields), name, content=content)
        except BaseException:
            content.close()
            raise
    return _answer(await _outcome(node, submission), principal)


@router.post(
    "/v1/items/batch",
    openapi_extra=_json("Batch"),
)
async def submit_batch(request: Request, node: Asked, principal: Submitter) -> JSONResponse:
    """Submit many items; each gets its own answer, in the same order: an outcome, or a problem.

    Items that are refused do not touch the others. Repeat a batch with the same idempotency keys.
    """
    data = await request.body()
    batch = await asyncio.to_thread(_parsed, shapes.Batch, data)
    del data
    _check_size(node, principal, len(batch.items))

    def submission(item: shapes.BatchItem) -> Submission:
        content = _decoded(node, item) if item.content else None
        return _submission(principal, item, item.idempotency_key, content=content, url=item.url)

    return await _results(request, node, principal, submission, batch.items)


@router.post("/v1/fingerprints", responses=_ANSWERS, openapi_extra=_json("FingerprintItem", _NAME))
async def submit_fingerprints(request: Request) -> JSONResponse:
    """Match fingerprints that the caller computed, and URLs without fetching them.

    The verdict speaks of these fingerprints alone: what the caller did not compute is not checked.
    """
    node, principal, name = node_of(request), permitted(request, "submit"), _name_of(request)
    item = _parsed(shapes.FingerprintItem, await _json_of(request))
    submission = _hashes(principal, item, name or item.idempotency_key)
    return _answer(await _outcome(node, submission), principal)


@router.post("/v1/fingerprints/batch", openapi_extra=_json("FingerprintBatch"))
async def submit_fingerprint_batch(request: Request) -> JSONResponse:
    """As `/v1/fingerprints`, for many items at once; each gets its own answer, in the same order."""
    node, principal = node_of(request), permitted(request, "submit")
    data = await _json_of(request)
    batch = await asyncio.to_thread(_parsed, shapes.FingerprintBatch, data)
    _check_size(node, principal, len(batch.items))

    def submission(item: shapes.FingerprintItem) -> Submission:
        return _hashes(principal, item, item.idempotency_key)

    return await _results(request, node, principal, submission, batch.items)


def _submission(
    principal: Principal, about: shapes.About, name: str, *, content: Content | None = None, url: str = ""
) -> Submission:
    return Submission(
        principal.key,
        content,
        url,
        text=about.text,
        platform_id=about.platform_id,
        actor=about.actor,
        where=about.where(),
        wait=about.mode == "sync",
        idempotency=name,
    )


def _hashes(principal: Principal, item: shapes.FingerprintItem, name: str) -> Submission:
    found = []
    for at, given in enumerate(item.fingerprints):
        found.append(
            Fingerprint(
                given.signal,
                value_of(given.signal, given.value, at),
                given.view,
                given.frame,
                given.quality,
                given.seconds,
            )
        )
    return Submission(
        principal.key,
        fingerprints=tuple(found),
        text=item.text,
        platform_id=item.platform_id,
        actor=item.actor,
        where=item.where(),
        wait=item.mode == "sync",
        idempotency=name,
    )


def value_of(signal: str, text: str, at: int) -> bytes:
    """A value as its signal writes it; of a signal that is not installed, the text itself.

    Raises:
        Problem: it is no such value.
    """
    known = installed().get(signal)
    if known is None:
        return text.encode()
    try:
        return known.parse(text)
    except ValueError as error:
        raise Problem("invalid", str(error), where=f"fingerprint {at}") from None


async def _outcome(node: Node, submission: Submission) -> Outcome:
    """Have it taken; what takes a while at that, not on the event loop."""
    if len(submission.text) > _LONG:
        return await landed(await asyncio.to_thread(node.intake.begin, submission))
    return await landed(node.intake.begin(submission))


def _answer(outcome: Outcome, principal: Principal) -> JSONResponse:
    answered = outcome.ruling is not None and outcome.wait
    return _Quick(_told(outcome, principal), 200 if answered else 202)


def _told(outcome: Outcome, principal: Principal) -> dict[str, Any]:
    if not sees_all(principal):
        return telling.short(outcome)
    return telling.full(outcome, principal.may("review"))


def _check_size(node: Node, principal: Principal, items: int) -> None:
    most = node.settings.server.batch_items
    if items > most:
        raise Problem("invalid", f"more than {most:,} items", where="items")
    spend(node, principal, items - 1)


async def _results(
    request: Request,
    node: Node,
    principal: Principal,
    make: Callable[[Any], Submission],
    items: Sequence[Any],
) -> JSONResponse:
    """Each one's outcome or problem; the beginnings are made off the event loop, as they may be many."""
    begun = await asyncio.to_thread(_begin, node, make, items)
    waiting = [each if isinstance(each, Exception) else landed(each) for each in begun]
    results: list[dict[str, Any]] = []
    for each in waiting:
        try:
            if isinstance(each, Exception):
                raise each
            results.append(_told(await each, principal))
        except Exception as error:  # noqa: BLE001 (each item has an answer of its own)
            problem = told_to(problem_of(error), principal)
            results.append({"problem": problem.body(request.scope["nightlamp.request_id"])})
    return JSONResponse({"results": results})


def _begin(
    node: Node, make: Callable[[Any], Submission], items: Sequence[Any]
) -> list[Future[Outcome] | Exception]:
    made: list[Submission | Exception] = []
    for item in items:  # all of them first, so that they come to the lookup together
        try:
            made.append(make(item))
        except (Problem, NightlampError) as error:
            made.append(error)
    begun: list[Future[Outcome] | Exception] = []
    for submission in made:
        try:
            begun.append(submission if isinstance(submission, Exception) else node.intake.begin(submission))
        except IntakeError as error:
            begun.append(error)
    return begun


def _decoded(node: Node, item: shapes.BatchItem) -> Content:
    text, item.content = item.content, ""  # not both at once for the whole batch
    content = node.new_content()
    try:
        content.write(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        raise Problem("invalid", "not base64", where="content") from None
    except IntakeError:
        content.close()
        raise
    return content


async def _json_of(request: Request) -> bytes:
    """A body that says it is JSON, as for every other endpoint."""
    kind = _media_type(request)
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Problem("invalid", "send JSON, and say so", where="Content-Type")
    pieces, more = [], True
    while more:  # as ``request.body()``, without its generators
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(pieces)


def _media_type(request: Request) -> str:
    return _text_of(request, b"content-type").partition(";")[0].strip().lower()


def _text_of(request: Request, name: bytes, missing: str = "") -> str:
    """A header's text."""
    value = header(request.scope, name)
    return missing if value is None else value.decode("latin-1")


def _name_of(request: Request) -> str:
    """Its idempotency key, if it has one."""
    name = _text_of(request, b"idempotency-key")
    try:
        return _line.validate_python(name) if name else ""
    except ValidationError as error:
        where = ("header", "Idempotency-Key")
        raise RequestValidationError([{**e, "loc": where} for e in error.errors()]) from None


def _parsed(model: type[M], data: bytes) -> M:
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in error.errors()]) from None


def _checked(model: type[M], fields: dict[str, str]) -> M:
    try:
        return model.model_validate({name: value for name, value in fields.items() if value != ""})
    except ValidationError as error:
        raise RequestValidationError([{**e, "loc": ("fields", *e["loc"])} for e in error.errors()]) from None
