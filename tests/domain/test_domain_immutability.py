# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import RuleInvalid, TagImmutable
from wharfinger.domain.policies.immutability import (
    MUTABLE,
    Facts,
    Immutability,
    evaluate,
    parse_immutability,
    require,
)
from wharfinger.domain.policies.patterns import MAX_PATTERNS

ONE, TWO = digest_of(b"one"), digest_of(b"two")


def judge(rules, tag="v1", current=ONE, wanted=TWO, *, deletable=False):
    return evaluate(
        Facts(tag=tag, current=current, wanted=wanted, rules=parse_immutability(rules, deletable=deletable))
    )


@pytest.mark.parametrize(
    ("rules", "tag", "rule"),
    [
        ("none", "v1", None),
        ("all", "v1", "*"),
        ("v*", "v1", "v*"),
        ("v*", "V1", None),
        ("v*", "rv1", None),
        ("v?", "v1", "v?"),
        ("v?", "v", None),
        ("v?", "v10", None),
        ("v*, release-*", "release-1", "release-*"),
        ("*, !latest", "v1", "*"),
        ("*, !latest", "latest", None),
        ("!latest, *", "latest", None),
        ("v*, !v*-rc?", "v1-rc2", None),
        ("v*, !v*-rc?", "v1-rc10", "v*"),
        ("v1.0", "v1x0", None),
    ],
)
def test_rule_that_makes_a_tag_immutable(rules, tag, rule):
    assert parse_immutability(rules).find(tag) == rule


def test_immutable_tag_does_not_move():
    verdict = judge("v*")
    assert not verdict.allowed
    assert verdict.rule == "v*"
    assert "'v1' is immutable" in verdict.reason
    assert ONE in verdict.reason
    assert "push other content under a new tag" in verdict.reason


def test_same_content_again_and_a_new_tag_are_allowed():
    assert judge("all", wanted=ONE).allowed
    assert judge("all", current=None).allowed


def test_immutable_tag_is_deleted_only_where_that_is_allowed():
    kept = judge("v*", wanted=None)
    assert (kept.allowed, kept.rule) == (False, "v*")
    assert "may not be deleted" in kept.reason
    assert judge("v*", wanted=None, deletable=True).allowed
    assert not judge("v*", deletable=True).allowed


def test_tags_that_no_rule_names_move_and_go():
    assert judge("v*", "latest").allowed
    assert judge("v*", "latest", wanted=None).allowed


def test_refusal_says_the_tag_the_digest_and_the_rule():
    with pytest.raises(TagImmutable) as raised:
        require(Facts(tag="v1", current=ONE, wanted=TWO, rules=parse_immutability("v*")))
    assert raised.value.detail == {"tag": "v1", "digest": ONE, "rule": "v*"}
    require(Facts(tag="v1", current=ONE, wanted=TWO, rules=MUTABLE))


@pytest.mark.parametrize("text", ["none", "all", "v*", "*, !latest", "v*, release-?, !v*-rc*, !nightly"])
def test_rules_are_written_as_they_are_read(text):
    assert str(parse_immutability(text)) == text
    assert parse_immutability(str(parse_immutability(text))) == parse_immutability(text)


def test_blanks_and_repetitions_do_not_matter():
    assert parse_immutability(" v*,v*,, !x ,!x") == Immutability(patterns=("v*",), exceptions=("x",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Say which tags"),
        (" , ", "Say which tags"),
        ("!latest", "Say which tags"),
        ("v*, none of it", "'none of it' is not a pattern"),
        ("v[12]", "is not a pattern"),
        ("a/b", "is not a pattern"),
        ("!!x, y", "is not a pattern"),
        ("ü*", "is not a pattern"),
        ("v" * 129, "is not a pattern"),
        (", ".join(f"v{number}" for number in range(MAX_PATTERNS + 1)), "50 patterns"),
    ],
)
def test_rules_that_cannot_be_read_are_refused_with_what_would_be_right(text, said):
    with pytest.raises(RuleInvalid) as raised:
        parse_immutability(text)
    assert said in raised.value.message


tags = st.text("abAB01._-", min_size=1, max_size=12)
patterns = st.text("abA01._-*?", min_size=1, max_size=8)
digests = st.sampled_from([None, ONE, TWO])


@given(
    tag=tags,
    rules=st.builds(Immutability, patterns=st.tuples(patterns), deletable=st.booleans()),
    at=digests,
    to=digests,
)
def test_only_movements_away_from_what_an_immutable_tag_names_are_refused(tag, rules, at, to):
    verdict = evaluate(Facts(tag=tag, current=at, wanted=to, rules=rules))
    is_change = at is not None and at != to
    refused = is_change and rules.find(tag) is not None and not (to is None and rules.deletable)
    assert verdict.allowed is not refused


def test_a_pattern_of_many_wildcards_is_judged_in_no_time():
    """A hundred wildcards against a tag that does not match: no number of combinations is tried."""
    assert parse_immutability("*a" * 60 + "b").find("a" * 128) is None
