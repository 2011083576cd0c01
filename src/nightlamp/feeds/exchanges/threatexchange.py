"""A privacy group of Meta's ThreatExchange (Graph API, JSON over HTTPS).

An indicator is withdrawn by ``should_delete`` or by losing its descriptors. The exchange forgets withdrawals
after 90 days. Its links to next pages hold the access token and are not followed: what they ask for is asked
for at the exchange's own address. Source: the client of python-threatexchange 1.2.17 and the facts of Meta's
public reference that it cites.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import parse_qs, urlencode, urlsplit

from pydantic import Field

from nightlamp.access.keys import Secret
from nightlamp.errors import ExchangeError, ExchangeKind
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

ADDRESS = "https://graph.facebook.com/v26.0"
STALE = timedelta(days=85)
_FIELDS = "indicator,type,last_updated,should_delete,descriptors{id,reactions,owner{id},tags,status}"
_OVERLAP = 60  # seconds that are read again, since the edge of start_time is not documented
# ThreatExchange's types of indicators → our signals.
SIGNALS: Mapping[str, str] = {
    "HASH_MD5": "md5",
    "HASH_VIDEO_MD5": "md5",
    "HASH_SHA1": "sha1",
    "HASH_SHA256": "sha256",
    "HASH_VIDEO_SHA256": "sha256",
    "HASH_PDQ": "pdq",
    "HASH_TMK": "tmk_pdqf",
    "URI": "url",
    "RAW_URI": "url",
    "DOMAIN": "url-host",
}
# The Graph API's own error codes, which come with status 400 or 403.
_CODES: Mapping[int, ExchangeKind] = {
    190: "credentials",
    102: "credentials",
    10: "credentials",
    200: "credentials",
    803: "gone",
    4: "limited",
    17: "limited",
    32: "limited",
    613: "limited",
    1: "network",
    2: "network",
}


class ThreatExchangeConfig(ExchangeConfig):
    """What an operator sets.

    Args:
        privacy_group: its number.
        url: of the Graph API, with its version.
        page_size: indicators of one answer.
        feedback: ``"reaction"``: react to others' descriptors; ``"descriptor"``: publish one of our own to
            the group, MALICIOUS or NON_MALICIOUS.
    """

    privacy_group: int = Field(gt=0)
    url: str = Field(ADDRESS, pattern=r"^https?://")
    page_size: int = Field(100, ge=1, le=1_000)
    feedback: Literal["reaction", "descriptor"] = "reaction"


class ThreatExchange:
    """A client; see ``nightlamp.feeds.exchange.Exchange``."""

    full = False
    most = 1
    repeatable = True

    def __init__(
        self, config: ThreatExchangeConfig, secrets: Mapping[str, Secret], http: Fetcher, clock: Clock
    ) -> None:
        self._config = config
        self._clock = clock
        self._token = secrets["access_token"].reveal()
        self._service = Service(f"ThreatExchange group {config.privacy_group}", config.url, http, clock)

    def pages(self, checkpoint: Json | None, cursor: Json | None) -> Iterator[Page]:
        """Updates since the checkpoint; the newest time seen is the next one, once all are read."""
        try:
            newest_seen = 0 if checkpoint is None else int(checkpoint["time"])
            following = None
            if cursor is not None:
                following = {str(name): str(value) for name, value in cursor["query"].items()}
                newest_seen = max(newest_seen, int(cursor["newest"]))
        except (AttributeError, KeyError, TypeError, ValueError):
            raise self._service.error(
                "stale", "a place to go on at that is not one of this exchange"
            ) from None
        first = {"fields": _FIELDS, "limit": str(self._config.page_size)}
        if checkpoint is not None:
            first["start_time"] = str(max(int(checkpoint["time"]) - _OVERLAP, 0))
        while True:
            answer = self._graph(
                "GET",
                f"/{self._config.privacy_group}/threat_updates/",
                following or first,
                resumed=following is not None,
            )
            rows = answer.get("data")
            if not isinstance(rows, list):
                raise self._service.error("malformed", "an answer without data")
            found = [record for record in map(_record, rows) if record is not None]
            newest_seen = max([newest_seen, *(record.version for record in found)])
            unreadable = len(rows) - len(found)
            next_query = self._next(answer)
            if next_query is None:
                done = {"time": newest_seen, "fetched": iso(self._clock())}
                yield Page(newest(found), None, done, unreadable=unreadable)
                return
            if next_query == following:
                raise self._service.error("hostile", "pages that never end")
            following = next_query
            yield Page(newest(found), {"query": following, "newest": newest_seen}, unreadable=unreadable)

    def stale(self, checkpoint: Json, now: datetime) -> bool:
        """After 85 days; withdrawals are forgotten after 90."""
        return away(checkpoint, now, STALE)

    def probe(self) -> Sequence[Finding]:
        """Ask for the group's name, then for one update."""
        path = f"/{self._config.privacy_group}"
        query = {"fields": "id,name,threat_updates_enabled"}
        try:
            group = self._graph("GET", path, query)
        except ExchangeError as error:
            first = self._service.probe("GET", path, query=query, also=(400, 403))[1]
            well = [finding for finding in first if finding.what != "credentials"]
            what = "credentials" if error.kind == "credentials" else "environment"
            if error.kind in ("network", "hostile"):
                return first if not first[0].well else [*well, _finding("connection", error)]
            return [*well, _finding(what, error)]
        findings = [
            Finding("connection", True, "the Graph API answers"),
            *self._service.clock_found(),
            Finding("credentials", True, "the token is taken"),
        ]
        if group.get("threat_updates_enabled") is False:
            hint = "ask the group's owner to switch threat_updates on"
            return [*findings, Finding("list", False, "the group gives no updates", "environment", hint)]
        try:
            self._graph("GET", f"{path}/threat_updates/", {"fields": "id", "limit": "1"})
        except ExchangeError as error:
            return [*findings, _finding("list", error)]
        return [*findings, Finding("list", True, "it is given to us")]

    def feedback(self, opinions: Sequence[Opinion]) -> Sequence[Sent]:
        """A reaction, or a descriptor of our own, for each."""
        return [self._vote(opinion) for opinion in opinions]

    def _vote(self, opinion: Opinion) -> Sent:
        kind, indicator = value_of(opinion.key)
        if indicator is None:
            return Sent(opinion.id, False, "its indicator is too long to be kept")
        agree = opinion.stance == "affirmative"
        if self._config.feedback == "descriptor":
            self._graph(
                "POST",
                "/threat_descriptors/",
                {
                    "indicator": indicator,
                    "type": kind,
                    "description": "reviewed by a person",
                    "share_level": "AMBER",
                    "status": "MALICIOUS" if agree else "NON_MALICIOUS",
                    "privacy_type": "HAS_PRIVACY_GROUP",
                    "privacy_members": str(self._config.privacy_group),
                },
            )
            return Sent(opinion.id, True)
        asked = {
            "text": indicator,
            "strict_text": "true",
            "type": kind,
            "privacy_groups": str(self._config.privacy_group),
            "fields": "id,owner{id}",
        }
        rows = self._graph("GET", "/threat_descriptors/", asked).get("data")
        ours = self._token.partition("|")[0]
        others = [
            id_ for id_, owner in map(_descriptor, rows if isinstance(rows, list) else ()) if owner != ours
        ]
        others = [id_ for id_ in others if id_]
        if not others:
            return Sent(opinion.id, False, "there is no descriptor of others to react to any more")
        for descriptor in others:
            self._graph(
                "POST", f"/{descriptor}/", {"reactions": "HELPFUL" if agree else "DISAGREE_WITH_TAGS"}
            )
        return Sent(opinion.id, True)

    def _next(self, answer: Mapping[str, Any]) -> dict[str, str] | None:
        """What the link to the next page asks for, without where it leads and without the token."""
        paging = answer.get("paging")
        link = paging.get("next") if isinstance(paging, dict) else None
        if not link:
            return None
        if not isinstance(link, str) or len(link) > 8_192:
            raise self._service.error("malformed", "a link to the next page that is none")
        asked = parse_qs(urlsplit(link).query)
        query = {name: values[-1] for name, values in sorted(asked.items()) if name != "access_token"}
        if not query:
            raise self._service.error("malformed", "a link to the next page that asks for nothing")
        return query

    def _graph(
        self, method: str, path: str, query: Mapping[str, str], *, resumed: bool = False
    ) -> dict[str, Any]:
        """One request; the Graph API's errors have codes of their own."""
        given = {**query, "access_token": self._token}
        body, headers = b"", {}
        if method == "POST":
            body, given = urlencode(given).encode(), {}
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self._service.json(method, path, query=given, headers=headers, body=body, also=(400, 403))
        error = answer.get("error")
        if error is None:
            return answer
        code = error.get("code") if isinstance(error, dict) else None
        if not isinstance(code, int):
            raise self._service.error("malformed", "an error without a code")
        kind = _CODES.get(code, "stale" if resumed and code == 100 else "malformed")
        raise self._service.error(kind, f"the Graph API says error {code}")


