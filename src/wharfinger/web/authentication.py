# SPDX-License-Identifier: Apache-2.0
"""The entrance: what a request shows of its sender, and how one that shows too little is asked for more.

Only `Authorization` counts (RFC 9110, section 11.6.2). A header that a proxy adds with a user's name grants nothing.
"""

import base64
import binascii

from wharfinger.domain.access import Access
from wharfinger.domain.errors import CredentialInvalid, Unauthenticated
from wharfinger.domain.identity import Principal
from wharfinger.services.identity import Bearer, Identity, Password, Shown
from wharfinger.web.requests import Visit


class Entrance:
    """Recognises who sent a request.

    Args:
        identity: of the deployment's mode.
        realm: what a client shows when it asks a person for a password.
    """

    def __init__(self, identity: Identity, realm: str) -> None:
        self._identity = identity
        self._basic = f'Basic realm="{_quoted(realm)}", charset="UTF-8"'

    async def recognise(self, visit: Visit) -> Principal:
        """Return who sent the request.

        Raises:
            CredentialInvalid, TooManyAttempts: as `Identity.recognise`.
        """
        return await self._identity.recognise(read_authorization(visit.headers.get(b"authorization")))

    def challenge(self, visit: Visit, access: Access, error: Unauthenticated) -> dict[str, str]:  # noqa: ARG002 - names all
        """Return the headers that ask for a credential, or for a better one."""
        return {"WWW-Authenticate": self._basic}


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
    message = "The Authorization header cannot be read: it takes Basic or Bearer, and what belongs to it."
    raise CredentialInvalid(message)


def _basic(encoded: bytes) -> Password:
    try:
        name, colon, secret = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        name, colon, secret = "", "", ""
    if not colon or not name.isprintable():
        message = "The Authorization header cannot be read: Basic takes name:password, in UTF-8 and base64."
        raise CredentialInvalid(message)
    return Password(name, secret)


def _quoted(text: str) -> str:
    """Return text that can stand between quotes in a header."""
    plain = "".join(character if " " <= character <= "~" else "?" for character in text)
    return plain.replace("\\", "\\\\").replace('"', '\\"')
