# SPDX-License-Identifier: Apache-2.0
"""Which addresses may be connected to."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.outbound.addresses import AddressPolicy, is_public, unwrapped

PUBLIC = ("1.1.1.1", "8.8.8.8", "140.82.112.3", "203.0.112.255", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e")
# Networks of the registries of IANA that are not for the public internet, and 6to4, Teredo and NAT64, which carry IPv4.
CLOSED = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/32",
    "2001:2::/48",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
)


def inside(network):
    last = int(network.broadcast_address)
    kind = IPv4Address if network.version == 4 else IPv6Address
    return st.integers(int(network.network_address), last).map(kind)


closed_addresses = st.sampled_from([ip_network(text) for text in CLOSED]).flatmap(inside)
v4_addresses = st.integers(0, 2**32 - 1).map(IPv4Address)
v6_addresses = st.integers(0, 2**128 - 1).map(IPv6Address)
networks = st.one_of(
    st.builds(lambda address, length: IPv4Network((address, length), strict=False), v4_addresses, st.integers(1, 32)),
    st.builds(lambda address, length: IPv6Network((address, length), strict=False), v6_addresses, st.integers(1, 128)),
)


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_public(text):
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", CLOSED)
def test_the_ends_of_a_closed_network_are_closed(text):
    network = ip_network(text)
    assert not is_public(network.network_address)
    assert not is_public(network.broadcast_address)


@given(closed_addresses)
def test_no_address_of_a_closed_network_is_public(address):
    assert not is_public(address)
    assert not AddressPolicy().allows_address("any.example", address)


@given(v4_addresses)
def test_an_address_in_the_clothes_of_ipv6_is_judged_as_what_it_is(address):
    mapped = IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
    assert unwrapped(mapped) == address
    assert is_public(mapped) == is_public(address)


@given(v4_addresses, st.sampled_from(["64:ff9b::", "64:ff9b:1::", "::"]))
def test_no_other_address_that_carries_ipv4_at_its_end_is_public(address, prefix):
    carrying = IPv6Address(int(IPv6Address(prefix)) + int(address))
    assert not is_public(carrying)


@given(v4_addresses)
def test_6to4_is_not_public_whatever_it_carries(address):
    assert not is_public(IPv6Address((0x2002 << 112) + (int(address) << 80)))


@given(v6_addresses)
def test_what_iana_never_gave_out_is_not_public(address):
    if int(address) >> 125 != 1 and address.ipv4_mapped is None:
        assert not is_public(address)


def test_an_address_of_one_interface_is_not_public():
    assert is_public(IPv6Address("2606:4700::1"))
    assert not is_public(IPv6Address("2606:4700::1%eth0"))


@given(st.data(), networks)
def test_a_listed_network_opens_itself_and_nothing_else(data, network):
    policy = AddressPolicy(networks=(network,))
    assert policy.allows_address("any.example", data.draw(inside(network)))
    other = data.draw(st.one_of(v4_addresses, v6_addresses))
    if unwrapped(other) not in network:
        assert policy.allows_address("any.example", other) == is_public(other)


@given(st.one_of(v4_addresses, v6_addresses))
def test_a_listed_host_may_be_anywhere_and_another_may_not(address):
    policy = AddressPolicy(hosts=frozenset({"gitlab.internal"}))
    assert policy.allows_address("gitlab.internal", address)
    assert policy.allows_address("b.gitlab.internal", address) == is_public(address)


def test_ports_are_the_standard_ones_the_added_ones_and_all_of_a_listed_host():
    policy = AddressPolicy(hosts=frozenset({"gitlab.internal"}), ports=frozenset({8443}))
    assert [port for port in (22, 80, 443, 6379, 8443) if policy.allows_port("any.example", port)] == [80, 443, 8443]
    assert policy.allows_port("gitlab.internal", 6379)
