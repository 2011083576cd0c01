"""StopNCII.org: hashes that people made of their own intimate pictures (JSON over HTTPS).

A withdrawn hash is withdrawn by its ``hashStatus``. Source: the client of python-threatexchange 1.2.17, which
compares the hash itself to the status and so never removes one; tested against.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from nightlamp.access.keys import Secret
from nightlamp.feeds.exchange import (
    ExchangeConfig,
    Finding,
    Json,
    Kind,
    Opinion,
    Page,
    Print,
    Record,
    Sent,
)
from nightlamp.feeds.exchanges.keys import composed, newest, value_of
from nightlamp.feeds.exchanges.service import Service, away, iso
from nightlamp.outbound import Fetcher
from nightlamp.store import Clock

ADDRESS = "https://api.stopncii.org/v1"
STALE = timedelta(days=30)
_FIRST = 10  # the timestamp from which everything is given
_SIGNALS: Mapping[str, str] = {
    "ImagePDQ": "pdq",
    "VideoMD5": "md5",
    "VideoTMK": "tmk_pdqf",
    "URL": "url",
    "Text": "text",
}
_GONE = frozenset({"Withdrawn", "Deleted"})
_STANDING = frozenset({"Received", "Active"})


class StopNciiConfig(ExchangeConfig):
    """What an operator sets.

    Args:
        url: of the service; StopNCII has one environment, and gives testers another address.
        page_size: hashes of one answer.
    """

    url: str = Field(ADDRESS, pattern=r"^https?://")
    page_size: int = Field(800, ge=1, le=10_000)


class StopNcii:
    """A client; see ``nightlamp.feeds.exchange.Exchange``."""

    full = False
    most = 100
    repeatable = True

    def __init__(
        self, config: StopNciiConfig, secrets: Mapping[str, Secret], http: Fetcher, clock: Clock
    ) -> None:
        self._config = config
        self._clock = clock
        self._feedback = secrets.get("feedback_key")
        self._fetch = {"x-functions-key": secrets["fetch_key"].reveal()}
        subscription = {"Ocp-Apim-Subscription-Key": secrets["subscription_key"].reveal()}
        self._service = Service("StopNCII", config.url, http, clock, subscription)

    def pages(self, checkpoint: Json | None, cursor: Json | None) -> Iterator[Page]:
        """Everything that changed since the checkpoint; the exchange's own next timestamp is the new one."""
        start, token = _FIRST, ""
        try:
            if checkpoint is not None:
                start = int(checkpoint["timestamp"])
            if cursor is not None:
                token = str(cursor["token"])
                if int(cursor["start"]) != start:
                    raise ValueError
        except (KeyError, TypeError, ValueError):
            raise self._service.error(
                "stale", "a place to go on at that is not one of this exchange"
            ) from None
        while True:
            answer = self._page(start, token)
            records, unreadable = _records(answer)
            more, following = answer.get("hasMoreRecords"), answer.get("nextPageToken")
            if not isinstance(more, bool):
                raise self._service.error("malformed", "an answer that does not say whether there is more")
            if not more:
                stands = answer.get("nextSetTimestamp")
                if not isinstance(stands, int) or stands < 0:
                    raise self._service.error("malformed", "an answer without its next timestamp")
                done = {"timestamp": stands, "fetched": iso(self._clock())}
                yield Page(records, None, done, unreadable=unreadable)
                return
            if not isinstance(following, str) or not following:
                raise self._service.error("malformed", "there is more, but no way to it")
            if following == token:
                raise self._service.error("hostile", "pages that never end")
            token = following
            yield Page(records, {"start": start, "token": token}, unreadable=unreadable)

    def stale(self, checkpoint: Json, now: datetime) -> bool:
        """After 30 days, withdrawals may have been forgotten."""
        return away(checkpoint, now, STALE)

    def probe(self) -> Sequence[Finding]:
        """Ask for one hash."""
        query = {"startTimestamp": _FIRST, "pageSize": 1}
        return self._service.probe("GET", "/FetchHashes", query=query, headers=self._fetch)[1]

    def feedback(self, opinions: Sequence[Opinion]) -> Sequence[Sent]:
        """Blocked, or NotBlocked with the reason as a tag."""
        if self._feedback is None:
            words = "the feed has no secret feedback_key"
            return [Sent(opinion.id, False, words) for opinion in opinions]
        rows, sent = [], []
        for opinion in opinions:
            _, value = value_of(opinion.key)
            if value is None:
                sent.append(Sent(opinion.id, False, "its hash is too long to be kept"))
                continue
            negative = opinion.stance == "negative"
            rows.append(
                {
                    "tags": [opinion.reason] if negative and opinion.reason else [],
                    "feedbackValue": "NotBlocked" if negative else "Blocked",
                    "hashValue": value,
                }
            )
            sent.append(Sent(opinion.id, True))
        if rows:
            headers = {"x-functions-key": self._feedback.reveal(), "Content-Type": "application/json"}
            body = json.dumps({"count": len(rows), "hashFeedbacks": rows}).encode()
            self._service.ask("POST", "/SubmitFeedback", headers=headers, body=body)
        return sent

    def _page(self, start: int, token: str) -> dict[str, Any]:
        query: dict[str, str | int] = {"startTimestamp": start, "pageSize": self._config.page_size}
        if token:
            query["nextPageToken"] = token
        also = (400,) if token else ()
        answer = self._service.json("GET", "/FetchHashes", query=query, headers=self._fetch, also=also)
        if not isinstance(answer.get("hashRecords"), list):
            if token:
                raise self._service.error("stale", "its paging token is no longer taken")
            raise self._service.error("malformed", "an answer without hashRecords")
        return answer


def _records(answer: Mapping[str, Any]) -> tuple[tuple[Record, ...], int]:
    rows = answer["hashRecords"]
    found = [record for record in map(_record, rows) if record is not None]
    return newest(found), len(rows) - len(found)


def _record(row: object) -> Record | None:
    """One hash, whatever else its row says; ``None`` if even that cannot be read."""
    if not isinstance(row, dict):
        return None
    kind, value, status = (row.get(name) for name in ("signalType", "hashValue", "hashStatus"))
    if not (isinstance(kind, str) and kind and isinstance(value, str) and value and isinstance(status, str)):
        return None
    changed = row.get("lastModtimestamp")
    version = changed if isinstance(changed, int) and 0 <= changed < 2**53 else 0
    key = composed(kind[:40], value)
    if status in _GONE:
        return Record(key, deleted=True, version=version)
    votes = row.get("CSPFeedbacks")
    against = any(
        isinstance(vote, dict) and vote.get("feedbackValue") == "NotBlocked"
        for vote in (votes if isinstance(votes, list) else ())
    )
    signal = _SIGNALS.get(kind, kind[:40].lower())
    # A status that nobody knows yet might be one more way to withdraw: kept, and marked.
    return Record(key, (Print(signal, value),), "", False, against or status not in _STANDING, version)


KIND = Kind(
    "stopncii",
    "StopNCII.org",
    StopNciiConfig,
    StopNcii,
    {
        "fetch_key": "function key of FetchHashes",
        "subscription_key": "Ocp-Apim-Subscription-Key",
        "feedback_key": "function key of SubmitFeedback",
    },
    frozenset({"feedback_key"}),
    category="ncii",
)
