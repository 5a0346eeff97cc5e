# SPDX-License-Identifier: Apache-2.0
"""Signing keys: stored sealed, published before they sign, and kept until nothing they signed is left."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wharfinger.clock import SECOND, Instant, after
from wharfinger.security.claims import LEEWAY
from wharfinger.security.envelope import Envelope, EnvelopeBroken
from wharfinger.security.keys import KEEP, LEAD, LONGEST_LIFETIME, KeySet, NoSigningKey, SigningKey

ENVELOPE = Envelope([b"m" * 32])
START = Instant(1_800_000_000 * SECOND)
FIRST, SECOND_KEY, THIRD = (SigningKey.generate() for _ in range(3))


def kids(keys, now):
    return [key["kid"] for key in keys.jwks(now)["keys"]]


def test_key_survives_being_sealed():
    key = SigningKey.unseal(FIRST.kid, FIRST.seal(ENVELOPE), ENVELOPE)
    assert key.kid == FIRST.kid
    assert key.private.private_bytes_raw() == FIRST.private.private_bytes_raw()


def test_key_opens_only_under_its_own_id_and_secret():
    sealed = FIRST.seal(ENVELOPE)
    with pytest.raises(EnvelopeBroken):
        SigningKey.unseal(SECOND_KEY.kid, sealed, ENVELOPE)
    with pytest.raises(EnvelopeBroken):
        SigningKey.unseal(FIRST.kid, sealed, Envelope([b"x" * 32]))


def test_private_part_is_in_nothing_that_is_published_or_shown():
    assert FIRST.jwk().keys() == {"kty", "crv", "x", "kid", "alg", "use"}
    assert "private" not in repr(FIRST).replace("private_key", "")
    assert FIRST.private.private_bytes_raw().hex() not in repr(FIRST)


def test_first_key_signs_at_once():
    keys = KeySet([]).rotated(FIRST, START)
    assert keys.signing(START) is FIRST
    assert kids(keys, START) == [FIRST.kid]


def test_empty_set_signs_nothing_and_verifies_nothing():
    with pytest.raises(NoSigningKey):
        KeySet([]).signing(START)
    assert KeySet([]).verifying(FIRST.kid, START) is None
    assert KeySet([]).jwks(START) == {"keys": []}


def test_first_key_signs_where_the_clock_is_a_little_behind():
    assert KeySet([]).rotated(FIRST, START).signing(after(START, -SECOND)) is FIRST


def test_new_key_is_published_before_it_signs_and_the_old_one_kept_after():
    keys = KeySet([]).rotated(FIRST, START).rotated(SECOND_KEY, START)
    begins = after(START, LEAD)
    ends = after(begins, KEEP)
    assert kids(keys, START) == [FIRST.kid, SECOND_KEY.kid]
    assert keys.signing(after(begins, -1)) is FIRST
    assert keys.signing(begins) is SECOND_KEY
    assert keys.verifying(FIRST.kid, after(ends, -1)) is not None
    assert keys.verifying(FIRST.kid, ends) is None
    assert kids(keys, ends) == [SECOND_KEY.kid]


def test_set_without_retired_keys_says_the_same_from_then_on():
    keys = KeySet([]).rotated(FIRST, START).rotated(SECOND_KEY, START)
    ends = after(START, LEAD + KEEP)
    assert [item.key for item in keys.without_retired(after(ends, -1)).keys] == [FIRST, SECOND_KEY]
    assert [item.key for item in keys.without_retired(ends).keys] == [SECOND_KEY]


def test_lead_and_keep_are_twice_the_longest_life_of_a_token():
    assert LEAD >= 2 * LONGEST_LIFETIME * SECOND
    assert KEEP >= 2 * LONGEST_LIFETIME * SECOND
    assert KEEP >= LONGEST_LIFETIME * SECOND + LEEWAY


@settings(max_examples=200)
@given(
    st.lists(st.integers(0, 4000), min_size=1, max_size=3).map(sorted),
    st.integers(0, 10_000),
    st.integers(0, LONGEST_LIFETIME + 60),
)
def test_every_token_can_be_used_up_whenever_keys_are_rotated(rotations, signed_after, shown_after):
    keys = KeySet([])
    for key, seconds in zip([FIRST, SECOND_KEY, THIRD], rotations, strict=False):
        keys = keys.rotated(key, after(START, seconds * SECOND))
    signed = after(START, signed_after * SECOND)
    signer = keys.signing(signed)
    shown = after(signed, shown_after * SECOND)
    assert keys.verifying(signer.kid, shown) is not None
    assert signer.kid in kids(keys, shown)
    assert signer.kid in {item.key.kid for item in keys.without_retired(shown).keys}
