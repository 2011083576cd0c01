"""Arachnid Shield of the Canadian Centre for Child Protection: by content, by URL, or by PDQ alone.

Source: arachnid-shield-sdk 0.2.2. New classifications may come: what is not known here is not "clean" but
"not checked", which sends an item to review. PDQ is base64 on this wire.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from nightlamp.errors import ServiceError
from nightlamp.lookups.query import Query, QueryKind, Said, unchecked, unfit
from nightlamp.lookups.web import content_of, posted
from nightlamp.outbound import Fetcher
from nightlamp.values import AS_IS, Unchecked

NAME = "arachnid-shield"
ADDRESS = "https://shield.projectarachnid.com"
Way = Literal["media", "url", "pdq"]
_SCORE = {"csam": "arachnid_csam", "harmful-abusive-material": "arachnid_harmful"}
_NOTHING = "no-known-match"
_MOST_HASHES = 100  # in one call


class ArachnidShield:
    """A client; see ``Service``.

    Scores: ``arachnid_csam`` and ``arachnid_harmful`` (1 or 0), ``arachnid_near`` (1: by likeness, not by
    equal bytes).

    Args:
        http: the guarded fetcher.
        user, password: of the account.
        way: what is sent: the content, its URL, or the PDQ of its frames.
        kinds: of items that it is asked about.
        most_bytes: larger content is not sent, and not checked.
        url: of the service.
    """

    name = NAME

    def __init__(
        self,
        http: Fetcher,
        user: str,
        password: str,
        way: Way = "media",
        kinds: Collection[QueryKind] = ("content", "url"),
        most_bytes: int = 100 << 20,
        url: str = ADDRESS,
    ) -> None:
        self._http = http
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}", "Accept": "application/json"}
        self._way = way
        self._kinds = frozenset(kinds)
        self._most_bytes = most_bytes
        self._url = url.rstrip("/")
        self.most = 50 if way == "pdq" else 1

    def takes(self, query: Query) -> bool:
        """By the kind of item."""
        return query.kind in self._kinds

    def ask(self, queries: Sequence[Query]) -> Sequence[Said]:
        """One answer a query; PDQs of several items go together."""
        if self._way == "pdq":
            return self._by_pdq(queries)
        return [self._one(query) for query in queries]

    def _one(self, query: Query) -> Said:
        if self._way == "url":
            if not query.url:
                return unchecked(NAME, "not applicable", "the item has no URL")
            return _said(
                self._posted("/v1/url/", "application/json", json.dumps({"url": query.url}).encode())
            )
        if (why := unfit(NAME, query, self._most_bytes)) is not None:
            return why
        kind = query.media_type or "application/octet-stream"
        return _said(self._posted("/v1/media/", kind, content_of(query.read, NAME)))

    def _by_pdq(self, queries: Sequence[Query]) -> list[Said]:
        asked = [
            [
                base64.b64encode(f.value).decode()
                for f in query.fingerprints
                if f.signal == "pdq" and f.view == AS_IS and len(f.value) == 32
            ]
            for query in queries
        ]
        every = list(dict.fromkeys(text for texts in asked for text in texts))
        scanned: dict[str, Any] = {}
        for at in range(0, len(every), _MOST_HASHES):
            body = json.dumps({"hashes": every[at : at + _MOST_HASHES]}).encode()
            found = self._posted("/v1/pdq/", "application/json", body).get("scanned_hashes")
            if not isinstance(found, dict):
                raise ServiceError("bad answer", "no scanned_hashes", where=NAME)
            scanned |= found
        return [_together(texts, scanned) for texts in asked]

    def _posted(self, path: str, kind: str, body: bytes) -> dict[str, Any]:
        return posted(self._http, NAME, self._url + path, {**self._headers, "Content-Type": kind}, body)


def _together(texts: Sequence[str], scanned: Mapping[str, Any]) -> Said:
    """What is said of an item's hashes, the worst of each."""
    if not texts:
        return unchecked(NAME, "not applicable", "the item has no PDQ")
    scores: dict[str, float] = {}
    missing: dict[Unchecked, None] = {}
    for text in texts:
        # The value of a hash that was scanned may be null: no match. A hash that was not is not there.
        row = scanned.get(text, {})
        said = _said({"classification": _NOTHING} if row is None else row if isinstance(row, dict) else {})
        missing |= dict.fromkeys(said.unchecked)
        for name, score in said.scores.items():
            scores[name] = max(score, scores.get(name, 0.0))
    return Said(scores, tuple(missing))


def _said(answer: Mapping[str, Any]) -> Said:
    """The scores of one answer."""
    classification, how = answer.get("classification"), answer.get("match_type")
    clean = dict.fromkeys((*_SCORE.values(), "arachnid_near"), 0.0)
    if classification == _NOTHING and how is None:
        return Said(clean)
    if isinstance(classification, str) and classification in _SCORE:
        if how not in ("exact", "near", None):
            how = "near"
        return Said({**clean, _SCORE[classification]: 1.0, "arachnid_near": float(how == "near")})
    if isinstance(classification, str) and classification != _NOTHING:
        return unchecked(NAME, "unknown classification", "a kind of match that is not known here; look at it")
    return unchecked(NAME, "bad answer", "no classification")
