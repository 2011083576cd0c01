"""One request to a service, and its JSON or a ``ServiceError``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nightlamp.errors import OutboundError, ServiceError
from nightlamp.outbound import Fetcher
from nightlamp.outbound.guarded_json import loads

MOST = 8 << 20  # bytes of an answer


def posted(http: Fetcher, name: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The object that the service answers.

    Raises:
        ServiceError: there is none; neither the request nor the answer is quoted.
    """
    try:
        answered = http.ask("POST", url, headers=headers, body=body, most=MOST)
    except OutboundError as error:
        raise ServiceError("unavailable", error.what, where=name) from None
    if answered.status in (401, 403):
        raise ServiceError("credentials", f"it refuses our key (status {answered.status})", where=name)
    if answered.status == 429:
        wait = answered.retry_after if answered.retry_after is not None else 1.0
        raise ServiceError("limited", "it asks for less", where=name, retry_after=wait)
    if 400 <= answered.status < 500:
        raise ServiceError("refused", f"it does not take this item (status {answered.status})", where=name)
    if answered.status != 200:
        raise ServiceError("unavailable", f"status {answered.status}", where=name)
    try:
        value = loads(answered.body)
    except ValueError as error:
        raise ServiceError("bad answer", str(error), where=name) from None
    if not isinstance(value, dict):
        raise ServiceError("bad answer", "no JSON object", where=name)
    return value


def content_of(read: object, name: str) -> bytes:
    """The content.

    Raises:
        ServiceError: it cannot be read any more.
    """
    try:
        assert callable(read)
        data: bytes = read()
    except (OSError, ValueError):  # the item was decided meanwhile, and its file is closed
        raise ServiceError("failed", "the content is gone", where=name) from None
    return data
