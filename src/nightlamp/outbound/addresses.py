"""Which addresses are the public internet, and which are somebody's inside.

``ipaddress.is_global`` is not asked: its answers differ between Python versions, and it calls some addresses
global that lead to the inside of a cloud. Sources: IANA's special-purpose registries for IPv4 and IPv6
(as of 2025-10-09) and IANA's IPv6 address space, of which only 2000::/3 is assigned to unicast.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

FORBIDDEN = {
    # IPv4
    "0.0.0.0/8": "this network (RFC 791); Linux connects 0.0.0.0 to itself",
    "10.0.0.0/8": "private (RFC 1918)",
    "100.64.0.0/10": "carrier-grade NAT (RFC 6598); Alibaba Cloud's metadata is 100.100.100.200",
    "127.0.0.0/8": "loopback (RFC 1122)",
    "169.254.0.0/16": "link-local (RFC 3927); metadata of AWS, Azure, GCP and others is 169.254.169.254",
    "172.16.0.0/12": "private (RFC 1918)",
    "192.0.0.0/24": "protocol assignments (RFC 6890); Oracle Cloud's metadata is 192.0.0.192",
    "192.0.2.0/24": "documentation (RFC 5737)",
    "192.31.196.0/24": "AS112 (RFC 7535)",
    "192.52.193.0/24": "AMT (RFC 7450)",
    "192.88.99.0/24": "6to4 relays (RFC 7526)",
    "192.168.0.0/16": "private (RFC 1918)",
    "192.175.48.0/24": "AS112 (RFC 7534)",
    "198.18.0.0/15": "benchmarking (RFC 2544)",
    "198.51.100.0/24": "documentation (RFC 5737)",
    "203.0.113.0/24": "documentation (RFC 5737)",
    "168.63.129.16/32": "Azure's host, metadata included; public by number only",
    "224.0.0.0/4": "multicast (RFC 5771)",
    "240.0.0.0/4": "reserved and broadcast (RFC 1112, RFC 919)",
    # IPv6: all that is not 2000::/3
    "::/3": "loopback, IPv4-mapped and -compatible, NAT64, discard (RFC 4291, RFC 6052, RFC 6666)",
    "4000::/2": "not assigned; segment routing 5f00::/16 (RFC 9602)",
    "8000::/1": "not assigned; unique local fc00::/7, link-local fe80::/10, site-local, multicast ff00::/8",
    # and in 2000::/3
    "2001::/23": "protocol assignments: Teredo 2001::/32, benchmarking, ORCHID (RFC 2928, RFC 4380)",
    "2001:db8::/32": "documentation (RFC 3849)",
    "2002::/16": "6to4, an IPv4 inside (RFC 3056)",
    "2620:4f:8000::/48": "AS112 (RFC 7534)",
    "3fff::/20": "documentation (RFC 9637)",
}
_FORBIDDEN: tuple[Network, ...] = tuple(map(ip_network, FORBIDDEN))

_IN_THE_END = (IPv6Network("::/96"), IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))


def is_public(address: Address) -> bool:
    """Whether an address is in none of the networks of ``FORBIDDEN``."""
    return not any(address in network for network in _FORBIDDEN)


def embedded(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that packets to this address may end at: mapped, compatible, NAT64, 6to4, Teredo."""
    if isinstance(address, IPv4Address):
        return ()
    if int(address) > 1 and any(address in network for network in _IN_THE_END):  # :: and ::1 hold none
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    return address.teredo or ()


def permitted(address: Address, allowed: tuple[Network, ...]) -> bool:
    """Whether an address is public or in an allowed network, and so is every IPv4 address inside it."""
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return False
    if not is_public(address) and not any(address in network for network in allowed):
        return False
    return all(permitted(inner, allowed) for inner in embedded(address))
