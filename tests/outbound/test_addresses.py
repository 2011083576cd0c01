"""Which addresses may be reached."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlamp.outbound import Rules
from nightlamp.outbound.addresses import FORBIDDEN, embedded

INSIDE = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1
127.255.255.254 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192
192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 168.63.129.16
224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1
::ffff:8.8.8.8 ::ffff:0:8.8.8.8 64:ff9b::127.0.0.1 64:ff9b::8.8.8.8 64:ff9b:1::1 100::1 2001::1
2001:0:808:808::1 2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:808:808::1 3fff::1
4000::1 5f00::1 fc00::1 fd00:ec2::254 fd20:ce::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1 ff0e::1
"""
OUTSIDE = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
169.253.255.255 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0
168.63.129.15 223.255.255.255 2001:200::1 2001:4860:4860::8888 2003::1 2606:4700::1111 2a00:1450::1
"""


@pytest.mark.parametrize("text", INSIDE.split())
def test_inside_addresses_are_refused(text: str) -> None:
    assert not Rules().permits(ip_address(text))


@pytest.mark.parametrize("text", OUTSIDE.split())
def test_public_addresses_are_permitted(text: str) -> None:
    assert Rules().permits(ip_address(text))


@given(st.ip_addresses())
def test_what_python_calls_not_global_is_never_permitted(address: IPv4Address | IPv6Address) -> None:
    assert address.is_global or not Rules().permits(address)


@given(st.sampled_from(list(FORBIDDEN)).flatmap(lambda network: st.ip_addresses(network=network)))
def test_no_address_of_a_forbidden_network_is_permitted(address: IPv4Address | IPv6Address) -> None:
    assert not Rules().permits(address)


@pytest.mark.parametrize(
    ("allowed", "address", "permitted"),
    [
        ("127.0.0.0/8", "127.0.0.1", True),
        ("127.0.0.0/8", "::ffff:127.0.0.1", False),
        ("127.0.0.0/8", "10.0.0.1", False),
        ("::1/128", "::1", True),
        ("fd00::/8", "fd00::1", True),
        ("fd00::/8", "fd00::1%eth0", False),
        # a network with NAT64: what is behind the prefix is judged as well
        ("64:ff9b::/96", "64:ff9b::8.8.8.8", True),
        ("64:ff9b::/96", "64:ff9b::169.254.169.254", False),
        ("2002::/16", "2002:808:808::1", True),
        ("2002::/16", "2002:a9fe:a9fe::1", False),
    ],
)
def test_an_operator_may_allow_a_network_of_theirs(allowed: str, address: str, permitted: bool) -> None:
    assert Rules(allow=(allowed,)).permits(ip_address(address)) is permitted


@pytest.mark.parametrize("text", ["10.0.0.1/8", "intranet", ""])
def test_an_allowed_network_must_be_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Rules(allow=(text,))


def test_addresses_inside_addresses_are_seen() -> None:
    inner = IPv4Address("192.0.2.7")

    for text in ("::192.0.2.7", "::ffff:192.0.2.7", "64:ff9b::192.0.2.7", "2002:c000:207::1"):
        assert embedded(ip_address(text)) == (inner,)
    assert embedded(ip_address("2001:0:808:808:0:ffff:3fff:fdf8")) == (ip_address("8.8.8.8"), inner)


def test_every_forbidden_network_says_why() -> None:
    assert all(FORBIDDEN.values())
    assert all(str(ip_network(text)) == text for text in FORBIDDEN)
