# SPDX-License-Identifier: Apache-2.0
"""Which tags stay, and by which rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.clock import DAY, Instant
from wharfinger.domain.digests import Digest
from wharfinger.domain.errors import RuleInvalid
from wharfinger.domain.names import TagName
from wharfinger.domain.policies.retention import (
    MAX_RULES,
    TagFacts,
    UntaggedFacts,
    judge_tags,
    judge_untagged,
    make_policy,
    make_rule,
    words_of,
)

NOW = Instant(1_000 * DAY)
DIGEST = Digest("sha256:" + "a" * 64)
BESIDE = f"sha256-{'a' * 64}"


def tag(name, moved=0, pulled=None, digest=DIGEST, immutable=None):
    """A tag that moved, and was pulled, so many days ago."""
    return TagFacts(
        name=TagName(name),
        digest=digest,
        moved_at=Instant(NOW - moved * DAY),
        pulled_at=None if pulled is None else Instant(NOW - pulled * DAY),
        immutable=immutable,
    )


def going(tags, *rules):
    return [one.tag for one in judge_tags(tags, rules, NOW) if not one.kept]


def test_the_newest_are_those_that_moved_last():
    tags = [tag("v1", 3), tag("v2", 1), tag("v3", 2), tag("v4", 4)]
    assert going(tags, make_rule("some", "v*", newest=2)) == ["v1", "v4"]


def test_of_two_that_moved_together_the_first_by_name_is_newer():
    assert going([tag("b"), tag("a"), tag("c")], make_rule("one", "*", newest=1)) == ["b", "c"]


def test_age_counts_from_the_last_move_and_ends_on_the_moment():
    rule = make_rule("two-weeks", "*", moved_within=14)
    assert going([tag("young", 13), tag("old", 14), tag("older", 15)], rule) == ["old", "older"]


def test_a_pull_keeps_a_tag_and_one_that_was_never_pulled_is_not_kept_by_it():
    rule = make_rule("used", "*", pulled_within=90)
    assert going([tag("used", 500, pulled=89), tag("left", 500, pulled=90), tag("never", 1)], rule) == ["left", "never"]


def test_what_no_rule_is_about_stays():
    verdicts = judge_tags([tag("pr-1", 99), tag("v1", 99)], [make_rule("reviews", "pr-*", moved_within=1)], NOW)
    assert [(one.tag, one.kept, one.rule, one.reason) for one in verdicts] == [
        ("pr-1", False, "reviews", "reviews keeps moved within 1 day"),
        ("v1", True, None, "no rule is about it"),
    ]


def test_no_rules_keep_everything():
    assert going([tag("v1", 9_999)]) == []


def test_what_one_of_several_rules_keeps_stays_and_is_counted_by_each_on_its_own():
    rules = [make_rule("releases", "v*, !*-rc*", newest=1), make_rule("all", "*", moved_within=5)]
    tags = [tag("v1", 30), tag("v2", 20), tag("v3-rc1", 1), tag("dev", 9)]
    assert going(tags, *rules) == ["v1", "dev"]
    kept = {one.tag: (one.rule, one.reason) for one in judge_tags(tags, rules, NOW) if one.kept}
    assert kept == {
        "v2": ("releases", "it is among the newest 1"),
        "v3-rc1": ("all", "it moved within 5 days"),
    }


def test_an_immutable_tag_stays():
    (verdict,) = judge_tags([tag("v1", 99, immutable="v*")], [make_rule("none", "*", moved_within=1)], NOW)
    assert (verdict.kept, verdict.reason) == (True, "it is immutable (rule 'v*')")


def test_what_tools_write_beside_an_image_goes_with_its_last_tag_and_is_never_among_the_newest():
    other = Digest("sha256:" + "b" * 64)
    rule = make_rule("newest", "*", newest=1)
    signed = [tag("v1", 5), tag(f"{BESIDE}.sig", 1, digest=other), tag("v2", 9, digest=other)]
    assert going(signed, rule) == ["v2"]
    signed[0] = tag("v1", 10)
    assert going(signed, rule) == ["v1", f"{BESIDE}.sig"]
    signed.append(tag("stays", 99))
    assert going(signed, make_rule("newest", "v*", newest=1)) == ["v1"]


def test_what_belongs_to_an_image_without_a_tag_stays():
    """It may be one platform of an index that stays."""
    assert going([tag(f"{BESIDE}.att", 99)], make_rule("young", "*", moved_within=1)) == []


@pytest.mark.parametrize(("used", "kept"), [(29, True), (30, False), (31, False)])
def test_a_manifest_without_a_tag_stays_for_its_time(used, kept):
    facts = UntaggedFacts(id=1, digest=DIGEST, last_used=Instant(NOW - used * DAY))
    verdict = judge_untagged(facts, 30 * DAY, NOW)
    assert (verdict.kept, verdict.rule) == (kept, "untagged")


@pytest.mark.parametrize(
    ("name", "tags", "options", "said"),
    [
        ("", "*", {"newest": 1}, "no name for a rule"),
        ("a b", "*", {"newest": 1}, "no name for a rule"),
        ("none", "*", {}, "would keep nothing"),
        ("zero", "*", {"newest": 0}, "from 1 to 1,000,000, not 0"),
        ("much", "*", {"newest": 1_000_001}, "from 1 to 1,000,000"),
        ("days", "*", {"moved_within": -1}, "from 1 to 36,500, not -1"),
        ("days", "*", {"pulled_within": 10**9}, "from 1 to 36,500"),
        ("empty", " , ", {"newest": 1}, "which tags are meant"),
        ("only", "!v1", {"newest": 1}, "which tags are meant"),
        ("odd", "v[1]", {"newest": 1}, "not a pattern for tags"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(name, tags, options, said):
    with pytest.raises(RuleInvalid, match=said):
        make_rule(name, tags, **options)


def test_a_policy_has_few_rules_with_names_of_their_own():
    one = make_rule("one", "*", newest=1)
    with pytest.raises(RuleInvalid, match="same name"):
        make_policy([one, one])
    with pytest.raises(RuleInvalid, match="50 rules"):
        make_policy([make_rule(f"r{number}", "*", newest=1) for number in range(MAX_RULES + 1)])
    with pytest.raises(RuleInvalid, match="1 to 36,500 days"):
        make_policy([], 0)
    assert make_policy([one], 7).untagged_after == 7 * DAY


def test_a_rule_is_told_in_words():
    assert words_of(make_rule("all", "*", newest=3, moved_within=1, pulled_within=90)) == (
        "newest 3, moved within 1 day, pulled within 90 days"
    )


names = st.from_regex(r"[a-z][a-z0-9]{0,3}", fullmatch=True)
facts = st.lists(
    st.builds(tag, names, st.integers(0, 400), st.none() | st.integers(0, 400)),
    max_size=12,
    unique_by=lambda one: one.name,
)
rules = st.lists(
    st.builds(
        make_rule,
        names,
        st.sampled_from(["*", "a*", "*1", "*, !a*", "b?"]),
        newest=st.integers(1, 5),
        moved_within=st.none() | st.integers(1, 400),
        pulled_within=st.none() | st.integers(1, 400),
    ),
    max_size=4,
    unique_by=lambda one: one.name,
)


@given(facts, rules)
def test_taking_away_some_of_what_goes_changes_no_other_verdict(tags, found):
    """A run takes several transactions, each with a plan of its own: together they must do what the first one said."""
    plan = judge_tags(tags, found, NOW)
    leaving = [one.tag for one in plan if not one.kept]
    rest = [one for one in tags if one.name not in leaving[: len(leaving) // 2]]
    assert [one.tag for one in judge_tags(rest, found, NOW) if not one.kept] == leaving[len(leaving) // 2 :]


@given(facts, rules, rules)
def test_another_rule_never_has_a_tag_go_that_some_rule_keeps(tags, some, more):
    more = [one for one in more if one.name not in {rule.name for rule in some}]
    kept = {one.tag for one in judge_tags(tags, some, NOW) if one.rule is not None and one.kept}
    assert kept <= {one.tag for one in judge_tags(tags, [*some, *more], NOW) if one.kept}
