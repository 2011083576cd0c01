"""The seven calls of the CyberTipline's reporting API.

Whatever happens, a call gives an ``Answer`` that says what it means: no HTTP status, no body and no broken
connection is an exception. ``"no answer"`` means that nobody knows whether the call was carried out.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol
from urllib.parse import urlencode, urlsplit

from nightlamp.errors import OutboundError, ReportError
from nightlamp.outbound import Fetcher, Outgoing, Rules
from nightlamp.outbound.fetcher import default_tls
from nightlamp.reports.cybertip.codes import Meaning, meaning, status_meaning, words
from nightlamp.reports.cybertip.hosts import Host
from nightlamp.reports.cybertip.model import FileDetails, Report
from nightlamp.reports.cybertip.xml import MOST_BYTES, parse, write

CALLS = ("status", "xsd", "submit", "upload", "fileinfo", "finish", "retract")
Means = Meaning | Literal["no answer"]
Write = Callable[[bytes], object]

_SECONDS = 60.0
_SLOWEST = 64 << 10  # bytes a second that an upload is given time for


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and password that NCMEC issued, for one of its hosts."""

    username: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def header(self) -> str:
        """For HTTP Basic."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call.

    Args:
        call: which.
        means: what it means.
        says: the same in a few words, for people; never what the service wrote.
        code: the response code, if there was one.
        status: of HTTP; 0: there was no answer.
        request_id: the header Request-ID; NCMEC's support asks for it.
        report_id, file_id, hash: as far as the call gives them.
        file_ids: of ``finish``: all files of the report.
    """

    call: str
    means: Means
    says: str
    code: int | None = None
    status: int = 0
    request_id: str = ""
    report_id: int | None = None
    file_id: str | None = None
    hash: str | None = field(default=None, repr=False)
    file_ids: tuple[str, ...] = ()


class Reply(Protocol):
    """An HTTP answer: its head, and its body on demand."""

    status: int

    def header(self, name: bytes) -> str | None:
        """A header's value; ``name`` in lower case."""

    def body(self, most: int) -> bytes:
        """All of it, of at most ``most`` bytes."""


class Http(Protocol):
    """What makes the requests: ``outbound.Fetcher``."""

    def asking(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Outgoing = b"",
        follow: bool = False,
    ) -> AbstractContextManager[Reply]:
        """One request."""


class CyberTip:
    """The calls. Holds no connection; safe to share between threads.

    Args:
        host: where to.
        credentials: for that host.
        http: gives what makes a request that may take so many seconds; by default the guarded fetcher.
    """

    def __init__(
        self, host: Host, credentials: Credentials, *, http: Callable[[float], Http] | None = None
    ) -> None:
        self.host = host
        self._header = credentials.header
        self._http = http or _guarded(host)

    def status(self) -> Answer:
        """Whether the service is there and the credentials are good."""
        return self._call("status", "GET")

    def xsd(self) -> tuple[Answer, bytes]:
        """The schema as it stands today."""
        answer, (body, status, request_id) = self._sent("xsd", "GET", {}, b"", _SECONDS)
        if answer is not None:
            return answer, b""
        try:
            parse(body, "schema")
        except ReportError:
            return _read("xsd", body, status, request_id), b""
        return Answer("xsd", "done", "success", 0, status, request_id), body

    def submit(self, report: Report) -> Answer:
        """Open a report; the answer has its ``report_id``."""
        return self._call("submit", "POST", _XML, write(report))

    def upload(self, report_id: int, name: str, size: int, fill: Callable[[Write], None]) -> Answer:
        """Upload one file in a stream; the answer has its ``file_id`` and the MD5 of what was received.

        Args:
            report_id: of the open report.
            name: of the file, as the service is to see it.
            size: in bytes.
            fill: writes the content, exactly ``size`` bytes; what it raises gets out.
        """
        line = secrets.token_hex(16)
        head = (
            f'--{line}\r\nContent-Disposition: form-data; name="id"\r\n\r\n{report_id}\r\n--{line}\r\n'
            f'Content-Disposition: form-data; name="file"; filename="{_plain(name)}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        tail = f"\r\n--{line}--\r\n".encode()

        def whole(out: Write) -> None:
            out(head)
            fill(out)
            out(tail)

        headers = {"Content-Type": f"multipart/form-data; boundary={line}"}
        body = Outgoing(len(head) + size + len(tail), whole)
        return self._call("upload", "POST", headers, body, _SECONDS + size / _SLOWEST)

    def describe(self, details: FileDetails) -> Answer:
        """Say all about an uploaded file."""
        return self._call("fileinfo", "POST", _XML, write(details))

    def finish(self, report_id: int) -> Answer:
        """Close a report. From then on it counts, and nothing of it can be changed."""
        return self._call("finish", "POST", _FORM, urlencode({"id": report_id}).encode())

    def retract(self, report_id: int) -> Answer:
        """Take back a report that is not finished."""
        return self._call("retract", "POST", _FORM, urlencode({"id": report_id}).encode())

    def _call(
        self,
        call: str,
        method: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | Outgoing = b"",
        seconds: float = _SECONDS,
    ) -> Answer:
        answer, received = self._sent(call, method, headers or {}, body, seconds)
        return answer if answer is not None else _read(call, *received)

    def _sent(
        self, call: str, method: str, headers: Mapping[str, str], body: bytes | Outgoing, seconds: float
    ) -> tuple[Answer | None, tuple[bytes, int, str]]:
        """An answer that is plain without its body, or (body, status, request id)."""
        nothing = (b"", 0, "")
        url = f"{self.host.base}/{call}"
        with_key = {"Authorization": self._header, "Accept": "text/xml", **headers}
        try:
            with self._http(seconds).asking(method, url, headers=with_key, body=body) as reply:
                request_id = (reply.header(b"request-id") or "")[:100]
                by_status = status_meaning(reply.status)
                if by_status is not None:
                    says = f"HTTP status {reply.status}"
                    return Answer(call, by_status, says, None, reply.status, request_id), nothing
                return None, (reply.body(MOST_BYTES), reply.status, request_id)
        except OutboundError as error:
            return Answer(call, "no answer", f"no answer ({error.code})"), nothing


_XML = {"Content-Type": "text/xml; charset=utf-8"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def _read(call: str, body: bytes, status: int, request_id: str) -> Answer:
    try:
        root = parse(body, "reportResponse", "reportDoneResponse")
        code = int(root.text_of("responseCode"))
        report_id = int(root.text_of("reportId") or 0) or None
    except (ReportError, ValueError):
        return Answer(call, "no answer", "an answer that is not the CyberTipline's", None, status, request_id)
    files = tuple(each.text.strip() for each in root.walk() if each.name == "fileId")
    return Answer(
        call,
        meaning(code),
        words(code),
        code,
        status,
        request_id,
        report_id,
        files[0] if files and call == "upload" else None,
        root.text_of("hash") or None,
        files if call == "finish" else (),
    )


def _plain(name: str) -> str:
    """A file name that cannot break out of its header."""
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name)[:200] or "file"


def _guarded(host: Host) -> Callable[[float], Http]:
    where = urlsplit(host.base)
    rules = Rules(
        schemes=frozenset({"http"} if host.name == "fake" else {"https"}),
        ports=frozenset({where.port or 443}),
        allow=("127.0.0.0/8", "::1/128") if host.name == "fake" else (),
        max_redirects=0,
        max_bytes=MOST_BYTES,
    )
    tls = default_tls()
    return lambda seconds: Fetcher(replace(rules, seconds=seconds), tls=tls)
