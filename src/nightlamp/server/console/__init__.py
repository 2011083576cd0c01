"""The console: pages for people, served beside the API under ``/console``.

Promises: every page is for the roles that it names; every form is refused that did not come from one of our
own pages; no page asks anything of another host, none is kept by a browser, and no text of strangers is taken
for anything but text. Takes a ``Node``; gives an ASGI app. Must never put pixels, hash values or secrets into
a page whose reader may not see them, or into a log.

``docs/console.md`` describes it. A part with pages of its own has a module here with a ``router``, its
templates, and its places in ``navigation``.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from nightlamp.accounts import Provider
from nightlamp.server.console import (
    banks,
    cases,
    chain,
    exporting,
    feeds,
    figures,
    files,
    home,
    keys,
    leading,
    own_account,
    people,
    policies,
    queue,
    report_editing,
    reporting,
    setting_up,
    showing,
    signing_in,
    splitting,
)
from nightlamp.server.console.guard import Guard
from nightlamp.server.console.pages import failed
from nightlamp.server.console.visiting import Console, SignInNeeded
from nightlamp.server.gatekeeping import App
from nightlamp.server.node import Node
from nightlamp.server.problems import ANSWERED

_PAGES = (
    *(home, signing_in, setting_up, own_account, queue, cases, splitting, showing),
    *(leading, reporting, report_editing, exporting, figures),
    *(people, keys, banks, feeds, policies, chain, files),
)

__all__ = ["create_console"]


def create_console(node: Node, provider: Provider | None = None, **quiet: Any) -> App:
    """The pages of a node.

    Args:
        node: that is prepared.
        provider: for sign-in by OpenID Connect; by default by the settings.
        quiet: for FastAPI, so that it logs nothing of its own.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, **quiet)
    console = Console(node, provider)
    app.state.console = console
    for module in _PAGES:
        app.include_router(module.router)

    async def told(request: Request, error: Exception) -> Response:
        return failed(request, error)

    async def sign_in_first(request: Request, error: Exception) -> Response:
        assert isinstance(error, SignInNeeded)
        return _sign_in_first(request, error.place)

    for kind in (*ANSWERED, HTTPException, Exception):
        app.add_exception_handler(kind, told)
    app.add_exception_handler(SignInNeeded, sign_in_first)
    return Guard(app, console)


def _sign_in_first(request: Request, place: str) -> Response:
    from urllib.parse import quote

    if request.method == "GET" and request.url.path.rstrip("/") not in ("/console", place):
        place += f"?next={quote(request.url.path)}"
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"hx-redirect": place})
    return Response(status_code=303, headers={"location": place})
