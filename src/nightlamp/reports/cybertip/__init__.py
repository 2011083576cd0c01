"""NCMEC's CyberTipline: its report as typed values, as XML, and its seven calls.

Promises: elements in exactly the schema's order, from one table; what is wrong is said by the field's name in
plain words before anything is sent; nothing can be sent to production from a test. Takes ``Report`` and
``FileDetails``; gives XML and ``Answer``s. Must never show what a report says in an error or a ``repr``.
"""

from nightlamp.reports.cybertip.checking import Fault, check
from nightlamp.reports.cybertip.client import Answer, Credentials, CyberTip
from nightlamp.reports.cybertip.hosts import Host, fake_host, host_of, test_host
from nightlamp.reports.cybertip.model import FileDetails, Report
from nightlamp.reports.cybertip.stored import as_json, from_json
from nightlamp.reports.cybertip.xml import read, write

__all__ = [
    "Answer",
    "Credentials",
    "CyberTip",
    "Fault",
    "FileDetails",
    "Host",
    "Report",
    "as_json",
    "check",
    "fake_host",
    "from_json",
    "host_of",
    "read",
    "test_host",
    "write",
]
