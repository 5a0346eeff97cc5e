# SPDX-License-Identifier: Apache-2.0
"""ID tokens: what an OpenID provider says of somebody who signed in there (OpenID Connect Core, section 3.1.3.7).

The keys are those of the provider, fetched from it. Each carries the asymmetric algorithms that fit it, and the token's
header must name one of them: neither `none` nor an HMAC is among them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jwt import PyJWK, PyJWTError

from wharfinger.clock import Instant
from wharfinger.security import jws, thumbprints
from wharfinger.security.claims import check_times, read_text, read_time
from wharfinger.security.jws import Parts, Reason, TokenRefused, VerificationKey, verification_key

_LONGEST_SUBJECT: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class IdToken:
    """A verified ID token.

    Args:
        subject: who; unique at the provider, and never given to somebody else.
        claims: all that it says.
        signed_in_at: when the person last showed the provider who they are, if it says so.
    """

    subject: str
    claims: Mapping[str, object]
    signed_in_at: Instant | None


def key_id(text: str) -> str | None:
    """Return which key the token names, before anything of it is known to be true.

    Raises:
        TokenRefused: it is no token.
    """
    found = jws.take_apart(text).header.get("kid")
    return found if isinstance(found, str) else None


def verify(
    text: str, keys: Sequence[Mapping[str, object]], *, issuer: str, client_id: str, nonce: str, now: Instant
) -> IdToken:
    """Return what the token says.

    Args:
        text: the token.
        keys: of the provider, as JSON Web Keys; those that cannot sign are passed over.
        issuer: who must have made it.
        client_id: whom it must have been made for.
        nonce: what this sign-in was begun with.
        now: the time.

    Raises:
        TokenRefused: it is not the provider's, not for this client, not of this sign-in, or not of this time.
    """
    parts = jws.take_apart(text)
    if "crit" in parts.header:
        raise TokenRefused(Reason.UNWANTED_HEADER)
    _verify_signature(parts, keys)
    claims = jws.read_object(parts.payload, Reason.MALFORMED_CLAIMS)
    if read_text(claims, "iss") != issuer:
        raise TokenRefused(Reason.WRONG_ISSUER)
    _check_audience(claims, client_id)
    begins, ends = read_time(claims, "iat"), read_time(claims, "exp")
    if begins is None or ends is None:
        raise TokenRefused(Reason.WRONG_TIMES)
    check_times(now, begins=begins, ends=ends)
    if read_text(claims, "nonce") != nonce:
        raise TokenRefused(Reason.WRONG_NONCE)
    return IdToken(subject=_subject(claims), claims=claims, signed_in_at=read_time(claims, "auth_time"))


def _subject(claims: Mapping[str, object]) -> str:
    subject = read_text(claims, "sub")
    if not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
        raise TokenRefused(Reason.MALFORMED_CLAIMS)
    return subject


def _check_audience(claims: Mapping[str, object], client_id: str) -> None:
    """Accept a token that was made for this client, and that no other client was given."""
    audience, party = claims.get("aud"), claims.get("azp")
    audiences = audience if isinstance(audience, list) else [audience]
    if client_id not in audiences:
        raise TokenRefused(Reason.WRONG_AUDIENCE)
    if (party is not None or len(audiences) > 1) and party != client_id:
        raise TokenRefused(Reason.WRONG_AUDIENCE)


def _verify_signature(parts: Parts, keys: Sequence[Mapping[str, object]]) -> None:
    kid = parts.header.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise TokenRefused(Reason.UNKNOWN_KEY)
    # A provider with one key may leave out its id.
    named = [one for one in keys if kid is None or one.get("kid") == kid]
    usable = [key for key in map(_read_key, named) if key is not None]
    if not usable:
        raise TokenRefused(Reason.UNKNOWN_KEY)
    fitting = [key for key in usable if parts.algorithm in key.algorithms]
    if not fitting:
        raise TokenRefused(Reason.WRONG_ALGORITHM)
    for key in fitting[:-1]:
        try:
            jws.verify(parts, key)
        except TokenRefused:
            continue
        return
    jws.verify(parts, fitting[-1])


def _read_key(jwk: Mapping[str, object]) -> VerificationKey | None:
    """Return a key for signatures; nothing for one of another use or kind, of which a provider may have some."""
    if jwk.get("use", "sig") != "sig":
        return None
    try:
        key = verification_key(PyJWK(dict(thumbprints.required_members(jwk))).key)
    except (ValueError, PyJWTError):
        return None
    named = jwk.get("alg")
    if key is None or named is None:
        return key
    algorithms = key.algorithms & {str(named)}
    return VerificationKey(key.public, algorithms) if algorithms else None