def _finding(what: str, error: ExchangeError) -> Finding:
    return Finding(what, False, error.what, error.kind, error.hint)


def _descriptor(row: object) -> tuple[str, str]:
    """Id and owner of a descriptor; empty where they cannot be seen."""
    if not isinstance(row, dict):
        return "", ""
    id_, owner = str(row.get("id", "")), row.get("owner")
    return id_ if id_.isascii() and id_.isdigit() else "", str(owner.get("id", "")) if isinstance(
        owner, dict
    ) else ""


def _record(row: object) -> Record | None:
    if not isinstance(row, dict):
        return None
    kind, indicator, at = row.get("type"), row.get("indicator"), row.get("last_updated")
    if not (isinstance(kind, str) and kind and isinstance(indicator, str) and indicator):
        return None
    version = int(at) if isinstance(at, int | str) and str(at).isascii() and str(at).isdigit() else 0
    version = version if version < 2**53 else 0
    key = composed(kind[:40], indicator)
    descriptors = row.get("descriptors")
    given = descriptors.get("data") if isinstance(descriptors, dict) else None
    if row.get("should_delete") or not isinstance(given, list):
        return Record(key, deleted=True, version=version)
    stances, tags = _opinions([each for each in given if isinstance(each, dict)])
    signal = SIGNALS.get(kind, kind[:40].lower())
    category = ", ".join(sorted(tags))[:100]
    return Record(key, (Print(signal, indicator),), category, False, False in stances.values(), version)


