# SPDX-License-Identifier: Apache-2.0
"""Which addresses and ports this registry may connect to.

URLs come from people who may use the registry, not run it: an issuer, a webhook, an upstream. Without this policy they
could make the registry ask things that only it can reach: the metadata service of a cloud, a database, itself.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

STANDARD_PORTS: Final = frozenset({80, 443})
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
"""All that IANA gives out. What lies outside is local, or carries an IPv4 address (NAT64, `::/96`)."""
_NEVER: Final[tuple[Network, ...]] = tuple(
    ip_network(text)
    for text in (
        # `is_global` says yes to these, or did in some release of Python.
        "192.0.0.0/24",  # assigned to protocols
        "192.88.99.0/24",  # relays of 6to4
        "64:ff9b::/96",  # NAT64: the last four bytes are an IPv4 address, and may be a private one
        "64:ff9b:1::/48",  # NAT64 with a local prefix
        "2001::/32",  # Teredo: carries IPv4 addresses
        "2002::/16",  # 6to4: carries an IPv4 address
        "3fff::/20",  # documentation
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPolicy:
    """What the operator allows besides the public internet, because a GitLab or Kubernetes of one's own is private.

    Args:
        networks: addresses that may be connected to, whatever name led to them.
        hosts: names whose addresses may be anything, and whose ports too; in the form of `Target.host`.
        ports: ports besides 80 and 443, for every host.
    """

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()
    ports: frozenset[int] = frozenset()

    def lists(self, host: str) -> bool:
        """Answer whether the operator named this host."""
        return host in self.hosts

    def allows_port(self, host: str, port: int) -> bool:
        """Answer whether this port of the host may be connected to."""
        return port in STANDARD_PORTS or port in self.ports or self.lists(host)

    def allows_address(self, host: str, address: Address) -> bool:
        """Answer whether this address, to which the host's name leads, may be connected to."""
        plain = unwrapped(address)
        return self.lists(host) or is_public(plain) or any(plain in network for network in self.networks)


def is_public(address: Address) -> bool:
    """Answer whether the address is one of the public internet, and of nothing behind it."""
    plain = unwrapped(address)
    if isinstance(plain, IPv6Address) and (plain not in _GLOBAL_UNICAST or plain.scope_id is not None):
        return False
    return plain.is_global and not plain.is_multicast and not any(plain in network for network in _NEVER)


def unwrapped(address: Address) -> Address:
    """Return the IPv4 address if this is one in the clothes of IPv6 (`::ffff:127.0.0.1`): the kernel connects to it."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped
