"""Votes on NCMEC's entries: what is sent for an opinion, and with which of NCMEC's own reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote
from xml.sax.saxutils import escape

from nightlamp.errors import ExchangeError
from nightlamp.feeds.exchange import Finding, Opinion, Sent
from nightlamp.feeds.exchanges.ncmec_config import SIGNALS, NcmecConfig
from nightlamp.feeds.exchanges.service import Service
from nightlamp.outbound.guarded_xml import elements

NAMESPACE = "https://hashsharing.ncmec.org/hashsharing/v2"


class Votes:
    """What a feed says of entries.

    Args:
        service: of the feed's environment.
        config: which fingerprint to vote on, and what our reasons are called there.
    """

    def __init__(self, service: Service, config: NcmecConfig) -> None:
        self._service = service
        self._config = config
        self._reasons: dict[str, dict[str, str]] = {}

    def examined(self) -> Finding:
        """Which reasons there are for a negative vote, so that ours can be mapped to them."""
        try:
            known = self._known_reasons(self._config.feedback_on.upper())
        except ExchangeError as error:
            return Finding("feedback", False, error.what, error.kind, error.hint)
        names = "; ".join(name[:80] for name in sorted(known))
        return Finding("feedback", True, f"reasons for a negative vote: {names or 'none'}")

    def cast(self, opinion: Opinion) -> Sent:
        """Vote on one entry."""
        owner, _, entry = opinion.key.partition("-")
        kind = self._kind(opinion.signals)
        vote = "<affirmative/>"
        if opinion.stance == "negative":
            guid = self._reason(kind, opinion.reason)
            if guid is None:
                words = "NCMEC has no such reason; map ours to one of its own with reasons="
                return Sent(opinion.id, False, words)
            vote = f"<negative><reasonIds><guid>{escape(guid)}</guid></reasonIds></negative>"
        body = f'<feedbackSubmission xmlns="{NAMESPACE}">{vote}</feedbackSubmission>'
        path = f"/v2/entries/{quote(owner, safe='')}/{quote(entry, safe='')}/{kind}/feedback"
        headers = {"Content-Type": "application/xml; charset=utf-8"}
        answered = self._service.ask("PUT", path, headers=headers, body=body.encode(), also=(400, 404, 409))
        if answered.status >= 300:
            return Sent(opinion.id, False, f"NCMEC does not take it (status {answered.status})")
        return Sent(opinion.id, True)

    def _kind(self, signals: Sequence[str]) -> str:
        """The fingerprint to vote on, in NCMEC's word: the one that is set, if the entry has it."""
        there = [name for name, signal in SIGNALS.items() if signal in signals]
        asked: str = self._config.feedback_on
        return (asked if asked in there or not there else there[0]).upper()

    def _reason(self, kind: str, reason: str) -> str | None:
        """NCMEC's id of a reason: the one that is set for ours or for all, of that name, or the only one."""
        known = self._known_reasons(kind)
        asked = self._config.reasons.get(reason, self._config.reasons.get("*", reason)).strip().lower()
        if asked in known or len(known) != 1:
            return known.get(asked)
        return next(iter(known.values()))

    def _known_reasons(self, kind: str) -> Mapping[str, str]:
        """NCMEC's ids of the reasons for a negative vote, by their names in lower case."""
        if kind not in self._reasons:
            answered = self._service.ask("GET", f"/v2/feedback/{kind}/reasons")
            try:
                found = elements([answered.body], {"reason"})
                self._reasons[kind] = {
                    e.attributes.get("name", "").strip().lower(): e.attributes["guid"]
                    for e in found
                    if e.attributes.get("guid")
                }
            except ValueError as error:
                raise self._service.bad(error) from None
        return self._reasons[kind]
