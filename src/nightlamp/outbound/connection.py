"""From a host to an open connection: all addresses judged, a judged one connected to, one deadline."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from nightlamp.errors import OutboundError
from nightlamp.outbound.addresses import Address
from nightlamp.outbound.rules import Rules
from nightlamp.urls import Url

Resolver = Callable[[str, int], Sequence[str]]

_MAX_ADDRESSES = 4  # of one name that are tried; all of them are judged
_LOOKUPS = threading.BoundedSemaphore(64)  # a lookup cannot be stopped, only left alone


class Deadline:
    """The instant at which everything about one request ends."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self, most: float = float("inf")) -> float:
        """Seconds left, at most ``most``; raises ``OutboundError("timeout")`` if there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise OutboundError("timeout")
        return min(left, most)


def system_resolver(host: str, port: int) -> list[str]:
    """The addresses that the operating system knows of a name."""
    # bytes, so that Python's own IDNA 2003 codec keeps out
    found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def connect(
    url: Url, rules: Rules, resolve: Resolver, tls: ssl.SSLContext, deadline: Deadline
) -> socket.socket:
    """A connection to one of the host's addresses, all of which the rules permit; TLS done for https.

    Raises:
        OutboundError: ``refused``, ``unreachable``, ``tls`` or ``timeout``.
    """
    rules.check_url(url)
    connection = dial(url, rules, resolve, deadline)
    return connection if url.scheme == "http" else _wrapped(connection, url.host, tls, rules, deadline)


def dial(url: Url, rules: Rules, resolve: Resolver, deadline: Deadline) -> socket.socket:
    """A bare connection to one of the addresses of a URL's host, all of which the rules permit.

    Raises:
        OutboundError: ``refused``, ``unreachable`` or ``timeout``.
    """
    addresses = _addresses(url, resolve, deadline)
    # One inside address among public ones is an attack, or a mistake.
    if not all(map(rules.permits, addresses)):
        raise OutboundError("refused", "the host has an address that may not be reached")
    for address in addresses[:_MAX_ADDRESSES]:
        connection = _connected(address, url.effective_port, deadline.left(rules.connect_seconds))
        if connection is not None:
            return connection
    deadline.left()
    raise OutboundError("unreachable", "no address of the host accepts a connection")


def _addresses(url: Url, resolve: Resolver, deadline: Deadline) -> list[Address]:
    try:
        return [ip_address(url.host)]
    except ValueError:
        pass
    try:
        found = [ip_address(text) for text in _resolved(resolve, url, deadline)]
    except ValueError:
        raise OutboundError("refused", "the host's name leads to something that is no address") from None
    if not found:
        raise OutboundError("unreachable", "the host's name leads nowhere")
    return found


def _resolved(resolve: Resolver, url: Url, deadline: Deadline) -> Sequence[str]:
    """Ask in a thread of its own: system lookups take no time limit."""
    answer: queue.SimpleQueue[Sequence[str]] = queue.SimpleQueue()

    def look_up() -> None:
        found: Sequence[str] = ()
        try:
            found = resolve(url.host, url.effective_port)
        except (OSError, UnicodeError):
            pass  # says in many ways that there is no such name
        finally:
            _LOOKUPS.release()
            answer.put(found)

    if not _LOOKUPS.acquire(timeout=deadline.left()):
        raise OutboundError("timeout")
    threading.Thread(target=look_up, name="nightlamp-lookup", daemon=True).start()
    try:
        return answer.get(timeout=deadline.left())
    except queue.Empty:
        raise OutboundError("timeout") from None


def _connected(address: Address, port: int, seconds: float) -> socket.socket | None:
    connection = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6)
    try:
        connection.settimeout(seconds)
        connection.connect((str(address), port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        connection.close()
        return None
    return connection


def _wrapped(
    connection: socket.socket, host: str, tls: ssl.SSLContext, rules: Rules, deadline: Deadline
) -> socket.socket:
    """TLS under the name in the URL, whatever address it led to."""
    try:
        connection.settimeout(deadline.left(rules.connect_seconds))
        return tls.wrap_socket(connection, server_hostname=host)
    except TimeoutError:
        connection.close()
        raise OutboundError("timeout") from None
    except ssl.SSLCertVerificationError:
        connection.close()
        raise OutboundError("tls", "the certificate does not hold for this host") from None
    except (OSError, ValueError):
        connection.close()
        raise OutboundError("tls", "the handshake failed") from None
    except OutboundError:
        connection.close()
        raise
