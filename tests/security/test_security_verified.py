# SPDX-License-Identifier: Apache-2.0
"""Remembered tokens: one verification for many requests, and the same answers as without."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.security.forging import NOW
from wharfinger.clock import SECOND, Instant, after
from wharfinger.security.jws import Reason, TokenRefused
from wharfinger.security.keys import KeySet, SigningKey
from wharfinger.security.signing import RegistryTokens
from wharfinger.security.verified import VerifiedTokens

TOKENS = RegistryTokens(KeySet([]).rotated(SigningKey.generate(), NOW), issuer="i", service="s")
TEXTS = [TOKENS.issue(NOW, account_id=number) for number in range(4)]


class Counting:
    """Verifies, and notes what it was asked."""

    def __init__(self):
        self.asked = []

    def verify(self, text, now):
        self.asked.append(text)
        return TOKENS.verify(text, now)


def answer_of(verifier, text, now):
    try:
        return verifier.verify(text, now)
    except TokenRefused as error:
        return error.reason


def test_token_is_verified_once():
    counting = Counting()
    verified = VerifiedTokens(counting)
    assert {verified.verify(TEXTS[0], NOW).account_id for _ in range(5)} == {0}
    assert counting.asked == [TEXTS[0]]


@given(st.lists(st.tuples(st.sampled_from([*TEXTS, TEXTS[0][:-1], "x"]), st.integers(-400, 400)), max_size=12))
def test_answers_are_those_of_verifying_each_time(requests):
    verified = VerifiedTokens(TOKENS, most=2)
    for text, seconds in requests:
        now = Instant(NOW + seconds * SECOND)
        assert answer_of(verified, text, now) == answer_of(TOKENS, text, now)


def test_remembered_token_expires():
    verified = VerifiedTokens(TOKENS)
    verified.verify(TEXTS[0], NOW)
    assert verified.verify(TEXTS[0], after(NOW, 360 * SECOND))
    with pytest.raises(TokenRefused) as caught:
        verified.verify(TEXTS[0], after(NOW, 361 * SECOND))
    assert caught.value.reason is Reason.EXPIRED


def test_longest_unused_token_is_forgotten_and_refused_ones_take_no_room():
    counting = Counting()
    verified = VerifiedTokens(counting, most=2)
    for text in (TEXTS[0], TEXTS[1], TEXTS[0]):
        verified.verify(text, NOW)
    assert answer_of(verified, "x", NOW) is Reason.MALFORMED
    verified.verify(TEXTS[2], NOW)
    counting.asked.clear()
    verified.verify(TEXTS[0], NOW)
    verified.verify(TEXTS[1], NOW)
    assert counting.asked == [TEXTS[1]]


def test_no_token_is_kept_as_it_is():
    verified = VerifiedTokens(TOKENS)
    verified.verify(TEXTS[0], NOW)
    assert TEXTS[0] not in repr(verified._verified)