def _opinions(descriptors: Sequence[dict[str, Any]]) -> tuple[dict[str, bool], set[str]]:
    """What each owner says (True: it is what the list says), reactions only of those without a descriptor."""
    explicit: dict[str, bool] = {}
    implicit: dict[str, bool] = {}
    tags: set[str] = set()
    for descriptor in descriptors:
        tags |= _tags(descriptor.get("tags"))
        owner = descriptor.get("owner")
        name = str(owner.get("id", "")) if isinstance(owner, dict) else ""
        status = descriptor.get("status")
        if name and status in ("MALICIOUS", "NON_MALICIOUS"):
            explicit[name] = explicit.get(name, True) and status == "MALICIOUS"
        reactions = descriptor.get("reactions")
        for reaction in reactions if isinstance(reactions, list) else ():
            if isinstance(reaction, dict) and reaction.get("key") in ("HELPFUL", "DISAGREE_WITH_TAGS"):
                for who in str(reaction.get("value", "")).split(","):
                    implicit[who] = implicit.get(who, False) or reaction["key"] == "HELPFUL"
    return {**implicit, **explicit}, tags


def _tags(tags: object) -> set[str]:
    rows = tags.get("data") if isinstance(tags, dict) else tags
    texts = (
        [row.get("text") if isinstance(row, dict) else row for row in rows] if isinstance(rows, list) else []
    )
    return {text[:100] for text in texts if isinstance(text, str)}


KIND = Kind(
    "threatexchange",
    "Meta ThreatExchange",
    ThreatExchangeConfig,
    ThreatExchange,
    {"access_token": "of the app: number|secret"},
)
