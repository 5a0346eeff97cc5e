# SPDX-License-Identifier: Apache-2.0
"""Names of keys: the vectors of the RFCs, and of a key that CNCF distribution's own documentation shows."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt import PyJWK

from wharfinger.security.thumbprints import distribution_id, jwk_of, libtrust_id, required_members, thumbprint

RFC_7638 = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJE"
    "CPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Q"
    "vzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6"
    "WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}
RFC_8037 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
DISTRIBUTION = {
    "crv": "P-256",
    "kid": "OD6I:6DRK:JXEJ:KBM4:255X:NSAA:MUSF:E4VM:ZI6W:CUN2:L4Z6:LSF4",
    "kty": "EC",
    "x": "3gAwX48IQ5oaYQAYSxor6rYYc_6yjuLCjtQ9LUakg4A",
    "y": "t72ge6kIA1XOjqjVoEOiPPAURltJFBMGDSQvEGVB010",
}
"""A key of the examples of its image manifests, schema 1."""


@pytest.mark.parametrize(
    ("jwk", "expected"),
    [
        (RFC_7638, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        (RFC_8037, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
    ],
)
def test_thumbprints_are_those_of_the_rfcs(jwk, expected):
    assert thumbprint(jwk) == expected
    assert thumbprint(jwk_of(PyJWK(jwk).key)) == expected
    assert distribution_id(PyJWK(jwk).key) == expected


def test_libtrust_id_is_the_one_that_distribution_documents():
    assert libtrust_id(PyJWK(DISTRIBUTION).key) == DISTRIBUTION["kid"]


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_distribution_3_calls_all_keys_of_a_curve_by_one_name(curve):
    one, other = (ec.generate_private_key(curve).public_key() for _ in range(2))
    assert distribution_id(one) == distribution_id(other)
    assert thumbprint(jwk_of(one)) != thumbprint(jwk_of(other))


@pytest.mark.parametrize(
    "private",
    [
        Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["Ed25519", "P-256", "P-384", "P-521", "RSA"],
)
def test_key_survives_being_written_as_jwk(private):
    public = private.public_key()
    assert PyJWK(jwk_of(public)).key == public


def test_private_and_describing_members_are_left_out():
    assert required_members({**RFC_8037, "d": "secret", "kid": "x", "use": "sig"}) == RFC_8037
    assert thumbprint({**RFC_8037, "d": "secret", "kid": "x"}) == thumbprint(RFC_8037)


@pytest.mark.parametrize("jwk", [{}, {"kty": "oct", "k": "AA"}, {"kty": ["RSA"]}, {"kty": "RSA", "n": 5, "e": "AQAB"}])
def test_what_is_no_public_key_is_an_error(jwk):
    with pytest.raises(ValueError, match="key"):
        thumbprint(jwk)
