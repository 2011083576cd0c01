"""NCMEC's hash sharing v2, as far as it is public: see ``nightlamp.feeds.exchanges.ncmec`` for the sources.

Like the real one it answers in no order of time, always with the latest state of an entry, with tombstones
inside ``<images>`` and ``<videos>``, in pages whose ``<next>`` is a path with ``start`` and ``max``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode
from xml.sax.saxutils import escape, quoteattr

from tests.fakes.exchanges.exchange import Answer, Asked, FakeExchange, basic_of

NAMESPACE = "https://hashsharing.ncmec.org/hashsharing/v2"
USER, PASSWORD = "member", "pass:word"
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass
class Entry:
    member: int
    id: str
    at: datetime
    kind: str = "image"  # or video
    classification: str = "A1"
    fingerprints: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    deleted: bool = False
    feedback: str = ""

    def xml(self) -> str:
        at = self.at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{self.at.microsecond // 1000:03}Z"
        head = f"<member id='{self.member}'>M</member><timestamp>{at}</timestamp><id>{escape(self.id)}</id>"
        if self.deleted:
            name = "deleted" + self.kind.capitalize()
            return f"<{name}>{head}</{name}>"
        prints = "".join(f"<{name}>{value}</{name}>" for name, value in self.fingerprints.items())
        prints += "".join(f"<{name} rel='self' href={quoteattr(href)}/>" for name, href in self.links.items())
        return (
            f"<{self.kind}>{head}<classification>{self.classification}</classification>"
            f"<fingerprints>{prints}</fingerprints><feedback>{self.feedback}</feedback></{self.kind}>"
        )


class FakeNcmec(FakeExchange):
    """``put`` sets an entry's state; it comes under its newest time alone."""

    def __init__(self, size: int = 3) -> None:
        super().__init__()
        self.size = size
        self.entries: dict[tuple[int, str], Entry] = {}
        self.blobs: dict[str, bytes] = {}
        self.reasons = {"MD5": {"guid-1": "Not Child Sexual Abuse Material", "guid-2": "Poor quality"}}
        self.votes: list[tuple[str, str]] = []

    def put(self, entry: Entry) -> None:
        self.entries[entry.member, entry.id] = entry

    def respond(self, asked: Asked) -> Answer:
        if basic_of(asked) != (USER, PASSWORD):
            return Answer(status=401)
        path = asked.path.removeprefix("/v2/")
        if path == "status":
            text = (
                "<ipAddress>127.0.0.1</ipAddress><username>member</username><member id='42'>Example</member>"
            )
            return self._xml(f"<status xmlns='{NAMESPACE}'>{text}</status>")
        if path == "entries":
            return self._page(asked.query)
        if path.endswith("/reasons"):
            known = self.reasons.get(path.split("/")[1], {})
            reasons = "".join(f"<reason guid={quoteattr(g)} name={quoteattr(n)}/>" for g, n in known.items())
            inner = f"<availableFeedbackReasons>{reasons}</availableFeedbackReasons>"
            return self._xml(f"<feedback xmlns='{NAMESPACE}'>{inner}</feedback>")
        if asked.method == "PUT" and path.endswith("/feedback"):
            _, member, entry, kind, _ = path.split("/")
            if (int(member), entry) not in self.entries or kind not in ("MD5", "PDNA"):
                return Answer(status=404)
            assert asked.headers["content-type"].startswith("application/xml")
            self.votes.append((f"{member}-{entry}/{kind}", asked.body.decode()))
            return Answer()
        blob = self.blobs.get(asked.path)
        return Answer(status=404) if blob is None else Answer(blob)

    def _page(self, query: dict[str, str]) -> Answer:
        start, to = (datetime.fromisoformat(query[name]).astimezone(UTC) for name in ("from", "to"))
        # neither in the order of time nor of arrival, but the same for each page
        within = sorted(
            (e for e in self.entries.values() if start <= e.at < to),
            key=lambda e: hashlib.md5(f"{e.member}-{e.id}".encode()).digest(),
        )
        at = int(query.get("start", 0))
        page = within[at : at + self.size]
        parts = []
        for kind in ("image", "video"):
            chosen = [e for e in page if e.kind == kind]
            newest = max((e.at for e in chosen), default=start).strftime(_FORMAT)
            inner = "".join(e.xml() for e in chosen)
            parts.append(f'<{kind}s count="{len(chosen)}" maxTimestamp="{newest}">{inner}</{kind}s>')
        if at + self.size < len(within):
            millis = {
                "from": start.strftime(_FORMAT[:-1] + ".000Z"),
                "to": to.strftime(_FORMAT[:-1] + ".000Z"),
            }
            following = {**millis, "start": at + self.size, "size": self.size, "max": len(within)}
            parts.append(f"<paging><next>{escape('/v2/entries?' + urlencode(following))}</next></paging>")
        return self._xml(f'<queryResult xmlns="{NAMESPACE}">{"".join(parts)}</queryResult>')

    def _xml(self, text: str) -> Answer:
        return Answer(
            f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode(), 200, {"Content-Type": "application/xml"}
        )
