"""What a CyberTipline does with a request: HTTP in, HTTP out, without a network.

Follows what is known of the real one:

- Errors are codes in the body, under HTTP 200. Bad credentials alone get a 401, with an empty body.
- A report that is not finished is deleted 24 h after it was opened or 1 h after it was last changed,
  whichever is later; then it is 5001. After /finish nothing can be changed: 5102. After /retract: 5101.
- /upload echoes the MD5 of what it received, and gives a file id of 32 hexadecimal digits.
- Elements out of the schema's order are refused (4100), by a table of its own (``order``).
- /status has no report id. Every answer has a Request-ID.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import parse_qs
from uuid import UUID

from nightlamp.outbound import guarded_xml
from nightlamp.outbound.guarded_xml import Element
from nightlamp.reports.fake.order import complaint
from nightlamp.store.clock import Clock, utc_now

BASE = "/ispws"
USER, PASSWORD = "nightlamp", "only for the fake"
XSD = b'<?xml version="1.0"?>\n<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"/>\n'
State = Literal["open", "finished", "retracted"]
Response = tuple[int, dict[str, str], bytes]

_WORDS = {
    0: "Success",
    1210: "Resource not found",
    4000: "Invalid request",
    4100: "Validation failed",
    4110: "Malformed XML",
    5001: "Report does not exist",
    5002: "File does not exist",
    5101: "Report already retracted",
    5102: "Report already finished",
}


@dataclass(slots=True)
class File:
    """An uploaded file: what was received is hashed and dropped."""

    id: str
    name: str
    size: int
    md5: str
    details: Element | None = None


@dataclass(slots=True)
class Opened:
    """A report at the fake."""

    id: int
    document: Element
    opened: datetime
    changed: datetime
    state: State = "open"
    files: dict[str, File] = field(default_factory=dict)

    def expired(self, now: datetime) -> bool:
        """Whether it has been deleted by then."""
        ends = max(self.opened + timedelta(hours=24), self.changed + timedelta(hours=1))
        return self.state == "open" and now >= ends


class Desk:
    """The fake's state, and its answers. Safe to share between threads.

    Args:
        clock: the fake's own time.
        first: the number of the first report.
    """

    def __init__(self, *, clock: Clock = utc_now, first: int = 10_000_001) -> None:
        self.clock = clock
        self.reports: dict[int, Opened] = {}
        self.calls: list[str] = []
        self._key = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self._numbers = itertools.count(1)
        self._first = first
        self._lock = threading.Lock()

    @property
    def finished(self) -> list[Opened]:
        """The reports that count."""
        return [report for report in self.reports.values() if report.state == "finished"]

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        """One request; header names in lower case."""
        with self._lock:
            self.calls.append(path)
            request_id = str(UUID(int=next(self._numbers)))
            head = {"request-id": request_id, "content-type": "text/xml; charset=utf-8"}
            if headers.get("authorization") != self._key:
                return 401, {"request-id": request_id}, b""
            call = _CALLS.get((method, path.removeprefix(BASE)))
            if call is None:
                return 200, head, _response(1210)
            if call == "xsd":
                return 200, head, XSD
            try:
                return 200, head, getattr(self, f"_{call}")(body, headers.get("content-type", ""))
            except _RefusedError as refused:
                return 200, head, _response(refused.code, says=refused.says)

    def _status(self, _: bytes, __: str) -> bytes:
        return _response(0)

    def _submit(self, body: bytes, content_type: str) -> bytes:
        document = _document(body, content_type, "report")
        number = self._first + len(self.reports)
        now = self.clock()
        self.reports[number] = Opened(number, document, now, now)
        return _response(0, number)

    def _upload(self, body: bytes, content_type: str) -> bytes:
        fields = _multipart(body, content_type)
        if set(fields) != {"id", "file"}:
            raise _RefusedError(4000)
        report = self._open(fields["id"][1])
        name, data = fields["file"]
        file_id = hashlib.sha256(f"{report.id} {len(report.files)}".encode()).hexdigest()[:32]
        made = File(file_id, name, len(data), hashlib.md5(data, usedforsecurity=False).hexdigest())
        report.files[made.id] = made
        return _response(0, report.id, made)

    def _fileinfo(self, body: bytes, content_type: str) -> bytes:
        document = _document(body, content_type, "fileDetails")
        report = self._open(document.text_of("reportId").encode())
        file = report.files.get(document.text_of("fileId"))
        if file is None:
            raise _RefusedError(5002)
        file.details = document
        return _response(0, report.id)

    def _finish(self, body: bytes, _: str) -> bytes:
        report = self._open(_form(body))
        report.state = "finished"
        files = "".join(f"<fileId>{each}</fileId>" for each in report.files)
        return (
            f"<reportDoneResponse><responseCode>0</responseCode><reportId>{report.id}</reportId>"
            f"<files>{files}</files></reportDoneResponse>"
        ).encode()

    def _retract(self, body: bytes, _: str) -> bytes:
        report = self._open(_form(body))
        report.state = "retracted"
        return _response(0, report.id)

    def _open(self, number: bytes) -> Opened:
        """The report of that number, if it can be changed; that counts as a change."""
        now = self.clock()
        report = self.reports.get(int(number)) if number.isdigit() else None
        if report is None or report.expired(now):
            raise _RefusedError(5001)
        if report.state != "open":
            raise _RefusedError(5102 if report.state == "finished" else 5101)
        report.changed = now
        return report


class _RefusedError(Exception):
    def __init__(self, code: int, says: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.says = says


_CALLS = {
    ("GET", "/status"): "status",
    ("GET", "/xsd"): "xsd",
    ("POST", "/submit"): "submit",
    ("POST", "/upload"): "upload",
    ("POST", "/fileinfo"): "fileinfo",
    ("POST", "/finish"): "finish",
    ("POST", "/retract"): "retract",
}
Answering = Callable[[str, str, Mapping[str, str], bytes], Response]


def _response(code: int, report: int | None = None, file: File | None = None, says: str = "") -> bytes:
    more = f"<reportId>{report}</reportId>" if report is not None else ""
    if file is not None:
        more += f"<fileId>{file.id}</fileId><hash>{file.md5}</hash>"
    text = says or _WORDS.get(code, "Error")
    return (
        f"<reportResponse><responseCode>{code}</responseCode>"
        f"<responseDescription>{text}</responseDescription>{more}</reportResponse>"
    ).encode()


def code_answer(code: int) -> Response:
    """An answer with a code that the desk itself did not come to."""
    return 200, {"content-type": "text/xml", "request-id": str(UUID(int=0))}, _response(code)


def _document(body: bytes, content_type: str, root: str) -> Element:
    if not content_type.startswith("text/xml"):
        raise _RefusedError(4000)
    try:
        [document] = guarded_xml.elements([body], [root], [root])
    except ValueError:
        raise _RefusedError(4110) from None
    says = complaint(document)
    if says:
        raise _RefusedError(4100, says)
    return document


def _form(body: bytes) -> bytes:
    found = parse_qs(body.decode("ascii", "replace")).get("id", [""])
    return found[0].encode()


def _multipart(body: bytes, content_type: str) -> dict[str, tuple[str, bytes]]:
    """By field: file name and content."""
    boundary = re.search(r"boundary=([0-9A-Za-z-]+)", content_type)
    if boundary is None:
        raise _RefusedError(4000)
    line = b"--" + boundary[1].encode()
    if not body.endswith(line + b"--\r\n"):
        raise _RefusedError(4000)
    fields = {}
    for each in body.split(line)[1:-1]:
        head, _, rest = each.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        filename = re.search(rb'filename="([^"]*)"', head)
        if name is None:
            raise _RefusedError(4000)
        fields[name[1].decode()] = (filename[1].decode() if filename else "", rest.removesuffix(b"\r\n"))
    return fields
