"""A feed's exchange, opened: its config checked, its secrets read anew."""

from __future__ import annotations

from collections.abc import Mapping

from nightlamp.feeds.exchange import Exchange, Kind, TakesFeedback
from nightlamp.feeds.registry import EXCHANGES, kind_of
from nightlamp.feeds.secrets import read_all
from nightlamp.feeds.subscriptions import StoredFeed, config_of
from nightlamp.outbound import Fetcher
from nightlamp.store import Clock, utc_now


def open_exchange(
    stored: StoredFeed, http: Fetcher, *, kinds: Mapping[str, Kind] = EXCHANGES, clock: Clock = utc_now
) -> Exchange:
    """A client for a feed, with its secrets read anew.

    Raises:
        FeedError: its kind is not there any more, its config or one of its secrets makes no sense.
    """
    kind = kind_of(stored.kind, kinds)
    config = config_of(kind, stored.config)
    return kind.open(config, read_all(stored.secrets), http, clock)


def takes_feedback(exchange: Exchange) -> TakesFeedback | None:
    """The exchange as one that wants to hear opinions; ``None``: it does not."""
    return exchange if isinstance(exchange, TakesFeedback) else None
