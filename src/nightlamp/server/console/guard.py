"""What every request to a page passes, and every answer carries."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request

from nightlamp.server.console.pages import failed
from nightlamp.server.console.visiting import BACK_CHANNEL, Console
from nightlamp.server.gatekeeping import App, Message, Receive, Scope, Send, header
from nightlamp.server.problems import Problem

# No scripts but ours, none inline, no request to anywhere else, no frame around us.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "referrer-policy": "same-origin",  # with no-referrer, forms would come without their origin
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), display-capture=(), usb=()",
}
_STRICT = (b"strict-transport-security", b"max-age=31536000")


class Guard:
    """Outermost of the console: refuses what other sites' pages send, and pages over an open wire."""

    def __init__(self, app: App, console: Console) -> None:
        self._app = app
        self._console = console
        self._headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        origin = self._console.origin(scope)
        extra = [*self._headers, *([_STRICT] if origin.startswith("https://") else [])]

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *extra]
            await send(message)

        problem = self._refused(scope, origin)
        if problem is not None:
            await failed(Request(scope), problem)(scope, receive, answer)
            return
        await self._app(scope, receive, answer)

    def _refused(self, scope: Scope, origin: str) -> Problem | None:
        if not self._console.safe(origin):
            return Problem("forbidden", "the console needs TLS", hint="set console.url to its https address")
        if scope["method"] in ("GET", "HEAD"):
            return None
        if scope["path"].removeprefix(scope.get("root_path", "")) == BACK_CHANNEL:
            return None  # a machine's, which brings no cookie and proves itself by a signature
        given = (header(scope, b"origin") or b"").decode("latin-1").lower()
        site = header(scope, b"sec-fetch-site")
        if given != origin or site not in (None, b"same-origin"):
            return Problem("forbidden", "a page of another site has sent this")
        return None
