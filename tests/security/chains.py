# SPDX-License-Identifier: Apache-2.0
"""Makes certificates as operators of token servers make them: by hand, with few extensions."""

import base64
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.security.forging import NOW
from wharfinger.clock import as_datetime


def name_of(common):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


class Certified:
    """A key with its certificate.

    Args:
        common: its name.
        by: who certifies it; nothing for itself.
        ca: whether it may certify others; nothing leaves the question open, as old certificates do.
        days: from when to when it is valid, counted from now.
    """

    def __init__(self, common, *, by=None, key=None, ca=None, days=(-1, 100), extensions=()):
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.name = name_of(common)
        issuer = by or self
        today = as_datetime(NOW)
        builder = x509.CertificateBuilder(
            issuer_name=issuer.name,
            subject_name=self.name,
            public_key=self.key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=today + timedelta(days=days[0]),
            not_valid_after=today + timedelta(days=days[1]),
        )
        if ca is not None:
            builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        algorithm = None if isinstance(issuer.key, Ed25519PrivateKey) else hashes.SHA256()
        self.certificate = builder.sign(issuer.key, algorithm)

    @property
    def pem(self):
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def x5c(self):
        return base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode()
