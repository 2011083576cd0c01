"""What went wrong, as a ``ClientError``: from an answer that is no success, or from httpx's own errors.

Nothing of a request or its key is in them; of an answer, what the service says of the problem.
"""

from __future__ import annotations

import contextlib
import email.utils
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nightlamp.errors import ClientCode, ClientError

if TYPE_CHECKING:
    import httpx

URN = "urn:nightlamp:problem:"
_OF_STATUS: Mapping[int, ClientCode] = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not found",
    405: "bad answer",
    408: "timeout",
    409: "conflict",
    413: "too large",
    415: "invalid",
    422: "invalid",
    425: "unavailable",
    429: "too many",
    502: "unreachable",  # a proxy on the way: the service may have got the request
    503: "unavailable",
    504: "timeout",
}
_HINTS: Mapping[ClientCode, str] = {
    "unreachable": "is the service running, and is this its address?",
    "unauthorized": "a key in force: nlk_…",
    "forbidden": "a key with the scope that this takes",
}
_MOST = 300  # characters of a detail


def failure_of(response: httpx.Response) -> ClientError:
    """The error that an answer is, by its problem document if it has one."""
    retry_after = _seconds(response.headers.get("retry-after", ""))
    return failure_in(_problem(response), response.status_code, retry_after)


def failure_in(problem: Mapping[str, Any], status: int = 0, retry_after: float | None = None) -> ClientError:
    """The error that a problem document is.

    Args:
        problem: its members; none of them is relied upon.
        status: of the answer; by default the document's own.
        retry_after: seconds.
    """
    told = problem.get("status")
    status = status or (told if isinstance(told, int) else 0)
    code = _OF_STATUS.get(status, "failed")
    if problem.get("type") == URN + "undecided":
        code = "unreachable"  # as after a lost connection: nobody knows whether it was done
    what = _line(problem.get("detail")) or _line(problem.get("title")) or f"status {status}"
    faults = problem.get("errors")
    if isinstance(faults, list):
        what = "; ".join([what, *filter(None, map(_fault, faults[:5]))])
    return ClientError(
        code,
        what,
        where=_line(problem.get("where")) or "service",
        hint=_line(problem.get("hint")) or _HINTS.get(code, ""),
        status=status,
        retry_after=retry_after,
    )


def failure_on_the_way(error: httpx.HTTPError | httpx.InvalidURL | httpx.StreamError) -> ClientError:
    """The error that one of httpx's is. It does not keep that one, which holds the request and its key."""
    import httpx

    name = type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return ClientError("timeout", f"no answer in time ({name})", where="service")
    if isinstance(error, httpx.ConnectError | httpx.NetworkError | httpx.RemoteProtocolError):
        hint = _HINTS["unreachable"] if isinstance(error, httpx.ConnectError) else ""
        return ClientError("unreachable", f"the connection failed ({name})", where="service", hint=hint)
    return ClientError("failed", f"the request could not be made ({name})", where="service")


def never_sent(error: Exception) -> bool:
    """Whether the service cannot have seen anything of the request."""
    import httpx

    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def _problem(response: httpx.Response) -> dict[str, Any]:
    if "json" in response.headers.get("content-type", ""):
        with contextlib.suppress(ValueError):
            told = response.json()
            if isinstance(told, dict):
                return told
    return {}


def _fault(fault: object) -> str:
    """One of a problem's ``errors``: where and what."""
    if not isinstance(fault, dict):
        return _line(fault)
    where = fault.get("where", fault.get("line", ""))
    place = ".".join(map(str, where)) if isinstance(where, list) else str(where)
    return _line(": ".join(filter(None, [place, str(fault.get("what", ""))])))


def _line(value: object) -> str:
    text = value if isinstance(value, str) else ""
    return "".join(c if c.isprintable() else " " for c in text[:_MOST])


def _seconds(text: str) -> float | None:
    """Retry-After: seconds, or a date."""
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(email.utils.parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except ValueError:
        return None
