# SPDX-License-Identifier: Apache-2.0
"""Who may manage what: the decision, against tables that were written by hand, in every combination.

Y: allowed. U: sign in (401). D: denied (403, or 404 for what one may not know). L: the credential is not for this.
"""

from dataclasses import replace

import pytest

from wharfinger.domain.access import Mode, Outcome, Role
from wharfinger.domain.accounts import AccountKind
from wharfinger.domain.identity import ANONYMOUS, Ceiling, Entry, Principal, Scope
from wharfinger.domain.management import Matter, Relation, Target, Task, decide

USER, ORGANIZATION, ROBOT = AccountKind.USER, AccountKind.ORGANIZATION, AccountKind.ROBOT
READ, WRITE, ADMIN = Role.READ, Role.WRITE, Role.ADMIN
ANN = Principal(name="ann", account_id=1)
JOB = Principal(name="a job that no account stands for")
NAMES = {
    Target.USER: "bob",
    Target.ORGANIZATION: "acme",
    Target.ROBOT: "acme+ci",
    Target.NAMESPACE: "acme",
    Target.REGISTRY: "default",
    Target.DEPLOYMENT: "",
}
KINDS = {Target.USER: USER, Target.ORGANIZATION: ORGANIZATION, Target.ROBOT: ROBOT}
WAYS = {
    "an": (ANONYMOUS, Relation()),
    "ac": (ANN, Relation()),
    "jo": (JOB, Relation(on_deployment=ADMIN)),
    "me": (ANN, Relation(is_self=True)),
    "mb": (ANN, Relation(is_member=True)),
    "ow": (ANN, Relation(owns=True, is_member=True)),
    "nr": (ANN, Relation(on_namespace=READ)),
    "nw": (ANN, Relation(on_namespace=WRITE)),
    "na": (ANN, Relation(on_namespace=ADMIN)),
    "gr": (ANN, Relation(on_registry=READ)),
    "gw": (ANN, Relation(on_registry=WRITE)),
    "ga": (ANN, Relation(on_registry=ADMIN)),
    "dr": (ANN, Relation(on_deployment=READ)),
    "dw": (ANN, Relation(on_deployment=WRITE)),
    "da": (ANN, Relation(on_deployment=ADMIN)),
    "su": (ANN, Relation(is_self=True, owns=True, on_deployment=ADMIN, on_registry=ADMIN, suspended=True)),
}
"""anonymous · account · job · oneself · member · owner · namespace · registry (g) · deployment · suspended."""

