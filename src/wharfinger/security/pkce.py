# SPDX-License-Identifier: Apache-2.0
"""PKCE (RFC 7636): a code is worth something only to who holds the verifier that it was asked for with."""

import hashlib
import secrets

from wharfinger.security.jws import encode

METHOD = "S256"


def make_verifier() -> str:
    """Return a new verifier, of 64 characters."""
    return secrets.token_urlsafe(48)


def challenge_of(verifier: str) -> str:
    """Return what is shown of a verifier when the code is asked for."""
    return encode(hashlib.sha256(verifier.encode("ascii")).digest())
