# SPDX-License-Identifier: Apache-2.0
"""Keys of other token servers: found as distribution finds them, and never taken from the token itself."""

import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.security.chains import Certified
from tests.security.forging import NOW
from wharfinger.clock import DAY, after
from wharfinger.security.jws import Reason, TokenRefused
from wharfinger.security.thumbprints import distribution_id, jwk_of, libtrust_id, thumbprint
from wharfinger.security.trust import KeysUnusable, TrustedKeys

ROOT = Certified("root", ca=True)
MIDDLE = Certified("middle", by=ROOT, ca=True)
LEAF = Certified("leaf", by=MIDDLE)
SELF_SIGNED = Certified("auth", key=rsa.generate_private_key(65537, 2048))
STRANGER = Certified("root", ca=True)
KEY = Ed25519PrivateKey.generate()


def jwks(*keys):
    return json.dumps({"keys": keys}).encode()


def jwk(private, **more):
    return {**jwk_of(private.public_key()), **more}


def publics(keys, header, now=NOW):
    return [key.public for key in keys.find(header, now)]


def reason_of(keys, header, now=NOW):
    with pytest.raises(TokenRefused) as caught:
        keys.find(header, now)
    return caught.value.reason


@pytest.mark.parametrize("owner", [ROOT, SELF_SIGNED, Certified("ed", key=KEY)], ids=["EC", "RSA", "Ed25519"])
@pytest.mark.parametrize("name", [libtrust_id, distribution_id, lambda public: thumbprint(jwk_of(public))])
def test_key_of_a_certificate_is_found_by_each_name_that_is_in_use(owner, name):
    public = owner.key.public_key()
    keys = TrustedKeys(certificates=MIDDLE.pem + owner.pem)
    assert public in publics(keys, {"kid": name(public)})


def test_keys_that_distribution_calls_alike_are_all_tried():
    keys = TrustedKeys(certificates=ROOT.pem + MIDDLE.pem)
    header = {"kid": distribution_id(ROOT.key.public_key())}
    assert publics(keys, header) == [ROOT.key.public_key(), MIDDLE.key.public_key()]


def test_key_of_a_key_set_is_found_by_its_own_id_and_its_thumbprint():
    keys = TrustedKeys(jwks=jwks(jwk(KEY, kid="first"), jwk(LEAF.key)))
    assert publics(keys, {"kid": "first"}) == [KEY.public_key()]
    assert publics(keys, {"kid": thumbprint(jwk(LEAF.key))}) == [LEAF.key.public_key()]


@pytest.mark.parametrize("header", [{}, {"kid": "x"}, {"kid": None}, {"kid": 5}, {"kid": ["first"]}, {"KID": "first"}])
def test_header_that_names_no_key_of_the_set_is_refused(header):
    assert reason_of(TrustedKeys(jwks=jwks(jwk(KEY, kid="first"))), header) is Reason.UNKNOWN_KEY


def test_key_in_the_header_is_only_a_name_for_one_in_the_set():
    keys = TrustedKeys(jwks=jwks(jwk(KEY, kid="first")))
    assert publics(keys, {"jwk": jwk(KEY)}) == [KEY.public_key()]
    assert reason_of(keys, {"jwk": jwk(LEAF.key)}) is Reason.UNKNOWN_KEY
    assert reason_of(keys, {"jwk": jwk(LEAF.key), "kid": "first"}) is Reason.UNKNOWN_KEY
    assert reason_of(keys, {"jwk": jwk(LEAF.key, kid="first")}) is Reason.UNKNOWN_KEY


@pytest.mark.parametrize("repeated", [None, "x", [], {}, {"kty": "oct", "k": "AA"}, {"kty": "EC"}, {"kty": {}}])
def test_key_in_the_header_that_is_none_is_refused(repeated):
    assert reason_of(TrustedKeys(jwks=jwks(jwk(KEY))), {"jwk": repeated}) is Reason.UNKNOWN_KEY


@pytest.mark.parametrize(
    ("roots", "chain"),
    [
        ([ROOT], [LEAF, MIDDLE]),
        ([ROOT], [LEAF, MIDDLE, ROOT]),
        ([ROOT], [LEAF, ROOT, MIDDLE]),
        ([MIDDLE], [LEAF]),
        ([STRANGER, ROOT], [LEAF, MIDDLE]),
        ([LEAF], [LEAF]),
        ([SELF_SIGNED], [SELF_SIGNED]),
    ],
)
def test_chain_that_leads_to_the_bundle_gives_the_key_of_its_first_certificate(roots, chain):
    keys = TrustedKeys(certificates=b"".join(root.pem for root in roots))
    assert publics(keys, {"x5c": [link.x5c for link in chain]}) == [chain[0].key.public_key()]


NOT_A_CA = Certified("middle", by=ROOT, ca=False)
OPEN_QUESTION = Certified("middle", by=ROOT)
EXPIRED = Certified("expired", ca=True, days=(-9, -1))
UNREADABLE = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")


