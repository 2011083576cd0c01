"""Webhooks after the Standard Webhooks specification 1.0.0 (symmetric scheme ``v1``): sign, verify, deliver.

Durable queueing is not here: whoever queues a delivery calls ``deliver``, looks at the ``Outcome``, and asks
``next_attempt`` how long to wait.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from nightlamp.errors import OutboundError, WebhookError

if TYPE_CHECKING:
    from nightlamp.outbound.fetcher import Fetcher

_PREFIX = "whsec_"
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")  # no full stop: it separates what is signed
_MAX_SIGNATURES = 16
# Seconds between attempts: the specification's example schedule, three days in all, the first one at once.
SCHEDULE = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)


@dataclass(frozen=True, slots=True)
class Secret:
    """A signing key, 24 to 64 bytes; one for each endpoint."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not 24 <= len(self.key) <= 64:
            raise ValueError("a webhook secret has 24 to 64 bytes")

    @classmethod
    def new(cls) -> Secret:
        """A random one."""
        return cls(secrets.token_bytes(32))

    @classmethod
    def parse(cls, text: str) -> Secret:
        """Read ``whsec_`` and base64; raises ``ValueError`` without quoting it."""
        try:
            key = base64.b64decode(text.strip().removeprefix(_PREFIX), validate=True)
        except ValueError:
            raise ValueError("a webhook secret is whsec_ and base64") from None
        return cls(key)

    def text(self) -> str:
        """``whsec_`` and base64, to be shown once."""
        return _PREFIX + base64.b64encode(self.key).decode("ascii")


def sign(message_id: str, timestamp: int, body: bytes, secrets: Sequence[Secret]) -> dict[str, str]:
    """The three headers of a webhook.

    Args:
        message_id: the same for each attempt; letters, digits, ``_`` and ``-``.
        timestamp: of this attempt, in whole Unix seconds.
        body: exactly as sent.
        secrets: the current one, and while a receiver changes over, the one before.
    """
    if not _ID.fullmatch(message_id):
        raise ValueError("a webhook's id has letters, digits, _ and - only")
    if not secrets:
        raise ValueError("a webhook needs a secret")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(timestamp)),
        "webhook-signature": " ".join(
            "v1," + _signature(secret, message_id, int(timestamp), body) for secret in secrets
        ),
    }


def verify(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[Secret], now: float, tolerance: float = 300
) -> str:
    """For receivers: the id of a webhook that a secret signed within ``tolerance`` seconds of ``now``.

    Remember the id for as long as ``tolerance``, so that the same webhook is not taken twice.

    Raises:
        WebhookError: a header is missing or malformed, the time is too far off, or no signature matches.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, time, signatures = (given[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError:
        raise WebhookError("missing", "a webhook- header is not there") from None
    if not (_ID.fullmatch(message_id) and re.fullmatch(r"[0-9]{1,12}", time)):
        raise WebhookError("malformed", "the id or the timestamp is none")
    if int(time) < now - tolerance:
        raise WebhookError("too old", "sent again, or a clock is wrong")
    if int(time) > now + tolerance:
        raise WebhookError("too new", "a clock is wrong")
    candidates = [text.encode() for text in signatures.split(" ")[:_MAX_SIGNATURES] if text.startswith("v1,")]
    matches = False
    for secret in secrets:
        expected = b"v1," + _signature(secret, message_id, int(time), body).encode()
        for candidate in candidates:
            matches |= hmac.compare_digest(expected, candidate)
    if not matches:
        raise WebhookError("no match", "no signature is of a known secret")
    return message_id


def next_attempt(attempt: int, seed: str, at_least: float = 0.0) -> float | None:
    """Seconds to wait after the ``attempt``-th failure (from 1), or ``None``: give up and tell somebody.

    Args:
        attempt: attempts made so far.
        seed: the message's id: the jitter, a fifth up or down, is its own and stays the same.
        at_least: what the receiver asked for (``Outcome.retry_after``).
    """
    if attempt < 1:
        raise ValueError("the first attempt is made at once")
    if attempt > len(SCHEDULE):
        return None
    digest = sha256(f"{seed}.{attempt}".encode(), usedforsecurity=False).digest()
    share = int.from_bytes(digest[:4], "big") / 2**32
    return max(SCHEDULE[attempt - 1] * (0.8 + 0.4 * share), at_least)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one delivery went.

    Args:
        kind: ``"delivered"``; ``"retry"`` later; ``"gone"``: the receiver wants no more, so switch it
            off; ``"refused"``: our own rules forbid the endpoint, so no attempt will do.
        why: ``"status 503"`` or an ``OutboundCode``.
        retry_after: seconds that the receiver asked for.
    """

    kind: Literal["delivered", "retry", "gone", "refused"]
    why: str
    retry_after: float | None = None


def deliver(
    fetcher: Fetcher,
    endpoint: str,
    payload: bytes,
    secrets: Sequence[Secret],
    *,
    message_id: str,
    now: float,
) -> Outcome:
    """Post a JSON payload, signed, once; it raises nothing that the network can cause."""
    headers = {"Content-Type": "application/json", **sign(message_id, int(now), payload, secrets)}
    try:
        posted = fetcher.post(endpoint, payload, headers)
    except OutboundError as error:
        return Outcome("refused" if error.code in ("refused", "invalid url") else "retry", error.code)
    why = f"status {posted.status}"
    if 200 <= posted.status < 300:
        return Outcome("delivered", why)
    if posted.status == 410:
        return Outcome("gone", why)
    return Outcome("retry", why, posted.retry_after)


def _signature(secret: Secret, message_id: str, timestamp: int, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.digest(secret.key, signed, "sha256")).decode("ascii")
