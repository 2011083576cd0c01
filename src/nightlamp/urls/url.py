"""A URL and its one spelling: RFC 3986 §6.2, read as browsers read it (WHATWG URL)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

from nightlamp.urls.escape import escape_path, escape_query
from nightlamp.urls.host import canonical_host, is_address

MAX_LENGTH = 8192  # characters, before and after; longer ones are refused, and servers refuse them too
_TRACKING = """
utm_source utm_medium utm_campaign utm_term utm_content utm_id utm_name fbclid gclid gclsrc dclid gbraid
wbraid msclkid yclid twclid ttclid li_fat_id igshid mc_cid mc_eid _ga _gl _hsenc _hsmi mkt_tok
"""
TRACKING = frozenset(_TRACKING.split())  # say where a visitor came from, never what is shown

_PORTS = {"http": 80, "https": 443}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_AFTER_AUTHORITY = re.compile(r"[/\\?#]")
_DROPPED = str.maketrans("", "", "\t\n\r")  # browsers take them out wherever they stand
_ENDS = "".join(map(chr, range(0x21)))


class TooLongError(ValueError):
    """More than ``MAX_LENGTH`` characters, as given or once escaped."""


@dataclass(frozen=True, slots=True)
class Url:
    """An http or https URL in its one spelling; made by ``canonical`` and ``join``.

    Args:
        scheme: ``"http"`` or ``"https"``.
        host: a lower-case A-label name, a dotted IPv4, or an IPv6 without brackets.
        port: ``None`` where it is the scheme's own.
        path: starts with ``/``; escaped, without dot segments.
        query: escaped, without the question mark; ``""`` if there is none.
    """

    scheme: Literal["http", "https"]
    host: str
    port: int | None
    path: str = field(repr=False)
    query: str = field(default="", repr=False)

    @property
    def authority(self) -> str:
        """``host`` or ``host:port``, an IPv6 in brackets; as the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def target(self) -> str:
        """Path and query, as the request line has them."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def text(self) -> str:
        """The whole URL; not ``str()``, so that it is written out on purpose only."""
        return f"{self.scheme}://{self.authority}{self.target}"

    @property
    def effective_port(self) -> int:
        """The port to connect to."""
        return _PORTS[self.scheme] if self.port is None else self.port


def canonical(url: str, drop: frozenset[str] = TRACKING) -> Url:
    """The one spelling of an http or https URL; ``example.com/path`` without a scheme is read as http.

    User name, password and fragment are left out, and so are query parameters whose name is in ``drop``
    (compared unescaped, in their own case); the order of the others stays.

    Raises:
        ValueError: it is no such URL; the reason does not quote it.
    """
    if len(url) > MAX_LENGTH:
        raise TooLongError("the URL is too long")
    text = _clean(url)
    scheme: Literal["http", "https"] = "http"
    found = _SCHEME.match(text)
    name = found[1].lower() if found else ""
    bare = name not in _PORTS
    if found and not bare:
        scheme = "https" if name == "https" else "http"
        rest = text[found.end() :].lstrip("/\\")
    else:
        if found and "." not in name and not text[found.end() : found.end() + 1].isdigit():
            raise ValueError("the scheme is neither http nor https")
        rest = text[2:] if text[:2].replace("\\", "/") == "//" else text
    end = _AFTER_AUTHORITY.search(rest)
    split = end.start() if end else len(rest)
    host, port = _host_and_port(rest[:split])
    if bare and not ("." in host or is_address(host) or host == "localhost"):
        raise ValueError("there is no host")
    path, _, query = rest[split:].partition("#")[0].partition("?")
    result = Url(
        scheme,
        host,
        None if port == _PORTS[scheme] else port,
        _without_dots(escape_path(path.replace("\\", "/"))),
        _without(escape_query(query), drop),
    )
    if len(result.path) + len(result.query) + len(result.host) + 16 > MAX_LENGTH:
        raise TooLongError("the URL is too long")
    return result


def join(base: Url, reference: str) -> Url:
    """What a reference (a Location header, say) means on a page: RFC 3986 §5, read as browsers do.

    Raises:
        ValueError: it leads to no http or https URL.
    """
    text = _clean(reference)
    found = _SCHEME.match(text)
    if found and found[1].lower() == base.scheme:
        text = text[found.end() :]
    elif found:
        if found[1].lower() not in _PORTS:
            raise ValueError("the scheme is neither http nor https")
        return canonical(text, frozenset())
    if text[:2].replace("\\", "/") == "//":
        return canonical(f"{base.scheme}:{text}", frozenset())
    if text[:1] in ("/", "\\"):
        target = text
    elif text[:1] in ("", "#"):
        target = base.target
    elif text[:1] == "?":
        target = base.path + text
    else:
        target = base.path[: base.path.rindex("/") + 1] + text
    return canonical(f"{base.scheme}://{base.authority}{target}", frozenset())


def _clean(url: str) -> str:
    """No control characters at the ends, no tabs and newlines anywhere, lone surrogates as U+FFFD."""
    if not url.isascii():
        url = url.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return url.strip(_ENDS).translate(_DROPPED)


def _host_and_port(authority: str) -> tuple[str, int | None]:
    place = authority.rpartition("@")[2]
    if place.startswith("["):
        host, bracket, port = place.partition("]")
        host += bracket
        if port and not port.startswith(":"):
            raise ValueError("the host is no IPv6 address")
        port = port[1:]
    else:
        host, _, port = place.partition(":")
    if not port:
        return canonical_host(host), None
    digits = port.lstrip("0") or "0"
    if not (port.isascii() and port.isdigit()) or len(digits) > 5 or int(digits) > 65535:
        raise ValueError("the port is no port")
    return canonical_host(host), int(digits)


def _without_dots(path: str) -> str:
    """RFC 3986 §5.2.4; empty segments are segments."""
    segments = path.split("/")[1:]
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _without(query: str, drop: frozenset[str]) -> str:
    if not query or not drop:
        return query
    return "&".join(part for part in query.split("&") if unquote(part.partition("=")[0]) not in drop)
