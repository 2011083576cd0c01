"""What of a URL can stand on a list: the URL, every path prefix of it, its host and that host's parents.

A key leaves out the scheme: lists often do, and http and https of one address show the same thing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Literal

from nightlamp.signals import Signal
from nightlamp.urls.host import is_address
from nightlamp.urls.url import Url, canonical
from nightlamp.values import AS_IS, Fingerprint

Kind = Literal["url", "prefix", "host"]

_HASHED = re.compile(r"[0-9A-Fa-f]{64}")  # no host: a label has 63 characters at most


def keys(url: Url) -> list[tuple[Kind, str]]:
    """Every key of a URL, the most particular first.

    ``"url"``: ``host[:port]/path[?query]``, once. ``"prefix"``: ``host[:port]`` and the path up to each
    border of a segment, without the final slash and without query. ``"host"``: the host, without port, and
    its parent domains of at least two labels.
    """
    found: list[tuple[Kind, str]] = [("url", url.authority + url.target)]
    found += [("prefix", url.authority + url.path[:end]) for end in reversed(list(_borders(url.path)))]
    return found + [("host", host) for host in _hosts(url.host)]


def fingerprints(url: Url) -> tuple[Fingerprint, ...]:
    """The keys as fingerprints of ``url``, ``url-prefix`` and ``url-host``: SHA-256 of their text.

    The view says whether the whole was meant (``"as is"``) or a part: ``"path prefix"``, ``"parent domain"``.
    """
    found = [Fingerprint("url", _hash(url.authority + url.target))]
    digest = sha256(
        url.authority.encode(), usedforsecurity=False
    )  # carried on, so that a long path is read once
    start = 0
    prefixes = []
    for end in _borders(url.path):
        digest.update(url.path[start:end].encode())
        start = end
        whole = end >= len(url.path) - url.path.endswith("/")
        prefixes.append(Fingerprint("url-prefix", digest.digest(), AS_IS if whole else "path prefix"))
    found += reversed(prefixes)
    for place, host in enumerate(_hosts(url.host)):
        found.append(Fingerprint("url-host", _hash(host), "parent domain" if place else AS_IS))
    return tuple(found)


def _borders(path: str) -> Iterator[int]:
    """Where prefixes of a path end, shortest first; ``/a/`` and ``/a`` have the same."""
    place = 0
    while place >= 0:
        yield place
        place = path.find("/", place + 1)
    if not path.endswith("/"):
        yield len(path)


def _hosts(host: str) -> Iterator[str]:
    yield host
    if not is_address(host):
        while host.count(".") >= 2:
            host = host.partition(".")[2]
            yield host


def _hash(text: str) -> bytes:
    return sha256(text.encode(), usedforsecurity=False).digest()


def _url_key(row: str) -> str:
    url = canonical(row)
    return url.authority + url.target


def _prefix_key(row: str) -> str:
    url = canonical(row)
    if url.query:
        raise ValueError("a path prefix has no query")
    return url.authority + url.path.removesuffix("/")


def _host_key(row: str) -> str:
    url = canonical(row.removeprefix("*").removeprefix("."))
    if url.target != "/" or url.port is not None:
        raise ValueError("more than a host; list it as url or url-prefix")
    return url.host


def _parser(key: Callable[[str], str]) -> Callable[[str], bytes]:
    """A list's row → value; a row may also be the value itself, as 64 hexadecimal digits."""

    def parse(row: str) -> bytes:
        row = row.strip()
        return bytes.fromhex(row) if _HASHED.fullmatch(row) else _hash(key(row))

    return parse


URL = Signal("url", 32, "exact", _parser(_url_key), bytes.hex)
URL_PREFIX = Signal("url-prefix", 32, "exact", _parser(_prefix_key), bytes.hex)
URL_HOST = Signal("url-host", 32, "exact", _parser(_host_key), bytes.hex)
