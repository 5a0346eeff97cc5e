# SPDX-License-Identifier: Apache-2.0
"""Tokens: recognised if made here, refused without a look-up if one sign differs."""

import hashlib
import math
import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.security.tokens import (
    TokenKind,
    fingerprint,
    is_access_key_id,
    is_same,
    make,
    make_access_key_id,
    recognise,
)

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FIXED = "whp_0123456789ABCDEFGHIJKLMNOPQRST"
kinds = pytest.mark.parametrize("kind", TokenKind)


def checksum(text):
    """Count in base 62, in another way than the product."""
    number = zlib.crc32(text.encode())
    return "".join(DIGITS[number // 62**place % 62] for place in range(5, -1, -1))


@kinds
def test_new_token_has_its_prefix_178_random_bits_and_is_recognised(kind):
    token = make(kind)
    prefix, _, rest = token.text.partition("_")
    assert prefix == kind.value
    assert re.fullmatch(r"[0-9A-Za-z]{36}", rest)
    assert len(rest[:-6]) * math.log2(62) >= 178
    assert recognise(token.text) is kind


@kinds
def test_what_is_kept_of_a_token_is_a_hash_and_four_characters(kind):
    token = make(kind)
    assert token.fingerprint == hashlib.sha256(token.text.encode()).hexdigest() == fingerprint(token.text)
    assert token.ending == token.text[-4:]
    assert token.text not in repr(token)


def test_tokens_are_never_equal():
    assert len({make(TokenKind.PERSONAL).text for _ in range(1000)}) == 1000


def test_checksum_is_crc32_in_base_62():
    text = FIXED + checksum(FIXED)
    assert recognise(text) is TokenKind.PERSONAL
    assert text.endswith("2d25l9")


@given(st.integers(0, 39), st.characters(codec="ascii"))
def test_token_with_one_other_sign_is_not_recognised(position, sign):
    text = FIXED + checksum(FIXED)
    changed = text[:position] + sign + text[position + 1 :]
    assert (recognise(changed) is TokenKind.PERSONAL) == (changed == text)


@pytest.mark.parametrize(
    "text",
    ["", "whp_", FIXED, FIXED + "000000", FIXED + checksum(FIXED) + "\n", " " + FIXED + checksum(FIXED)],
)
def test_what_was_not_made_here_is_not_recognised(text):
    assert recognise(text) is None


@pytest.mark.parametrize("prefix", ["ghp", "whx", "WHP", "whp_whp"])
def test_foreign_prefix_with_a_right_checksum_is_not_recognised(prefix):
    begin = f"{prefix}_{FIXED[4:]}"
    assert recognise(begin + checksum(begin)) is None


@given(st.text(max_size=60))
def test_any_text_has_a_fingerprint_and_noise_is_no_token(text):
    assert re.fullmatch(r"[0-9a-f]{64}", fingerprint(text))
    assert recognise(text) is None


@given(st.text(max_size=5), st.text(max_size=5))
def test_comparison_is_equality(one, other):
    assert is_same(one, other) == (one == other)
    assert is_same(one, one)


def test_access_key_id_is_a_name_of_its_own_kind():
    made = make_access_key_id()
    assert re.fullmatch(r"WHK[A-Z2-7]{16}", made)
    assert is_access_key_id(made)
    assert len({make_access_key_id() for _ in range(1000)}) == 1000


@pytest.mark.parametrize("text", ["", "alice", "WHK" + "A" * 15, "WHK" + "A" * 17, "whk" + "a" * 16, "WHK" + "1" * 16])
def test_other_names_are_no_access_key_ids(text):
    assert not is_access_key_id(text)
