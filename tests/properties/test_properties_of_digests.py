# SPDX-License-Identifier: Apache-2.0
"""Digests: format and parse are inverse, hashing in pieces is hashing at once, nothing else gets through."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.strategies import digests, hostile_text, refusal
from wharfinger.domain.digests import Algorithm, Hasher, algorithm_of, digest_of, parse_algorithm, parse_digest
from wharfinger.domain.errors import DigestInvalid

algorithms = st.sampled_from(Algorithm)


@given(digests)
def test_digest_in_the_grammar_is_accepted_unchanged(digest):
    assert parse_digest(digest) == digest
    assert algorithm_of(parse_digest(digest)) == digest.split(":")[0]


@given(st.binary(max_size=5000), algorithms)
def test_digest_of_content_parses_and_is_what_the_standard_library_says(content, algorithm):
    digest = digest_of(content, algorithm)
    assert parse_digest(digest) == digest
    assert digest == f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


@given(st.lists(st.binary(max_size=3000), max_size=12), algorithms)
def test_hash_of_pieces_is_the_hash_of_the_whole_at_every_step(pieces, algorithm):
    hasher, so_far = Hasher(algorithm), b""
    for piece in pieces:
        hasher.update(memoryview(piece))
        so_far += piece
        assert hasher.digest() == digest_of(so_far, algorithm)
    assert hasher.size == len(so_far)


@given(digests, st.integers(0, 200), st.sampled_from("gGxA/.:% \n\0\u00e9\u0660"))
def test_digest_with_one_wrong_character_is_refused(digest, position, wrong):
    position %= len(digest)
    text = digest[:position] + wrong + digest[position + 1 :]
    if text == digest:
        assert parse_digest(text) == digest
    else:
        with pytest.raises(DigestInvalid):
            parse_digest(text)


@given(digests, st.integers(1, 200))
def test_digest_that_is_cut_or_doubled_is_refused(digest, cut):
    for text in (digest[:-cut], digest + digest[-cut:], digest.upper(), f" {digest}", f"{digest}\n"):
        with pytest.raises(DigestInvalid):
            parse_digest(text)


@given(hostile_text)
def test_noise_raises_our_own_error_with_a_short_printable_message(text):
    for parse in (parse_digest, parse_algorithm):
        error = refusal(parse, text)
        assert error is not None or parse(text) == text
        assert error is None or (type(error) is DigestInvalid and error.message.isprintable())
        assert error is None or len(error.message) < 1500
