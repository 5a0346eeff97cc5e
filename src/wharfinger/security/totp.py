# SPDX-License-Identifier: Apache-2.0
"""The codes of authenticator apps (RFC 6238): SHA-1, six digits, half a minute, which is what every app can do."""

import hmac
from collections.abc import Iterable

import pyotp


def make_secret() -> str:
    """Return a new secret of 160 bits, as long as the hash (RFC 4226, section 4), in the letters that apps take."""
    return pyotp.random_base32()


def address_of(secret: str, account: str, site: str) -> str:
    """Return what an app reads from the picture: the secret, whose it is, and where it counts."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=site)


def code_at(secret: str, step: int) -> str:
    """Return the code of a step."""
    return pyotp.HOTP(secret).at(step)


def step_of(secret: str, code: str, steps: Iterable[int]) -> int | None:
    """Return the first of some steps whose code it is; nothing if it is none of theirs."""
    found = [step for step in steps if hmac.compare_digest(code_at(secret, step).encode(), code.encode())]
    return found[0] if found else None
