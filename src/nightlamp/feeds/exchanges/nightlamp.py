"""A bank of another operator's Nightlamp: pages that its key has signed (see ``nightlamp.feeds.sharing``)."""

from __future__ import annotations

import secrets as random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import Field, field_validator

from nightlamp.access.keys import Secret
from nightlamp.errors import ExchangeError
from nightlamp.feeds.exchange import ExchangeConfig, Finding, Json, Kind, Page, Print, Record
from nightlamp.feeds.exchanges.service import MAX_SKEW, Service
from nightlamp.feeds.sharing import FORMAT, MOST, is_signed, public_key
from nightlamp.outbound import Fetcher
from nightlamp.outbound.guarded_json import loads
from nightlamp.signals import installed
from nightlamp.store import Clock


class NightlampConfig(ExchangeConfig):
    """What an operator sets.

    Args:
        url: of the other Nightlamp, e.g. ``https://nightlamp.example.org``.
        bank: its number there.
        public_key: of the key that signs there (``audit.key.pub``), from its operator by another way.
        page_size: entries of one answer.
        known: the bank there is one of known harmless files, and so must ours be.
    """

    url: str = Field(pattern=r"^https?://")
    bank: int = Field(ge=1, le=2**31 - 1)
    public_key: str
    page_size: int = Field(MOST, ge=1, le=MOST)
    known: bool = False

    @field_validator("public_key")
    @classmethod
    def _is_key(cls, text: str) -> str:
        public_key(text)
        return text

    @property
    def benign(self) -> bool:
        """Whether the entries are known harmless files."""
        return self.known


class Nightlamp:
    """A client; see ``nightlamp.feeds.exchange.Exchange``."""

    full = False

    def __init__(
        self, config: NightlampConfig, secrets: Mapping[str, Secret], http: Fetcher, clock: Clock
    ) -> None:
        self._config = config
        self._clock = clock
        self._key = public_key(config.public_key)
        headers = {"Authorization": f"Bearer {secrets['key'].reveal()}"}
        self._service = Service("Nightlamp", config.url, http, clock, headers)

    def pages(self, checkpoint: Json | None, cursor: Json | None) -> Iterator[Page]:
        """Changes behind the place of the last page; every place is one for good."""
        try:
            at = checkpoint if cursor is None else cursor
            after = "" if at is None else str(at["after"])
        except (KeyError, TypeError):
            raise self._service.error(
                "stale", "a place to go on at that is not one of this exchange"
            ) from None
        while True:
            page = self._page(after, self._config.page_size)
            rows, more, following = page["entries"], page["more"], page["next"]
            found = [record for record in map(_record, rows) if record is not None]
            place = {"after": following}
            unreadable = len(rows) - len(found)
            if not more:
                yield Page(tuple(found), None, place, unreadable=unreadable)
                return
            if following == after:
                raise self._service.error("hostile", "pages that never end")
            yield Page(tuple(found), place, unreadable=unreadable)
            after = following

    def stale(self, _checkpoint: Json, _now: datetime) -> bool:
        """Never by time: the other side keeps its tombstones, and says if its past is another."""
        return False

    def probe(self) -> Sequence[Finding]:
        """Ask for one entry, and check the page's signature."""
        findings = self._service.probe("GET", self._path(), query={"limit": 1, "nonce": "probe"})[1]
        if not findings[-1].well:
            return findings
        try:
            page = self._page("", 1)
        except ExchangeError as error:
            return [*findings, Finding("signature", False, error.what, error.kind, error.hint)]
        words = f"signed by the key that is set; the bank is {str(page['bank'].get('name'))[:100]!r}"
        return [*findings, Finding("signature", True, words)]

    def _path(self) -> str:
        return f"/v1/banks/{self._config.bank}/changes"

    def _page(self, after: str, limit: int) -> dict[str, Any]:
        nonce = random.token_hex(16)
        query: dict[str, str | int] = {"limit": limit, "nonce": nonce, "after": after}
        answered = self._service.ask("GET", self._path(), query=query, also=(409,))
        if answered.status == 409:
            raise self._service.error("stale", "the bank's history there is not the one that we followed")
        if not is_signed(self._key, answered.body, answered.signature):
            hint = "compare public_key= with the other side's audit.key.pub; somebody may stand between"
            raise self._service.error("hostile", "a page that the key that is set has not signed", hint=hint)
        try:
            page: dict[str, Any] = loads(answered.body)
            late = abs((datetime.fromisoformat(page["at"]) - self._clock()).total_seconds())
            asked = (page["format"], page["nonce"], page["after"]) == (FORMAT, nonce, after)
            shaped = (
                isinstance(page["entries"], list)
                and isinstance(page["bank"], dict)
                and isinstance(page["more"], bool)
                and isinstance(page["next"], str)
                and 0 < len(page["next"]) <= 500
            )
        except (KeyError, TypeError, ValueError):
            raise self._service.error("malformed", "an answer that is no page of changes") from None
        if not shaped:
            raise self._service.error("malformed", "an answer that is no page of changes")
        if not asked:
            raise self._service.error("hostile", "a page that was signed for another question")
        if late > MAX_SKEW:
            raise self._service.error("clock", f"a page that was made {late:,.0f} s from now")
        if bool(page["bank"].get("benign")) != self._config.known:
            what = "the bank there is one of known harmless files" if not self._config.known else "it is not"
            raise self._service.error("environment", what, hint="known=, and a benign bank here if it is")
        return page


def _record(row: object) -> Record | None:
    if not isinstance(row, dict):
        return None
    number, version = row.get("id"), row.get("version")
    if not (isinstance(number, int) and isinstance(version, int) and 0 <= version < 2**62):
        return None
    if row.get("removed"):
        return Record(f"e{number}", deleted=True, version=version)
    signal, text = row.get("signal"), row.get("hex", row.get("text"))
    if not (isinstance(signal, str) and 0 < len(signal) <= 40 and isinstance(text, str)):
        return None
    value: str | bytes = text
    try:
        if "hex" in row and signal in installed():
            value = bytes.fromhex(text)
    except ValueError:
        return None
    disputed = bool(row.get("disputed"))
    category = str(row.get("category") or "")[:100]
    return Record(f"e{number}", (Print(signal, value),), category, False, disputed, version)


KIND = Kind(
    "nightlamp",
    "a bank of another Nightlamp",
    NightlampConfig,
    Nightlamp,
    {"key": "an API key of the other side, with the scope share"},
)
