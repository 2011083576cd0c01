"""Percent-encoding, brought to one form: RFC 3986 §6.2.2 and what browsers encode besides."""

from __future__ import annotations

import re

_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
# An escape, or a byte that may not stand in a path or query as it is. A browser sends ' as %27 in a query.
_PATH = re.compile(rb"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~!$&'()*+,;=:@/]")
_QUERY = re.compile(rb"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~!$&()*+,;=:@/?]")
_FORMS = [b"%%%02X" % byte for byte in range(256)]


def _form(match: re.Match[bytes]) -> bytes:
    found = match[0]
    if len(found) == 1:
        return _FORMS[found[0]]  # a stray % too, so that what it precedes cannot become an escape
    byte = int(found[1:], 16)
    return bytes((byte,)) if byte in _UNRESERVED else _FORMS[byte]


def escape_path(path: str) -> str:
    """Escapes of unreserved characters undone, once; all others in upper case; the rest escaped as UTF-8."""
    return _PATH.sub(_form, path.encode()).decode("ascii")


def escape_query(query: str) -> str:
    """As ``escape_path``, for what follows the question mark."""
    return _QUERY.sub(_form, query.encode()).decode("ascii")
