"""What several tests of reports need: a clock, a small report, a wire without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from nightlamp.errors import OutboundError
from nightlamp.outbound import Outgoing
from nightlamp.reports.cybertip import Report
from nightlamp.reports.cybertip.choices import IncidentType
from nightlamp.reports.cybertip.model import IncidentSummary, InternetDetails, Reporter, WebPageIncident
from nightlamp.reports.cybertip.parts import Person

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def minimal(**more: Any) -> Report:
    """The least that can be sent."""
    values = {
        "incident_summary": IncidentSummary(incident_type=IncidentType.CSAM, incident_date_time=NOON),
        "internet_details": (
            InternetDetails(web_page_incident=WebPageIncident(url=("https://a.example/1",))),
        ),
        "reporter": Reporter(reporting_person=Person(first_name="A", last_name="B")),
        **more,
    }
    return Report(**values)


class SetClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Reply:
    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)

    def header(self, name: bytes) -> str | None:
        return self.headers.get(name.decode())

    def body(self, most: int) -> bytes:
        assert len(self.content) <= most
        return self.content


class Wire:
    """Carries requests to what answers them, in this very thread."""

    def __init__(self, answer: Callable[..., tuple[int, dict[str, str], bytes]]) -> None:
        self._answer = answer

    @contextmanager
    def asking(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Outgoing = b"",
        follow: bool = False,
    ) -> Iterator[Reply]:
        if isinstance(body, Outgoing):
            pieces: list[bytes] = []
            body.fill(pieces.append)
            assert sum(map(len, pieces)) == body.size
            body = b"".join(pieces)
        path = "/" + url.split("/", 3)[3]
        try:
            given = {name.lower(): value for name, value in (headers or {}).items()}
            yield Reply(*self._answer(method, path, given, body))
        except ConnectionError:
            raise OutboundError("unreachable", "the connection broke") from None
