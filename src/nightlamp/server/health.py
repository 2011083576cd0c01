"""Health and metrics: open to anybody, and saying more to keys that may read."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from nightlamp.server.asking import Asked

router = APIRouter(tags=["health"])


@router.get("/v1/health/live")
async def live() -> dict[str, str]:
    """This process answers."""
    return {"status": "live"}


@router.get("/v1/health/ready", responses={503: {"description": "not ready"}})
def ready(request: Request, node: Asked) -> JSONResponse:
    """Whether this node takes requests (else 503), and what does not work as it should.

    `degraded` still takes them: their verdicts say what was not checked.
    """
    principal = request.scope.get("nightlamp.principal")
    more = principal is not None and principal.may("read", "admin", "audit")
    checks = node.checks()
    down = [check for check in checks if check.vital and not check.well]
    unwell = [check for check in checks if not check.well]
    status = "not ready" if down else "degraded" if unwell else "ready"
    told: list[dict[str, Any]] = [
        {"check": c.name, "well": c.well, "why": c.why, **({"detail": c.detail} if more and c.detail else {})}
        for c in checks
    ]
    return JSONResponse({"status": status, "checks": told}, 503 if down else 200)


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request, node: Asked) -> Response:
    """For Prometheus. What tells about lists and verdicts is there for a key with the scope read alone."""
    principal = request.scope.get("nightlamp.principal")
    inside = principal is not None and principal.may("read")
    return Response(node.page(inside), media_type="text/plain; version=0.0.4; charset=utf-8")
