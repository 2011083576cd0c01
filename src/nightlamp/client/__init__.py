"""The Python client of Nightlamp's service, for code that waits and for asyncio.

Promises: what failed on the way is sent again, and a submission that is sent again is one item; a file is
streamed, not loaded; no key, hash or content is in a ``repr`` or an error. Takes an address and an API key;
gives frozen values (``nightlamp.client.answers``) or raises ``ClientError``. Must never load the service or
the core: it needs ``httpx`` alone (``pip install 'nightlamp[client]'``).

::

    with Client("https://nightlamp.example", key) as client:
        outcome = client.submit("photo.jpg", platform_id="post-81723")
        if outcome.action == "block":
            ...
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nightlamp.client.aio import AsyncClient
from nightlamp.client.answers import Outcome, Verdict
from nightlamp.client.banks import Entry
from nightlamp.client.items import About, BatchItem, FingerprintItem
from nightlamp.client.retrying import Retry
from nightlamp.client.sync import Client
from nightlamp.errors import ClientError, WebhookError

if TYPE_CHECKING:
    from nightlamp.client.webhooks import VerdictMessage, read_webhook
    from nightlamp.outbound.webhooks import Secret as WebhookSecret
    from nightlamp.outbound.webhooks import verify as verify_webhook

__all__ = [
    "About",
    "AsyncClient",
    "BatchItem",
    "Client",
    "ClientError",
    "Entry",
    "FingerprintItem",
    "Outcome",
    "Retry",
    "Verdict",
    "VerdictMessage",
    "WebhookError",
    "WebhookSecret",
    "read_webhook",
    "verify_webhook",
]

_WEBHOOKS = {
    "VerdictMessage": "client.webhooks:VerdictMessage",
    "read_webhook": "client.webhooks:read_webhook",
    "WebhookSecret": "outbound.webhooks:Secret",
    "verify_webhook": "outbound.webhooks:verify",
}


def __getattr__(name: str) -> Any:  # only receivers of webhooks need these
    if name not in _WEBHOOKS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, value = _WEBHOOKS[name].partition(":")
    return getattr(import_module(f"nightlamp.{module}"), value)
