# SPDX-License-Identifier: Apache-2.0
"""What a request is sent to: a URL, read once and strictly.

The policy judges the same parts that the connection is made from, so no second reader can see another host in the URL.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_network
from typing import Final, Literal
from urllib.parse import urljoin

import httpx

from wharfinger.domain.errors import OutboundRefused
from wharfinger.domain.sentences import Sentence
from wharfinger.outbound.addresses import Address, AddressPolicy

PlainHttp = Literal["never", "listed", "always"]
"""Whether `http` will do: for no host, for hosts that the operator listed, for every host."""

MAX_URL: Final = 2048
_PORTS: Final = {"http": 80, "https": 443}
# No `@`: whoever writes a password into a URL would find it in logs. No backslash: browsers read it as a slash.
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[^\[\]\s:/?#@\\%\x00-\x1f\x7f]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[!-\"$->@-~]*)?(?P<query>\?[!-\"$-~]*)?(?:#[!-~]*)?",
    re.ASCII | re.IGNORECASE,
)
_LOCATION: Final = re.compile(r"[!-~]+", re.ASCII)
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*", re.ASCII)
_NUMBER: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.ASCII)
"""What the resolver of the C library would read as an IPv4 address: `127.1`, `0x7f.1`, `2130706433`."""


@dataclass(frozen=True, slots=True)
class Target:
    """One URL in its parts."""

    scheme: str
    host: str
    """In lower case and ASCII, without a dot at its end; an IPv6 address without brackets."""
    port: int
    path: str
    """Path and query, as they are sent."""

    @property
    def origin(self) -> tuple[str, str, int]:
        """Whom credentials are bound to."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Host and port as in the `Host` header and in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole, without its fragment."""
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_target(url: str, policy: AddressPolicy, plain: PlainHttp) -> Target:
    """Return the URL in its parts.

    Raises:
        OutboundRefused: it is no URL, or not one that this registry may send a request to.
    """
    parts = _URL.fullmatch(url) if len(url) <= MAX_URL else None
    if parts is None:
        message = Sentence(
            "The URL is not http:// or https:// with a host, without a user name, in at most 2048 characters."
        )
        raise OutboundRefused(message)
    scheme, host = parts["scheme"].lower(), canonical_host(parts["host"])
    if scheme == "http" and not (plain == "always" or (plain == "listed" and policy.lists(host))):
        message = Sentence("A request to %(host)s must use https.", host=host)
        raise OutboundRefused(message)
    port = int(parts["port"] or _PORTS[scheme])
    if not 0 < port < 2**16 or not policy.allows_port(host, port):
        message = Sentence(
            "Port %(port)s of %(host)s is not one that this registry may connect to.", port=port, host=host
        )
        raise OutboundRefused(message)
    return Target(scheme, host, port, (parts["path"] or "/") + (parts["query"] or ""))


def follow(target: Target, location: str, policy: AddressPolicy, plain: PlainHttp) -> Target:
    """Return where a redirect leads to.

    Raises:
        OutboundRefused: it may not be followed.
    """
    try:
        # The pattern comes first because `urljoin` removes tabs and line ends in silence.
        onward = urljoin(target.url, location) if _LOCATION.fullmatch(location) else ""
    except ValueError:
        onward = ""
    found = parse_target(onward, policy, plain)
    if (target.scheme, found.scheme) == ("https", "http"):
        message = Sentence(
            "%(host)s redirects from https to http, which this registry does not follow.", host=target.host
        )
        raise OutboundRefused(message)
    return found


def canonical_host(text: str) -> str:
    """Return a host's one spelling: a name in lower case and ASCII, or an address.

    Raises:
        OutboundRefused: it is neither, or an address in a spelling that programs read differently.
    """
    try:
        if text.startswith("["):
            return str(IPv6Address(text[1:-1]))
        name = (text if text.isascii() else httpx.URL(scheme="https", host=text).raw_host.decode()).lower()
        if _NUMBER.fullmatch(name):
            return str(IPv4Address(name))
    except (AddressValueError, httpx.InvalidURL, UnicodeError):
        name = ""
    if not _NAME.fullmatch(name):
        message = Sentence("The host of the URL is neither a name nor an address in its usual spelling.")
        raise OutboundRefused(message)
    return name


def literal_address(host: str) -> Address | None:
    """Return the address that a canonical host is, if it is no name."""
    if ":" in host:
        return IPv6Address(host)
    return IPv4Address(host) if _NUMBER.fullmatch(host) else None


def parse_policy(allowed: Iterable[str], ports: Iterable[int] = ()) -> AddressPolicy:
    """Return the policy of an operator's list: networks (`10.0.0.0/8`), addresses (`10.1.2.3`) and names of hosts.

    Raises:
        OutboundRefused: an entry is none of these.
    """
    networks, hosts = [], set()
    for entry in allowed:
        try:
            networks.append(ip_network(entry))
        except ValueError:
            hosts.add(canonical_host(entry))
            continue
        if "/" not in entry:
            hosts.add(str(networks[-1].network_address))
    return AddressPolicy(networks=tuple(networks), hosts=frozenset(hosts), ports=frozenset(ports))
