# SPDX-License-Identifier: Apache-2.0
"""Tokens of another server: those that distribution takes are taken, those that could do harm are not."""

import itertools
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.security.chains import Certified
from tests.security.forging import MISSING, NOW, SECONDS, changed, forge, forge_with_secret
from wharfinger.clock import SECOND, after
from wharfinger.security.claims import AccessEntry
from wharfinger.security.external import ExternalTokens
from wharfinger.security.jws import ALGORITHMS, Reason, TokenRefused
from wharfinger.security.thumbprints import distribution_id, jwk_of, libtrust_id
from wharfinger.security.trust import TrustedKeys

RSA = rsa.generate_private_key(65537, 2048)
PRIVATE = {
    "EdDSA": Ed25519PrivateKey.generate(),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    **dict.fromkeys(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"], RSA),
}
SET = json.dumps({"keys": [{**jwk_of(key.public_key()), "kid": name} for name, key in PRIVATE.items()]}).encode()
ROOT = Certified("root", ca=True)
LEAF = Certified("leaf", by=ROOT)
KEYS = TrustedKeys(jwks=SET, certificates=ROOT.pem)
TOKENS = ExternalTokens(KEYS, issuer="auth.example", service="registry.example")
CLAIMS = {
    "iss": "auth.example",
    "aud": "registry.example",
    "sub": "alice",
    "jti": "abc",
    "iat": SECONDS,
    "nbf": SECONDS,
    "exp": SECONDS + 900,
    "access": [{"type": "repository", "name": "acme/app", "actions": ["pull", "push"]}],
}
HEADER = {"typ": "JWT", "alg": "ES256", "kid": "ES256"}


def signed(header=HEADER, claims=CLAIMS, key=PRIVATE["ES256"], algorithm="ES256"):
    return forge(header, claims, key, algorithm)


def reason_of(text, now=NOW, tokens=TOKENS):
    with pytest.raises(TokenRefused) as caught:
        tokens.verify(text, now)
    return caught.value.reason


def test_token_that_the_tables_below_change_is_right():
    token = TOKENS.verify(signed(), NOW)
    assert (token.subject, token.expires_at) == ("alice", after(NOW, 900 * SECOND))
    assert token.access == (AccessEntry(type="repository", name="acme/app", actions=frozenset({"pull", "push"})),)


def test_every_algorithm_has_a_key():
    assert PRIVATE.keys() == ALGORITHMS


@pytest.mark.parametrize(("kid", "algorithm"), list(itertools.product(PRIVATE, PRIVATE)))
def test_key_takes_only_the_algorithms_of_its_type(kid, algorithm):
    text = signed({"alg": algorithm, "kid": kid}, key=PRIVATE[algorithm], algorithm=algorithm)
    if PRIVATE[kid] is PRIVATE[algorithm]:
        assert TOKENS.verify(text, NOW).subject == "alice"
    else:
        assert reason_of(text) is Reason.WRONG_ALGORITHM


def test_only_the_algorithms_of_the_settings_are_taken():
    tokens = ExternalTokens(
        KEYS, issuer="auth.example", service="registry.example", algorithms=["RS256", "none", "HS256"]
    )
    assert reason_of(signed(), tokens=tokens) is Reason.WRONG_ALGORITHM
    assert tokens.verify(signed({"alg": "RS256", "kid": "RS256"}, key=RSA, algorithm="RS256"), NOW)


@pytest.mark.parametrize("name", [libtrust_id, distribution_id])
def test_token_names_a_certificate_of_the_bundle(name):
    header = {"typ": "JWT", "alg": "ES256", "kid": name(ROOT.key.public_key())}
    assert TOKENS.verify(signed(header, key=ROOT.key), NOW)
    assert reason_of(signed(header, key=LEAF.key)) is Reason.WRONG_SIGNATURE


def test_keys_with_one_name_are_tried_one_after_the_other():
    second = Certified("second")
    keys = TrustedKeys(certificates=ROOT.pem + second.pem)
    tokens = ExternalTokens(keys, issuer="auth.example", service="registry.example")
    header = {"alg": "ES256", "kid": distribution_id(ROOT.key.public_key())}
    for owner in (ROOT, second):
        assert tokens.verify(signed(header, key=owner.key), NOW)
    assert reason_of(signed(header, key=LEAF.key), tokens=tokens) is Reason.WRONG_SIGNATURE


def test_token_brings_a_chain_that_leads_to_the_bundle():
    header = {"typ": "JWT", "alg": "ES256", "x5c": [LEAF.x5c]}
    assert TOKENS.verify(signed(header, key=LEAF.key), NOW)
    assert reason_of(signed(header, key=ROOT.key)) is Reason.WRONG_SIGNATURE
    stranger = Certified("leaf")
    assert reason_of(signed({**header, "x5c": [stranger.x5c]}, key=stranger.key)) is Reason.UNTRUSTED_CHAIN


def test_token_brings_its_key_only_if_the_key_is_in_the_set():
    known, stranger = PRIVATE["ES256"], ec.generate_private_key(ec.SECP256R1())
    assert TOKENS.verify(signed({"alg": "ES256", "jwk": jwk_of(known.public_key())}), NOW)
    header = {"alg": "ES256", "kid": "ES256", "jwk": jwk_of(stranger.public_key())}
    assert reason_of(signed(header, key=stranger)) is Reason.UNKNOWN_KEY
    assert reason_of(signed({**header, "jwk": jwk_of(known.public_key())}, key=stranger)) is Reason.WRONG_SIGNATURE


HEADERS = [
    *(
        ("alg", value, Reason.WRONG_ALGORITHM)
        for value in ["none", "HS256", "RS256", "es256", "", None, 1, [], MISSING]
    ),
    *(("kid", value, Reason.UNKNOWN_KEY) for value in ["", "x", None, 1, [], {}, MISSING]),
    *((name, "https://evil.example/", Reason.UNWANTED_HEADER) for name in ["jku", "x5u"]),
    *(("crit", value, Reason.UNWANTED_HEADER) for value in [["exp"], ["b64"], [], None]),
    *((name, value, Reason.UNWANTED_HEADER) for name, value in [("b64", False), ("zip", "DEF"), ("enc", "A256GCM")]),
]


@pytest.mark.parametrize(("name", "value", "reason"), HEADERS)
def test_header_that_differs_is_refused_even_if_rightly_signed(name, value, reason):
    assert reason_of(signed(changed(HEADER, name, value))) is reason


TIMES = [None, True, -1, 1.5, float(SECONDS), str(SECONDS), "", [], {}, 2**59]
CLAIM_REASONS = [
    *(("iss", value, Reason.MALFORMED_CLAIMS) for value in [None, 1, [], ["auth.example"], MISSING]),
    *(("iss", value, Reason.WRONG_ISSUER) for value in ["", "x", "auth.example/"]),
    *(
        ("aud", value, Reason.WRONG_AUDIENCE)
        for value in ["", "x", None, 1, [], {}, ["x"], [["registry.example"]], MISSING]
    ),
    *(("sub", value, Reason.MALFORMED_CLAIMS) for value in [None, 1, []]),
    *((name, value, Reason.WRONG_TIMES) for name, value in itertools.product(["iat", "nbf", "exp"], TIMES)),
    ("exp", MISSING, Reason.WRONG_TIMES),
    ("exp", SECONDS - 61, Reason.EXPIRED),
    ("nbf", SECONDS + 61, Reason.NOT_YET_VALID),
    *(("access", value, Reason.MALFORMED_CLAIMS) for value in ["x", 1, {}, [None], [{}], True]),
    *(
        ("access", [{"type": "repository", "name": "acme/app", "actions": [action]}], Reason.WILDCARD)
        for action in ["pull*", "**", "*:pull"]
    ),
]


@pytest.mark.parametrize(("name", "value", "reason"), CLAIM_REASONS)
def test_claim_that_differs_is_refused_even_if_rightly_signed(name, value, reason):
    assert reason_of(signed(claims=changed(CLAIMS, name, value))) is reason


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("aud", ["other.example", "registry.example"]),
        ("sub", ""),
        ("sub", MISSING),
        ("jti", MISSING),
        ("iat", MISSING),
        ("nbf", MISSING),
        ("access", MISSING),
        ("access", None),
        ("access", []),
        ("access", [{"type": "registry", "name": "catalog", "actions": ["*"]}]),
        ("access", [{"type": "repository", "name": "acme/app", "actions": ["*"]}]),
        ("access", [{"type": "repository", "class": "image", "name": "x", "actions": ["metadata_read"]}]),
        ("auth_time", 1.5),
        ("exp", SECONDS - 60),
        ("nbf", SECONDS + 60),
    ],
)
def test_what_servers_in_use_leave_out_or_add_is_taken(name, value):
    assert TOKENS.verify(signed(claims=changed(CLAIMS, name, value)), NOW)


def test_every_changed_sign_is_noticed():
    text = signed({"alg": "EdDSA", "kid": "EdDSA"}, key=PRIVATE["EdDSA"], algorithm="EdDSA")
    for position, sign in enumerate(text):
        for other in {"A", "w", ".", "="} - {sign}:
            with pytest.raises(TokenRefused):
                TOKENS.verify(text[:position] + other + text[position + 1 :], NOW)


def test_public_key_taken_for_a_shared_secret_signs_nothing():
    for encoding in (Encoding.DER, Encoding.PEM):
        secret = RSA.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
        assert reason_of(forge_with_secret({"kid": "RS256"}, CLAIMS, secret)) is Reason.WRONG_ALGORITHM


def test_token_over_the_limit_is_refused():
    assert reason_of(signed(claims={**CLAIMS, "more": "x" * 8000})) is Reason.TOO_LONG
