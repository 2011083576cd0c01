"""What every request passes before anything reads it: an id, a log line, a key, limits on its body.

Plain ASGI, so that a body is never buffered for somebody who may not send one.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.requests import ClientDisconnect

from nightlamp.access import Refused, Secret
from nightlamp.server.logs import failure, logger
from nightlamp.server.node import Node
from nightlamp.server.problems import Problem, problem_of, told_to
from nightlamp.store import new_id

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_PEOPLE = "/console/"  # they have sessions, not keys
_OPEN = ("/v1/health/", "/v1/openapi.json", "/metrics")
_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_BATCHES = 4
_ALWAYS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))  # with every answer
_FRAME = 1 << 20  # what a multipart body may have besides its file


class RequestLog:
    """Outermost: gives the request its id, logs and counts it, and makes a problem of what nobody caught."""

    def __init__(self, app: App, node: Node) -> None:
        self._app = app
        self._node = node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = header(scope, b"x-request-id")
        identity = given.decode() if given and _ID.fullmatch(given) else new_id()
        scope["nightlamp.request_id"] = identity
        begun, status = time.monotonic(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = (b"x-request-id", identity.encode())
                message["headers"] = [*message.get("headers", ()), own, *_ALWAYS]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except ClientDisconnect:
            pass  # nobody is there to be answered; the log line says status 0
        except Exception as error:  # noqa: BLE001 (the last door: a bug becomes a problem, and is logged)
            scope["nightlamp.error"] = error
            if not status:
                problem = told_to(problem_of(error), scope.get("nightlamp.principal"))
                await problem.response(scope)(scope, receive, answer)
        finally:
            self._note(scope, identity, status, time.monotonic() - begun)

    def _note(self, scope: Scope, identity: str, status: int, seconds: float) -> None:
        found = getattr(scope.get("route"), "path", None)
        method, route = scope["method"][:10], "none" if found is None else scope.get("root_path", "") + found
        self._node.metrics.request(method, route, status, seconds)
        principal, error = scope.get("nightlamp.principal"), scope.get("nightlamp.error")
        told: dict[str, Any] = {
            "request_id": identity,
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "received": scope.get("nightlamp.received", 0),
            "key": principal.key if principal else None,
        }
        if person := scope.get("nightlamp.person"):
            told["person"] = person
        if error is not None:
            told |= failure(error)
        log = logger().error if status >= 500 or error is not None else logger().info
        log("request", **told)


class KeyCheck:
    """Lets no request through without a key in force, but for health, metrics and the API's description."""

    def __init__(self, app: App, node: Node) -> None:
        self._app = app
        self._node = node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and not f"{scope['path']}/".startswith(_PEOPLE):
            given = header(scope, b"authorization") or b""
            kind, _, text = given.decode("latin-1").partition(" ")
            try:
                if kind.lower() != "bearer":
                    raise Refused("no key in force")
                scope["nightlamp.principal"] = self._node.gate.admit(Secret(text.strip()))
            except Refused:
                if given or not scope["path"].startswith(_OPEN):
                    problem = Problem(
                        "unauthorized",
                        "a key in force is needed",
                        hint="Authorization: Bearer nlk_…",
                        headers={"WWW-Authenticate": "Bearer"},
                    )
                    await problem.response(scope)(scope, receive, send)
                    return
        await self._app(scope, receive, send)


class BodyLimits:
    """Bodies: so many bytes, so many seconds, so many at once."""

    def __init__(self, app: App, node: Node) -> None:
        self._app = app
        self._node = node
        self._settings = node.settings.server
        self._uploads = asyncio.Semaphore(self._settings.uploads)
        self._batches = asyncio.Semaphore(_BATCHES)  # these are whole in memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope["path"], header(scope, b"content-type") or b"")
        try:
            declared = _declared(scope)
            if declared > limit:
                raise too_large(limit)
            line = self._batches if scope["path"] == "/v1/items/batch" else self._uploads
            if line.locked():
                raise Problem("unavailable", "too many bodies at once", headers={"Retry-After": "1"})
        except Problem as problem:
            await problem.response(scope)(scope, receive, send)
            return
        async with line:
            await self._app(scope, self._watched(scope, receive, limit), send)

    def _watched(self, scope: Scope, receive: Receive, limit: int) -> Receive:
        end = time.monotonic() + self._settings.body_seconds
        pause = self._settings.pause_seconds
        received, complete = 0, False

        async def next_message() -> Message:
            nonlocal received, complete
            if complete:  # waits for the client to go away: no limit on that
                return await receive()
            try:
                async with asyncio.timeout(max(min(pause, end - time.monotonic()), 0.001)):
                    message = await receive()
            except TimeoutError:
                raise Problem(
                    "slow", "the body did not arrive in time", headers={"Connection": "close"}
                ) from None
            if message["type"] == "http.request":
                size = len(message.get("body", b""))
                received += size
                complete = not message.get("more_body", False)
                scope["nightlamp.received"] = received
                self._node.metrics.received.inc(size)
                if received > limit:
                    raise too_large(limit)
            return message

        return next_message

    def _limit(self, path: str, content_type: bytes) -> int:
        s = self._settings
        if path == "/v1/items" and not content_type.lower().startswith(b"application/json"):
            return self._node.settings.intake.most_bytes + _FRAME
        if path == "/v1/items/batch":
            return s.batch_bytes
        if path.startswith("/v1/banks/") and path.endswith("/import"):
            return s.import_bytes
        return s.json_bytes


def too_large(limit: int) -> Problem:
    """The problem of a body above ``limit`` bytes."""
    return Problem("too-large", f"more than {limit:,} bytes", headers={"Connection": "close"})


def header(scope: Scope, name: bytes) -> bytes | None:
    """A header of a request, by its name in lower case; the first, if there are several."""
    for key, value in scope["headers"]:  # a generator would take twice as long, several times a request
        if key == name:
            found: bytes = value
            return found
    return None


def _declared(scope: Scope) -> int:
    text = header(scope, b"content-length")
    if text is None:
        return 0
    if not text.isdigit() or len(text) > 18:
        raise Problem("malformed", "no number of bytes", where="Content-Length")
    return int(text)
