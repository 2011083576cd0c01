"""What endpoints ask of a request: the node, who asks, and where a page starts."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, cast

from fastapi import Depends, Query, Request
from fastapi.responses import JSONResponse
from pydantic import StringConstraints

from nightlamp.access import Principal, Scope
from nightlamp.server.node import Node
from nightlamp.server.problems import Problem

_READABLE: tuple[Scope, ...] = ("read", "review")

Line = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Identity = Annotated[str, StringConstraints(max_length=40, pattern=r"^[0-9A-Za-z-]+$")]
Number = Annotated[int, Query(ge=1, le=2**31 - 1)]
Limit = Annotated[int, Query(ge=1, le=500, description="so many at most")]


def node_of(request: Request) -> Node:
    """The node that serves this app."""
    return cast("Node", request.scope["app"].state.node)


async def _node(request: Request) -> Node:  # async: what is not would go through a thread
    return node_of(request)


def need(*scopes: Scope) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency: a key with one of ``scopes``, within its rate."""

    async def asked(request: Request) -> Principal:
        return permitted(request, *scopes)

    return asked


def permitted(request: Request, *scopes: Scope) -> Principal:
    """Who asks, if the key has one of ``scopes`` and is within its rate.

    Raises:
        Problem: it is not.
    """
    principal = cast("Principal", request.scope["nightlamp.principal"])
    if not principal.may(*scopes):
        raise Problem("forbidden", "a key with one of these scopes is needed: " + ", ".join(scopes))
    spend(node_of(request), principal, 1)
    return principal


def spend(node: Node, principal: Principal, items: int) -> None:
    """Take ``items`` from the key's rate.

    Raises:
        Problem: it has done too much already.
    """
    wait = node.buckets.take(principal.key, principal.rate, items)
    if wait:
        raise Problem("too-many", "the key's rate is used up", headers={"Retry-After": str(math.ceil(wait))})


def sees_all(principal: Principal) -> bool:
    """Whether it may know more of an item than what to do with it."""
    return principal.may(*_READABLE)


def page(key: str, rows: list[Any], limit: int, last: Callable[[], object]) -> JSONResponse:
    """A page of a listing; ``next`` is the cursor of the one after it, null on the last.

    Made here, in the endpoint's thread: a large one would take the event loop's time.
    """
    return JSONResponse({key: rows, "next": str(last()) if len(rows) == limit else None})


Asked = Annotated[Node, Depends(_node)]