EXPECTED = """
user          an ac jo me mb ow  nr nw na  gr gw ga  dr dw da  su
see           U  D  D  Y  D  D   D  D  D   D  D  D   Y  Y  Y   U
read          U  D  D  Y  D  D   D  D  D   D  D  D   Y  Y  Y   U
inspect       U  D  D  Y  D  D   D  D  D   D  D  D   Y  Y  Y   U
manage        U  D  D  Y  D  D   D  D  D   D  D  D   D  D  Y   U
govern        U  D  D  Y  D  D   D  D  D   D  D  D   D  D  Y   U
issue         U  D  D  Y  D  D   D  D  D   D  D  D   D  D  D   U
supervise     U  D  D  D  D  D   D  D  D   D  D  D   D  D  Y   U

organization  an ac jo me mb ow  nr nw na  gr gw ga  dr dw da  su
see           U  Y  D  Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   U
read          U  D  D  D  Y  Y   D  D  D   D  D  D   Y  Y  Y   U
inspect       U  D  D  D  D  Y   D  D  D   D  D  D   Y  Y  Y   U
manage        U  D  D  D  D  Y   D  D  D   D  D  D   D  D  Y   U
govern        U  D  D  D  D  Y   D  D  D   D  D  D   D  D  Y   U
issue         U  D  D  D  D  Y   D  D  D   D  D  D   D  D  Y   U
supervise     U  D  D  D  D  D   D  D  D   D  D  D   D  D  Y   U

robot         an ac jo me mb ow  nr nw na  gr gw ga  dr dw da  su
see           U  D  D  Y  D  Y   D  D  D   Y  Y  Y   Y  Y  Y   U
read          U  D  D  Y  D  Y   D  D  D   Y  Y  Y   Y  Y  Y   U
inspect       U  D  D  Y  D  Y   D  D  D   Y  Y  Y   Y  Y  Y   U
manage        U  D  D  D  D  Y   D  D  D   D  D  Y   D  D  Y   U
govern        U  D  D  D  D  Y   D  D  D   D  D  Y   D  D  Y   U
issue         U  D  D  D  D  Y   D  D  D   D  D  Y   D  D  Y   U
supervise     U  D  D  D  D  Y   D  D  D   D  D  Y   D  D  Y   U

namespace     an ac jo me mb ow  nr nw na  gr gw ga  dr dw da  su
see           U  D  D  D  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   U
read          U  D  D  D  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   U
inspect       U  D  D  D  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   U
manage        U  D  D  D  D  Y   D  D  Y   D  D  Y   D  D  Y   U
govern        U  D  D  D  D  Y   D  D  D   D  D  Y   D  D  Y   U
issue         U  D  D  D  D  Y   D  D  Y   D  D  Y   D  D  Y   U
supervise     U  D  D  D  D  D   D  D  D   D  D  Y   D  D  Y   U

registry      an ac jo me mb ow  nr nw na  gr gw ga  dr dw da  su
see           U  D  D  D  D  D   D  D  D   Y  Y  Y   Y  Y  Y   U
read          U  D  D  D  D  D   D  D  D   Y  Y  Y   Y  Y  Y   U
inspect       U  D  D  D  D  D   D  D  D   Y  Y  Y   Y  Y  Y   U
manage        U  D  D  D  D  D   D  D  D   D  D  Y   D  D  Y   U
govern        U  D  D  D  D  D   D  D  D   D  D  Y   D  D  Y   U
issue         U  D  D  D  D  D   D  D  D   D  D  Y   D  D  Y   U
supervise     U  D  D  D  D  D   D  D  D   D  D  Y   D  D  Y   U

deployment    an ac jo me mb ow  nr nw na  gr gw ga  dr dw da  su
see           U  D  D  D  D  D   D  D  D   D  D  D   Y  Y  Y   U
read          U  D  D  D  D  D   D  D  D   D  D  D   Y  Y  Y   U
inspect       U  D  D  D  D  D   D  D  D   D  D  D   Y  Y  Y   U
manage        U  D  D  D  D  D   D  D  D   D  D  D   D  D  Y   U
govern        U  D  D  D  D  D   D  D  D   D  D  D   D  D  Y   U
issue         U  D  D  D  D  D   D  D  D   D  D  D   D  D  Y   U
supervise     U  D  D  D  D  D   D  D  D   D  D  D   D  D  Y   U
"""
SCOPES = {
    Target.USER: Scope.ADMIN_REGISTRY,
    Target.ORGANIZATION: Scope.ADMIN_ORGANIZATION,
    Target.ROBOT: Scope.ADMIN_ORGANIZATION,
    Target.NAMESPACE: Scope.ADMIN_ORGANIZATION,
    Target.REGISTRY: Scope.ADMIN_REGISTRY,
    Target.DEPLOYMENT: Scope.ADMIN_REGISTRY,
}
LETTERS = {Outcome.ALLOWED: "Y", Outcome.SIGN_IN: "U", Outcome.DENIED: "D"}


def table():
    found, target, ways = {}, None, ()
    for line in EXPECTED.splitlines():
        first, *rest = line.split() or ("",)
        if first in set(Target):
            target, ways = Target(first), rest
        elif first:
            found |= {(target, Task(first), way): letter for way, letter in zip(ways, rest, strict=True)}
    return found


TABLE = table()


def at(target, way):
    principal, relation = WAYS[way]
    return principal, replace(relation, kind=KINDS.get(target))


def letter(principal, matter, relation):
    decision = decide(Mode.ACCOUNTS, principal, matter, relation)
    return "L" if decision.limited else LETTERS[decision.outcome]


def test_the_table_has_every_combination():
    assert set(TABLE) == {(target, task, way) for target in Target for task in Task for way in WAYS}


@pytest.mark.parametrize("target", Target)
@pytest.mark.parametrize("task", Task)
def test_who_may_is_as_the_table_says(target, task):
    matter = Matter(task, target, NAMES[target])
    found = {way: letter(at(target, way)[0], matter, at(target, way)[1]) for way in WAYS}
    assert found == {way: TABLE[target, task, way] for way in WAYS}


