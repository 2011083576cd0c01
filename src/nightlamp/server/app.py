"""The FastAPI app of one node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from nightlamp import __version__
from nightlamp.server import (
    auditing,
    banks,
    cases,
    exports,
    feeds,
    health,
    holds,
    items,
    keys,
    packages,
    policies,
    problems,
    reports,
    shapes,
    sharing,
    submitting,
    transparency,
    webhooks,
)
from nightlamp.server.console import create_console
from nightlamp.server.gatekeeping import BodyLimits, KeyCheck, RequestLog
from nightlamp.server.node import Node
from nightlamp.server.shortcut import Shortcut
from nightlamp.server.tracing import Traced
from nightlamp.settings import Settings

_ROUTERS = (
    submitting,
    items,
    cases,
    reports,
    packages,
    exports,
    holds,
    transparency,
    banks,
    feeds,
    sharing,
    policies,
    keys,
    webhooks,
    auditing,
    health,
)
_OPEN = ("/v1/health/live", "/v1/health/ready", "/metrics")
# Bodies that endpoints read themselves.
_MODELS = (shapes.UrlItem, shapes.Batch, shapes.FingerprintItem, shapes.FingerprintBatch)
# Its own traces and logs would hold addresses and texts of errors; versions without them ignore this.
_QUIET: Any = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
_METHODS = ("get", "post", "put", "patch", "delete")


def create_app(settings: Settings, node: Node | None = None) -> FastAPI:
    """The app. Its lifespan starts the node and stops it; a ``node`` that is given is prepared already.

    Raises:
        NightlampError: a setting is wrong, or the database cannot be used.
    """
    if node is None:
        node = Node(settings)
        node.prepare()
    of = node

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(of.start)
        yield
        await asyncio.to_thread(of.stop)

    app = FastAPI(
        title="Nightlamp",
        version=__version__,
        description="Matches content against hash lists of known material, exactly, and says what to do.",
        lifespan=lifespan,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        telemetry=_QUIET,
    )
    app.state.node = node
    problems.install(app)
    for module in _ROUTERS:
        app.include_router(module.router)
    app.mount("/console", create_console(node, telemetry=_QUIET))
    # Added last, called first.
    app.add_middleware(Shortcut)
    app.add_middleware(BodyLimits, node=node)
    app.add_middleware(KeyCheck, node=node)
    if node.tracing is not None:
        app.add_middleware(Traced, tracing=node.tracing)
    app.add_middleware(RequestLog, node=node)
    plain = app.openapi
    app.openapi = lambda: _described(app, plain)  # type: ignore[method-assign]
    return app


def _described(app: FastAPI, plain: Any) -> dict[str, Any]:
    """The OpenAPI document, with the key, the problems, and the models that FastAPI cannot see."""
    if app.openapi_schema and "x-problems" in app.openapi_schema:
        return app.openapi_schema
    document: dict[str, Any] = plain()
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for model in _MODELS:
        described = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= described.pop("$defs", {})
        schemas[model.__name__] = described
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = _problem()
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": "an API key"}}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method not in _METHODS:
                continue
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = {
                "description": "a problem",
                "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }
            operation["security"] = [] if path in _OPEN else [{"key": []}]
    document["x-problems"] = sorted(problems.TYPES)
    return document


def _problem() -> dict[str, Any]:
    types = [problems.URN + kind for kind in problems.TYPES]
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {"type": "string", "enum": types},
            "title": text,
            "status": {"type": "integer"},
            "detail": text,
            "where": text,
            "hint": text,
            "request_id": text,
            "errors": {"type": "array", "items": {"type": "object"}},
        },
        "examples": [
            {
                "type": problems.URN + "not-found",
                "title": problems.TYPES["not-found"][1],
                "status": 404,
                "detail": "there is no such item",
            }
        ],
    }
