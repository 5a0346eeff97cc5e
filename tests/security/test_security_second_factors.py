# SPDX-License-Identifier: Apache-2.0
"""Codes of apps as the RFC lists them, recovery codes, and passkeys as a foreign authenticator answers."""

import base64
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.authenticator import Authenticator, encoded
from wharfinger.domain.second_factors import AppCode, RecoveryCode, passkey_host, read_code, steps_at
from wharfinger.security import passkeys, recovery_codes, totp
from wharfinger.security.passkeys import PasskeyRefused, Site

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC_VECTORS = {  # RFC 6238, appendix B, SHA-1; an app shows the last six of its eight digits
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}
SITE = Site("registry.test", "Wharfinger")


@pytest.mark.parametrize(("seconds", "digits"), RFC_VECTORS.items())
def test_codes_are_those_of_the_rfc(seconds, digits):
    assert totp.code_at(RFC_SECRET, seconds // 30) == digits[-6:]
    assert totp.step_of(RFC_SECRET, digits[-6:], steps_at(seconds, 0)) == seconds // 30


def test_a_code_counts_a_step_early_and_late_and_no_further():
    now = 40_000_000
    taken = {
        away: totp.step_of(RFC_SECRET, totp.code_at(RFC_SECRET, now + away), steps_at(now * 30, 0))
        for away in range(-3, 4)
    }
    assert {away for away, step in taken.items() if step is not None} == {-1, 0, 1}
    assert taken[1] == now + 1


def test_a_step_that_was_taken_takes_those_before_it_along():
    assert steps_at(3000, 100) == [101]
    assert steps_at(3000, 101) == []
    assert steps_at(3000, 0) == [100, 99, 101]


def test_an_app_reads_who_and_where_from_the_picture():
    secret = totp.make_secret()
    assert len(base64.b32decode(secret)) == 20
    address = urlsplit(totp.address_of(secret, "ann", "Wharfinger registry.test"))
    assert (address.scheme, address.netloc) == ("otpauth", "totp")
    assert parse_qs(address.query) == {"secret": [secret], "issuer": ["Wharfinger registry.test"]}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("123456", AppCode("123456")),
        (" 123 456 ", AppCode("123456")),
        ("123-456", AppCode("123456")),
        ("abcd-efgh-ijkl-mnop", RecoveryCode("abcdefghijklmnop")),
        ("ABCD EFGH ijkl mn23", RecoveryCode("abcdefghijklmn23")),
        ("12345", None),
        ("1234567", None),
        ("١٢٣٤٥٦", None),
        ("abcd-efgh-ijkl-mno1", None),
        ("", None),
    ],
)
def test_a_code_is_read_as_people_type_it(typed, meant):
    assert read_code(typed) == meant


def test_recovery_codes_are_ten_different_ones_with_80_bits_each():
    codes = recovery_codes.make(10)
    letters = [one.replace("-", "") for one in codes]
    assert len(set(letters)) == 10
    assert all(read_code(one) == RecoveryCode(plain) for one, plain in zip(codes, letters, strict=True))
    assert len({recovery_codes.fingerprint_of(one) for one in letters}) == 10
    assert not any(plain[:4] in recovery_codes.fingerprint_of(plain) for plain in letters)


def made(authenticator, account_id=7, known=()):
    asked = passkeys.ask_to_make(SITE, account_id, "ann", "Ann", known)
    return passkeys.read_made(SITE, asked.challenge, authenticator.make(asked.options)).passkey


def test_a_passkey_is_made_and_shown_and_says_whose_it_is():
    device = Authenticator()
    one, other = made(device), made(device)
    asked = passkeys.ask_to_show(SITE, [one, other])
    found = passkeys.read_shown(
        SITE, asked.challenge, [one, other], device.show(asked.options, other.public_id), alone=False
    )
    assert (found.passkey, found.counter, found.holder) == (other, 3, 7)


