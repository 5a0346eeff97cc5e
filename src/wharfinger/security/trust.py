# SPDX-License-Identifier: Apache-2.0
"""The keys of other token servers: read from an operator's files, found by what a token's header says.

As in CNCF distribution (`auth.token.rootcertbundle` and `jwks`), a header may name a key by `kid`, or bring a chain of
certificates in `x5c` that leads up to one of the bundle, or repeat a whole key as `jwk`. Whatever it brings, the key
that verifies comes from the files, or was certified by what is in them.
"""

import base64
from collections.abc import Iterable, Mapping
from typing import Final

from cryptography import x509
from cryptography.x509 import verification as x509_verification
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store
from jwt import PyJWK, PyJWTError

from wharfinger.clock import Instant, as_datetime
from wharfinger.domain.sentences import Sentence
from wharfinger.security import thumbprints
from wharfinger.security.jws import (
    LEAST_RSA_BITS,
    Reason,
    TokenRefused,
    VerificationKey,
    read_object,
    verification_key,
)

MAX_CHAIN: Final = 5
"""Certificates in a header; a longer chain is work that anybody could ask for."""


class KeysUnusable(ValueError):
    """An operator's file of keys or certificates that cannot be used.

    Args:
        reason: why, as a part of a sentence.
    """

    def __init__(self, reason: Sentence) -> None:
        super().__init__(reason)
        self.reason = reason


class TrustedKeys:
    """The keys of one token server.

    Args:
        certificates: PEM, any number of them; each is a key itself and may certify others.
        jwks: a JSON Web Key Set, or nothing.

    Raises:
        KeysUnusable: a file is damaged, or there is not one key for signatures in them.
    """

    def __init__(self, *, certificates: bytes = b"", jwks: bytes = b"") -> None:
        self._roots = _read_certificates(certificates) if certificates.strip() else []
        self._by_id: dict[str, list[VerificationKey]] = {}
        self._by_thumbprint: dict[str, VerificationKey] = {}
        for certificate in self._roots:
            # One that only certifies may have a key that no token is signed with.
            if (key := verification_key(certificate.public_key())) is not None:
                self._add(key, thumbprints.libtrust_id(key.public), thumbprints.distribution_id(key.public))
        for kid, key in _read_jwks(jwks) if jwks.strip() else ():
            self._add(key, *kid)
        if not self._by_id and not self._roots:
            message = Sentence("there is no key for signatures in the files of the token server")
            raise KeysUnusable(message)

    def find(self, header: Mapping[str, object], now: Instant) -> tuple[VerificationKey, ...]:
        """Return the keys to try; several only where the token server itself gave one id to several.

        In distribution's order: what comes first in the header decides, and is not made good by what comes after.

        Raises:
            TokenRefused: the header leads to no key.
        """
        if "x5c" in header:
            return (self._certified(header["x5c"], now),)
        if "jwk" in header:
            return (self._repeated(header["jwk"]),)
        kid = header.get("kid")
        found = self._by_id.get(kid, []) if isinstance(kid, str) else []
        if not found:
            raise TokenRefused(Reason.UNKNOWN_KEY)
        return tuple(found)

    def _add(self, key: VerificationKey, *ids: str) -> None:
        thumbprint = thumbprints.thumbprint(thumbprints.jwk_of(key.public))
        self._by_thumbprint[thumbprint] = key
        for kid in {thumbprint, *ids}:
            self._by_id.setdefault(kid, []).append(key)

    def _repeated(self, jwk: object) -> VerificationKey:
        """Return our copy of a key that the header spells out: the header's own copy is never used."""
        try:
            key = self._by_thumbprint.get(thumbprints.thumbprint(jwk)) if isinstance(jwk, dict) else None
        except ValueError:
            key = None
        if key is None:
            raise TokenRefused(Reason.UNKNOWN_KEY)
        return key

    def _certified(self, chain: object, now: Instant) -> VerificationKey:
        """Return the key of the first certificate, if the others lead from it to one of the bundle."""
        leaf, *others = _read_chain(chain)
        if not self._roots:
            raise TokenRefused(Reason.UNTRUSTED_CHAIN)
        verifier = _verifier(self._roots, now)
        try:
            verifier.verify(leaf, others)
            key = verification_key(leaf.public_key())
        except (x509_verification.VerificationError, ValueError):
            raise TokenRefused(Reason.UNTRUSTED_CHAIN) from None
        if key is None:
            raise TokenRefused(Reason.UNTRUSTED_CHAIN)
        return key


