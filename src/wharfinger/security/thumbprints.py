# SPDX-License-Identifier: Apache-2.0
"""Names of public keys: JSON Web Keys, their thumbprints, and what CNCF distribution calls the same keys."""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from wharfinger.security.jws import PublicKey, encode

_MEMBERS: Final = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
"""What makes a key, of each type, in the order of RFC 7638; everything else describes it."""
_LIBTRUST_BYTES: Final = 30
_GROUP: Final = 4


def jwk_of(public: PublicKey) -> dict[str, str]:
    """Return a public key as a JSON Web Key, with its required members alone."""
    match public:
        case Ed25519PublicKey():
            whole = OKPAlgorithm.to_jwk(public, as_dict=True)
        case EllipticCurvePublicKey():
            whole = ECAlgorithm.to_jwk(public, as_dict=True)
        case _:
            whole = RSAAlgorithm.to_jwk(public, as_dict=True)
    return required_members(whole)


def required_members(jwk: Mapping[str, object]) -> dict[str, str]:
    """Return only what makes the key: no private part, no description.

    Raises:
        ValueError: the type is not supported, or a member is missing or no text.
    """
    names = _MEMBERS.get(str(jwk.get("kty")))
    if names is None:
        message = "the type of the key is not EC, OKP or RSA"
        raise ValueError(message)
    members = {name: value for name in names if isinstance(value := jwk.get(name), str)}
    if len(members) != len(names):
        message = f"a key of type {jwk['kty']} needs {', '.join(names)}"
        raise ValueError(message)
    return members


def thumbprint(jwk: Mapping[str, object]) -> str:
    """Return the thumbprint of a key by RFC 7638 with SHA-256.

    Raises:
        ValueError: as `required_members`.
    """
    members = json.dumps(required_members(jwk), separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return encode(hashlib.sha256(members.encode("utf-8", "surrogatepass")).digest())


def libtrust_id(public: PublicKey) -> str:
    """Return what distribution 2 calls a key: 240 bits of a SHA-256 as twelve groups of base32."""
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    text = base64.b32encode(hashlib.sha256(der).digest()[:_LIBTRUST_BYTES]).decode("ascii")
    return ":".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))


def distribution_id(public: PublicKey) -> str:
    """Return what distribution 3 calls the key of a certificate: its thumbprint, except for elliptic curves.

    There it hashes the generator of the curve, which all keys share, instead of the key; and token servers copied it.
    No harm comes of it here: an id only finds keys to try.
    """
    if isinstance(public, EllipticCurvePublicKey):
        return thumbprint(jwk_of(derive_private_key(1, public.curve).public_key()))
    return thumbprint(jwk_of(public))
