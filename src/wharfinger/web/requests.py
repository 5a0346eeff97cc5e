# SPDX-License-Identifier: Apache-2.0
"""What the edge found out about a request before a door sees it, and who the request says it is."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.types import Scope

from wharfinger.domain.errors import HeaderInvalid
from wharfinger.domain.identity import ANONYMOUS, Actor, Principal
from wharfinger.domain.secrecy import without_secrets
from wharfinger.domain.sentences import Sentence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_ONCE: Final = (b"host", b"authorization", b"content-length", b"content-range", b"content-type", b"if-match")
"""Headers that must not come twice: two readers could each believe another one."""


@dataclass(slots=True)
class Visit:
    """One request, as far as every door needs to know it."""

    request_id: str
    path: str
    """As it was sent, not decoded, below the prefix under which the site lies."""
    client: str
    scheme: str
    headers: dict[bytes, bytes]
    principal: Principal = ANONYMOUS
    route: str = "-"
    """The path pattern, for the metrics."""
    is_private: bool = True
    """Whether it may show who sends it: nobody on the way reads it, or the operator lets them."""
    unread: bool = False
    """Whether it has a body whose end nobody has seen yet."""

    def header(self, name: bytes) -> str | None:
        """Return a request header, by its name in lower case."""
        found = self.headers.get(name)
        return None if found is None else found.decode("latin-1")

    def actor(self) -> Actor:
        """Return who acts, for what will be recorded."""
        agent = (self.header(b"user-agent") or "").encode("ascii", "replace").decode()
        return Actor(
            principal=self.principal,
            client_address=self.client,
            request_id=self.request_id,
            user_agent=without_secrets(agent) or None,
        )


def read_headers(scope: Scope) -> dict[bytes, bytes]:
    """Return the request's headers by name.

    Raises:
        HeaderInvalid: one that decides something comes twice, or an HTTP/1.1 request names no host.
    """
    pairs: list[tuple[bytes, bytes]] = scope["headers"]
    headers = dict(pairs)
    if len(headers) != len(pairs):
        names = [name for name, _ in pairs]
        for name in _ONCE:
            if names.count(name) > 1:
                message = Sentence("The header %(name)s comes twice.", name=name.decode())
                raise HeaderInvalid(message)
        for name in set(names):  # what may come twice is one list
            headers[name] = b", ".join(value for one, value in pairs if one == name)
    if not headers.get(b"host") and scope["http_version"] == "1.1":  # the server writes an empty one for none
        message = Sentence("An HTTP/1.1 request must have a Host header.")
        raise HeaderInvalid(message)
    return headers


def announces_body(headers: dict[bytes, bytes]) -> bool:
    """Say whether a request with these headers has a body."""
    return headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers


def is_loopback(client: str) -> bool:
    """Say whether a client's address is one of the machine itself."""
    try:
        return ipaddress.ip_address(client).is_loopback
    except ValueError:
        return False


class Proxies:
    """Whose word about the client counts: a reverse proxy that the operator lists.

    Args:
        networks: of listed proxies.
        unix: whether a peer on a Unix socket, which has no address, is one.
    """

    def __init__(self, networks: Sequence[Network], *, unix: bool) -> None:
        self._networks = tuple(networks)
        self._unix = unix
        self._known: dict[str, bool] = {}

    def trusts(self, peer: str) -> bool:
        """Say whether the peer is a listed proxy."""
        known = self._known.get(peer)
        if known is None:
            known = self._known[peer] = self._is_listed(peer)
            if len(self._known) > 10_000:  # noqa: PLR2004 - a bound on memory, nothing more
                self._known.clear()
        return known

    @staticmethod
    def forwards(headers: dict[bytes, bytes]) -> bool:
        """Say whether a proxy handed the request on."""
        return b"x-forwarded-for" in headers or b"x-forwarded-proto" in headers or b"forwarded" in headers

    def client_and_scheme(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[str, str]:
        """Return the client's address and the scheme it used, as the last listed proxy saw them."""
        peer: str = scope["client"][0] if scope.get("client") else ""
        scheme: str = scope["scheme"]
        if b"x-forwarded-for" not in headers and b"x-forwarded-proto" not in headers:
            return peer or "-", scheme
        if not self.trusts(peer):
            return peer, scheme
        forwarded = headers.get(b"x-forwarded-proto", b"").decode("latin-1").rpartition(",")[2].strip().lower()
        return self._first_stranger(peer, headers), forwarded if forwarded in {"http", "https"} else scheme

    def _first_stranger(self, peer: str, headers: dict[bytes, bytes]) -> str:
        """Walk the chain from our side and stop at the first address that no listed proxy vouches for."""
        chain = headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
        client = peer
        for hop in reversed([part.strip() for part in chain if part.strip()]):
            try:
                address = ipaddress.ip_address(hop)
            except ValueError:
                return client or "-"
            if "%" in hop:  # a zone means nothing elsewhere, and its text could be anything
                return client or "-"
            client = str(address)
            if not self.trusts(client):
                break
        return client or "-"

    def _is_listed(self, peer: str) -> bool:
        if not peer:
            return self._unix
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)
