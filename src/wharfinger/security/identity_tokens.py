# SPDX-License-Identifier: Apache-2.0
"""Identity tokens of other issuers (OpenID Connect): what a CI job or a pod shows of itself.

```text
read      form, header, claims: all that is seen without a key, so that no issuer is asked about noise
check     times
verify    signature, with a key of the issuer that the header names by `kid`
```

A header may name a key and an algorithm, and nothing else that decides: it brings no key and no address of one. Before
the last step nothing that a token says is true.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from jwt import PyJWK, PyJWTError

from wharfinger.clock import Instant
from wharfinger.domain.sentences import Sentence
from wharfinger.security import jws
from wharfinger.security.claims import check_times, read_text, read_time
from wharfinger.security.jws import (
    ALGORITHMS,
    LEAST_RSA_BITS,
    Parts,
    Reason,
    TokenRefused,
    VerificationKey,
    read_object,
    verification_key,
)
from wharfinger.security.thumbprints import required_members
from wharfinger.security.trust import KeysUnusable

Jwk = Mapping[str, object]

_HEADER: Final = frozenset({"alg", "kid", "typ", "x5t", "x5t#S256"})
"""GitHub and others add thumbprints of a certificate, which only name the key once more."""
_MAX_KEYS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityToken:
    """An identity token, taken apart.

    Args:
        issuer: who it says it is from.
        kid: which of the issuer's keys it says it was signed with.
        claims: what it says.
        issued_at: when it was made.
        begins_at: from when on it may be shown.
        expires_at: when it ends.
        parts: what the signature is about.
    """

    issuer: str
    kid: str
    claims: Mapping[str, object] = field(repr=False)
    issued_at: Instant
    begins_at: Instant
    expires_at: Instant
    parts: Parts = field(repr=False)

    def check(self, now: Instant) -> None:
        """Accept its times, clocks a minute apart allowed for.

        Raises:
            TokenRefused: it is not valid yet, or no longer.
        """
        check_times(now, begins=max(self.issued_at, self.begins_at), ends=self.expires_at)


def read(text: str) -> IdentityToken:
    """Return a token whose times and signature nobody has looked at yet, if it could be one.

    Raises:
        TokenRefused: it is malformed, or has an algorithm or a header that is not accepted. One without an end is
            refused too: Kubernetes made such before 1.24.
    """
    parts = jws.take_apart(text)
    kid = parts.header.get("kid")
    if not parts.header.keys() <= _HEADER or not isinstance(kid, str) or not kid:
        raise TokenRefused(Reason.UNWANTED_HEADER)
    if str(parts.header.get("typ", "JWT")).upper() != "JWT":
        raise TokenRefused(Reason.WRONG_TYPE)
    if parts.algorithm not in ALGORITHMS:
        raise TokenRefused(Reason.WRONG_ALGORITHM)
    claims = read_object(parts.payload, Reason.MALFORMED_CLAIMS)
    issued, begins, ends = (read_time(claims, name) for name in ("iat", "nbf", "exp"))
    if issued is None or ends is None or ends <= issued:
        raise TokenRefused(Reason.WRONG_TIMES)
    return IdentityToken(
        issuer=read_text(claims, "iss"),
        kid=kid,
        claims=claims,
        issued_at=issued,
        begins_at=issued if begins is None else begins,
        expires_at=ends,
        parts=parts,
    )


def verify(token: IdentityToken, keys: Iterable[Jwk]) -> None:
    """Accept the signature.

    Args:
        token: as it was read.
        keys: all keys of its issuer; those of another id, and those that no token may be signed with, are passed over.

    Raises:
        TokenRefused: no key has its id, or none of those made the signature.
    """
    found = [key for jwk in keys if jwk.get("kid") == token.kid and (key := _key_of(jwk)) is not None]
    if not found:
        raise TokenRefused(Reason.UNKNOWN_KEY)
    for number, key in enumerate(found, start=1):
        try:
            jws.verify(token.parts, key)
        except TokenRefused:
            if number == len(found):
                raise
        else:
            return


def public_keys(content: bytes) -> str:
    """Return a JSON Web Key Set that an operator gives, with nothing in it but public keys and their names.

    Raises:
        KeysUnusable: it is none, or a key in it has no `kid` or fits no algorithm; the message says which.
    """
    try:
        keys = read_object(content, Reason.MALFORMED).get("keys")
    except TokenRefused:
        keys = None
    if not isinstance(keys, list) or not 0 < len(keys) <= _MAX_KEYS or not all(isinstance(key, dict) for key in keys):
        message = Sentence(
            "this is no JSON Web Key Set: an object with a list of 1 to %(most)s keys as `keys`", most=_MAX_KEYS
        )
        raise KeysUnusable(message)
    kept = []
    for number, jwk in enumerate(keys, start=1):
        if not isinstance(jwk.get("kid"), str) or _key_of(jwk) is None:
            message = Sentence(
                "key %(number)s of the set cannot be used: it needs a `kid`, and must be RSA of "
                "%(bits)s bits or more, P-256, P-384, P-521 or Ed25519, for signatures",
                number=number,
                bits=LEAST_RSA_BITS,
            )
            raise KeysUnusable(message)
        named = {name: jwk[name] for name in ("kid", "alg") if isinstance(jwk.get(name), str)}
        kept.append(required_members(jwk) | named)
    return json.dumps({"keys": kept}, separators=(",", ":"))


def _key_of(jwk: Jwk) -> VerificationKey | None:
    """Return a key with the algorithms that fit it; nothing for one that is not for signatures, or not understood."""
    if jwk.get("use", "sig") != "sig":
        return None
    try:
        # Only the public members: neither a private part nor a shared secret (`oct`) is ever read.
        key = verification_key(PyJWK(dict(required_members(jwk))).key)
    except (ValueError, PyJWTError):
        return None
    if key is None:
        return None
    named = jwk.get("alg")
    algorithms = key.algorithms if named is None else key.algorithms & {str(named)}
    return VerificationKey(key.public, algorithms) if algorithms else None
