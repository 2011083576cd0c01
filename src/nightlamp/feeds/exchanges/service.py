"""Talking to an exchange's web service: one address, and every failure in the words of ``ExchangeKind``."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from nightlamp.access.keys import Secret
from nightlamp.errors import ExchangeError, ExchangeKind, OutboundError
from nightlamp.feeds.exchange import Finding, Json
from nightlamp.outbound import Answered, Fetcher
from nightlamp.outbound.guarded_json import HostileError, loads
from nightlamp.store import Clock

if TYPE_CHECKING:
    from nightlamp.outbound.exchange import Answer

MAX_PAGE = 32 << 20  # bytes of one answer
MAX_SKEW = 300.0  # seconds between its clock and ours
_KINDS: Mapping[str, ExchangeKind] = {"too large": "hostile", "bad request": "credentials"}
_HINTS: Mapping[ExchangeKind, str] = {
    "credentials": "check the feed's secrets; they are of one service and one environment",
    "network": "check that the service may connect to this host (name server, firewall, proxy)",
    "gone": "check the address and the name of the list or group",
    "clock": "set the machine's clock (NTP)",
}

_TLS = "check the address, proxies, and this machine's clock (certificates hold for a time)"


class Service:
    """One exchange.

    Args:
        name: for messages.
        base: its address, without a slash at the end.
        http: the guarded fetcher.
        clock: ours.
        headers: of every request; values may be secrets.
    """

    def __init__(
        self,
        name: str,
        base: str,
        http: Fetcher,
        clock: Clock,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.base = base.rstrip("/")
        self.skew: float | None = None
        self._http = http
        self._clock = clock
        self._headers = dict(headers or {})

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        most: int = MAX_PAGE,
        also: Collection[int] = (),
    ) -> Answered:
        """One request, and its answer if that is a success.

        Args:
            method, headers, body, most: as ``Fetcher.ask`` takes them.
            path: behind the base address.
            query: is encoded and added.
            also: statuses besides 2xx that the caller understands.

        Raises:
            ExchangeError: there was no answer, or it was none of these.
        """
        try:
            answered = self._http.ask(
                method,
                self._url(path, query),
                headers={**self._headers, **(headers or {})},
                body=body,
                most=most,
            )
        except OutboundError as error:
            raise self._unanswered(error) from None
        if answered.date is not None:
            self.skew = (self._clock() - answered.date).total_seconds()
        self._check(answered.status, answered.retry_after, also)
        return answered

    @contextmanager
    def asking(
        self,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        also: Collection[int] = (),
        follow: bool = False,
    ) -> Iterator[Answer]:
        """A GET whose body is read in pieces, within the block.

        Raises:
            ExchangeError: as ``ask``, also while it is read.
        """
        try:
            given = {**self._headers, **(headers or {})}
            with self._http.asking("GET", self._url(path, None), headers=given, follow=follow) as answer:
                self._check(answer.status, answer.retry_after(), also)
                yield answer
        except OutboundError as error:
            raise self._unanswered(error) from None

    def json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        also: Collection[int] = (),
    ) -> dict[str, Any]:
        """As ``ask``, for an answer that is a JSON object.

        Raises:
            ExchangeError: as ``ask``; or "malformed", or "hostile".
        """
        answered = self.ask(method, path, query=query, headers=headers, body=body, also=also)
        try:
            value = loads(answered.body)
        except ValueError as error:
            raise self.bad(error) from None
        if not isinstance(value, dict):
            raise self.error("malformed", "an answer that is no JSON object")
        return value

    def error(
        self, kind: ExchangeKind, what: str, *, hint: str = "", retry_after: float | None = None
    ) -> ExchangeError:
        """An error of this exchange."""
        return ExchangeError(
            kind, what, where=self.name, hint=hint or _HINTS.get(kind, ""), retry_after=retry_after
        )

    def bad(self, error: ValueError) -> ExchangeError:
        """What an answer that cannot be read amounts to."""
        kind: ExchangeKind = "hostile" if isinstance(error, HostileError) else "malformed"
        return self.error(kind, f"an answer that cannot be read: {error}")

    def check_clock(self) -> None:
        """After an answer: its clock must be ours, where its protocol goes by time.

        Raises:
            ExchangeError: "clock".
        """
        if self.skew is not None and abs(self.skew) > MAX_SKEW:
            raise self.error("clock", f"our clock {_skew_words(self.skew)}")

    def probe(
        self, method: str, path: str, *, what: str = "", **asked: Any
    ) -> tuple[Answered | None, list[Finding]]:
        """One request, and what it tells.

        Args:
            method, path, asked: as ``ask`` takes them.
            what: if only one thing is of interest, its name; otherwise connection, clock and credentials are.
        """
        try:
            answered = self.ask(method, path, **asked)
        except ExchangeError as error:
            if what:
                return None, [_failed(what, error)]
            if error.kind in ("network", "hostile"):
                return None, [_failed("connection", error)]
            name = "credentials" if error.kind == "credentials" else "list"
            return None, [self._answers(), *self.clock_found(), _failed(name, error)]
        if what:
            return answered, [Finding(what, True, "it is given to us")]
        well = Finding("credentials", True, "they are taken")
        return answered, [self._answers(), *self.clock_found(), well]

    def _answers(self) -> Finding:
        return Finding("connection", True, f"{self.name} answers")

    def clock_found(self) -> list[Finding]:
        """Whether its clock and ours agree, if an answer has told."""
        if self.skew is None:
            return []
        if abs(self.skew) <= MAX_SKEW:
            return [Finding("clock", True, "ours and the exchange's agree")]
        words = f"our clock {_skew_words(self.skew)}"
        return [Finding("clock", False, words, "clock", _HINTS["clock"])]

    def _url(self, path: str, query: Mapping[str, str | int] | None) -> str:
        return f"{self.base}{path}" + (f"?{urlencode(query)}" if query else "")

    def _check(self, status: int, retry_after: float | None, also: Collection[int]) -> None:
        if 200 <= status < 300 or status in also:
            return
        if status == 429 or (status == 503 and retry_after is not None):
            raise self.error("limited", f"it asks for less (status {status})", retry_after=retry_after)
        if status in (401, 403, 407):
            raise self.error("credentials", f"it refuses our credentials (status {status})")
        if status in (404, 410):
            raise self.error("gone", f"there is no such thing at its address (status {status})")
        if status >= 500:
            raise self.error(
                "network", f"it fails (status {status})", hint="nothing; it is tried again later"
            )
        what = (
            "a redirect, which is not followed" if 300 <= status < 400 else "an answer that it does not give"
        )
        raise self.error("malformed", f"{what} (status {status})", hint=_HINTS["gone"])

    def _unanswered(self, error: OutboundError) -> ExchangeError:
        kind = _KINDS.get(error.code, "network")
        what = f"no answer ({error.what})" if kind == "network" else error.what
        if error.code == "refused":
            return self.error(kind, what, hint="allow its address or port in the settings, if it is yours")
        if error.code == "tls":
            return self.error(kind, what, hint=_TLS)
        return self.error(kind, what)


def basic(user: str, password: Secret) -> str:
    """The header Authorization of RFC 7617."""
    return "Basic " + base64.b64encode(f"{user}:{password.reveal()}".encode()).decode()


def iso(at: datetime) -> str:
    """A UTC time as ``yyyy-MM-ddTHH:mm:ssZ``, whatever the host's zone."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def away(checkpoint: Json, now: datetime, most: timedelta) -> bool:
    """Whether a checkpoint was fetched longer ago than ``most``; also if it does not tell."""
    fetched = checkpoint.get("fetched") if isinstance(checkpoint, dict) else None
    return fetched is None or now - datetime.fromisoformat(fetched) > most


def _failed(what: str, error: ExchangeError) -> Finding:
    return Finding(what, False, error.what, error.kind, error.hint)


def _skew_words(skew: float) -> str:
    return f"is {abs(skew):,.0f} s {'ahead of' if skew > 0 else 'behind'} the exchange's"
