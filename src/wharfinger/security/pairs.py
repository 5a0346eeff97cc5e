# SPDX-License-Identifier: Apache-2.0
"""Certificate and key as the server finds them: read, and judged before anybody relies on them.

The server's TLS gives up on a file that it cannot use, and its process with it. What passes here, it can use.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from wharfinger.clock import DAY, SECOND, Instant, as_datetime

SOON: Final = 14 * DAY
# What the server's TLS library signs with, as tried: it gives up on P-521 and on RSA keys of other sizes.
_RSA_BITS: Final = range(2048, 4096 + 1, 512)
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1)


class PairRefused(Exception):
    """Certificate and key cannot be used; the message names the file and says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate with its chain, and its key: the very bytes that were judged, not a second reading."""

    certificate: bytes
    key: bytes
    begin: Instant
    end: Instant

    @classmethod
    def read(cls, certificate: Path, key: Path) -> Self:
        """Read and judge the two files, through links.

        Raises:
            PairRefused: one cannot be read, is incomplete or of the wrong kind, or they do not belong together.
        """
        chain_bytes, key_bytes = _content(certificate), _content(key)
        chain = _chain(certificate, chain_bytes)
        public = _spki(_private_key(key, key_bytes).public_key())  # type: ignore[arg-type]  # no kind that we accept
        if _spki(chain[0].public_key()) != public:
            if any(_spki(one.public_key()) == public for one in chain[1:]):
                message = f"{certificate}: the certificate of {key} must stand first, before its chain"
                raise PairRefused(message)
            message = f"{key} is not the key of the certificate in {certificate}"
            raise PairRefused(message)
        begin, end = (
            Instant(int(moment.timestamp()) * SECOND)
            for moment in (chain[0].not_valid_before_utc, chain[0].not_valid_after_utc)
        )
        return cls(certificate=chain_bytes, key=key_bytes, begin=begin, end=end)

    def has_expired(self, now: Instant) -> bool:
        """Whether clients refuse it because its time is over."""
        return self.end <= now

    def concern(self, now: Instant) -> str:
        """Return what the operator should know about its time; nothing while all is well."""
        if self.has_expired(now):
            return f"the certificate has expired on {as_datetime(self.end):%Y-%m-%d at %H:%M UTC}"
        if now < self.begin:
            return f"the certificate is not valid before {as_datetime(self.begin):%Y-%m-%d %H:%M UTC}"
        if self.end - now < SOON:
            return f"the certificate expires on {as_datetime(self.end):%Y-%m-%d at %H:%M UTC}"
        return ""


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise PairRefused(message) from error


def _chain(path: Path, content: bytes) -> list[x509.Certificate]:
    if b"-----BEGIN CERTIFICATE-----" not in content and b"PRIVATE KEY-----" in content:
        message = f"{path} holds a key where the certificate should be"
        raise PairRefused(message)
    _require_complete(path, content, "certificate")
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError as error:
        message = f"{path} holds a certificate that cannot be read"
        raise PairRefused(message) from error


def _private_key(path: Path, content: bytes) -> PrivateKeyTypes:
    if b"PRIVATE KEY-----" not in content and b"-----BEGIN CERTIFICATE-----" in content:
        message = f"{path} holds a certificate where the key should be"
        raise PairRefused(message)
    _require_complete(path, content, "key")
    if b"ENCRYPTED" in content:
        message = f"{path} is protected by a password, which nobody could type in; write the key without one"
        raise PairRefused(message)
    try:
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        message = f"{path} holds a key that cannot be read"
        raise PairRefused(message) from error
    if not _is_spoken(key):
        message = (
            f"{path}: this kind of key cannot be used; make an ECDSA key (P-256) or an RSA key of 2048 to 4096 bits"
        )
        raise PairRefused(message)
    return key


def _require_complete(path: Path, content: bytes, kind: str) -> None:
    """Refuse what is no PEM, and what somebody is still writing."""
    begins, ends = content.count(b"-----BEGIN "), content.count(b"-----END ")
    if not begins:
        message = f"{path} holds no {kind} in PEM, the form that begins with -----BEGIN"
        raise PairRefused(message)
    if begins != ends:
        message = f"{path} is incomplete"
        raise PairRefused(message)


def _is_spoken(key: PrivateKeyTypes) -> bool:
    match key:
        case rsa.RSAPrivateKey():
            return key.key_size in _RSA_BITS
        case ec.EllipticCurvePrivateKey():
            return isinstance(key.curve, _CURVES)
        case _:
            return isinstance(key, ed25519.Ed25519PrivateKey)


def _spki(key: CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
