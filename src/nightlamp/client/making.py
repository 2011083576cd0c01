"""Short ways to make a ``Call``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from nightlamp.client.answers import Page
from nightlamp.client.bodies import json_body
from nightlamp.client.call import Call, Paged
from nightlamp.client.reading import read

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
Method = TypeVar("Method", bound=Callable[..., Any])

_NOTHING: Mapping[str, str] = {}


def called(
    method: str,
    path: str,
    reader: Callable[[httpx.Response], T],
    value: Any = None,
    *,
    query: Mapping[str, str] = _NOTHING,
    again: bool = True,
) -> Call[T]:
    """A call with a JSON body, or none."""
    content = json_body(value) if value is not None else None
    return Call(method, path, reader, query=query, body=content, again=again)


def listed(path: str, key: str, kind: type[T], **narrowed: Any) -> Paged[T]:
    """A list in pages, narrowed down by what is not None."""

    def reader(response: httpx.Response) -> Page[T]:
        told = response.json()
        following = told["next"]
        if not (following is None or isinstance(following, str)):
            raise ValueError("next: not what was expected")
        return Page(tuple(read(kind, each) for each in told[key]), following)

    return Paged(Call("GET", path, reader, query=query_of(narrowed)))


def one(kind: type[T]) -> Callable[[httpx.Response], T]:
    """Reads an answer that is one value."""
    return lambda response: read(kind, response.json())


def some(key: str, kind: type[T]) -> Callable[[httpx.Response], tuple[T, ...]]:
    """Reads an answer that is a whole list under a name."""
    return lambda response: tuple(read(kind, each) for each in response.json()[key])


def number(key: str) -> Callable[[httpx.Response], int]:
    """Reads a number under a name."""
    return lambda response: int(response.json()[key])


def nothing(response: httpx.Response) -> None:
    """Reads nothing from an answer."""


def with_self(method: Method) -> Method:
    """Gives a wrapped function the signature of a method, for ``help`` and editors."""
    plain = inspect.signature(method)
    this = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    method.__signature__ = plain.replace(parameters=[this, *plain.parameters.values()])  # type: ignore[attr-defined]
    return method


def quoted(part: object) -> str:
    """An id as a part of a path."""
    return quote(str(part), safe="")


def query_of(narrowed: Mapping[str, Any]) -> dict[str, str]:
    """Parameters of a URL; what is None is left out."""
    given = {name: value for name, value in narrowed.items() if value is not None}
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()
    }
