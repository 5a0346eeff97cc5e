# SPDX-License-Identifier: Apache-2.0
"""What trust rules give a workload, compared with tables that were written by hand.

Y: allowed. U: sign in (401). D: denied (403).
"""

from dataclasses import replace

import pytest

from tests.domain.test_domain_access import HERE, LETTERS, NAME, asked, read
from wharfinger.domain.access import Access, Action, Mode, Outcome, Role, Standing, Visibility, decide
from wharfinger.domain.identity import Ceiling, Entry, Principal, Workload
from wharfinger.domain.workloads import Reach, Trust

JOB = Principal(name="repo:acme/app of issuer.example", workload=Workload(rules=(1,)))
RULE = "trust rule 1 (builds)"
READ, WRITE, ADMIN = Role.READ, Role.WRITE, Role.ADMIN


def at(reach, role, *, tags=(), **facts):
    return Standing(trusts=(Trust(RULE, role, reach, tags),), **facts)


WAYS = {
    "no": at(Reach.NOWHERE, ADMIN),
    "gr": at(Reach.REGISTRY, READ),
    "gw": at(Reach.REGISTRY, WRITE),
    "ga": at(Reach.REGISTRY, ADMIN),
    "nr": at(Reach.NAMESPACE, READ),
    "nw": at(Reach.NAMESPACE, WRITE),
    "r+": at(Reach.NAMESPACE, READ, inherits=True),
    "w+": at(Reach.NAMESPACE, WRITE, inherits=True),
    "pr": at(Reach.REPOSITORY, READ),
    "pw": at(Reach.REPOSITORY, WRITE),
    "pa": at(Reach.REPOSITORY, ADMIN),
    "mw": at(Reach.MADE, WRITE),
    "lr": at(Reach.LINKED, READ),
    "lw": at(Reach.LINKED, WRITE),
    "or": at(Reach.OWN_NAME, READ),
    "ow": at(Reach.OWN_NAME, WRITE),
}
"""registry (g) · namespace · repository (p) · made by the rule · linked to the source · own name, which is free."""
TABLE = """
private     no gr gw ga  nr nw r+ w+  pr pw pa  mw lr lw  or ow
pull        D  Y  Y  Y   D  D  Y  Y   Y  Y  Y   Y  Y  Y   D  D
mount       D  Y  Y  Y   D  D  Y  Y   Y  Y  Y   Y  Y  Y   D  D
push        D  D  Y  Y   D  D  D  Y   D  Y  Y   Y  D  Y   D  D
describe    D  D  Y  Y   D  D  D  Y   D  Y  Y   Y  D  Y   D  D
delete      D  D  D  Y   D  D  D  D   D  D  Y   D  D  D   D  D
administer  D  D  D  Y   D  D  D  D   D  D  Y   D  D  D   D  D

internal    no gr gw ga  nr nw r+ w+  pr pw pa  mw lr lw  or ow
pull        D  Y  Y  Y   D  D  Y  Y   Y  Y  Y   Y  Y  Y   D  D
push        D  D  Y  Y   D  D  D  Y   D  Y  Y   Y  D  Y   D  D

public      no gr gw ga  nr nw r+ w+  pr pw pa  mw lr lw  or ow
pull        Y  Y  Y  Y   Y  Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y
push        D  D  Y  Y   D  D  D  Y   D  Y  Y   Y  D  Y   D  D

absent      no gr gw ga  nr nw r+ w+  pr pw pa  mw lr lw  or ow
pull        D  Y  Y  Y   D  Y  D  Y   D  D  D   D  D  D   D  Y
mount       D  Y  Y  Y   D  Y  D  Y   D  D  D   D  D  D   D  Y
push        D  D  Y  Y   D  Y  D  Y   D  D  D   D  D  D   D  Y
delete      D  D  D  Y   D  D  D  D   D  D  D   D  D  D   D  D

registry    no gr gw ga  nr nw r+ w+  pr pw pa  mw lr lw  or ow
visit       Y  Y  Y  Y   Y  Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y
list        Y  Y  Y  Y   Y  Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y
administer  D  D  D  Y   D  D  D  D   D  D  D   D  D  D   D  D
"""
RIGHT = read(TABLE)


def standing(where, facts):
    if where == "absent":
        return facts
    if where == "registry":  # what is about names reaches nothing where none is named
        (trust,) = facts.trusts
        return facts if trust.reach is Reach.REGISTRY else replace(facts, trusts=(trust._replace(reach=Reach.NOWHERE),))
    return replace(facts, repository_id=HERE, visibility=Visibility(where))


