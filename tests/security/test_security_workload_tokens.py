# SPDX-License-Identifier: Apache-2.0
"""What a workload gets: its registry token and its credential, and what differs in anything is refused."""

import pytest

from tests.security.forging import NOW, SECONDS, forge
from tests.security.test_security_signing import CLAIMS, HEADER, KEY, KEYS, OTHER, TOKENS
from wharfinger.clock import SECOND, after
from wharfinger.domain.identity import Workload
from wharfinger.security.claims import LEEWAY
from wharfinger.security.jws import Reason, TokenRefused
from wharfinger.security.keys import KEEP, LONGEST_CREDENTIAL
from wharfinger.security.signing import TYPE, WORKLOAD_TYPE, NamedWorkload, RegistryTokens

JOB = NamedWorkload("repo:acme/app of issuer.example", Workload(rules=(3, 7), source="https://forge.example/acme/app"))
WRITTEN = {"name": JOB.name, "rules": [3, 7], "source": JOB.workload.source}
TOP = HEADER | {"typ": WORKLOAD_TYPE}
SAID = {name: CLAIMS[name] for name in ("iss", "aud", "jti", "iat", "nbf", "exp")} | {"sub": "", "workload": WRITTEN}


def signed(header=TOP, claims=SAID, key=KEY):
    return forge(header, claims, key.private, algorithm="EdDSA")


def reason_of(verify, *arguments):
    with pytest.raises(TokenRefused) as caught:
        verify(*arguments)
    return caught.value.reason


def test_what_is_issued_verifies_as_what_it_is_and_as_nothing_else():
    credential = TOKENS.issue_credential(NOW, JOB, LONGEST_CREDENTIAL)
    token = TOKENS.issue(NOW, workload=JOB)
    assert TOKENS.verify_credential(credential, NOW) == TOKENS.verify_credential(signed(), NOW) == JOB
    found = TOKENS.verify(token, NOW)
    assert (found.account_id, found.workload) == (None, JOB)
    assert reason_of(TOKENS.verify, credential, NOW) is Reason.WRONG_TYPE
    assert reason_of(TOKENS.verify_credential, token, NOW) is Reason.WRONG_TYPE


@pytest.mark.parametrize(
    ("header", "claims", "reason"),
    [
        ({"typ": TYPE}, {}, Reason.WRONG_TYPE),
        ({"typ": "JWT"}, {}, Reason.WRONG_TYPE),
        ({"kid": OTHER.kid}, {}, Reason.UNKNOWN_KEY),
        ({"jku": "https://evil.example"}, {}, Reason.UNWANTED_HEADER),
        ({}, {"iss": "other"}, Reason.WRONG_ISSUER),
        ({}, {"aud": "other"}, Reason.WRONG_AUDIENCE),
        ({}, {"exp": SECONDS - 61}, Reason.EXPIRED),
        ({}, {"nbf": SECONDS + 61}, Reason.NOT_YET_VALID),
        ({}, {"workload": None}, Reason.MALFORMED_CLAIMS),
        ({}, {"workload": []}, Reason.MALFORMED_CLAIMS),
        ({}, {"workload": WRITTEN | {"rules": []}}, Reason.MALFORMED_CLAIMS),
        ({}, {"workload": WRITTEN | {"rules": ["3"]}}, Reason.MALFORMED_CLAIMS),
        ({}, {"workload": WRITTEN | {"rules": [True]}}, Reason.MALFORMED_CLAIMS),
        ({}, {"workload": WRITTEN | {"rules": [-1]}}, Reason.MALFORMED_CLAIMS),
        ({}, {"workload": WRITTEN | {"source": 7}}, Reason.MALFORMED_CLAIMS),
        ({}, {"workload": WRITTEN | {"name": 7}}, Reason.MALFORMED_CLAIMS),
        ({}, {"sub": "42"}, Reason.MALFORMED_CLAIMS),
    ],
    ids=lambda part: "another key" if part == {"kid": OTHER.kid} else str(part),
)
def test_a_credential_with_one_thing_changed_is_refused(header, claims, reason):
    assert reason_of(TOKENS.verify_credential, signed(TOP | header, SAID | claims), NOW) is reason


def test_a_credential_of_another_key_is_refused():
    assert reason_of(TOKENS.verify_credential, signed(key=OTHER), NOW) is Reason.WRONG_SIGNATURE


def test_keys_verify_for_longer_than_what_they_signed_is_valid():
    assert KEEP >= LONGEST_CREDENTIAL * SECOND + LEEWAY
    credential = TOKENS.issue_credential(NOW, JOB, LONGEST_CREDENTIAL)
    rotated = KEYS.rotated(OTHER, NOW)
    later = RegistryTokens(rotated, issuer="wharfinger", service="registry.example")
    assert later.verify_credential(credential, after(NOW, LONGEST_CREDENTIAL * SECOND)) == JOB


@pytest.mark.parametrize("seconds", [59, LONGEST_CREDENTIAL + 1])
def test_a_credential_lives_from_a_minute_to_an_hour(seconds):
    with pytest.raises(ValueError, match="is valid for"):
        TOKENS.issue_credential(NOW, JOB, seconds)
