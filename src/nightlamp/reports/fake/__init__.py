"""A CyberTipline of our own, on this machine: for ``nightlamp report drill`` and for tests.

Promises to behave as what is known of the real one (``desk``), and to go wrong as networks do (``faults``).
Keeps nothing of an upload but its size and MD5. Must never be reachable from elsewhere.
"""

from nightlamp.reports.fake.desk import PASSWORD, USER, Desk, Opened
from nightlamp.reports.fake.faults import FAULTS, SOCKET_FAULTS, Fault, Faulty, SocketFault
from nightlamp.reports.fake.server import serving

__all__ = [
    "FAULTS",
    "PASSWORD",
    "SOCKET_FAULTS",
    "USER",
    "Desk",
    "Fault",
    "Faulty",
    "Opened",
    "SocketFault",
    "serving",
]
