# SPDX-License-Identifier: Apache-2.0
"""Access: more rights never take away, a narrower credential never adds, and the rule that is given is true."""

import re
from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wharfinger.domain.access import Access, Action, Mode, Outcome, Role, Standing, Visibility, decide, rights
from wharfinger.domain.identity import ANONYMOUS, NO_CEILING, Ceiling, Entry, Principal, Scope
from wharfinger.domain.names import RepositoryName

NAME, ANOTHER = RepositoryName("acme/app"), RepositoryName("catalog")
ANN = Principal(name="ann", account_id=1)
JOB = Principal(name="a job that no account stands for")
PLACES = ("on_deployment", "on_registry", "on_namespace", "on_repository")
GIVEN = ("owns_namespace", "is_member", "inherits", "anonymous_pull")
ORDER = list(Visibility)
ABSENT = {"repository_id": None, "visibility": None, "inherits": False, "created_by_self": None}

ids, times = st.integers(1, 2), st.integers(0, 2)
booleans = st.booleans()
# Most people have no role at most places: otherwise nearly every answer would be yes by the first of them.
roles = st.sampled_from([*[Role.NONE] * 6, *Role])
standings = st.builds(
    Standing,
    repository_id=st.none() | ids,
    created_by_self=st.none() | times,
    visibility=st.sampled_from(Visibility),
    **dict.fromkeys(PLACES, roles),
    **dict.fromkeys(GIVEN, booleans),
    suspended=st.sampled_from([*[False] * 7, True]),
).map(lambda one: replace(one, **ABSENT) if one.repository_id is None else one)
existing = standings.filter(lambda one: one.repository_id is not None)
entries = st.builds(
    Entry,
    repository=st.sampled_from([NAME, NAME, ANOTHER, None]),
    actions=st.frozensets(st.sampled_from(["pull", "push", "delete", "*"])),
    repository_id=st.none() | ids,
    created_since=st.none() | times,
    everything=booleans,
)
ceilings = st.just(NO_CEILING) | st.builds(
    Ceiling,
    scopes=st.none() | st.none() | st.frozensets(st.sampled_from(Scope)),
    repositories=st.none() | st.none() | st.frozensets(ids),
    entries=st.none() | st.lists(entries, max_size=4).map(tuple),
)
principals = st.builds(replace, st.sampled_from([ANONYMOUS, JOB, ANN]), ceiling=ceilings)
actions = st.sampled_from([Action.PULL, Action.PULL, *Action])
accesses = st.builds(Access, actions, st.sampled_from([NAME, NAME, NAME, NAME, None]))
often = settings(max_examples=200)
modes = st.sampled_from(Mode)


def subsets(of, everything):
    """Return a strategy of what is narrower than a limit, or the same; no limit is the widest."""
    if of is None:
        return st.none() | everything
    return st.frozensets(st.sampled_from(sorted(of))) if of else st.just(of)


@st.composite
def narrowed(draw, ceiling):
    """Return a ceiling that lets through at most what the other one does."""
    some = ceiling.entries
    kept = draw(st.none() | st.lists(entries, max_size=4)) if some is None else [e for e in some if draw(booleans)]
    return Ceiling(
        scopes=draw(subsets(ceiling.scopes, st.frozensets(st.sampled_from(Scope)))),
        repositories=draw(subsets(ceiling.repositories, st.frozensets(ids))),
        entries=kept,
    )


@st.composite
def raised(draw, standing):
    """Return a standing with at least the rights of the other one."""
    higher = {place: max(getattr(standing, place), draw(roles)) for place in PLACES}
    return replace(standing, **higher, **{name: getattr(standing, name) or draw(booleans) for name in GIVEN})


@often
@given(st.data(), principals, accesses, standings)
def test_a_higher_role_never_turns_yes_into_no(data, principal, access, standing):
    higher = data.draw(raised(standing))
    if decide(Mode.ACCOUNTS, principal, access, standing).allowed:
        assert decide(Mode.ACCOUNTS, principal, access, higher).allowed


@often
@given(st.data(), modes, principals, accesses, standings)
def test_a_narrower_credential_never_turns_no_into_yes(data, mode, principal, access, standing):
    narrow = replace(principal, ceiling=data.draw(narrowed(principal.ceiling)))
    # Another server's token is its entries: without them there is nobody.
    if mode is not Mode.TOKEN or principal.ceiling.entries is not None:
        allowed = decide(mode, narrow, access, standing).allowed
        assert not allowed or decide(mode, principal, access, standing).allowed


@often
@given(principals, accesses, existing)
def test_a_wider_visibility_never_turns_yes_into_no(principal, access, standing):
    answers = [
        decide(Mode.ACCOUNTS, principal, access, replace(standing, visibility=visibility)).allowed
        for visibility in ORDER
    ]
    assert answers == sorted(answers)


@often
@given(accesses, standings, ceilings)
def test_signing_in_never_turns_yes_into_no(access, standing, ceiling):
    if decide(Mode.ACCOUNTS, replace(ANONYMOUS, ceiling=ceiling), access, standing).allowed:
        signed_in = decide(Mode.ACCOUNTS, replace(ANN, ceiling=ceiling), access, standing)
        assert signed_in.allowed or signed_in.rule == "the account is suspended"


@often
@given(modes, principals, actions, standings)
def test_no_decision_depends_on_the_text_of_the_name(mode, principal, action, standing):
    swapped = {NAME: ANOTHER, ANOTHER: NAME, None: None}
    some = principal.ceiling.entries
    renamed = None if some is None else [replace(entry, repository=swapped[entry.repository]) for entry in some]
    other = replace(principal, ceiling=replace(principal.ceiling, entries=renamed))
    one = decide(mode, principal, Access(action, NAME), standing)
    assert one == decide(mode, other, Access(action, ANOTHER), standing)


