"""Tech Against Terrorism's hash list (terrorist content, not CSAM; JSON over HTTPS).

Rows come in the order of their change; a page is asked for by where the one before ended, never by a link.
Source: the client of python-threatexchange 1.2.17, which drops MD5s of pictures and keeps one row a hash, so
that the withdrawal of one row removes another's; here a row has its own id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from pydantic import Field

from nightlamp.access.keys import Secret
from nightlamp.errors import ExchangeError
from nightlamp.feeds.exchange import ExchangeConfig, Finding, Json, Kind, Page, Print, Record
from nightlamp.feeds.exchanges.keys import newest
from nightlamp.feeds.exchanges.service import Service, away, iso
from nightlamp.outbound import Fetcher
from nightlamp.store import Clock

ADDRESS = "https://app.terrorismanalytics.org"
_SIGNALS = {"MD5": "md5", "SHA1": "sha1", "SHA256": "sha256", "PDQ": "pdq"}


class TatConfig(ExchangeConfig):
    """What an operator sets.

    Args:
        username: of the account.
        url: of the service.
        forgets_after: days without a run after which the whole list is fetched anew, in case withdrawals of
            that time are not told any more.
        ideologies: only rows of these, e.g. ``far-right``; all, if empty.
    """

    username: str = Field(min_length=1, max_length=200)
    url: str = Field(ADDRESS, pattern=r"^https?://")
    forgets_after: int = Field(90, ge=1, le=3_650)
    ideologies: tuple[str, ...] = ()


class Tat:
    """A client; see ``nightlamp.feeds.exchange.Exchange``."""

    full = False

    def __init__(self, config: TatConfig, secrets: Mapping[str, Secret], http: Fetcher, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._password = secrets["password"]
        self._service = Service("Tech Against Terrorism", config.url, http, clock)
        self._token = ""

    def pages(self, checkpoint: Json | None, cursor: Json | None) -> Iterator[Page]:
        """Rows behind the checkpoint, page after page."""
        try:
            at = checkpoint if cursor is None else cursor
            after = "" if at is None else str(at["after"])
        except (KeyError, TypeError):
            raise self._service.error(
                "stale", "a place to go on at that is not one of this exchange"
            ) from None
        while True:
            answer = self._asked(after)
            rows = answer.get("results")
            if not isinstance(rows, list):
                raise self._service.error("malformed", "an answer without results")
            found = [record for record in map(self._record, rows) if record is not None]
            unreadable = sum(1 for row in rows if not _readable(row))
            ends = answer.get("checkpoint") or _last(rows) or after
            if not isinstance(ends, str) or len(ends) > 200:
                raise self._service.error("malformed", "a checkpoint that is none")
            if not answer.get("next"):
                done = {"after": ends, "fetched": iso(self._clock())}
                yield Page(newest(found), None, done, unreadable=unreadable)
                return
            if ends == after:
                raise self._service.error("hostile", "pages that never end")
            after = ends
            yield Page(newest(found), {"after": after}, unreadable=unreadable)

    def stale(self, checkpoint: Json, now: datetime) -> bool:
        """After ``forgets_after``: withdrawn rows stay in the list, but for how long is not documented."""
        return away(checkpoint, now, timedelta(days=self._config.forgets_after))

    def probe(self) -> Sequence[Finding]:
        """Log in, then ask for a page."""
        try:
            self._log_in()
        except ExchangeError as error:
            if error.kind in ("network", "hostile"):
                return [Finding("connection", False, error.what, error.kind, error.hint)]
            well = Finding("connection", True, "the service answers")
            clock = self._service.clock_found()
            return [well, *clock, Finding("credentials", False, error.what, error.kind, error.hint)]
        query = {"order": "asc", "after": "", "limit": 1}
        return self._service.probe("GET", "/api/hash-list/v2/all", query=query, headers=self._bearer())[1]

    def _record(self, row: object) -> Record | None:
        if not _readable(row):
            return None
        assert isinstance(row, dict)
        ideology = str(row.get("ideology") or "")[:100]
        changed = row.get("updated_on")
        seconds = float(changed) if isinstance(changed, int | float) and 0 <= changed < 2**40 else 0.0
        version = int(seconds * 1000)
        chosen = not self._config.ideologies or ideology in self._config.ideologies
        if row.get("deleted") or not chosen:  # it may have been of a chosen one before
            return Record(str(row["id"]), deleted=True, version=version)
        algorithm = row["algorithm"]
        signal = _SIGNALS.get(algorithm.upper(), algorithm[:40].lower())
        return Record(str(row["id"]), (Print(signal, row["hash_digest"]),), ideology, version=version)

    def _log_in(self) -> None:
        fields = {"username": self._config.username, "password": self._password.reveal(), "resend": "False"}
        answer = self._service.json(
            "POST",
            "/token-auth/tcap/",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(fields).encode(),
            also=(400,),
        )
        token = answer.get("token")
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise self._service.error("credentials", "it gives no token for this name and password")
        self._token = token

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def _asked(self, after: str) -> dict[str, Any]:
        """A page; a token that ran out meanwhile is renewed once."""
        query = {"order": "asc", "after": after}
        fresh = not self._token
        if fresh:
            self._log_in()
        try:
            return self._service.json("GET", "/api/hash-list/v2/all", query=query, headers=self._bearer())
        except ExchangeError as error:
            if fresh or error.kind != "credentials":
                raise
        self._log_in()
        return self._service.json("GET", "/api/hash-list/v2/all", query=query, headers=self._bearer())


def _readable(row: object) -> bool:
    if not isinstance(row, dict):
        return False
    id_ = row.get("id")
    named = isinstance(id_, int) or (isinstance(id_, str) and 0 < len(id_) <= 200)
    if named and row.get("deleted"):
        return True
    return named and all(
        isinstance(row.get(name), str) and row[name] for name in ("hash_digest", "algorithm")
    )


def _last(rows: Sequence[Any]) -> str:
    """Where a page ends, if the exchange does not say."""
    row = rows[-1] if rows else None
    if not _readable(row) or not isinstance(row, dict) or not isinstance(row.get("updated_on"), int | float):
        return ""
    return f"{row['updated_on']},{row['id']}"


KIND = Kind(
    "tat",
    "Tech Against Terrorism",
    TatConfig,
    Tat,
    {"password": "of the account"},
    category="terrorism",
)
