# SPDX-License-Identifier: Apache-2.0
"""Under which address clients reach this registry: what every command on a page is written with.

The `Host` header is whatever the client sent. It is shown only if it is made of the characters of a host, and decides
nothing but what the page says.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from wharfinger.web.requests import Visit, is_loopback

FALLBACK: Final = "localhost:5000"
_AUTHORITY: Final = re.compile(
    r"(?P<host>[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII | re.IGNORECASE,
)
_FORWARDED: Final = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"via")


@dataclass(frozen=True, slots=True)
class Address:
    """Where clients find the registry.

    Args:
        authority: host and port as they stand in the name of an image.
        encrypted: whether clients reach it by TLS.
        answers: whether anything answers there; a registry all of whose endpoints are switched off is nowhere.
    """

    authority: str
    encrypted: bool
    answers: bool = True

    @property
    def is_local(self) -> bool:
        """Whether clients know the host for their own machine, to which they speak plain HTTP unasked."""
        host = self.authority.rpartition(":")[0] or self.authority
        return host == "localhost" or is_loopback(host.strip("[]"))

    @property
    def needs_exception(self) -> bool:
        """Whether clients refuse to speak to it until they are told to."""
        return self.answers and not self.encrypted and not self.is_local


def address_of(visit: Visit, host: str | None) -> Address:
    """Return the address to show to a visitor.

    Args:
        visit: the request.
        host: the URL that the operator set, if any; it wins.
    """
    if host is not None:
        url = urlsplit(host if "//" in host else f"//{host}")
        authority = _authority(url.netloc, encrypted=url.scheme != "http")
        if authority is not None:
            return Address(authority, encrypted=url.scheme != "http")
    encrypted = visit.scheme == "https" or _claims_tls(visit)
    return Address(_authority(visit.header(b"host") or "", encrypted=encrypted) or FALLBACK, encrypted)


def address_on(address: Address, hosts: Iterable[tuple[str, bool]], name: str) -> Address:
    """Return the address of another registry, on the port under which this page was reached.

    Args:
        address: the page's own.
        hosts: that answer for the registry, each with whether to the listed networks alone.
        name: of the registry, for one that has no host.
    """
    found = sorted(hosts, key=lambda host: host[1])
    if not found:
        return Address(name, encrypted=address.encrypted, answers=False)
    port = re.search(r":[0-9]+$", address.authority)
    return Address(f"{found[0][0]}{port[0] if port else ''}", encrypted=address.encrypted)


def site_of(visit: Visit, host: str | None) -> str:
    """Return the URL under which a browser reaches this host, without a slash at its end.

    Args:
        visit: the request.
        host: the URL that the operator set, if any; it wins.
    """
    if host is not None:
        url = urlsplit(host if "//" in host else f"https://{host}")
        return f"{url.scheme}://{url.netloc}"
    return f"{visit.scheme}://{parts_of('//' + (visit.header(b'host') or '')).netloc or FALLBACK}"


def parts_of(url: str) -> SplitResult:
    """Return the parts of a URL that a client sent; empty ones where it is none, such as `http://[`."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def came_through_proxy(visit: Visit) -> bool:
    """Say whether somebody passed the request on: its client is then not who is at the other end."""
    return any(name in visit.headers for name in _FORWARDED)


def _authority(text: str, *, encrypted: bool) -> str | None:
    """Return the authority as a reference takes it, or nothing if it is none.

    A first part without a dot or a port means an account of Docker Hub to every client, so such a host gets its port.
    """
    match = _AUTHORITY.fullmatch(text)
    if match is None or int(match["port"] or 0) > 65_535:  # noqa: PLR2004 - the last port
        return None
    host, port = match["host"].lower(), match["port"]
    if port is None and host != "localhost" and not {".", ":"} & set(host):
        port = "443" if encrypted else "80"
    return host if port is None else f"{host}:{port}"


def _claims_tls(visit: Visit) -> bool:
    """Say whether a proxy that is not listed says that it was reached by TLS.

    Its word grants nothing; but to tell its users to switch TLS off would be bad advice.
    """
    values = (visit.header(b"x-forwarded-proto") or "", visit.header(b"forwarded") or "")
    return any("https" in value.lower() for value in values)