@often
@given(principals, actions, existing)
def test_private_and_absent_are_the_same_for_whoever_may_not_read(principal, action, standing):
    nothing = dict.fromkeys(("on_deployment", "on_registry", "on_repository"), Role.NONE)
    reader = min(standing.on_namespace, Role.READ)
    private = replace(
        standing, visibility=Visibility.PRIVATE, inherits=False, owns_namespace=False, on_namespace=reader, **nothing
    )
    absent = replace(private, **ABSENT)
    there, not_there = (decide(Mode.ACCOUNTS, principal, Access(action, NAME), at) for at in (private, absent))
    assert there == not_there


@often
@given(principals, actions, standings)
def test_an_entry_opens_no_repository_but_the_one_it_was_made_for(principal, action, standing):
    decision = decide(Mode.ACCOUNTS, principal, Access(action, NAME), standing)
    if decision.allowed and principal.ceiling.entries is not None and action not in (Action.MOUNT, Action.VISIT):
        bonds = [entry for entry in principal.ceiling.entries if entry.repository == NAME]
        made_for = {entry.repository_id for entry in bonds}
        own = [entry.created_since for entry in bonds if entry.repository_id is None]
        if standing.repository_id not in made_for - {None}:
            earliest = min(since for since in own if since is not None)
            assert standing.repository_id is None or standing.created_by_self >= earliest


class Asked(NamedTuple):
    """Who asked, and where they stand."""

    principal: Principal
    standing: Standing


HOLDS = {
    "you have not signed in": lambda asked: asked.principal.is_anonymous,
    "the account is suspended": lambda asked: asked.standing.suspended,
    "everybody who signed in may ask whether this is a registry": lambda asked: not asked.principal.is_anonymous,
    "lists show what you may pull": lambda asked: asked.standing.anonymous_pull or not asked.principal.is_anonymous,
    "owner of the namespace": lambda asked: asked.standing.owns_namespace,
    "member of the organization, which the repository inherits": lambda asked: (
        asked.standing.is_member and asked.standing.inherits
    ),
    "the repository is public": lambda asked: (
        asked.standing.visibility is Visibility.PUBLIC and asked.standing.anonymous_pull
    ),
    "the repository is public, which means every account here": lambda asked: (
        asked.standing.visibility is Visibility.PUBLIC and asked.principal.account_id
    ),
    "the repository is internal: every account may pull": lambda asked: (
        asked.standing.visibility is Visibility.INTERNAL and asked.principal.account_id
    ),
    "the token does not name it": lambda asked: asked.principal.ceiling.entries is not None,
    "no registry token opens it": lambda asked: asked.principal.ceiling.entries is not None,
    "the token is limited to some repositories, and opens none of this name": lambda asked: (
        asked.principal.ceiling.repositories is not None
    ),
}
"""Rules without a role in them, and what must be so where one is given."""
ROLE_RULE = re.compile(
    r"(read|write|admin|viewer|manager) on the (deployment|registry|namespace|repository)"
    r"(, which the repository inherits|, where the name is free)?"
)
WORDS = {"viewer": Role.READ, "read": Role.READ, "write": Role.WRITE, "admin": Role.ADMIN, "manager": Role.ADMIN}
NEEDED = {
    Action.PULL: Role.READ,
    Action.MOUNT: Role.READ,
    Action.LIST: Role.READ,
    Action.PUSH: Role.WRITE,
    Action.DESCRIBE: Role.WRITE,
    Action.DELETE: Role.ADMIN,
    Action.ADMINISTER: Role.ADMIN,
}


def scopes_named(rule):
    return {Scope(word) for word in re.findall(r"\S+:\S+", rule)}


@often
@given(principals, accesses, standings)
def test_the_rule_that_is_given_is_true(principal, access, standing):
    decision = decide(Mode.ACCOUNTS, principal, access, standing)
    if decision.rule in HOLDS:
        assert HOLDS[decision.rule](Asked(principal, standing))
    elif match := ROLE_RULE.fullmatch(decision.rule):
        word, place, condition = match.groups()
        assert decision.allowed
        assert getattr(standing, f"on_{place}") is WORDS[word] >= NEEDED[access.action]
        assert not condition or (standing.inherits if "inherits" in condition else standing.repository_id is None)
        assert place != "namespace" or condition
    elif decision.rule.startswith("the token lacks the scope "):
        assert decision.outcome is Outcome.DENIED
        assert not scopes_named(decision.rule) & principal.ceiling.scopes
    else:
        assert decision.rule.startswith("you need the role ")
        assert decision.outcome is Outcome.DENIED
        assert all(right.role < NEEDED[access.action] for right in rights(principal, access, standing))


@often
@given(principals, accesses, standings)
def test_a_scope_that_a_refusal_names_would_do(principal, access, standing):
    rule = decide(Mode.ACCOUNTS, principal, access, standing).rule
    if rule.startswith("the token lacks the scope "):
        for scope in scopes_named(rule):
            wider = replace(principal, ceiling=replace(principal.ceiling, scopes=frozenset({scope})))
            assert "scope" not in decide(Mode.ACCOUNTS, wider, access, standing).rule


@pytest.mark.parametrize("mode", Mode)
@given(principals, accesses, standings)
def test_no_question_is_left_without_an_answer(mode, principal, access, standing):
    assert decide(mode, principal, access, standing).rule
