# SPDX-License-Identifier: Apache-2.0
"""Trust: nothing gets in but the values that a rule names, whatever a token says."""

import re

from hypothesis import given
from hypothesis import strategies as st

from wharfinger.domain.patterns import fits
from wharfinger.domain.trust import claim_at, mismatches, texts_of

letters = st.text("ab/*.\n", max_size=8)
patterns = st.text("ab/*.", max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | letters,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(letters, inner, max_size=3),
    max_leaves=8,
)
claims = st.dictionaries(st.sampled_from(["iss", "sub", "a/b", ""]) | letters, values, max_size=4)
paths = st.sampled_from(["iss", "sub", "/sub", "/a~1b", "/sub/a", "/"]) | st.text("/~01ab", max_size=6)
conditions = st.dictionaries(paths, st.lists(patterns, min_size=1, max_size=3).map(tuple), max_size=3)


@given(patterns, letters)
def test_a_pattern_means_what_the_regular_expression_made_of_it_means(pattern, text):
    expression = ".*".join(re.escape(piece) for piece in pattern.split("*"))
    assert fits(pattern, text) is bool(re.fullmatch(expression, text, re.DOTALL))


@given(letters.filter(lambda text: "*" not in text), letters)
def test_without_a_wildcard_only_the_text_itself_fits(pattern, text):
    assert fits(pattern, text) is (pattern == text)


@given(conditions, claims)
def test_who_matches_has_a_named_value_for_every_condition(wanted, token):
    if not mismatches(wanted, token):
        for claim, allowed in wanted.items():
            said = texts_of(claim_at(token, claim))
            assert any(fits(pattern, text) for pattern in allowed for text in said)


@given(conditions, claims, paths, patterns)
def test_one_more_condition_never_lets_more_in(wanted, token, claim, value):
    narrower = {claim: (value,)} | wanted
    assert len(mismatches(narrower, token)) >= len(mismatches(wanted, token))


@given(conditions, claims, st.text("c", min_size=1, max_size=3), values)
def test_what_no_condition_names_changes_nothing(wanted, token, name, value):
    assert mismatches(wanted, token) == mismatches(wanted, token | {name: value})


@given(conditions.filter(bool), st.dictionaries(letters, st.none() | st.floats() | st.just({}), max_size=3))
def test_what_cannot_be_compared_matches_nothing(wanted, token):
    assert len(mismatches(wanted, token)) == len(wanted)
