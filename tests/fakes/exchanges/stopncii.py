"""StopNCII.org's exchange, as the client of python-threatexchange 1.2.17 knows it.

``nextSetTimestamp`` is the newest change among what was given; paging tokens are short-lived; the records of
a run come in no order; ``caseNumbers`` is ``[]`` where there are none.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from tests.fakes.exchanges.exchange import Answer, Asked, FakeExchange, as_json

FETCH, SUBSCRIPTION, FEEDBACK = "fetch-key", "subscription-key", "feedback-key"


@dataclass
class Hash:
    kind: str
    value: str
    at: int
    status: str = "Active"
    votes: list[dict[str, object]] = field(default_factory=list)


class FakeStopNcii(FakeExchange):
    def __init__(self, most: int = 3) -> None:
        super().__init__()
        self.most = most
        self.hashes: dict[tuple[str, str], Hash] = {}
        self.epoch = 0  # a token of an earlier one is no longer taken
        self.sent: list[dict[str, object]] = []

    def put(self, hash_: Hash) -> None:
        self.hashes[hash_.kind, hash_.value] = hash_

    def respond(self, asked: Asked) -> Answer:
        if asked.headers.get("ocp-apim-subscription-key") != SUBSCRIPTION:
            return as_json({"statusCode": 401, "message": "Access denied"}, 401)
        if asked.path == "/SubmitFeedback":
            if asked.headers.get("x-functions-key") != FEEDBACK:
                return Answer(status=401)
            given = asked.json()
            rows = given["hashFeedbacks"]
            assert isinstance(rows, list)
            assert given["count"] == len(rows)
            self.sent += rows
            return as_json({})
        if asked.path != "/FetchHashes":
            return Answer(status=404)
        if asked.headers.get("x-functions-key") != FETCH:
            return Answer(status=401)
        return self._page(asked.query)

    def _page(self, query: dict[str, str]) -> Answer:
        start = int(query["startTimestamp"])
        at = 0
        if "nextPageToken" in query:
            epoch, _, place = query["nextPageToken"].partition("-")
            if int(epoch) != self.epoch:
                return as_json({"error": "invalid token"}, 400)
            at = int(place)
        changed = sorted(
            (h for h in self.hashes.values() if h.at >= start),
            key=lambda h: hashlib.md5(f"{h.kind}{h.value}".encode()).digest(),
        )
        size = min(self.most, int(query["pageSize"]))
        page = changed[at : at + size]
        more = at + size < len(changed)
        return as_json(
            {
                "count": len(page),
                "nextPageToken": f"{self.epoch}-{at + size}" if more else None,
                "nextSetTimestamp": max((h.at for h in changed), default=start),
                "hasMoreRecords": more,
                "hashRecords": [
                    {
                        "lastModtimestamp": h.at,
                        "signalType": h.kind,
                        "hashValue": h.value,
                        "hashStatus": h.status,
                        "caseNumbers": [],
                        "CSPFeedbacks": h.votes,
                    }
                    for h in page
                ],
            }
        )
