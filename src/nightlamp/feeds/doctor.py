"""``nightlamp feed doctor``: what is wrong with a feed, in plain words, told apart by looking at each part.

Looks from the inside out: the feed's own state, its secrets, then what its exchange's client finds of name,
connection, clock, credentials, environment and list. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Engine

from nightlamp.errors import FeedError, NightlampError
from nightlamp.feeds.exchange import Finding, Kind
from nightlamp.feeds.opening import open_exchange
from nightlamp.feeds.registry import EXCHANGES
from nightlamp.feeds.secrets import read_secret
from nightlamp.feeds.status import span
from nightlamp.feeds.subscriptions import StoredFeed, get_feed
from nightlamp.outbound import Fetcher
from nightlamp.store import Clock, reading, utc_now


def examine_feed(
    engine: Engine,
    name: str,
    http: Fetcher,
    *,
    kinds: Mapping[str, Kind] = EXCHANGES,
    clock: Clock = utc_now,
) -> list[Finding]:
    """Everything that was looked at, well or not.

    Raises:
        FeedError: there is no such feed.
    """
    with reading(engine) as connection:
        stored = get_feed(connection, name)
    now = clock()
    found = [_state(stored), _age(stored, now), *_secrets(stored)]
    if not all(each.well for each in found if each.what.startswith("secret")):
        return found
    try:
        exchange = open_exchange(stored, http, kinds=kinds, clock=clock)
        if stored.checkpoint is not None:
            found.append(_checkpoint(exchange.stale(stored.checkpoint, now)))
        found += exchange.probe()
    except NightlampError as error:
        found.append(Finding("settings", False, error.what, hint=error.hint or error.where))
    except Exception as error:  # noqa: BLE001 (whatever its client does, the rest is told)
        found.append(Finding("client", False, f"a fault in the client ({type(error).__name__})"))
    return found


def _state(stored: StoredFeed) -> Finding:
    if stored.paused:
        hint = f"nightlamp feed resume {stored.name}" + (" --accept-loss" if stored.paused == "loss" else "")
        if stored.paused == "loss":
            hint = f"look at the source first; then {hint}, or without --accept-loss to fetch anew"
        return Finding("state", False, f"it has stopped: {stored.paused_why}", hint=hint)
    if stored.failures:
        return Finding(
            "state", False, f"{stored.failures} attempts in a row failed; the last: {stored.error}"
        )
    under_way = f"; a run is under way, {stored.run_records:,} records so far" if stored.run_mode else ""
    return Finding("state", True, f"{stored.records:,} records in force{under_way}")


def _age(stored: StoredFeed, now: datetime) -> Finding:
    behind = span(stored.behind(now))
    if stored.last_ok_at is None:
        words = f"no run has ended yet; it was added {behind} ago"
    elif stored.last_ok_at > now:
        words = "the last run began in the future: this machine's clock was or is wrong"
        return Finding("age", False, words, "clock", "set the clock (NTP)")
    else:
        words = f"it knows what its source had {behind} ago"
    return Finding("age", not stored.stale(now), words)


def _secrets(stored: StoredFeed) -> list[Finding]:
    found = []
    for name, reference in stored.secrets.items():
        try:
            read_secret(reference, name)
        except FeedError as error:
            words = f"{reference}: {error.what}"
            found.append(Finding(f"secret {name}", False, words, "credentials", error.hint))
        else:
            found.append(Finding(f"secret {name}", True, f"{reference} can be read"))
    return found


def _checkpoint(stale: bool) -> Finding:
    if not stale:
        return Finding("checkpoint", True, "its source still knows what was withdrawn since")
    words = "it is too old: its source has forgotten some withdrawals since"
    hint = "nothing: the next run fetches the whole list while the old one goes on matching"
    return Finding("checkpoint", False, words, "stale", hint)