@pytest.mark.parametrize("target", Target)
@pytest.mark.parametrize("scope", Scope)
def test_a_token_opens_what_its_scope_names_and_adds_nothing(target, scope):
    for task in Task:
        matter = Matter(task, target, NAMES[target])
        for way in WAYS:
            principal, relation = at(target, way)
            limited = replace(principal, ceiling=Ceiling(scopes=frozenset({scope})))
            right = TABLE[target, task, way]
            expected = right if right == "U" or task is Task.SEE or scope is SCOPES[target] else "L"
            assert letter(limited, matter, relation) == expected, (task, way)


def test_ones_own_account_takes_another_scope_than_those_of_others():
    own = Matter(Task.MANAGE, Target.USER, "ann")
    relation = Relation(kind=USER, is_self=True, on_deployment=ADMIN)
    for scope in Scope:
        limited = replace(ANN, ceiling=Ceiling(scopes=frozenset({scope})))
        assert letter(limited, own, relation) == ("Y" if scope is Scope.ADMIN_ORGANIZATION else "L")


def test_a_robot_of_a_registry_takes_the_scope_of_registries():
    matter = Matter(Task.MANAGE, Target.ROBOT, "@default+ci")
    relation = Relation(kind=ROBOT, on_registry=ADMIN)
    for scope in Scope:
        limited = replace(ANN, ceiling=Ceiling(scopes=frozenset({scope})))
        assert letter(limited, matter, relation) == ("Y" if scope is Scope.ADMIN_REGISTRY else "L")


@pytest.mark.parametrize(
    "ceiling", [Ceiling(entries=()), Ceiling(entries=(Entry("acme/app", frozenset({"pull"}), repository_id=1),))]
)
def test_a_registry_token_opens_nothing(ceiling):
    for target in Target:
        for task in Task:
            principal = replace(ANN, ceiling=ceiling)
            relation = Relation(kind=KINDS.get(target), is_self=True, owns=True, on_deployment=ADMIN)
            assert letter(principal, Matter(task, target, NAMES[target]), relation) == "L"


def test_a_token_that_is_limited_to_repositories_opens_nothing_but_what_needs_no_scope():
    principal = replace(ANN, ceiling=Ceiling(repositories=frozenset({1}), scopes=frozenset(Scope)))
    for target in Target:
        for task in Task:
            relation = Relation(kind=KINDS.get(target), on_deployment=ADMIN)
            expected = "Y" if task is Task.SEE else "L"
            assert letter(principal, Matter(task, target, NAMES[target]), relation) == expected


@pytest.mark.parametrize("target", KINDS)
def test_a_name_that_is_nobodys_or_of_another_kind_gives_no_right(target):
    for kind in {None, USER, ORGANIZATION, ROBOT} - {KINDS[target]}:
        relation = Relation(kind=kind, is_self=True, owns=True, is_member=True, on_registry=ADMIN)
        assert letter(ANN, Matter(Task.MANAGE, target, NAMES[target]), relation) == "D"


@pytest.mark.parametrize("mode", [Mode.OPEN, Mode.HTPASSWD, Mode.TOKEN])
def test_without_accounts_nobody_manages_anything(mode):
    for principal in (ANONYMOUS, ANN):
        decision = decide(mode, principal, Matter(Task.MANAGE, Target.DEPLOYMENT), Relation(on_deployment=ADMIN))
        assert decision.outcome is Outcome.DENIED


def test_what_an_organization_withholds_is_named_and_does_not_count():
    relation = Relation(kind=ORGANIZATION, withheld_by="acme")
    decision = decide(Mode.ACCOUNTS, ANN, Matter(Task.MANAGE, Target.ORGANIZATION, "acme"), relation)
    assert decision.outcome is Outcome.DENIED
    assert "acme demands single sign-on" in decision.rule


def test_a_refusal_tells_nothing_of_what_is_there():
    for target in Target:
        for task in Task:
            matter = Matter(task, target, NAMES[target])
            rules = {
                decide(Mode.ACCOUNTS, ANN, matter, Relation(kind=kind)).rule
                for kind in (None, KINDS.get(target))
                if not decide(Mode.ACCOUNTS, ANN, matter, Relation(kind=kind)).allowed
            }
            assert len(rules) <= 1, matter
