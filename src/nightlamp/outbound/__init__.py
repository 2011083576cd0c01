"""Requests that leave the service: URL items, webhooks, exchanges and look-up services.

Promises that nothing is sent to an address that the rules forbid, however its name is spelled, resolved or
redirected to, and that no answer costs more than the rules' bytes and seconds. Takes URL text and ``Rules``;
gives bytes (``Fetcher.fetch``), a status (``Fetcher.post``), a service's answer (``Fetcher.ask``, ``asking``)
or an ``OutboundError``. Must never follow the environment (proxies, .netrc), keep cookies or connections,
believe a content type, or tell a submitter more than ``OutboundError.for_submitter``.
"""

from nightlamp.outbound.fetcher import Answered, Fetched, Fetcher, Posted
from nightlamp.outbound.outgoing import Outgoing
from nightlamp.outbound.rules import Rules
from nightlamp.outbound.webhooks import Outcome, Secret, deliver, next_attempt, sign, verify

__all__ = [
    "Answered",
    "Fetched",
    "Fetcher",
    "Outcome",
    "Outgoing",
    "Posted",
    "Rules",
    "Secret",
    "deliver",
    "next_attempt",
    "sign",
    "verify",
]
