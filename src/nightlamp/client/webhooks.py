"""For receivers of webhooks: verified first, then read."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from nightlamp.client.answers import State
from nightlamp.client.reading import read
from nightlamp.errors import WebhookError
from nightlamp.outbound.webhooks import Secret, verify
from nightlamp.values import Action


@dataclass(frozen=True, slots=True)
class VerdictMessage:
    """A verdict that came by webhook.

    Args:
        id: the item's.
        platform_id: the platform's own id of the item.
        late: the item passed before, and an entry that is new since matches it.
    """

    id: str
    platform_id: str
    state: State
    action: Action
    late: bool
    decided_at: datetime


def read_webhook(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[Secret], *, now: float | None = None
) -> tuple[str, VerdictMessage]:
    """The id of a message, and what it says, if one of the secrets signed it a short while ago.

    A message may come more than once, with the same id: remember the ids.

    Args:
        headers: of the request, in any case.
        body: exactly as it came.
        secrets: of the endpoint; two while you change over to a new one.
        now: Unix time, by default the clock's.

    Raises:
        WebhookError: it is not signed so, or is no verdict.
    """
    message_id = verify(headers, body, secrets, time.time() if now is None else now)
    try:
        return message_id, read(VerdictMessage, json.loads(body))
    except ValueError:
        pass  # its message may hold what came
    raise WebhookError("malformed", "signed, but no verdict: of a newer service?")
