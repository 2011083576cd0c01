"""What requests may reach, and what they may cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_network

from nightlamp.errors import OutboundError
from nightlamp.outbound.addresses import Address, Network, permitted
from nightlamp.urls import Url


@dataclass(frozen=True, slots=True)
class Rules:
    """What requests may reach, and what they may cost. Use different ones for submitters' URLs and webhooks.

    Args:
        schemes: ``{"https"}`` to insist on it.
        ports: that may be connected to.
        allow: networks that may be reached though they are not public, e.g. ``("10.20.0.0/16",)``.
        max_redirects: hops that ``fetch`` follows; ``post`` follows none.
        allow_downgrade: whether https may redirect to http.
        max_bytes: of a body, as sent and once unpacked.
        seconds: for everything together: names, connections, redirects, bodies.
        connect_seconds: for one connection to one address, TLS included.
    """

    schemes: frozenset[str] = frozenset({"http", "https"})
    ports: frozenset[int] = frozenset({80, 443})
    allow: tuple[str, ...] = ()
    max_redirects: int = 5
    allow_downgrade: bool = False
    max_bytes: int = 64 << 20
    seconds: float = 20.0
    connect_seconds: float = 5.0
    _allow: tuple[Network, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_allow", tuple(map(ip_network, self.allow)))

    def check_url(self, url: Url) -> None:
        """Raise ``OutboundError("refused")`` if the scheme or port may not be used."""
        if url.scheme not in self.schemes:
            raise OutboundError("refused", f"{url.scheme} may not be used")
        if url.effective_port not in self.ports:
            raise OutboundError("refused", f"port {url.effective_port} may not be used")

    def permits(self, address: Address) -> bool:
        """Whether an address may be connected to."""
        return permitted(address, self._allow)
