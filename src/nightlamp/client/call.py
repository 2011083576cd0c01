"""One request and how its answer is read: pure values that both clients send."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from nightlamp.client.answers import Page

if TYPE_CHECKING:
    import httpx

    from nightlamp.client.bodies import Body

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request that was not sent yet. Its ``repr`` shows method and path alone.

    Args:
        method: HTTP's.
        path: below the service's address, e.g. ``"/v1/items"``; ids in it are quoted.
        read: the answer's value, of an answer that is a success.
        query: parameters; empty ones are left out.
        headers: besides those of every request.
        body: what is sent.
        again: sent twice, it does what it does sent once: it may be retried whatever happened.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], T] = field(repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Body | None = field(default=None, repr=False)
    again: bool = True


@dataclass(frozen=True, slots=True)
class Paged(Generic[T]):
    """A list that comes in pages: ``call`` asks for the first, ``after`` for the others."""

    call: Call[Page[T]]

    def after(self, cursor: str) -> Call[Page[T]]:
        """The page that a page's ``next`` names."""
        return replace(self.call, query={**self.call.query, "cursor": cursor})


@dataclass(frozen=True, slots=True)
class Download:
    """An answer that is read piece by piece, as it comes."""

    call: Call[None]
