"""The course of a call: what to send, when to wait, what to return. No network and no clock of its own.

A client drives the generator: it does what is yielded, and sends in what came of it. That is all that the
two clients do, so that they cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from nightlamp.client.call import Call
from nightlamp.client.failures import failure_of, failure_on_the_way, never_sent
from nightlamp.client.retrying import Retry
from nightlamp.errors import ClientError

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """Send the request once; answer with the response, or with httpx's error."""


Step = Attempt | Wait


def course(
    call: Call[T], retry: Retry, clock: Callable[[], float]
) -> Generator[Step, httpx.Response | httpx.HTTPError | httpx.InvalidURL | None, httpx.Response]:
    """From the first attempt to an answer that is a success.

    Raises:
        ClientError: it failed for good.
    """
    import httpx

    start = clock()
    for attempt in count(1):
        got = yield Attempt()
        assert got is not None
        if isinstance(got, httpx.Response):
            if got.is_success:
                return got
            error, sent = failure_of(got), True
        else:
            error, sent = failure_on_the_way(got), not never_sent(got)
        del got  # it holds the request and its key, and the error's traceback would hold this frame
        wait = retry.wait(call, error, sent, attempt, clock() - start)
        if wait is None:
            raise error
        yield Wait(wait)
    raise AssertionError("unreachable")


def value_of(call: Call[T], response: httpx.Response) -> T:
    """What a successful answer says.

    Raises:
        ClientError: ``bad answer``.
    """
    try:
        return call.read(response)
    except (ValueError, TypeError, LookupError):
        pass  # its message may hold what was answered
    raise ClientError(
        "bad answer",
        "the answer is not what this client expects",
        where=f"{call.method} {call.path}",
        hint="an address and version that fit this client",
        status=response.status_code,
    )
