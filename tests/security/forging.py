# SPDX-License-Identifier: Apache-2.0
"""Makes tokens that say and are signed whatever a test wants."""

import hashlib
import hmac
import json

from jwt.algorithms import get_default_algorithms

from wharfinger.clock import SECOND, Instant
from wharfinger.security.jws import encode

NOW = Instant(1_800_000_000 * SECOND)
SECONDS = NOW // SECOND
MISSING = object()


def changed(document, name, value):
    """Return the document with one member replaced or, if the value is MISSING, left out."""
    rest = {key: old for key, old in document.items() if key != name}
    return rest if value is MISSING else {**rest, name: value}


def part(content):
    """Return one part of a token: of bytes as they are, of anything else as JSON."""
    return encode(content if isinstance(content, bytes) else json.dumps(content).encode())


def forge(header, claims, key, algorithm=None):
    """Return a token with that header and those claims, signed by the algorithm that the header names."""
    signed = f"{part(header)}.{part(claims)}"
    implemented = get_default_algorithms()[algorithm or header["alg"]]
    return f"{signed}.{encode(implemented.sign(signed.encode(), implemented.prepare_key(key)))}"


def forge_with_secret(header, claims, secret):
    """Return a token that is signed as if bytes that everybody knows were a secret: HS256."""
    signed = f"{part({**header, 'alg': 'HS256'})}.{part(claims)}"
    return f"{signed}.{encode(hmac.digest(secret, signed.encode(), hashlib.sha256))}"
