"""Google's Content Safety API: in which order people should look at pictures. A priority, not a verdict.

Source: its public reference as ROOST's Coop uses it. Nothing may be blocked or reported by it alone.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Sequence
from urllib.parse import quote

from nightlamp.errors import ServiceError
from nightlamp.lookups.query import Query, QueryKind, Said, unchecked, unfit
from nightlamp.lookups.web import content_of, posted
from nightlamp.outbound import Fetcher

NAME = "google-content-safety"
ADDRESS = "https://contentsafety.googleapis.com"
TYPES = frozenset(
    {
        "image/bmp",
        "image/gif",
        "image/x-icon",
        "image/vnd.microsoft.icon",
        "image/jpeg",
        "image/png",
        "image/x-portable-pixmap",
        "image/tiff",
        "image/webp",
    }
)
_PRIORITIES = {"VERY_LOW": 0.0, "LOW": 0.25, "MEDIUM": 0.5, "HIGH": 0.75, "VERY_HIGH": 1.0}


class GoogleContentSafety:
    """A client; see ``Service``. Score: ``google_priority`` (0, 0.25, 0.5, 0.75 or 1).

    Args:
        http: the guarded fetcher.
        key: of the API.
        kinds: of items that it is asked about.
        most_bytes: larger content is not sent, and not checked; a call has up to 32 pictures.
        url: of the service.
    """

    name = NAME
    most = 32

    def __init__(
        self,
        http: Fetcher,
        key: str,
        kinds: Collection[QueryKind] = ("content", "url"),
        most_bytes: int = 4 << 20,
        url: str = ADDRESS,
    ) -> None:
        self._http = http
        self._kinds = frozenset(kinds)
        self._most_bytes = most_bytes
        self._url = f"{url.rstrip('/')}/v1beta1/images:classify?key={quote(key, safe='')}"

    def takes(self, query: Query) -> bool:
        """By the kind of item."""
        return query.kind in self._kinds

    def ask(self, queries: Sequence[Query]) -> Sequence[Said]:
        """One call for all of them; its answer goes by position, and one that is not as long is none."""
        said = [unfit(NAME, query, self._most_bytes, TYPES) for query in queries]
        sent = [at for at, already in enumerate(said) if already is None]
        if sent:
            images = [base64.b64encode(content_of(queries[at].read, NAME)).decode() for at in sent]
            body = json.dumps({"images": images}).encode()
            answer = posted(self._http, NAME, self._url, {"Content-Type": "application/json"}, body)
            priorities = answer.get("reviewPriorities")
            if not isinstance(priorities, list) or len(priorities) != len(sent):
                raise ServiceError("bad answer", "not one priority a picture", where=NAME)
            for at, priority in zip(sent, priorities, strict=True):
                score = _PRIORITIES.get(priority) if isinstance(priority, str) else None
                said[at] = (
                    unchecked(NAME, "unknown priority", "a priority that is not known here; look at it")
                    if score is None
                    else Said({"google_priority": score})
                )
        return [each for each in said if each is not None]
