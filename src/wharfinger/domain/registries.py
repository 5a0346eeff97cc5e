# SPDX-License-Identifier: Apache-2.0
"""Registries: how one may be called, and which hosts are whose.

```text
NAME.<public domain>          the public endpoint of the registry NAME
docker.<public domain>        `default`, as on GitHub
<private id>.<private domain> the private endpoint, for clients of the listed networks
a host of its own             whatever a registry was given
anything else below a domain  nobody: 404
any other host                `default`
```
"""

import ipaddress
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.domain.errors import RegistryInvalid
from wharfinger.domain.names import DEFAULT_REGISTRY, RegistryName
from wharfinger.domain.sentences import Sentence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SHORTEST: Final = 3
LONGEST: Final = 30
MOST_HOSTS: Final = 20
"""How many hosts of its own a registry has at the most."""
DOCKER: Final = "docker"
_WORDS: Final = """
    account accounts admin administration anonymous api assets auth blob blobs catalog console default deployment docker
    docs everyone ghcr health healthz help internal localhost login logout mail metrics mirror new packages private
    proxy public registries registry repositories robots root search settings static status storage storages support
    system token tokens users wharfinger www
"""
RESERVED: Final = frozenset(_WORDS.split())
"""Names that hosts and addresses of the deployment use themselves, or that people would take for it."""
_NAME: Final = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]", re.ASCII)
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})+", re.ASCII)
_LONGEST_HOST: Final = 253
_HEADER: Final = re.compile(r"(?:[a-z0-9_][a-z0-9_.-]{0,254}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{0,5})?", re.ASCII)
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of private ids: no characters that look alike."""
_ID_LENGTH: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Domains:
    """Below which domains registries have their hosts, and whose private endpoints answer to whom.

    Args:
        public, private: the domains, in lower case; nothing where there is none.
        networks: of clients that reach private endpoints.
        own: hosts under which clients reach `default`, which no other registry may be given.
    """

    public: str | None = None
    private: str | None = None
    networks: Sequence[Network] = ()
    own: frozenset[str] = frozenset()

    def holds(self, host: str) -> bool:
        """Say whether a host lies below one of the domains: then it is a registry's, or nobody's."""
        return any(host.endswith(f".{domain}") for domain in (self.public, self.private) if domain is not None)

    def admits(self, client: str) -> bool:
        """Say whether a client's address is in one of the listed networks."""
        try:
            address = ipaddress.ip_address(client)
        except ValueError:  # a Unix socket has none
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.networks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where a registry answers, as its row says.

    Args:
        name: of the registry.
        private_id: the first part of its private host.
        public_on, private_on: the switches.
        hosts: of its own.
    """

    name: RegistryName
    private_id: str | None
    public_on: bool = True
    private_on: bool = True
    hosts: Sequence[str] = ()

    def public_host(self, domains: Domains) -> str | None:
        """Return the public host, whether it is switched on or not; nothing without a domain."""
        return None if domains.public is None else f"{self.name}.{domains.public}"

    def private_host(self, domains: Domains) -> str | None:
        """Return the private host, whether it is switched on or not; nothing without a domain."""
        if domains.private is None or self.private_id is None:
            return None
        return f"{self.private_id}.{domains.private}"

    def open(self, domains: Domains) -> Iterator[tuple[str, bool]]:
        """Yield every host that is switched on, and whether it answers to the listed networks alone."""
        public, private = self.public_host(domains), self.private_host(domains)
        if public is not None and self.public_on:
            yield public, False
            if self.name == DEFAULT_REGISTRY:
                yield f"{DOCKER}.{domains.public}", False
        if private is not None and self.private_on:
            yield private, True
        yield from ((host, False) for host in self.hosts)


def parse_registry_name(text: str) -> RegistryName:
    """Return the text as the name of a new registry.

    Raises:
        RegistryInvalid: it cannot be one; the message says what would be right.
    """
    shown = repr(text if len(text) <= 60 else text[:57] + "...")  # noqa: PLR2004 - a readable length
    if not SHORTEST <= len(text) <= LONGEST:
        message = Sentence(
            "%(shown)s is not a name of a registry: it has %(count)s characters, not 3 to 30.",
            shown=shown,
            count=len(text),
        )
        raise RegistryInvalid(message)
    if not _NAME.fullmatch(text):
        message = Sentence(
            "%(shown)s is not a name of a registry: it has lower-case letters, digits and hyphens, "
            "begins with a letter and does not end with a hyphen.",
            shown=shown,
        )
        raise RegistryInvalid(message)
    if text in RESERVED:
        message = Sentence("%(shown)s is a word that the deployment uses itself; choose another name.", shown=shown)
        raise RegistryInvalid(message)
    return RegistryName(text)


def parse_host(text: str, domains: Domains) -> str:
    """Return a host that a registry may be given, in lower case.

    Raises:
        RegistryInvalid: it is none, or belongs to the deployment.
    """
    host = text.lower().rstrip(".")
    shown = repr(text if len(text) <= 60 else text[:57] + "...")  # noqa: PLR2004 - a readable length
    if not _HOST.fullmatch(host) or len(host) > _LONGEST_HOST or host.rpartition(".")[2].isdecimal():
        message = Sentence(
            "%(shown)s is not a host: give a whole name such as images.example.com, without a port.", shown=shown
        )
        raise RegistryInvalid(message)
    if domains.holds(host) or host in {domains.public, domains.private}:
        message = Sentence(
            "%(shown)s is one of the hosts that follow from names of registries; give one outside those domains.",
            shown=shown,
        )
        raise RegistryInvalid(message)
    if host in domains.own or host.endswith(".localhost"):
        message = Sentence("%(shown)s is a host of the deployment itself, under which `default` answers.", shown=shown)
        raise RegistryInvalid(message)
    return host


def host_of(header: str) -> str | None:
    """Return the host of a `Host` header: in lower case, without a port or a dot at its end.

    Nothing comes back for what is no host (RFC 9112, section 3.2): with a user name before it, a path behind it, or a
    port that is none, one reader could take it for another host than the next one does.
    """
    host = header.lower()
    if header and not _HEADER.fullmatch(host):
        return None
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].rstrip(".")


def new_private_id() -> str:
    """Return the first part of a private host: nobody guesses it, and everybody can read it aloud."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))


def new_mark() -> str:
    """Return what tells a registry apart from all others everywhere: it is written into its storage."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """How much is in a registry.

    Args:
        repositories: that are listed.
        trashed: repositories in the trash.
        tags: of those that are listed.
        manifests: of those that are listed.
        blobs: all of them.
        size: their bytes.
    """

    repositories: int
    trashed: int
    tags: int
    manifests: int
    blobs: int
    size: int
