"""A privacy group of Meta's ThreatExchange, as the client of python-threatexchange 1.2.17 knows it.

Links to next pages are whole URLs, with the access token in them. Errors have status 400 and a code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

from tests.fakes.exchanges.exchange import Answer, Asked, FakeExchange, as_json

TOKEN = "12345678|abcdefghijklmnopqrstuvwxyz"
GROUP = 777


@dataclass
class Indicator:
    type: str
    value: str
    at: int
    descriptors: list[dict[str, object]] | None = field(
        default_factory=lambda: [{"id": "1", "owner": {"id": "9"}, "status": "MALICIOUS"}]
    )
    should_delete: bool = False

    def row(self) -> dict[str, object]:
        found: dict[str, object] = {
            "id": "5",
            "type": self.type,
            "indicator": self.value,
            "last_updated": self.at,
            "should_delete": self.should_delete,
        }
        if self.descriptors is not None:
            found["descriptors"] = {"data": self.descriptors}
        return found


def error(code: int, status: int = 400) -> Answer:
    return as_json({"error": {"message": "no", "type": "OAuthException", "code": code}}, status)


class FakeThreatExchange(FakeExchange):
    def __init__(self) -> None:
        super().__init__()
        self.indicators: dict[tuple[str, str], Indicator] = {}
        self.host = "https://graph.facebook.com"  # of links to next pages; never to be asked
        self.posts: list[tuple[str, dict[str, str]]] = []

    def put(self, indicator: Indicator) -> None:
        self.indicators[indicator.type, indicator.value] = indicator

    def respond(self, asked: Asked) -> Answer:
        fields = {name: v[-1] for name, v in parse_qs(asked.body.decode()).items()}
        if {**asked.query, **fields}.get("access_token") != TOKEN:
            return error(190)
        if asked.method == "POST":
            self.posts.append((asked.path, fields))
            return as_json({"success": True})
        if asked.path == f"/{GROUP}":
            return as_json({"id": str(GROUP), "name": "Group", "threat_updates_enabled": True})
        if asked.path == "/threat_descriptors/":
            found = self.indicators.get((asked.query["type"], asked.query["text"]))
            return as_json({"data": (found.descriptors or []) if found else []})
        if asked.path != f"/{GROUP}/threat_updates/":
            return error(803)
        return self._page(asked.query)

    def _page(self, query: dict[str, str]) -> Answer:
        start, size = int(query.get("start_time", 0)), int(query["limit"])
        at = int(query.get("after", 0))
        changed = sorted((i for i in self.indicators.values() if i.at >= start), key=lambda i: -i.at)
        answer: dict[str, object] = {"data": [i.row() for i in changed[at : at + size]]}
        if at + size < len(changed):
            asked = {**query, "after": str(at + size)}
            link = f"{self.host}/v26.0/{GROUP}/threat_updates/?{urlencode(asked)}"
            answer["paging"] = {"cursors": {"after": asked["after"]}, "next": link}
        return as_json(answer)
