"""Hosts, brought to one form as browsers do (WHATWG URL, "host parsing"): names, IPv4, IPv6."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import unquote_to_bytes

MAX_HOST = 253  # characters of a name that DNS can carry (RFC 1035 §2.3.4)
_MAX_LABEL = 63
_MAX_RAW = 3 * 4 * MAX_HOST  # each character escaped as UTF-8
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f#%/:<>?@\[\\\]^|]")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")


def canonical_host(text: str) -> str:
    """The one spelling of a host: an A-label name without a final dot, a dotted IPv4, or a bare IPv6.

    Raises:
        ValueError: with a reason that does not quote the text.
    """
    if len(text) > _MAX_RAW:
        raise ValueError("the host is too long")
    if text.startswith("["):
        return _ipv6(text)
    host = _ascii(unquote_to_bytes(text).decode("utf-8", "replace")).rstrip(".")
    if not host:
        raise ValueError("there is no host")
    if _FORBIDDEN.search(host):
        raise ValueError("the host has a character that no host has")
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(labels)
    if len(host) > MAX_HOST or any(len(label) > _MAX_LABEL for label in labels):
        raise ValueError("the host is too long")
    if not all(labels):
        raise ValueError("the host has an empty label")
    return host


def is_address(host: str) -> bool:
    """Whether a canonical host is an IP address and not a name."""
    return ":" in host or host.rpartition(".")[2].isdigit()


def _ascii(host: str) -> str:
    """Lower-case A-labels, by UTS 46's mapping alone: what IDNA 2008 refuses and browsers open must match."""
    if host.isascii():
        return host.lower()
    import idna  # its tables take a while to load

    try:
        mapped = idna.uts46_remap(host, std3_rules=False)
        return ".".join(_a_label(label) for label in mapped.split("."))
    except (idna.IDNAError, UnicodeError):
        raise ValueError("the host is no internationalised name") from None


def _a_label(label: str) -> str:
    if label.isascii():
        return label
    if label.startswith("xn--") or len(label) > _MAX_LABEL:
        raise ValueError("the host is no internationalised name")
    return "xn--" + label.encode("punycode").decode("ascii")


def _ipv4(parts: list[str]) -> str:
    """One to four decimal, octal or hexadecimal numbers, the last of which fills what is left."""
    if len(parts) > 4:
        raise ValueError("the host is no IPv4 address")
    numbers = [_number(part) for part in parts]
    last = numbers.pop()
    if any(number > 255 for number in numbers) or last >= 256 ** (4 - len(numbers)):
        raise ValueError("the host is no IPv4 address")
    value = last + sum(number << (24 - 8 * place) for place, number in enumerate(numbers))
    return str(ipaddress.IPv4Address(value))


def _number(text: str) -> int:
    try:
        if text[:2] in ("0x", "0X"):
            return int(text[2:] or "0", 16)
        if not (text.isascii() and text.isdigit()):
            raise ValueError
        return int(text, 8) if text.startswith("0") else int(text)
    except ValueError:
        raise ValueError("the host is no IPv4 address") from None


def _ipv6(text: str) -> str:
    try:
        if not text.endswith("]") or "%" in text:  # a zone means something on one machine only
            raise ValueError
        address = ipaddress.IPv6Address(text[1:-1])
    except ValueError:
        raise ValueError("the host is no IPv6 address") from None
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)  # a socket connects to that very IPv4 address
    return compressed(address)


def compressed(address: ipaddress.IPv6Address) -> str:
    """RFC 5952 text; ``str()`` writes some addresses differently from one Python version to the next."""
    groups = [int(group, 16) for group in address.exploded.split(":")]
    start = length = run = 0
    for place, group in enumerate(groups):
        run = 0 if group else run + 1
        if run > length:
            start, length = place - run + 1, run
    texts = [f"{group:x}" for group in groups]
    if length < 2:
        return ":".join(texts)
    return ":".join(texts[:start]) + "::" + ":".join(texts[start + length :])
