# SPDX-License-Identifier: Apache-2.0
"""Tokens of another token server, as CNCF distribution takes them (`auth.token`).

What such a token grants is all that its holder may do: there are no accounts beside it. So it is read as strictly as a
token of this registry, except where servers that are in use differ: they may leave out `nbf`, `iat` and `jti`, list
several audiences, and name their key in other ways (`wharfinger.security.trust`).
"""

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import Instant
from wharfinger.security import jws
from wharfinger.security.claims import AccessEntry, check_times, read_access, read_text, read_time
from wharfinger.security.jws import ALGORITHMS, Parts, Reason, TokenRefused
from wharfinger.security.trust import TrustedKeys

_UNWANTED: Final = frozenset({"jku", "x5u", "crit", "b64", "zip", "enc"})
"""Addresses of keys, which would have us call whom the token names, and extensions that change what is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalToken:
    """What another server's token says, verified.

    Args:
        subject: whom that server means; empty for nobody.
        access: everything that the holder may do.
        expires_at: when it ends.
    """

    subject: str
    access: tuple[AccessEntry, ...]
    expires_at: Instant


class ExternalTokens:
    """Verifies the tokens of one server.

    Args:
        keys: the server's.
        issuer: what it calls itself.
        service: what it calls this registry.
        algorithms: the only ones to take (`auth.token.signingalgorithms`); each key takes only its own in any case.
    """

    def __init__(
        self, keys: TrustedKeys, *, issuer: str, service: str, algorithms: Collection[str] = ALGORITHMS
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._service = service
        self._algorithms = frozenset(algorithms) & ALGORITHMS

    def verify(self, text: str, now: Instant) -> ExternalToken:
        """Return what a token says.

        Raises:
            TokenRefused: it is not one of that server's, for this registry, valid now.
        """
        parts = jws.take_apart(text)
        if _UNWANTED & parts.header.keys():
            raise TokenRefused(Reason.UNWANTED_HEADER)
        if parts.algorithm not in self._algorithms:
            raise TokenRefused(Reason.WRONG_ALGORITHM)
        self._verify_signature(parts, now)
        return self._read(jws.read_object(parts.payload, Reason.MALFORMED_CLAIMS), now)

    def _verify_signature(self, parts: Parts, now: Instant) -> None:
        *others, last = self._keys.find(parts.header, now)
        for key in others:
            with contextlib.suppress(TokenRefused):
                jws.verify(parts, key)
                return
        jws.verify(parts, last)

    def _read(self, claims: Mapping[str, object], now: Instant) -> ExternalToken:
        if read_text(claims, "iss") != self._issuer:
            raise TokenRefused(Reason.WRONG_ISSUER)
        audience = claims.get("aud")
        if self._service not in (audience if isinstance(audience, list) else [audience]):
            raise TokenRefused(Reason.WRONG_AUDIENCE)
        begins, ends = read_time(claims, "nbf"), read_time(claims, "exp")
        if ends is None:
            raise TokenRefused(Reason.WRONG_TIMES)
        # Read even though nothing depends on it: a malformed time is refused wherever it stands.
        issued = read_time(claims, "iat")
        check_times(now, begins=begins or issued or Instant(0), ends=ends)
        subject = read_text(claims, "sub") if "sub" in claims else ""
        return ExternalToken(subject=subject, access=read_access(claims, wildcards=True), expires_at=ends)
