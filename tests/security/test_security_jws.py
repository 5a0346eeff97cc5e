# SPDX-License-Identifier: Apache-2.0
"""The envelope of signed tokens: one spelling, one algorithm for each key, nothing but the compact form."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from jwt import PyJWK

from tests.security.forging import forge, part
from wharfinger.security.jws import (
    ALGORITHMS,
    MAX_LENGTH,
    Reason,
    TokenRefused,
    encode,
    read_object,
    take_apart,
    verification_key,
    verify,
)

RFC_8037_KEY = {
    "kty": "OKP",
    "crv": "Ed25519",
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
RFC_8037_TOKEN = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)
KEYS = {
    "EdDSA": Ed25519PrivateKey.generate(),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    **dict.fromkeys(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"], rsa.generate_private_key(65537, 2048)),
}


def reason_of(action, *arguments):
    with pytest.raises(TokenRefused) as caught:
        action(*arguments)
    assert str(caught.value) == caught.value.reason.value
    return caught.value.reason


def test_vector_of_rfc_8037_verifies_and_is_what_signing_makes():
    private = PyJWK(RFC_8037_KEY).key
    parts = take_apart(RFC_8037_TOKEN)
    verify(parts, verification_key(private.public_key()))
    assert parts.payload == b"Example of Ed25519 signing"
    assert private.sign(parts.signed) == parts.signature


def test_vector_of_rfc_8037_with_any_changed_sign_is_refused():
    key = verification_key(PyJWK(RFC_8037_KEY).key.public_key())
    for position, sign in enumerate(RFC_8037_TOKEN):
        for other in "AQgw." if sign != "." else "A":
            text = RFC_8037_TOKEN[:position] + other + RFC_8037_TOKEN[position + 1 :]
            if text != RFC_8037_TOKEN:
                with pytest.raises(TokenRefused):
                    verify(take_apart(text), key)


def test_keys_cover_every_algorithm():
    assert KEYS.keys() == ALGORITHMS


@pytest.mark.parametrize("owner", KEYS)
@pytest.mark.parametrize("algorithm", KEYS)
def test_key_verifies_what_it_signed_and_only_with_its_own_algorithms(owner, algorithm):
    key = verification_key(KEYS[owner].public_key())
    text = forge({"alg": algorithm}, {}, KEYS[algorithm])
    if KEYS[owner] is KEYS[algorithm]:
        verify(take_apart(text), key)
    else:
        assert reason_of(verify, take_apart(text), key) is Reason.WRONG_ALGORITHM


@pytest.mark.parametrize("algorithm", KEYS)
def test_signature_over_something_else_is_refused(algorithm):
    header, claims, _ = forge({"alg": algorithm}, {"a": 1}, KEYS[algorithm]).split(".")
    *_, signature = forge({"alg": algorithm}, {"a": 2}, KEYS[algorithm]).split(".")
    key = verification_key(KEYS[algorithm].public_key())
    assert reason_of(verify, take_apart(f"{header}.{claims}.{signature}"), key) is Reason.WRONG_SIGNATURE
    assert reason_of(verify, take_apart(f"{header}.{claims}.AAAA"), key) is Reason.WRONG_SIGNATURE


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "eddsa", "EdDSA ", "", None, 5, ["EdDSA"], {}])
def test_algorithm_that_is_not_the_keys_own_is_refused(algorithm):
    text = forge({"alg": algorithm}, {}, KEYS["EdDSA"], algorithm="EdDSA")
    key = verification_key(KEYS["EdDSA"].public_key())
    assert reason_of(verify, take_apart(text), key) is Reason.WRONG_ALGORITHM


@pytest.mark.parametrize(
    "public",
    [
        rsa.generate_private_key(65537, 1024).public_key(),
        ec.generate_private_key(ec.SECP256K1()).public_key(),
        ed448.Ed448PrivateKey.generate().public_key(),
        dsa.generate_private_key(1024).public_key(),
        b"a shared secret",
        None,
    ],
)
def test_key_that_no_token_may_be_signed_with_verifies_nothing(public):
    assert verification_key(public) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b",
        f"{part({})}.{part({})}.",
        f"{part({})}.{part({})}",
        f"{part({})}..{part({})}",
        f"{part({})}.{part({})}.AAAA.",
        f"{part({})}.{part({})}.AAAA.AAAA.AAAA",
        f"{part({})}.{part({})}.AAAA\n",
        f" {part({})}.{part({})}.AAAA",
        f"{part({})}.{part({})}.AA==",
        f"{part({})}.{part({})}.AB",
        f"{part({})}.{part({})}.A",
        f"{part({})}.{part({})}.A+A/",
        f"{part([])}.{part({})}.AAAA",
        f"{part(b'no JSON')}.{part({})}.AAAA",
        f"{part(b'[' * 4000)}.{part({})}.AAAA",
        json.dumps({"protected": part({}), "payload": part({}), "signature": "AAAA"}),
    ],
)
def test_what_is_not_the_compact_form_is_malformed(text):
    assert reason_of(take_apart, text) is Reason.MALFORMED


def test_token_over_the_limit_is_refused_before_it_is_read():
    head = f"{part({})}.{part({})}."
    assert take_apart(head + "A" * ((MAX_LENGTH - len(head)) // 4 * 4))
    assert reason_of(take_apart, head + "A" * 64 * 1024) is Reason.TOO_LONG
    assert reason_of(take_apart, "." * (MAX_LENGTH + 1)) is Reason.TOO_LONG


@pytest.mark.parametrize(
    "content",
    [
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":1}}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1234567890123456789}',
        b"\xff",
        b"{} {}",
        b"null",
        b"",
        b'{"a":' * 3000,
    ],
)
def test_json_with_two_meanings_or_none_is_refused(content):
    assert reason_of(read_object, content, Reason.MALFORMED_CLAIMS) is Reason.MALFORMED_CLAIMS


@given(st.text(st.sampled_from("eyJ.AZaz09-_=+/ \n\u00e9{}"), max_size=200))
def test_noise_is_refused_and_never_raises_anything_else(text):
    assert reason_of(take_apart, text) is Reason.MALFORMED


@given(st.binary(max_size=100), st.dictionaries(st.text(max_size=5), st.integers(-9, 9)))
def test_parts_are_what_was_put_together(payload, header):
    parts = take_apart(f"{part(header)}.{encode(payload or b'x')}.AAAA")
    assert (parts.header, parts.payload, parts.signature) == (header, payload or b"x", bytes(3))