def _verifier(roots: list[x509.Certificate], now: Instant) -> x509_verification.ClientVerifier:
    """Return what checks chains: dates, signatures, and that only a CA certifies; names and purposes are free.

    Certificates of token servers are made by hand and name no host, so the rules of the web would refuse them.
    """
    certifies = ExtensionPolicy.permit_all().require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    return (
        PolicyBuilder()
        .store(Store(roots))
        .time(as_datetime(now).replace(tzinfo=None))
        .max_chain_depth(MAX_CHAIN)
        .extension_policies(ca_policy=certifies, ee_policy=ExtensionPolicy.permit_all())
        .build_client_verifier()
    )


def _read_chain(chain: object) -> list[x509.Certificate]:
    if not isinstance(chain, list) or not 1 <= len(chain) <= MAX_CHAIN:
        raise TokenRefused(Reason.UNTRUSTED_CHAIN)
    try:
        # Plain base64, unlike everything else in a header (RFC 7515, section 4.1.6).
        return [x509.load_der_x509_certificate(base64.b64decode(_text(item), validate=True)) for item in chain]
    except ValueError:
        raise TokenRefused(Reason.UNTRUSTED_CHAIN) from None


def _text(item: object) -> str:
    if not isinstance(item, str):
        message = "not a text"
        raise ValueError(message)  # noqa: TRY004 - read like every other malformed certificate
    return item


def _read_certificates(content: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError as error:
        message = Sentence("the bundle of certificates cannot be read: %(error)s", error=str(error))
        raise KeysUnusable(message) from error


def _read_jwks(content: bytes) -> Iterable[tuple[tuple[str, ...], VerificationKey]]:
    """Return each key for signatures with its own id, if it has one."""
    try:
        keys = read_object(content, Reason.MALFORMED).get("keys")
    except TokenRefused as error:
        message = Sentence("the key set is not a JSON object, or has a member twice")
        raise KeysUnusable(message) from error
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        message = Sentence("the key set needs a list of keys as `keys`")
        raise KeysUnusable(message)
    for number, jwk in enumerate(keys, start=1):
        if jwk.get("use", "sig") != "sig":
            continue
        kid = jwk.get("kid")
        yield (kid,) if isinstance(kid, str) else (), _read_jwk(number, jwk)


def _read_jwk(number: int, jwk: Mapping[str, object]) -> VerificationKey:
    try:
        # Only the public members: a private key that was left in the file is not read.
        key = verification_key(PyJWK(dict(thumbprints.required_members(jwk))).key)
    except (ValueError, PyJWTError) as error:
        message = Sentence("key %(number)s of the key set cannot be used: %(error)s", number=number, error=str(error))
        raise KeysUnusable(message) from error
    named = jwk.get("alg")
    algorithms = frozenset[str]() if key is None else key.algorithms
    if named is not None:
        algorithms &= {str(named)}
    if key is None or not algorithms:
        message = Sentence(
            "key %(number)s of the key set fits no algorithm: RSA of %(bits)s bits or more, "
            "P-256, P-384, P-521 and Ed25519 are possible, each with its own algorithms",
            number=number,
            bits=LEAST_RSA_BITS,
        )
        raise KeysUnusable(message)
    return VerificationKey(key.public, algorithms)
