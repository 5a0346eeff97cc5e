# SPDX-License-Identifier: Apache-2.0
"""Signed tokens on the wire: three parts of base64url, read strictly, verified with the algorithm of the key.

The envelope is read here and not by PyJWT because there must be one way only to write a token: no key that comes twice
in an object, no second spelling of the same bytes, nothing but the compact form. PyJWT brings the algorithms. A token
never chooses its algorithm: a key carries the few that fit it, and the header must name one of them (RFC 8725).
"""

import base64
import binascii
import enum
import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import jwt.algorithms
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from wharfinger.domain.sentences import Sentence

MAX_LENGTH: Final = 8 * 1024
"""Characters of a token: room for some fifty repositories, and little work for who sends noise."""
LEAST_RSA_BITS: Final = 2048

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey

_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_OF_CURVE: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
ALGORITHMS: Final = _RSA | {"EdDSA", *_OF_CURVE.values()}
"""No HMAC: where a public key could be taken for a shared secret, anybody could sign."""
_IMPLEMENTED: Final = {
    name: algorithm for name, algorithm in jwt.algorithms.get_default_algorithms().items() if name in ALGORITHMS
}
_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)


class Reason(enum.StrEnum):
    """Why a token is refused; for the log, and for who tests a trust rule. A client learns only that it is wrong."""

    TOO_LONG = Sentence("too long")
    MALFORMED = Sentence("malformed")
    UNWANTED_HEADER = Sentence("header that is not accepted")
    WRONG_TYPE = Sentence("wrong type")
    WRONG_ALGORITHM = Sentence("wrong algorithm")
    UNKNOWN_KEY = Sentence("unknown key")
    UNTRUSTED_CHAIN = Sentence("untrusted certificate chain")
    WRONG_SIGNATURE = Sentence("wrong signature")
    WRONG_ISSUER = Sentence("wrong issuer")
    WRONG_AUDIENCE = Sentence("wrong audience")
    WRONG_NONCE = Sentence("wrong nonce")
    WRONG_TIMES = Sentence("missing or malformed times")
    EXPIRED = Sentence("expired")
    NOT_YET_VALID = Sentence("not yet valid")
    MALFORMED_CLAIMS = Sentence("malformed claims")
    WILDCARD = Sentence("wildcard action")


class TokenRefused(Exception):
    """A token that is not accepted. The reason is one of a fixed list, so nothing of the token can leak through it."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Parts:
    """A token taken apart. Nothing of it is true before `verify` returned."""

    header: Mapping[str, object]
    payload: bytes
    signed: bytes
    signature: bytes

    @property
    def algorithm(self) -> str:
        """Return what the header says; for comparing, never for choosing."""
        named = self.header.get("alg")
        return named if isinstance(named, str) else ""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key with the only algorithms that it verifies."""

    public: PublicKey
    algorithms: frozenset[str]


def verification_key(public: object) -> VerificationKey | None:
    """Return a public key with all algorithms that fit it; nothing for a key that no token may be signed with."""
    match public:
        case Ed25519PublicKey():
            return VerificationKey(public, frozenset({"EdDSA"}))
        case EllipticCurvePublicKey() if public.curve.name in _OF_CURVE:
            return VerificationKey(public, frozenset({_OF_CURVE[public.curve.name]}))
        case RSAPublicKey() if public.key_size >= LEAST_RSA_BITS:
            return VerificationKey(public, _RSA)
        case _:
            return None


def take_apart(text: str) -> Parts:
    """Return the parts of a token in the compact form, unverified.

    Raises:
        TokenRefused: it is too long, or not of that form. An encrypted token has five parts, and is not.
    """
    if len(text) > MAX_LENGTH:
        raise TokenRefused(Reason.TOO_LONG)
    found = _COMPACT.fullmatch(text)
    if found is None:
        raise TokenRefused(Reason.MALFORMED)
    header, payload, signature = (_decode(part) for part in found.groups())
    signed = text[: found.end(2)].encode("ascii")
    return Parts(header=read_object(header, Reason.MALFORMED), payload=payload, signed=signed, signature=signature)


def type_of(text: str) -> str | None:
    """Return the `typ` of a token in the compact form, unverified; an empty text if it has none.

    For finding out what to verify a text as. A text that is no such token gets nothing.
    """
    return None if len(text) > MAX_LENGTH or text.count(".") != 2 else _type_in(text.partition(".")[0])  # noqa: PLR2004 - dots between three parts


@functools.lru_cache(maxsize=256)  # tokens of one issuer have few headers
def _type_in(header: str) -> str | None:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", header, re.ASCII):
        return None
    try:
        found = read_object(_decode(header), Reason.MALFORMED)
    except TokenRefused:
        return None
    named = found.get("typ", "")
    return named if isinstance(named, str) and "alg" in found else None


def verify(parts: Parts, key: VerificationKey) -> None:
    """Accept the signature.

    Raises:
        TokenRefused: the key is not for that algorithm, or did not make this signature.
    """
    if parts.algorithm not in key.algorithms:
        raise TokenRefused(Reason.WRONG_ALGORITHM)
    if not _IMPLEMENTED[parts.algorithm].verify(parts.signed, key.public, parts.signature):
        raise TokenRefused(Reason.WRONG_SIGNATURE)


def read_object(content: bytes, reason: Reason) -> dict[str, object]:
    """Return a JSON object, read strictly.

    Raises:
        TokenRefused: with the reason given, if it is none, or has a key twice, or a number beyond 64 bits.
    """
    try:
        found: object = json.loads(
            content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_integer
        )
    except (ValueError, RecursionError):
        raise TokenRefused(reason) from None
    if not isinstance(found, dict):
        raise TokenRefused(reason)
    return found


def encode(content: bytes) -> str:
    """Return bytes as base64url without padding, as all of JOSE writes them."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    try:
        decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise TokenRefused(Reason.MALFORMED) from None
    # The last character may have bits to spare: only one spelling of the same bytes is taken.
    if encode(decoded) != text:
        raise TokenRefused(Reason.MALFORMED)
    return decoded


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        message = "a key occurs twice"
        raise ValueError(message)
    return found


def _no_constant(name: str) -> object:
    message = f"{name} is not JSON"
    raise ValueError(message)


def _integer(text: str) -> int:
    if _INTEGER.fullmatch(text) is None:
        message = "a number is too long"
        raise ValueError(message)
    return int(text)
