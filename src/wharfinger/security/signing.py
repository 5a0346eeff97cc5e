# SPDX-License-Identifier: Apache-2.0
"""This registry's own tokens: issued at the token endpoint, shown with each request under `/v2/` (ADR 0023).

A token is a ceiling and no grant: what its account may do is looked up at every request. It is bound to the id of each
repository, so it does not open another one that gets the name later.
"""

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import SECOND, Instant
from wharfinger.security import jws
from wharfinger.security.claims import (
    AccessEntry,
    check_times,
    read_access,
    read_id,
    read_text,
    read_time,
)
from wharfinger.security.jws import MAX_LENGTH, Reason, TokenRefused
from wharfinger.security.keys import ALGORITHM, LONGEST_LIFETIME, KeySet

TYPE: Final = "at+registry"
SHORTEST_LIFETIME: Final = 60
"""Seconds. Old clients take any shorter time for this, so a shorter token would fail in their hands."""

_HEADER: Final = frozenset({"alg", "kid", "typ"})


@dataclass(frozen=True, slots=True)
class Credential:
    """What was shown to get the token; its row is looked up again, so that revoking it ends the token."""

    kind: str
    id: int | None = None
    """Nothing for a password, which has no row of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryToken:
    """What a token of this registry says, verified.

    Args:
        id: different for every token.
        account_id: nothing for somebody who did not sign in.
        credential: what was shown for it; nothing for somebody who did not sign in.
        access: the only names and actions that it may be used for.
        issued_at: when it was made, in whole seconds.
        expires_at: when it ends.
    """

    id: str
    account_id: int | None
    credential: Credential | None
    access: tuple[AccessEntry, ...]
    issued_at: Instant
    expires_at: Instant


class RegistryTokens:
    """Issues and verifies; made anew when the keys change.

    Args:
        keys: which sign and verify.
        issuer: who the tokens are from; another registry's are refused.
        service: who they are for.
        lifetime: seconds, from 60 to 300.

    Raises:
        ValueError: the lifetime is outside its range.
    """

    def __init__(self, keys: KeySet, *, issuer: str, service: str, lifetime: int = LONGEST_LIFETIME) -> None:
        if not SHORTEST_LIFETIME <= lifetime <= LONGEST_LIFETIME:
            message = f"a registry token is valid for {SHORTEST_LIFETIME} to {LONGEST_LIFETIME} seconds"
            raise ValueError(message)
        self.lifetime = lifetime
        self._keys = keys
        self._issuer = issuer
        self._service = service

    def issue(
        self,
        now: Instant,
        *,
        account_id: int | None = None,
        credential: Credential | None = None,
        access: Iterable[AccessEntry] = (),
    ) -> str:
        """Return a new token.

        Raises:
            TokenRefused: it would be too long to be verified: too many names were asked for at once.
            NoSigningKey: there is no key.
        """
        key, begins = self._keys.signing(now), now // SECOND
        header = {"alg": ALGORITHM, "kid": key.kid, "typ": TYPE}
        claims: dict[str, object] = {
            "iss": self._issuer,
            "aud": self._service,
            "sub": "" if account_id is None else str(account_id),
            "jti": secrets.token_urlsafe(16),
            "iat": begins,
            "nbf": begins,
            "exp": begins + self.lifetime,
            "access": [_written(entry) for entry in access],
        }
        if credential is not None:
            claims["credential"] = {"kind": credential.kind, "id": credential.id}
        signed = f"{_encode(header)}.{_encode(claims)}"
        text = f"{signed}.{jws.encode(key.sign(signed.encode('ascii')))}"
        if len(text) > MAX_LENGTH:
            raise TokenRefused(Reason.TOO_LONG)
        return text

    def verify(self, text: str, now: Instant) -> RegistryToken:
        """Return what a token says.

        Raises:
            TokenRefused: it is not one of this registry's, for this service, valid now.
        """
        parts = jws.take_apart(text)
        kid = parts.header.get("kid")
        # Nothing else may be there: no key or address of a key, no extension, no second meaning.
        if parts.header.keys() != _HEADER or not isinstance(kid, str):
            raise TokenRefused(Reason.UNWANTED_HEADER)
        if parts.header["typ"] != TYPE:
            raise TokenRefused(Reason.WRONG_TYPE)
        key = self._keys.verifying(kid, now)
        if key is None:
            raise TokenRefused(Reason.UNKNOWN_KEY)
        jws.verify(parts, key)
        return self._read(jws.read_object(parts.payload, Reason.MALFORMED_CLAIMS), now)

    def _read(self, claims: Mapping[str, object], now: Instant) -> RegistryToken:
        """Return what signed claims say; strict all the same, in case an older version signed something else."""
        if read_text(claims, "iss") != self._issuer:
            raise TokenRefused(Reason.WRONG_ISSUER)
        if claims.get("aud") != self._service:
            raise TokenRefused(Reason.WRONG_AUDIENCE)
        issued, begins, ends = (read_time(claims, name) for name in ("iat", "nbf", "exp"))
        if issued is None or begins is None or ends is None:
            raise TokenRefused(Reason.WRONG_TIMES)
        check_times(now, begins=max(issued, begins), ends=ends)
        return RegistryToken(
            id=read_text(claims, "jti"),
            account_id=_read_subject(claims),
            credential=_read_credential(claims),
            access=read_access(claims),
            issued_at=issued,
            expires_at=ends,
        )


def _encode(content: Mapping[str, object]) -> str:
    return jws.encode(json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode())


def _written(entry: AccessEntry) -> dict[str, object]:
    written: dict[str, object] = {"type": entry.type, "name": entry.name, "actions": sorted(entry.actions)}
    if entry.repository_id is not None:
        written["repository_id"] = entry.repository_id
    if entry.namespace_id is not None:
        written["namespace_id"] = entry.namespace_id
    return written


def _read_subject(claims: Mapping[str, object]) -> int | None:
    subject = read_text(claims, "sub")
    if not subject:
        return None
    if not (subject.isascii() and subject.isdecimal() and len(subject) < 20):  # noqa: PLR2004 - digits of 64 bits
        raise TokenRefused(Reason.MALFORMED_CLAIMS)
    return int(subject)


def _read_credential(claims: Mapping[str, object]) -> Credential | None:
    written = claims.get("credential")
    if written is None:
        return None
    if not isinstance(written, dict):
        raise TokenRefused(Reason.MALFORMED_CLAIMS)
    return Credential(kind=read_text(written, "kind"), id=read_id(written, "id"))


__all__ = [
    "SHORTEST_LIFETIME",
    "TYPE",
    "AccessEntry",
    "Credential",
    "RegistryToken",
    "RegistryTokens",
    "TokenRefused",
]