@pytest.mark.parametrize(
    ("roots", "chain"),
    [
        ([ROOT], [LEAF]),
        ([STRANGER], [LEAF, MIDDLE]),
        ([ROOT], [SELF_SIGNED]),
        ([ROOT], [Certified("leaf", by=NOT_A_CA), NOT_A_CA]),
        ([ROOT], [Certified("leaf", by=OPEN_QUESTION), OPEN_QUESTION]),
        ([NOT_A_CA], [Certified("leaf", by=NOT_A_CA)]),
        ([ROOT], [Certified("leaf", by=Certified("middle", ca=True)), MIDDLE]),
        ([ROOT], [Certified("old", by=ROOT, days=(-9, -1))]),
        ([ROOT], [Certified("early", by=ROOT, days=(1, 9))]),
        ([ROOT], [Certified("leaf", by=ROOT, key=ed448.Ed448PrivateKey.generate())]),
        ([ROOT], [Certified("leaf", by=ROOT, extensions=[(UNREADABLE, True)])]),
        ([EXPIRED], [EXPIRED]),
        ([EXPIRED], [Certified("leaf", by=EXPIRED)]),
        ([ROOT], [LEAF, *[MIDDLE] * 5]),
        ([ROOT], []),
    ],
)
def test_chain_that_does_not_lead_to_the_bundle_is_refused(roots, chain):
    keys = TrustedKeys(certificates=b"".join(root.pem for root in roots))
    header = {"x5c": [link.x5c for link in chain], "kid": libtrust_id(roots[0].key.public_key())}
    assert reason_of(keys, header) is Reason.UNTRUSTED_CHAIN


def test_chain_ends_with_its_certificates():
    keys = TrustedKeys(certificates=ROOT.pem)
    header = {"x5c": [LEAF.x5c, MIDDLE.x5c]}
    assert publics(keys, header, after(NOW, 99 * DAY))
    assert reason_of(keys, header, after(NOW, 101 * DAY)) is Reason.UNTRUSTED_CHAIN


@pytest.mark.parametrize(
    "chain", [None, "", LEAF.x5c, {}, [None], [5], ["!"], ["AAAA"], ["!" + LEAF.x5c], [LEAF.x5c[:-8]], ["\u00e9"]]
)
def test_chain_that_is_none_is_refused(chain):
    assert reason_of(TrustedKeys(certificates=LEAF.pem), {"x5c": chain}) is Reason.UNTRUSTED_CHAIN


def test_chain_is_refused_where_there_is_no_bundle():
    assert reason_of(TrustedKeys(jwks=jwks(jwk(KEY))), {"x5c": [LEAF.x5c]}) is Reason.UNTRUSTED_CHAIN


def test_algorithm_of_a_jwk_is_the_only_one_of_its_key():
    keys = TrustedKeys(jwks=jwks(jwk(SELF_SIGNED.key, kid="one", alg="PS256"), jwk(LEAF.key, kid="two")))
    assert keys.find({"kid": "one"}, NOW)[0].algorithms == {"PS256"}
    assert keys.find({"kid": "two"}, NOW)[0].algorithms == {"ES256"}


def test_key_for_encryption_is_passed_over():
    keys = TrustedKeys(jwks=jwks(jwk(KEY, kid="sign"), jwk(LEAF.key, kid="encrypt", use="enc")))
    assert reason_of(keys, {"kid": "encrypt"}) is Reason.UNKNOWN_KEY


def test_private_part_in_a_key_set_is_not_read():
    keys = TrustedKeys(jwks=jwks(jwk(KEY, kid="x", d="AAAA")))
    assert publics(keys, {"kid": "x"}) == [KEY.public_key()]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no key"),
        ({"certificates": b" \n", "jwks": b"\n"}, "no key"),
        ({"jwks": b'{"keys":[]}'}, "no key"),
        ({"certificates": b"nonsense"}, "bundle of certificates cannot be read"),
        ({"certificates": LEAF.pem[:-40]}, "bundle of certificates cannot be read"),
        ({"jwks": b"nonsense"}, "not a JSON object"),
        ({"jwks": b'{"keys":[],"keys":[]}'}, "twice"),
        ({"jwks": b"{}"}, "list of keys"),
        ({"jwks": b'{"keys":[5]}'}, "list of keys"),
        ({"jwks": jwks({"kty": "oct", "k": "c2VjcmV0"})}, "key 1 .* EC, OKP or RSA"),
        ({"jwks": jwks(jwk(KEY), {"kty": "EC", "crv": "P-256"})}, "key 2 .* needs crv, kty, x, y"),
        ({"jwks": jwks(jwk(KEY, x="AAAA"))}, "key 1 .* cannot be used"),
        ({"jwks": jwks(jwk(KEY, crv="Ed25518"))}, "key 1 .* cannot be used"),
        ({"jwks": jwks(jwk(ec.generate_private_key(ec.SECP256K1())))}, "key 1 .* fits no algorithm"),
        ({"jwks": jwks(jwk(rsa.generate_private_key(65537, 1024)))}, "2048 bits"),
        ({"jwks": jwks(jwk(KEY, alg="HS256"))}, "fits no algorithm"),
        ({"jwks": jwks(jwk(KEY, alg=["EdDSA"]))}, "fits no algorithm"),
    ],
)
def test_files_that_cannot_be_used_say_why(files, message):
    with pytest.raises(KeysUnusable, match=message):
        TrustedKeys(**files)
