"""Where reports go: the test host, production, or a fake on this machine.

A ``Host`` cannot be made from a URL. Production's can only be made from the operator's own words in the
settings, and never in a process that runs tests. So whatever a test does, nothing is filed in earnest.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from nightlamp.errors import ReportError
from nightlamp.settings.reports import IN_EARNEST, ReportsSettings

Name = Literal["test", "production", "fake"]
_MADE_HERE = object()
_TEST = "https://exttest.cybertip.org/ispws"
_PRODUCTION = "https://report.cybertip.org/ispws"


@dataclass(frozen=True, slots=True)
class Host:
    """A CyberTipline; made by ``test_host``, ``fake_host`` and ``host_of`` alone."""

    name: Name
    base: str
    _maker: object = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self._maker is not _MADE_HERE:
            raise ReportError("refused", "a host is not made from a URL", hint="reports.send_to")


def test_host() -> Host:
    """NCMEC's host for trying out; it needs credentials of its own."""
    return Host("test", _TEST, _MADE_HERE)


test_host.__test__ = False  # type: ignore[attr-defined]  # pytest: it is none of yours


def fake_host(base: str) -> Host:
    """A fake on this machine.

    Raises:
        ReportError: it is elsewhere.
    """
    try:
        here = ip_address(urlsplit(base).hostname or "").is_loopback
    except ValueError:
        here = False
    if not here:
        raise ReportError("refused", "a fake must listen on a loopback address", hint="127.0.0.1")
    return Host("fake", base.rstrip("/"), _MADE_HERE)


def host_of(settings: ReportsSettings) -> Host:
    """The host that the settings name.

    Raises:
        ReportError: it is production, and this process runs tests.
    """
    if settings.send_to != IN_EARNEST:
        return test_host()
    if under_test():
        raise ReportError("refused", "a process that runs tests must not reach production")
    return Host("production", _PRODUCTION, _MADE_HERE)


def under_test() -> bool:
    """Whether this process, or one that started it, runs tests."""
    return (
        "pytest" in sys.modules or "PYTEST_CURRENT_TEST" in os.environ or "NIGHTLAMP_TEST_DATA" in os.environ
    )
