"""The guarded way to exchanges, as the settings have it."""

from __future__ import annotations

from nightlamp.outbound import Fetcher, Rules
from nightlamp.settings.feeds import FeedsSettings


def fetcher_of(settings: FeedsSettings) -> Fetcher:
    """For requests to exchanges: public addresses, TLS, and answers within limits."""
    schemes = frozenset({"http", "https"} if settings.http else {"https"})
    return Fetcher(
        Rules(
            schemes=schemes,
            ports=frozenset(settings.ports),
            allow=settings.allow,
            max_bytes=settings.most_bytes,
            seconds=settings.seconds,
        )
    )