def answer(access, facts, who=JOB):
    return decide(Mode.ACCOUNTS, who, access, facts)


@pytest.mark.parametrize(("where", "operation"), RIGHT, ids=lambda part: part)
def test_a_rule_gives_what_the_table_says(where, operation):
    got = {way: answer(asked(where, operation), standing(where, facts)) for way, facts in WAYS.items()}
    assert {way: LETTERS[decision.outcome] for way, decision in got.items()} == RIGHT[where, operation]


@pytest.mark.parametrize("where", ["private", "internal", "public", "absent"])
def test_where_no_rule_reaches_a_workload_gets_what_anybody_gets(where):
    nobody = Principal(name="somebody without an account")
    for action in Action:
        facts = standing(where, WAYS["no"])
        assert answer(asked(where, action), facts) == answer(asked(where, action), replace(facts, trusts=()), nobody)


@pytest.mark.parametrize("way", ["gw", "pw", "mw"])
@pytest.mark.parametrize(
    ("tags", "allowed"),
    [
        ((), True),
        (("v1.2",), True),
        (("latest",), True),
        (("v1.2", "latest"), True),
        (("main",), False),
        (("v1.2", "main"), False),
        (("xv1.2",), False),
        (("latest2",), False),
    ],
)
def test_a_pattern_of_tags_binds_every_tag_that_is_pushed(way, tags, allowed):
    (trust,) = WAYS[way].trusts
    facts = replace(standing("private", WAYS[way]), trusts=(trust._replace(tags=("v*", "latest")),))
    decision = answer(Access(Action.PUSH, NAME, tags), facts)
    assert decision.allowed is allowed
    if not allowed:
        assert decision.rule == "the trust rule lets this workload push here, but not under this tag"


def test_a_rule_that_binds_tags_gives_reading_and_nothing_else_besides():
    bound = standing("private", at(Reach.REPOSITORY, WRITE, tags=("v*",)))
    assert answer(Access(Action.PULL, NAME), bound).allowed
    assert answer(Access(Action.DESCRIBE, NAME), bound).outcome is Outcome.DENIED


def test_another_rule_may_let_the_tag_through():
    two = (Trust(RULE, WRITE, Reach.REPOSITORY, ("v*",)), Trust("another", WRITE, Reach.REPOSITORY, ("main",)))
    facts = replace(standing("private", WAYS["no"]), trusts=two)
    assert answer(Access(Action.PUSH, NAME, ("main",)), facts).allowed
    assert answer(Access(Action.PUSH, NAME, ("v1",)), facts).allowed
    # One push under both is neither rule's.
    assert not answer(Access(Action.PUSH, NAME, ("main", "v1")), facts).allowed


def test_a_workload_whose_rules_are_all_gone_may_not_even_visit():
    gone = Standing(repository_id=HERE, visibility=Visibility.PUBLIC, suspended=True)
    for action in Action:
        decision = answer(Access(action, NAME), gone)
        assert decision.outcome is Outcome.SIGN_IN
        assert decision.rule == "the trust rules that let this workload in are gone"


def test_the_entries_of_its_registry_token_limit_a_workload_too():
    facts = standing("private", WAYS["pw"])
    token = replace(JOB, ceiling=Ceiling(entries=(Entry(NAME, frozenset({"pull"}), HERE),)))
    assert answer(Access(Action.PULL, NAME), facts, token).allowed
    assert answer(Access(Action.PUSH, NAME), facts, token).outcome is Outcome.WIDER_TOKEN


@pytest.mark.parametrize(
    ("way", "where", "rule"),
    [
        ("gr", "private", "read by trust rule 1 (builds) on the registry"),
        ("nw", "absent", "write by trust rule 1 (builds) on the namespace, where the name is free"),
        ("w+", "private", "write by trust rule 1 (builds) on the namespace, which the repository inherits"),
        ("pr", "private", "read by trust rule 1 (builds) on the repository"),
        ("mw", "private", "write by trust rule 1 (builds), by which the repository was made"),
        (
            "lw",
            "private",
            "write by trust rule 1 (builds) on repositories that are linked to the workload's source",
        ),
        ("ow", "absent", "write by trust rule 1 (builds) on names that begin as the workload's source does"),
    ],
)
def test_a_yes_names_the_trust_rule(way, where, rule):
    assert answer(asked(where, "pull"), standing(where, WAYS[way])).rule == rule
