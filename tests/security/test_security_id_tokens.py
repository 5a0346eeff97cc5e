# SPDX-License-Identifier: Apache-2.0
"""ID tokens: one that the provider made for this sign-in is taken, and none with a single thing changed."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.security.forging import MISSING, NOW, SECONDS, changed, forge, forge_with_secret, part
from wharfinger.clock import SECOND, after
from wharfinger.security.id_tokens import key_id, verify
from wharfinger.security.jws import Reason, TokenRefused
from wharfinger.security.thumbprints import jwk_of

RSA = rsa.generate_private_key(65537, 2048)
PRIVATE = {"EdDSA": Ed25519PrivateKey.generate(), "ES256": ec.generate_private_key(ec.SECP256R1()), "RS256": RSA}
KEYS = [{**jwk_of(key.public_key()), "kid": name, "use": "sig"} for name, key in PRIVATE.items()]
CLAIMS = {
    "iss": "https://login.example",
    "aud": "registry",
    "sub": "42",
    "nonce": "n-1",
    "iat": SECONDS,
    "exp": SECONDS + 300,
}
HEADER = {"alg": "RS256", "kid": "RS256"}


def checked(text, keys=KEYS, now=NOW):
    return verify(text, keys, issuer="https://login.example", client_id="registry", nonce="n-1", now=now)


def token(claims=CLAIMS, header=HEADER):
    return forge(header, claims, PRIVATE[header["alg"]])


def reason_of(text, **options):
    with pytest.raises(TokenRefused) as caught:
        checked(text, **options)
    return caught.value.reason


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_a_token_of_the_provider_is_taken(algorithm):
    text = token(header={"alg": algorithm, "kid": algorithm})
    found = checked(text)
    assert (found.subject, found.claims["nonce"], found.signed_in_at) == ("42", "n-1", None)
    assert key_id(text) == algorithm


def test_when_somebody_signed_in_there_is_told():
    assert checked(token({**CLAIMS, "auth_time": SECONDS - 60})).signed_in_at == after(NOW, -60 * SECOND)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("iss", "https://login.example/", Reason.WRONG_ISSUER),
        ("iss", "https://evil.example", Reason.WRONG_ISSUER),
        ("iss", MISSING, Reason.MALFORMED_CLAIMS),
        ("aud", "another", Reason.WRONG_AUDIENCE),
        ("aud", [], Reason.WRONG_AUDIENCE),
        ("aud", MISSING, Reason.WRONG_AUDIENCE),
        ("aud", ["registry", "another"], Reason.WRONG_AUDIENCE),
        ("azp", "another", Reason.WRONG_AUDIENCE),
        ("nonce", "n-2", Reason.WRONG_NONCE),
        ("nonce", MISSING, Reason.MALFORMED_CLAIMS),
        ("nonce", None, Reason.MALFORMED_CLAIMS),
        ("exp", SECONDS - 61, Reason.EXPIRED),
        ("exp", MISSING, Reason.WRONG_TIMES),
        ("exp", "soon", Reason.WRONG_TIMES),
        ("iat", SECONDS + 61, Reason.NOT_YET_VALID),
        ("iat", MISSING, Reason.WRONG_TIMES),
        ("sub", "", Reason.MALFORMED_CLAIMS),
        ("sub", 42, Reason.MALFORMED_CLAIMS),
        ("sub", "x" * 256, Reason.MALFORMED_CLAIMS),
        ("sub", "a\nb", Reason.MALFORMED_CLAIMS),
        ("sub", MISSING, Reason.MALFORMED_CLAIMS),
        ("auth_time", "then", Reason.WRONG_TIMES),
    ],
)
def test_a_token_with_one_claim_changed_is_refused(name, value, reason):
    assert reason_of(token(changed(CLAIMS, name, value))) is reason


@pytest.mark.parametrize(
    "claims", [{"aud": ["registry", "another"], "azp": "registry"}, {"aud": ["registry"]}, {"exp": SECONDS - 60}]
)
def test_what_the_specification_allows_is_taken(claims):
    assert checked(token({**CLAIMS, **claims})).subject == "42"


def test_no_token_chooses_its_algorithm():
    unsigned = f"{part({'alg': 'none', 'kid': 'RS256'})}.{part(CLAIMS)}."
    assert reason_of(unsigned) is Reason.MALFORMED
    assert reason_of(f"{unsigned}AAAA") is Reason.WRONG_ALGORITHM
    public = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert reason_of(forge_with_secret(HEADER, CLAIMS, public)) is Reason.WRONG_ALGORITHM
    assert reason_of(forge({"alg": "ES256", "kid": "RS256"}, CLAIMS, PRIVATE["ES256"])) is Reason.WRONG_ALGORITHM


def test_a_key_that_says_which_algorithm_it_is_for_is_for_no_other():
    keys = [{**KEYS[2], "alg": "RS256"}]
    assert reason_of(forge({"alg": "PS256", "kid": "RS256"}, CLAIMS, RSA), keys=keys) is Reason.WRONG_ALGORITHM


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"kid": 7}, {"kid": "unknown"}])
def test_a_header_that_asks_for_more_is_refused(header):
    assert reason_of(token(header={**HEADER, **header})) in {Reason.UNWANTED_HEADER, Reason.UNKNOWN_KEY}


def test_a_key_in_the_header_is_not_looked_at():
    own = rsa.generate_private_key(65537, 2048)
    header = {**HEADER, "jwk": jwk_of(own.public_key()), "jku": "https://evil.example/keys"}
    assert reason_of(forge(header, CLAIMS, own)) is Reason.WRONG_SIGNATURE


def test_without_an_id_every_key_that_fits_is_tried_and_keys_of_other_uses_are_not():
    other = {**jwk_of(rsa.generate_private_key(65537, 2048).public_key()), "use": "sig"}
    text = forge({"alg": "RS256"}, CLAIMS, RSA)
    assert checked(text, keys=[other, KEYS[2], other]).subject == "42"
    assert reason_of(text, keys=[other]) is Reason.WRONG_SIGNATURE
    for useless in ({**KEYS[2], "use": "enc"}, {"kty": "oct", "k": "AAAA"}, {"kty": "RSA"}):
        assert reason_of(text, keys=[useless]) is Reason.UNKNOWN_KEY
