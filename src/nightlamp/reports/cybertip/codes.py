"""What the CyberTipline's response codes mean for us. NCMEC calls its list not exhaustive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Meaning = Literal[
    "done",
    "retry",  # a fault that passes: the same request again, later
    "stop",  # credentials or rights: no request will do better until a person has seen to it
    "refused",  # this request will never be taken
    "unknown report",  # it never was, or has expired
    "unknown file",
    "retracted",
    "finished",
]

CODES: Mapping[int, tuple[Meaning, str]] = {
    0: ("done", "success"),
    1000: ("retry", "server error"),
    1100: ("retry", "save failed"),
    1110: ("retry", "upload failed"),
    1111: ("retry", "file upload failed"),
    1210: ("retry", "resource not found"),
    1300: ("retry", "update failed"),
    2000: ("stop", "authentication required"),
    3000: ("stop", "not authorized"),
    3100: ("stop", "not authorized for submissions"),
    3300: ("stop", "not authorized for updates"),
    4000: ("refused", "invalid request"),
    4100: ("refused", "validation failed"),
    4110: ("refused", "malformed XML"),
    4200: ("refused", "malformed file"),
    5001: ("unknown report", "report does not exist"),
    5002: ("unknown file", "file does not exist"),
    5101: ("retracted", "report already retracted"),
    5102: ("finished", "report already finished"),
}
_BY_THOUSAND: Mapping[int, Meaning] = {1: "retry", 2: "stop", 3: "stop"}


def meaning(code: int) -> Meaning:
    """Of any code; one that is not in the list by its thousand, and ``"refused"`` if that says nothing."""
    known = CODES.get(code)
    return known[0] if known else _BY_THOUSAND.get(code // 1000, "refused")


def words(code: int) -> str:
    """The code for people; never what the service wrote, which may quote the report."""
    return f"{code} {CODES[code][1]}" if code in CODES else str(code)


def status_meaning(status: int) -> Meaning | None:
    """Of an HTTP status alone; None: the body decides."""
    if status in (401, 403, 404):
        return "stop"
    if 200 <= status < 300:
        return None
    return "retry" if status >= 500 or status in (408, 425, 429) else "stop"
