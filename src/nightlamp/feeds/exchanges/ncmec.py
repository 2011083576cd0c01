"""NCMEC's hash sharing, version 2 (XML over HTTPS).

A run asks for windows of time, oldest first. Within a window entries come in no order of time, so only a
window that was read to its end moves the checkpoint. Where a window holds more than can be read within the
life of its paging links, a narrower one is asked for instead. All times are UTC.

Source: the public pages of report.cybertip.org/hashsharing/v2, and the client of python-threatexchange
1.2.17, whose defects (local time in windows, dropped image digests, ignored downvotes, no guards) are tested
against.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from nightlamp.access.keys import Secret
from nightlamp.errors import ExchangeError, FeedError
from nightlamp.feeds.exchange import (
    NOT_FETCHED,
    Finding,
    Json,
    Kind,
    Opinion,
    Page,
    Print,
    Record,
    Sent,
)
from nightlamp.feeds.exchanges.ncmec_config import ADDRESSES, SIGNALS, NcmecConfig
from nightlamp.feeds.exchanges.ncmec_votes import Votes
from nightlamp.feeds.exchanges.service import Service, away, basic, iso
from nightlamp.outbound import Fetcher
from nightlamp.outbound.guarded_xml import Element, elements
from nightlamp.signals import installed
from nightlamp.store import Clock

MOST_PER_WINDOW = 400_000  # entries; more cannot be counted on within the life of a paging link
LINK_LIFE = timedelta(hours=12)
_SETTLE = timedelta(seconds=5)  # entries of the last moments may still be on their way into the list
_OVERLAP = timedelta(seconds=60)  # read again, since the edges of a window are not documented
_NARROWEST = timedelta(hours=1)
_MOST_PAGES = 100_000  # of one window
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_ENTRIES = frozenset({"image", "video", "deletedImage", "deletedVideo"})
_NEXT = re.compile(r"/v2/entries\?[!-~]{1,2000}")
_LINK = re.compile(r"/v2/[!-~]{1,2000}")
_ID = re.compile(r"[!-~]{1,200}")


@dataclass(frozen=True, slots=True)
class _Window:
    """From and to in whole seconds of UTC, and the link to its next page (``""``: it begins)."""

    start: datetime
    to: datetime
    link: str = field(default="", repr=False)
    asked: datetime = _BEGINNING

    def cursor(self) -> Json:
        return {
            "start": iso(self.start),
            "to": iso(self.to),
            "link": self.link,
            "asked": iso(self.asked),
        }


@dataclass(frozen=True, slots=True)
class _Answer:
    records: tuple[Record, ...]
    unreadable: int
    link: str
    estimate: int | None


class Ncmec:
    """A client; see ``nightlamp.feeds.exchange.Exchange``."""

    full = False
    most = 1
    repeatable = True

    def __init__(
        self, config: NcmecConfig, secrets: Mapping[str, Secret], http: Fetcher, clock: Clock
    ) -> None:
        self._config = config
        self._clock = clock
        self._http = http
        self._headers = {
            "Authorization": basic(config.username, secrets["password"]),
            "Accept": "application/xml",
        }
        self._service = self._at(config.environment, config.url)
        self._votes = Votes(self._service, config)

    def _at(self, environment: str, url: str = "") -> Service:
        return Service(
            f"NCMEC ({environment})", url or ADDRESSES[environment], self._http, self._clock, self._headers
        )

    def pages(self, checkpoint: Json | None, cursor: Json | None) -> Iterator[Page]:
        """Windows from the checkpoint until now, each to its end."""
        self._service.ask("GET", "/v2/status")  # tells its clock, by which the windows are cut
        self._service.check_clock()
        begin, window = self._begin(checkpoint, cursor)
        skew = timedelta(seconds=max(self._service.skew or 0.0, 0.0))
        end = (self._clock() - skew - _SETTLE).astimezone(UTC).replace(microsecond=0)
        start = window.start if window else begin
        if start >= end:
            yield Page(checkpoint=self._checkpoint(start))
            return
        span = window.to - window.start if window else end - start
        while start < end:
            window = window or _Window(start, min(end, start + span))
            pages = self._window(window)
            first = next(pages)
            width = window.to - window.start
            estimate = first.estimate or 0
            if not window.link and estimate > MOST_PER_WINDOW and width > _NARROWEST:
                span = max(width / 4, _NARROWEST)
                window = None
                continue
            count = len(first.records)
            yield self._page(first, window, end)
            for answer in pages:
                count += len(answer.records)
                yield self._page(answer, window, end)
            start = window.to
            if count < MOST_PER_WINDOW / 4:
                span = max(span, width) * 2
            window = None

    def stale(self, checkpoint: Json, now: datetime) -> bool:
        """After ``forgets_after``: how long NCMEC keeps its tombstones is not documented."""
        return away(checkpoint, now, timedelta(days=self._config.forgets_after))

    def probe(self) -> Sequence[Finding]:
        """Ask who we are, and if we are nobody here, whether we are somebody in the sister environment."""
        answered, findings = self._service.probe("GET", "/v2/status")
        if answered is not None:
            try:
                members = [e for e in elements([answered.body], {"member"}) if e.attributes.get("id")]
            except ValueError:
                members = []
            if members:
                words = f"{self._config.environment}, as member {members[0].text.strip()[:100]!r}"
                findings.append(Finding("environment", True, words))
            else:
                words = "something else answers at this address"
                findings.append(Finding("environment", False, words, "malformed", "check url="))
            now = self._clock() - _SETTLE
            asked = {"from": iso(now - timedelta(minutes=1)), "to": iso(now)}
            findings += self._service.probe("GET", "/v2/entries", what="list", query=asked)[1]
            findings.append(self._votes.examined())
        elif findings[-1].kind == "credentials" and not self._config.url:
            sister = self._sister()
            try:
                self._at(sister).ask("GET", "/v2/status")
            except ExchangeError:
                pass
            else:
                findings[-1] = Finding(
                    "environment",
                    False,
                    f"these credentials are of {sister}, and the feed is set to {self._config.environment}",
                    "environment",
                    f"set environment={sister}, or use the credentials of {self._config.environment}",
                )
        return findings

    def feedback(self, opinions: Sequence[Opinion]) -> Sequence[Sent]:
        """Vote on one entry after the other, on the fingerprint that the config names."""
        return [self._votes.cast(opinion) for opinion in opinions]

    def _sister(self) -> str:
        name: str = self._config.environment
        return name.removeprefix("test-") if name.startswith("test-") else f"test-{name}"

    def _begin(self, checkpoint: Json | None, cursor: Json | None) -> tuple[datetime, _Window | None]:
        """Where to begin, and the window to go on with, if its link still lives."""
        begin = _BEGINNING
        try:
            if checkpoint is not None:
                begin = _time(checkpoint["to"])
            if cursor is None:
                return begin, None
            window = _Window(
                _time(cursor["start"]), _time(cursor["to"]), str(cursor["link"]), _time(cursor["asked"])
            )
        except (KeyError, TypeError, ValueError):
            raise self._service.error("stale", "a checkpoint that is not one of this exchange") from None
        if window.start != begin:
            raise self._service.error("stale", "the place to go on at is not of this checkpoint")
        if self._clock() - window.asked > LINK_LIFE:
            return begin, None  # within a window, what was read is read again
        return begin, window

    def _checkpoint(self, to: datetime) -> Json:
        return {"to": iso(to), "fetched": iso(self._clock())}

    def _page(self, answer: _Answer, window: _Window, end: datetime) -> Page:
        if answer.link:
            cursor = _Window(window.start, window.to, answer.link, self._clock()).cursor()
            return Page(answer.records, cursor, None, answer.estimate, unreadable=answer.unreadable)
        done = self._checkpoint(window.to)
        if window.to >= end:
            return Page(answer.records, None, done, unreadable=answer.unreadable)
        following = _Window(window.to, window.to, "", _BEGINNING).cursor()
        return Page(answer.records, following, done, unreadable=answer.unreadable)

    def _window(self, window: _Window) -> Iterator[_Answer]:
        """The pages of a window; a link is only ever used with the window that it was given for."""
        link = window.link
        seen: set[str] = set()
        while True:
            if link:
                answer = self._entries(link, None)
            else:
                start = max(window.start - _OVERLAP, _BEGINNING)
                answer = self._entries("/v2/entries", {"from": iso(start), "to": iso(window.to)})
            yield answer
            if not answer.link:
                return
            if answer.link in seen or answer.link == link or len(seen) == _MOST_PAGES:
                raise self._service.error("hostile", "links to pages that never end")
            seen.add(answer.link)
            link = answer.link

    def _entries(self, path: str, query: Mapping[str, str | int] | None) -> _Answer:
        answered = self._service.ask("GET", path, query=query)
        found: dict[str, Record] = {}
        unreadable = 0
        link = ""
        try:
            for element in elements([answered.body], _ENTRIES | {"next"}, root={"queryResult"}):
                if element.name == "next":
                    link = element.text.strip()
                    continue
                try:
                    record = self._record(element)
                except ValueError:
                    unreadable += 1
                    continue
                older = found.get(record.key) if record else None
                if record and (older is None or older.version <= record.version):
                    found[record.key] = record
        except ValueError as error:
            raise self._service.bad(error) from None
        if link and not _NEXT.fullmatch(link):
            raise self._service.error("hostile", "a link to a page that leads elsewhere")
        return _Answer(tuple(found.values()), unreadable, link, _estimate(link, len(found)))

    def _record(self, element: Element) -> Record | None:
        """An entry; ``None`` if it is of a member that nobody asked for.

        Raises:
            ValueError: it has no id.
        """
        member = element.child("member")
        owner = (member.attributes.get("id", "") if member else "").strip()
        entry = element.text_of("id")
        if not (owner.isascii() and owner.isdigit() and len(owner) < 20 and _ID.fullmatch(entry)):
            raise ValueError("an entry without an id")
        if self._config.members and int(owner) not in self._config.members:
            return None
        key = f"{owner}-{entry}"
        version = _milliseconds(element.text_of("timestamp"))
        if element.name.startswith("deleted"):
            return Record(key, deleted=True, version=version)
        prints = tuple(self._prints(element.child("fingerprints")))
        category = element.text_of("classification")[:100]
        return Record(key, prints, category, disputed=_downvoted(element), version=version)

    def _prints(self, fingerprints: Element | None) -> Iterator[Print]:
        for child in fingerprints.children if fingerprints else ():
            signal = SIGNALS.get(child.name.lower(), child.name.lower()[:40])
            text, href = child.text.strip(), child.attributes.get("href")
            if text:
                yield Print(signal, text)
            elif href:
                wanted = self._config.links and signal in installed()
                yield Print(signal, self._linked(href) if wanted else NOT_FETCHED)

    def _linked(self, href: str) -> bytes:
        if not _LINK.fullmatch(href):
            raise self._service.error("hostile", "a link to a fingerprint that leads elsewhere")
        return self._service.ask("GET", href, most=self._config.link_bytes).body


def _downvoted(entry: Element) -> bool:
    """Whether a member says that it is wrong; where its votes stand in the element is not documented well."""
    feedback = entry.child("feedback")
    if feedback is None:
        return False
    return any(
        any(inner.name == "member" for inner in vote.walk())
        for vote in feedback.children
        if vote.name == "negativeFeedback"
    )


def _estimate(link: str, here: int) -> int | None:
    """Entries that are still to come in a window: its link names the numbers of the next and the last."""
    asked = parse_qs(urlsplit(link).query)
    try:
        return max(int(asked["max"][0]) - int(asked["start"][0]), 0) + here
    except (KeyError, ValueError):
        return None


def _time(text: Any) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at.astimezone(UTC)


def _milliseconds(text: str) -> int:
    """Since 1970; 0 if it is no time."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return 0
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return max(int(at.timestamp() * 1000), 0)


def _open(config: NcmecConfig, secrets: Mapping[str, Secret], http: Fetcher, clock: Clock) -> Ncmec:
    if config.url and not config.url.startswith(("https://", "http://")):
        raise FeedError("url must begin with https://", where="NCMEC")
    return Ncmec(config, secrets, http, clock)


KIND = Kind(
    "ncmec",
    "NCMEC hash sharing v2",
    NcmecConfig,
    _open,
    {"password": "of the hash sharing account"},
)
