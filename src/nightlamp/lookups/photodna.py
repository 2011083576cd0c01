"""Microsoft's PhotoDNA Cloud: one picture a call (``Match``).

Source: developer.microsoftmoderator.com and MediaWiki's MediaModeration. Anything but code 3000 with a
plain yes or no is an error.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from nightlamp.lookups.query import Query, QueryKind, Said, unchecked, unfit
from nightlamp.lookups.web import content_of, posted
from nightlamp.outbound import Fetcher

NAME = "photodna-cloud"
ADDRESS = "https://api.microsoftmoderator.com/photodna"
TYPES = frozenset({"image/gif", "image/jpeg", "image/png", "image/bmp", "image/tiff"})
_OK = 3000
_CODES = {
    3002: "it finds our request wrong",
    3004: "it failed",
    3206: "it cannot read this picture",
    3208: "the picture is too small or too large for it",
    3209: "the picture is too large for it",
}


class PhotoDnaCloud:
    """A client; see ``Service``. Score: ``photodna_match`` (1 or 0).

    Args:
        http: the guarded fetcher.
        key: of the subscription.
        kinds: of items that it is asked about.
        most_bytes: larger content is not sent, and not checked.
        url: of the service.
    """

    name = NAME
    most = 1

    def __init__(
        self,
        http: Fetcher,
        key: str,
        kinds: Collection[QueryKind] = ("content", "url"),
        most_bytes: int = 4 << 20,
        url: str = ADDRESS,
    ) -> None:
        self._http = http
        self._headers = {"Ocp-Apim-Subscription-Key": key}
        self._kinds = frozenset(kinds)
        self._most_bytes = most_bytes
        self._url = f"{url.rstrip('/')}/v1.0/Match?enhance=false"

    def takes(self, query: Query) -> bool:
        """By the kind of item."""
        return query.kind in self._kinds

    def ask(self, queries: Sequence[Query]) -> Sequence[Said]:
        """One call a query."""
        return [self._one(query) for query in queries]

    def _one(self, query: Query) -> Said:
        if (why := unfit(NAME, query, self._most_bytes, TYPES)) is not None:
            return why
        headers = {**self._headers, "Content-Type": query.media_type}
        answer = posted(self._http, NAME, self._url, headers, content_of(query.read, NAME))
        status, match = answer.get("Status"), answer.get("IsMatch")
        code = status.get("Code") if isinstance(status, dict) else None
        if code != _OK or isinstance(code, bool):
            known = _CODES.get(code, "") if isinstance(code, int) else "no code"
            number = f"code {code}" if isinstance(code, int) else "bad answer"
            return unchecked(NAME, number, known)
        if not isinstance(match, bool):
            return unchecked(NAME, "bad answer", "neither a match nor none")
        return Said({"photodna_match": float(match)})