def test_the_browser_is_asked_to_make_none_where_there_is_one():
    one = made(Authenticator())
    options = json.loads(passkeys.ask_to_make(SITE, 7, "ann", "Ann", [one]).options)
    assert options["excludeCredentials"] == [{"type": "public-key", "id": one.public_id}]
    assert (options["rp"]["id"], options["user"]["name"], options["user"]["displayName"]) == (
        "registry.test",
        "ann",
        "Ann",
    )
    assert len(base64.urlsafe_b64decode(options["challenge"] + "=")) == 32


@pytest.mark.parametrize(
    "spoil",
    [
        lambda device, asked: device.show(asked.options, origin="https://registry.test.evil.test"),
        lambda device, asked: device.show(asked.options, origin="https://evil.registry.test"),
        lambda device, asked: device.show(asked.options, origin="http://registry.test"),
        lambda device, asked: device.show(asked.options, type="webauthn.create"),
        lambda device, asked: device.show(asked.options, challenge=encoded(b"another challenge, 32 bytes long")),
        lambda device, asked: device.show(asked.options.replace("registry.test", "evil.test")),
        lambda device, asked: forged(device.show(asked.options), "signature"),
        lambda device, asked: forged(device.show(asked.options), "authenticatorData"),
        lambda device, _: device.make(passkeys.ask_to_make(SITE, 7, "ann", "Ann", []).options),
        lambda *_: "{}",
        lambda *_: "[]",
        lambda *_: "no json",
        lambda *_: '{"id": 1, "rawId": 7, "response": null}',
        lambda *_: "[" * 20_000,
        lambda *_: '{"rawId": "' + "x" * 40_000 + '"}',
    ],
)
def test_an_answer_that_proves_nothing_is_refused(spoil):
    device = Authenticator()
    one = made(device)
    asked = passkeys.ask_to_show(SITE, [one])
    with pytest.raises(PasskeyRefused):
        passkeys.read_shown(SITE, asked.challenge, [one], spoil(device, asked), alone=False)


def forged(answer, part):
    """Return an answer with the last byte of a part changed."""
    found = json.loads(answer)
    content = bytearray(base64.urlsafe_b64decode(found["response"][part] + "=="))
    content[-1] ^= 1
    found["response"][part] = encoded(bytes(content))
    return json.dumps(found)


def test_alone_a_passkey_must_have_checked_who_holds_it():
    device = Authenticator(verifies=False)
    one = made(device)
    asked = passkeys.ask_to_show(SITE, None)
    assert json.loads(asked.options)["userVerification"] == "required"
    answer = device.show(asked.options)
    with pytest.raises(PasskeyRefused):
        passkeys.read_shown(SITE, asked.challenge, [one], answer, alone=True)
    assert passkeys.read_shown(SITE, asked.challenge, [one], answer, alone=False).passkey == one


@pytest.mark.parametrize(
    "answer", ["{}", "nothing", "[]", '{"rawId": 7}', '{"rawId": ""}', '{"rawId": "' + "x" * 3000 + '"}']
)
def test_an_answer_without_an_id_is_refused(answer):
    with pytest.raises(PasskeyRefused):
        passkeys.id_of(answer)


@pytest.mark.parametrize("answer", ["{}", "nothing", '{"rawId": "eA", "response": {"clientDataJSON": "e30"}}'])
def test_what_makes_no_passkey_is_refused(answer):
    with pytest.raises(PasskeyRefused):
        passkeys.read_made(SITE, passkeys.ask_to_make(SITE, 7, "ann", "", []).challenge, answer)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://registry.test", "registry.test"),
        ("https://Registry.Test:5443", "registry.test"),
        ("http://localhost:5000", "localhost"),
        ("http://team.localhost:5000", "team.localhost"),
        ("http://registry.test", None),
        ("https://192.0.2.7", None),
        ("https://[2001:db8::7]:5443", None),
        ("http://127.0.0.1:5000", None),
        ("", None),
    ],
)
def test_browsers_have_passkeys_for_names_over_tls_and_for_localhost(url, host):
    assert passkey_host(url) == host
