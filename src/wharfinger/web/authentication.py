# SPDX-License-Identifier: Apache-2.0
"""The entrance: what a request shows of its sender, and how one that shows too little is asked for more.

Only `Authorization` counts (RFC 9110, section 11.6.2). A header that a proxy adds with a user's name grants nothing.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Final

from wharfinger.domain.access import Access, Action
from wharfinger.domain.errors import CredentialInvalid, Denied, TokenTooNarrow, Unauthenticated
from wharfinger.domain.identity import ANONYMOUS, Principal
from wharfinger.domain.names import DEFAULT_REGISTRY, RegistryName
from wharfinger.domain.sentences import Sentence
from wharfinger.services.identity import Bearer, Identity, Password, Shown
from wharfinger.services.registries import Registry
from wharfinger.web.requests import Visit

Challenge = Callable[[Visit, Access, Unauthenticated, RegistryName], str]
"""Makes the `WWW-Authenticate` header of a 401: from the request, what it wanted, why that was not enough, and the
registry that is asked."""
_WANTED: Final = {
    Action.PULL: "repository:{}:pull",
    Action.PUSH: "repository:{}:pull,push",
    Action.DELETE: "repository:{}:delete",
    Action.LIST: "registry:catalog:*",
}


class Entrance:
    """Recognises who sent a request.

    Args:
        identity: of the deployment's mode.
        challenge: asks for what the identity takes.
    """

    def __init__(self, identity: Identity, challenge: Challenge) -> None:
        self._identity = identity
        self._challenge = challenge

    async def recognise(self, visit: Visit, registry: Registry | None = None) -> Principal:
        """Return who sent the request.

        Args:
            visit: the request.
            registry: which one it asks; nothing for `default`.

        Raises:
            CredentialInvalid, TooManyAttempts: as `Identity.recognise`.
            Denied: it shows a secret on a connection that others can read.
        """
        try:
            shown = read_authorization(visit.headers.get(b"authorization"))
        except CredentialInvalid:
            if await self._identity.is_open():  # it was meant for a proxy in front
                return ANONYMOUS
            raise
        if isinstance(shown, Password) and not visit.is_private and not await self._identity.is_open():
            require_private(visit)
        principal = await self._identity.recognise(shown, visit.actor, registry)
        if not principal.is_anonymous:  # a token for nobody in particular is no secret
            require_private(visit)
        return principal

    def challenge(
        self, visit: Visit, access: Access, error: Unauthenticated, registry: Registry | None = None
    ) -> dict[str, str]:
        """Return the headers that ask for a credential, or for a better one; as `recognise`.

        Raises:
            Denied: nobody must show one on this connection; who is not asked does not send a password.
        """
        require_private(visit)
        name = DEFAULT_REGISTRY if registry is None else registry.name
        return {"WWW-Authenticate": self._challenge(visit, access, error, name)}


def require_private(visit: Visit) -> None:
    """Return if whoever sent the request may show who it is on this connection.

    Raises:
        Denied: others could read it on the way, and the operator did not say that they may.
    """
    if not visit.is_private:
        message = Sentence(
            "Nobody can sign in on this connection, because it is not encrypted: use https. The "
            "operator sets http.tls, or a proxy that speaks TLS and says so (http.trustedproxies), or "
            "accounts.allowplain."
        )
        raise Denied(message)


def basic_challenge(realm: str) -> Challenge:
    """Ask for a user name and a password (RFC 7617)."""
    header = f'Basic realm="{_quoted(realm)}", charset="UTF-8"'
    return lambda _visit, _access, _error, _registry: header


def either_challenge(realm: str) -> Challenge:
    """Ask for a user name and a password, or for a token (RFC 6750), whichever the program has."""
    quoted = _quoted(realm)

    def challenge(_visit: Visit, _access: Access, error: Unauthenticated, _registry: RegistryName) -> str:
        problem = ', error="invalid_token"' if isinstance(error, CredentialInvalid) else ""
        return f'Bearer realm="{quoted}"{problem}, Basic realm="{quoted}", charset="UTF-8"'

    return challenge


def bearer_challenge(realm: Callable[[Visit, RegistryName], str], service: Callable[[RegistryName], str]) -> Challenge:
    """Send clients to where tokens are given, with what to ask for there.

    Clients read the header by simple means: no space after a comma, and the words of `error` exactly so. podman asks
    again only for `insufficient_scope` with a scope.

    Args:
        realm: gives the URL of the token endpoint, as this client reaches it.
        service: gives the name of a registry in tokens.
    """

    def challenge(visit: Visit, access: Access, error: Unauthenticated, registry: RegistryName) -> str:
        parts = [f'realm="{_quoted(realm(visit, registry))}"', f'service="{_quoted(service(registry))}"']
        if access.action in _WANTED:
            parts.append(f'scope="{_WANTED[access.action].format(access.repository)}"')
        if isinstance(error, TokenTooNarrow):
            parts.append('error="insufficient_scope"')
        elif isinstance(error, CredentialInvalid):
            parts.append('error="invalid_token"')
        return f"Bearer {','.join(parts)}"

    return challenge


def read_authorization(header: bytes | None) -> Shown | None:
    """Return what the header shows, or nothing if there is none.

    Raises:
        CredentialInvalid: it is there and cannot be read; whoever meant to sign in is not taken for anonymous.
    """
    if header is None:
        return None
    scheme, _, rest = header.partition(b" ")
    shown = rest.strip()
    if scheme.lower() == b"basic":
        return _basic(shown)
    if scheme.lower() == b"bearer" and shown.isascii() and shown and b" " not in shown:
        return Bearer(shown.decode("ascii"))
    message = Sentence("The Authorization header cannot be read: it takes Basic or Bearer, and what belongs to it.")
    raise CredentialInvalid(message)


def _basic(encoded: bytes) -> Password:
    try:
        name, colon, secret = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        name, colon, secret = "", "", ""
    if not colon or not name.isprintable():
        message = Sentence("The Authorization header cannot be read: Basic takes name:password, in UTF-8 and base64.")
        raise CredentialInvalid(message)
    return Password(name, secret)


def _quoted(text: str) -> str:
    """Return text that can stand between quotes in a header."""
    plain = "".join(character if " " <= character <= "~" else "?" for character in text)
    return plain.replace("\\", "\\\\").replace('"', '\\"')
