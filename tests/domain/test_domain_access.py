# SPDX-License-Identifier: Apache-2.0
"""Who may do what: the decision is compared with two tables that were written by hand, in every combination.

The first table says what somebody may, by the way in which the right comes. The second says what a credential lets
through. Together: a credential that is never for this refuses (D); otherwise the right decides; a right that would do
and that a registry token does not name asks for a wider token (W).

Y: allowed. U: sign in (401). D: denied (403). W: a wider token (401).
"""

import itertools
from dataclasses import replace

import pytest

from wharfinger.domain.access import NOWHERE, Access, Action, Mode, Outcome, Role, Standing, Visibility, decide
from wharfinger.domain.identity import ANONYMOUS, Ceiling, Entry, Principal, Scope
from wharfinger.domain.names import RepositoryName

NAME, OTHER = RepositoryName("acme/app"), RepositoryName("acme/other")
HERE, ELSEWHERE = 7, 8
MADE = 1_000
"""When the repository was created, where a credential's row says that its own account did so."""
LETTERS = {Outcome.ALLOWED: "Y", Outcome.SIGN_IN: "U", Outcome.DENIED: "D", Outcome.WIDER_TOKEN: "W"}

ANN = Principal(name="ann", account_id=1)
JOB = Principal(name="a job that no account stands for")
READ, WRITE, ADMIN = Role.READ, Role.WRITE, Role.ADMIN
WITHHELD = Standing(
    is_member=True, is_withheld=True, demanded_by="acme", owns_namespace=True, inherits=True,
    on_repository=ADMIN, on_namespace=ADMIN,
)  # fmt: skip
WAYS = {
    "an": (ANONYMOUS, NOWHERE),
    "ac": (ANN, NOWHERE),
    "jo": (JOB, NOWHERE),
    "me": (ANN, Standing(is_member=True)),
    "m+": (ANN, Standing(is_member=True, inherits=True)),
    "rr": (ANN, Standing(on_repository=READ)),
    "rw": (ANN, Standing(on_repository=WRITE)),
    "ra": (ANN, Standing(on_repository=ADMIN)),
    "nr": (ANN, Standing(on_namespace=READ)),
    "nw": (ANN, Standing(on_namespace=WRITE)),
    "na": (ANN, Standing(on_namespace=ADMIN)),
    "r+": (ANN, Standing(on_namespace=READ, inherits=True)),
    "w+": (ANN, Standing(on_namespace=WRITE, inherits=True)),
    "a+": (ANN, Standing(on_namespace=ADMIN, inherits=True)),
    "gr": (ANN, Standing(on_registry=READ)),
    "gw": (ANN, Standing(on_registry=WRITE)),
    "ga": (ANN, Standing(on_registry=ADMIN)),
    "dr": (ANN, Standing(on_deployment=READ)),
    "dw": (ANN, Standing(on_deployment=WRITE)),
    "da": (ANN, Standing(on_deployment=ADMIN)),
    "ow": (ANN, Standing(owns_namespace=True)),
    "so": (ANN, WITHHELD),
    "sg": (ANN, replace(WITHHELD, on_registry=READ)),
}
"""anonymous · account · job · member · repository · namespace · registry (g) · deployment · owner; `+`: inherited.

`so`: all that an owner can have where its organization demands single sign-on and its credential does not prove it;
`sg`: the same with a role on the registry, which counts."""

RIGHTS = """
private     an ac jo  me m+  rr rw ra  nr nw na  r+ w+ a+  gr gw ga  dr dw da  ow  so sg
pull        U  D  D   D  Y   Y  Y  Y   D  D  D   Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  D  Y
mount       U  D  D   D  Y   Y  Y  Y   D  D  D   Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  D  Y
push        U  D  D   D  D   D  Y  Y   D  D  D   D  Y  Y   D  Y  Y   D  Y  Y   Y  D  D
describe    U  D  D   D  D   D  Y  Y   D  D  D   D  Y  Y   D  Y  Y   D  Y  Y   Y  D  D
delete      U  D  D   D  D   D  D  Y   D  D  D   D  D  Y   D  D  Y   D  D  Y   Y  D  D
administer  U  D  D   D  D   D  D  Y   D  D  D   D  D  Y   D  D  Y   D  D  Y   Y  D  D

internal    an ac jo  me m+  rr rw ra  nr nw na  r+ w+ a+  gr gw ga  dr dw da  ow  so sg
pull        U  Y  D   Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y
mount       U  Y  D   Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y
push        U  D  D   D  D   D  Y  Y   D  D  D   D  Y  Y   D  Y  Y   D  Y  Y   Y  D  D
describe    U  D  D   D  D   D  Y  Y   D  D  D   D  Y  Y   D  Y  Y   D  Y  Y   Y  D  D
delete      U  D  D   D  D   D  D  Y   D  D  D   D  D  Y   D  D  Y   D  D  Y   Y  D  D
administer  U  D  D   D  D   D  D  Y   D  D  D   D  D  Y   D  D  Y   D  D  Y   Y  D  D

public      an ac jo  me m+  rr rw ra  nr nw na  r+ w+ a+  gr gw ga  dr dw da  ow  so sg
pull        Y  Y  Y   Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y
mount       Y  Y  Y   Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y
push        U  D  D   D  D   D  Y  Y   D  D  D   D  Y  Y   D  Y  Y   D  Y  Y   Y  D  D
describe    U  D  D   D  D   D  Y  Y   D  D  D   D  Y  Y   D  Y  Y   D  Y  Y   Y  D  D
delete      U  D  D   D  D   D  D  Y   D  D  D   D  D  Y   D  D  Y   D  D  Y   Y  D  D
administer  U  D  D   D  D   D  D  Y   D  D  D   D  D  Y   D  D  Y   D  D  Y   Y  D  D

absent      an ac jo  me m+  rr rw ra  nr nw na  r+ w+ a+  gr gw ga  dr dw da  ow  so sg
pull        U  D  D   D  D   D  D  D   D  Y  Y   D  Y  Y   Y  Y  Y   Y  Y  Y   Y  D  Y
mount       U  D  D   D  D   D  D  D   D  Y  Y   D  Y  Y   Y  Y  Y   Y  Y  Y   Y  D  Y
push        U  D  D   D  D   D  D  D   D  Y  Y   D  Y  Y   D  Y  Y   D  Y  Y   Y  D  D
describe    U  D  D   D  D   D  D  D   D  Y  Y   D  Y  Y   D  Y  Y   D  Y  Y   Y  D  D
delete      U  D  D   D  D   D  D  D   D  D  Y   D  D  Y   D  D  Y   D  D  Y   Y  D  D
administer  U  D  D   D  D   D  D  D   D  D  Y   D  D  Y   D  D  Y   D  D  Y   Y  D  D

registry    an ac jo  me m+  rr rw ra  nr nw na  r+ w+ a+  gr gw ga  dr dw da  ow  so sg
visit       U  Y  Y   Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y
list        Y  Y  Y   Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y   Y  Y  Y
pull        U  D  D   D  D   D  D  D   D  D  D   D  D  D   Y  Y  Y   Y  Y  Y   D  D  Y
push        U  D  D   D  D   D  D  D   D  D  D   D  D  D   D  Y  Y   D  Y  Y   D  D  D
describe    U  D  D   D  D   D  D  D   D  D  D   D  D  D   D  Y  Y   D  Y  Y   D  D  D
delete      U  D  D   D  D   D  D  D   D  D  D   D  D  D   D  D  Y   D  D  Y   D  D  D
administer  U  D  D   D  D   D  D  D   D  D  D   D  D  D   D  D  Y   D  D  Y   D  D  D
"""
WITHOUT_ANONYMOUS_PULL = {
    ("public", "pull"): {"an": "U", "jo": "D"},
    ("public", "mount"): {"an": "U", "jo": "D"},
    ("registry", "list"): {"an": "U"},
}
"""What differs where anonymous pull is switched off: public then means every account."""

ALL = frozenset({"pull", "push", "delete"})
CREDENTIALS = {
    # scopes
    "s?": (Ceiling(), None),
    "s0": (Ceiling(scopes=frozenset()), None),
    "sr": (Ceiling(scopes=frozenset({Scope.READ})), None),
    "sw": (Ceiling(scopes=frozenset({Scope.WRITE})), None),
    "sd": (Ceiling(scopes=frozenset({Scope.DELETE})), None),
    "sp": (Ceiling(scopes=frozenset({Scope.ADMIN_PACKAGES})), None),
    "so": (Ceiling(scopes=frozenset({Scope.ADMIN_ORGANIZATION})), None),
    "sg": (Ceiling(scopes=frozenset({Scope.ADMIN_REGISTRY})), None),
    # repositories: no limit, none at all, this one, another one
    "l?": (Ceiling(), None),
    "l0": (Ceiling(repositories=frozenset()), None),
    "l1": (Ceiling(repositories=frozenset({HERE})), None),
    "lx": (Ceiling(repositories=frozenset({ELSEWHERE})), None),
    # entries of a registry token: no such token, none, one for this repository with one action or with all of them
    "e?": (Ceiling(), None),
    "e0": (Ceiling(entries=()), None),
    "ep": (Ceiling(entries=(Entry(NAME, frozenset({"pull"}), HERE),)), None),
    "eu": (Ceiling(entries=(Entry(NAME, frozenset({"push"}), HERE),)), None),
    "ed": (Ceiling(entries=(Entry(NAME, frozenset({"delete"}), HERE),)), None),
    "e3": (Ceiling(entries=(Entry(NAME, ALL, HERE),)), None),
    # the list of repositories, another name, `*` in both ways, a repository that had the name before, no bond at all
    "el": (Ceiling(entries=(Entry(None, frozenset({"*"})),)), None),
    "ex": (Ceiling(entries=(Entry(OTHER, ALL, HERE),)), None),
    "e*": (Ceiling(entries=(Entry(NAME, frozenset({"*"}), HERE, everything=True),)), None),
    "eb": (Ceiling(entries=(Entry(NAME, ALL, ELSEWHERE),)), None),
    "en": (Ceiling(entries=(Entry(NAME, ALL),)), None),
    # the name was free when the token was made; then its account created the repository, or had before, or another did
    "f+": (Ceiling(entries=(Entry(NAME, ALL, None, MADE),)), MADE),
    "f-": (Ceiling(entries=(Entry(NAME, ALL, None, MADE + 1),)), MADE),
    "fx": (Ceiling(entries=(Entry(NAME, ALL, None, MADE),)), None),
}
"""A ceiling, and when the account of the credential created the repository, if it did."""

CEILINGS = """
exists      s? s0 sr sw sd sp so sg  l? l0 l1 lx  e? e0 ep eu ed e3  el ex e* eb en  f+ f- fx
pull        Y  D  Y  Y  Y  Y  D  D   Y  D  Y  D   Y  W  Y  W  W  Y   W  W  W  W  W   Y  W  W
mount       Y  D  Y  Y  Y  Y  D  D   Y  D  Y  D   Y  Y  Y  Y  Y  Y   Y  Y  Y  Y  Y   Y  Y  Y
push        Y  D  D  Y  D  Y  D  D   Y  D  Y  D   Y  W  W  Y  W  Y   W  W  W  W  W   Y  W  W
describe    Y  D  D  D  D  Y  D  D   Y  D  Y  D   Y  D  D  D  D  D   D  D  D  D  D   D  D  D
delete      Y  D  D  D  Y  Y  D  D   Y  D  Y  D   Y  W  W  W  Y  Y   W  W  W  W  W   Y  W  W
administer  Y  D  D  D  D  Y  D  D   Y  D  Y  D   Y  D  D  D  D  D   D  D  D  D  D   D  D  D

absent      s? s0 sr sw sd sp so sg  l? l0 l1 lx  e? e0 ep eu ed e3  el ex e* eb en  f+ f- fx
pull        Y  D  Y  Y  Y  Y  D  D   Y  D  D  D   Y  W  W  W  W  W   W  W  W  W  W   Y  Y  Y
mount       Y  D  Y  Y  Y  Y  D  D   Y  D  D  D   Y  Y  Y  Y  Y  Y   Y  Y  Y  Y  Y   Y  Y  Y
push        Y  D  D  Y  D  Y  D  D   Y  D  D  D   Y  W  W  W  W  W   W  W  W  W  W   Y  Y  Y
describe    Y  D  D  D  D  Y  D  D   Y  D  D  D   Y  D  D  D  D  D   D  D  D  D  D   D  D  D
delete      Y  D  D  D  Y  Y  D  D   Y  D  D  D   Y  W  W  W  W  W   W  W  W  W  W   Y  Y  Y
administer  Y  D  D  D  D  Y  D  D   Y  D  D  D   Y  D  D  D  D  D   D  D  D  D  D   D  D  D

registry    s? s0 sr sw sd sp so sg  l? l0 l1 lx  e? e0 ep eu ed e3  el ex e* eb en  f+ f- fx
visit       Y  Y  Y  Y  Y  Y  Y  Y   Y  Y  Y  Y   Y  Y  Y  Y  Y  Y   Y  Y  Y  Y  Y   Y  Y  Y
list        Y  D  Y  Y  Y  Y  D  D   Y  Y  Y  Y   Y  W  W  W  W  W   Y  W  W  W  W   W  W  W
pull        Y  D  D  D  D  D  D  Y   Y  D  D  D   Y  D  D  D  D  D   D  D  D  D  D   D  D  D
push        Y  D  D  D  D  D  D  Y   Y  D  D  D   Y  D  D  D  D  D   D  D  D  D  D   D  D  D
describe    Y  D  D  D  D  D  D  Y   Y  D  D  D   Y  D  D  D  D  D   D  D  D  D  D   D  D  D
delete      Y  D  D  D  D  D  D  Y   Y  D  D  D   Y  D  D  D  D  D   D  D  D  D  D   D  D  D
administer  Y  D  D  D  D  D  D  Y   Y  D  D  D   Y  D  D  D  D  D   D  D  D  D  D   D  D  D
"""


def read(table):
    """Return {(title, operation): {column: cell}} of a table in text."""
    cells = {}
    for block in table.strip().split("\n\n"):
        (title, *columns), *rows = (line.split() for line in block.splitlines())
        for operation, *letters in rows:
            cells[title, operation] = dict(zip(columns, letters, strict=True))
    return cells


RIGHT, CEILING = read(RIGHTS), read(CEILINGS)
SCOPES, LIMITS, ENTRIES = ([key for key in CREDENTIALS if key[0] in kinds] for kinds in ("s", "l", "ef"))


def credentials():
    """Yield every combination: a registry token keeps the scopes and the limit of what it was made for."""
    for keys in itertools.product(SCOPES, LIMITS, ENTRIES):
        (scopes, _), (limit, _), (entries, created) = (CREDENTIALS[key] for key in keys)
        ceiling = Ceiling(scopes=scopes.scopes, repositories=limit.repositories, entries=entries.entries)
        yield keys, ceiling, created


COMBINED = list(credentials())


def composed(way, right, letters):
    """Return what the two tables say together; nobody is denied before being asked to sign in."""
    if "D" in letters:
        return "U" if way == "an" else "D"
    return "W" if right == "Y" and "W" in letters else right


def standing_at(where, standing, anonymous_pull):
    """Return the standing with the facts of the repository filled in."""
    if where in ("absent", "registry"):
        return replace(standing, anonymous_pull=anonymous_pull)
    return replace(standing, repository_id=HERE, visibility=Visibility(where), anonymous_pull=anonymous_pull)


def asked(where, operation):
    return Access(Action(operation), None if where == "registry" else NAME)


def right_of(where, operation, anonymous_pull):
    """Return the row of the first table."""
    changed = {} if anonymous_pull else WITHOUT_ANONYMOUS_PULL.get((where, operation), {})
    return RIGHT[where, operation] | changed


def test_the_tables_are_complete():
    titles = {"private": "exists", "internal": "exists", "public": "exists", "absent": "absent", "registry": "registry"}
    assert {(titles[where], operation) for where, operation in RIGHT} == set(CEILING)
    assert all(row.keys() == WAYS.keys() for row in RIGHT.values())
    assert all(row.keys() == CREDENTIALS.keys() for row in CEILING.values())
    on_names = {operation for where, operation in RIGHT if where != "registry"}
    assert on_names | {"visit", "list"} == {action.value for action in Action}


@pytest.mark.parametrize(("where", "operation"), RIGHT, ids=lambda part: part)
def test_every_way_with_every_credential_gets_what_the_tables_say(where, operation):
    access = asked(where, operation)
    ceilings = CEILING[where if where in ("absent", "registry") else "exists", operation]
    wrong = []
    for anonymous_pull, (way, (principal, facts)) in itertools.product((True, False), WAYS.items()):
        right = right_of(where, operation, anonymous_pull)[way]
        standing = standing_at(where, facts, anonymous_pull)
        for keys, ceiling, created in COMBINED:
            at = standing if created is None or where == "absent" else replace(standing, created_by_self=created)
            letters = [ceilings[key] for key in keys]
            expected = composed(way, right, letters)
            got = LETTERS[decide(Mode.ACCOUNTS, replace(principal, ceiling=ceiling), access, at).outcome]
            if got != expected:
                wrong.append((way, keys, f"anonymous pull {anonymous_pull}", f"expected {expected}", f"got {got}"))
    assert not wrong, wrong[:5]


@pytest.mark.parametrize(("where", "operation"), RIGHT, ids=lambda part: part)
def test_a_suspended_account_may_nothing_and_is_never_taken_for_anonymous(where, operation):
    for principal, facts in WAYS.values():
        standing = replace(standing_at(where, facts, anonymous_pull=True), suspended=True)
        decision = decide(Mode.ACCOUNTS, principal, asked(where, operation), standing)
        assert (decision.outcome, decision.rule) == (Outcome.SIGN_IN, "the account is suspended")


def test_a_role_that_a_mistake_gave_to_nobody_opens_nothing():
    everything = Standing(
        repository_id=HERE, visibility=Visibility.PRIVATE, inherits=True, on_deployment=ADMIN, on_registry=ADMIN,
        on_namespace=ADMIN, on_repository=ADMIN, owns_namespace=True, is_member=True,
    )  # fmt: skip
    for action in Action:
        if action is not Action.VISIT:
            assert decide(Mode.ACCOUNTS, ANONYMOUS, Access(action, NAME), everything).outcome is Outcome.SIGN_IN


@pytest.mark.parametrize("name", [NAME, None], ids=["absent", "registry"])
def test_what_was_known_of_a_repository_that_is_not_there_opens_nothing(name):
    gone = Standing(visibility=Visibility.PUBLIC, inherits=True, is_member=True, on_repository=ADMIN)
    assert decide(Mode.ACCOUNTS, ANN, Access(Action.PULL, name), gone).outcome is Outcome.DENIED
    there = replace(gone, repository_id=HERE)
    assert decide(Mode.ACCOUNTS, ANN, Access(Action.PULL, name), there).allowed is (name is not None)


@pytest.mark.parametrize("action", [one for one in Action if one not in (Action.VISIT, Action.LIST)])
def test_a_token_that_is_limited_to_repositories_manages_no_registry_whatever_was_looked_up(action):
    manager = Standing(repository_id=HERE, visibility=Visibility.PUBLIC, on_deployment=ADMIN)
    limited = replace(ANN, ceiling=Ceiling(repositories=frozenset({HERE})))
    assert decide(Mode.ACCOUNTS, ANN, Access(action), manager).allowed
    assert decide(Mode.ACCOUNTS, limited, Access(action), manager).outcome is Outcome.DENIED


def test_a_list_of_one_repository_is_a_pull():
    for principal, facts in WAYS.values():
        for where in ("private", "internal", "public", "absent"):
            standing = standing_at(where, facts, anonymous_pull=True)
            listed = decide(Mode.ACCOUNTS, principal, Access(Action.LIST, NAME), standing)
            assert listed == decide(Mode.ACCOUNTS, principal, Access(Action.PULL, NAME), standing)


@pytest.mark.parametrize("limit", [None, frozenset({HERE})], ids=["any repository", "limited"])
@pytest.mark.parametrize("action", Action)
def test_a_refusal_names_what_is_missing_in_the_same_words_for_private_and_absent(action, limit):
    ann = replace(ANN, ceiling=Ceiling(repositories=limit))
    for way in ("ac", "me", "nr"):
        there, absent = (
            decide(Mode.ACCOUNTS, ann, Access(action, NAME), standing_at(where, WAYS[way][1], anonymous_pull=True))
            for where in ("private", "absent")
        )
        assert there == absent


@pytest.mark.parametrize(
    ("way", "where", "rule"),
    [
        ("an", "public", "the repository is public"),
        ("ac", "public", "the repository is public"),
        ("ac", "internal", "the repository is internal: every account may pull"),
        ("m+", "private", "member of the organization, which the repository inherits"),
        ("rr", "private", "read on the repository"),
        ("rw", "public", "write on the repository"),
        ("a+", "private", "admin on the namespace, which the repository inherits"),
        ("nw", "absent", "write on the namespace, where the name is free"),
        ("ow", "private", "owner of the namespace"),
        ("gr", "private", "viewer on the registry"),
        ("gw", "absent", "write on the registry"),
        ("da", "private", "manager on the deployment"),
    ],
)
def test_a_yes_names_the_rule_that_gave_it(way, where, rule):
    principal, facts = WAYS[way]
    decision = decide(Mode.ACCOUNTS, principal, asked(where, "pull"), standing_at(where, facts, anonymous_pull=True))
    assert (decision.outcome, decision.rule) == (Outcome.ALLOWED, rule)


def test_where_anonymous_pull_is_off_public_names_every_account():
    public = standing_at("public", NOWHERE, anonymous_pull=False)
    decision = decide(Mode.ACCOUNTS, ANN, asked("public", "pull"), public)
    assert decision.rule == "the repository is public, which means every account here"


@pytest.mark.parametrize(
    ("access", "rule"),
    [
        (Access(Action.PULL, NAME), "you need the role read on the repository"),
        (Access(Action.PUSH, NAME), "you need the role write on the repository, or, to create it, on its namespace"),
        (Access(Action.DESCRIBE, NAME), "you need the role write on the repository"),
        (Access(Action.DELETE, NAME), "you need the role admin on the repository"),
        (Access(Action.ADMINISTER), "you need the role manager on the registry"),
    ],
)
def test_a_refusal_says_which_role_would_do(access, rule):
    assert decide(Mode.ACCOUNTS, ANN, access, standing_at("private", NOWHERE, anonymous_pull=True)).rule == rule


@pytest.mark.parametrize(
    ("operation", "named"),
    [
        ("pull", "delete:packages or read:packages or write:packages"),
        ("push", "write:packages"),
        ("delete", "delete:packages"),
        ("describe", "admin:packages"),
    ],
)
def test_a_refusal_says_which_scope_would_do(operation, named):
    token = replace(ANN, ceiling=Ceiling(scopes=frozenset()))
    standing = standing_at("public", Standing(on_repository=ADMIN), anonymous_pull=True)
    decision = decide(Mode.ACCOUNTS, token, asked("public", operation), standing)
    assert decision.rule == f"the token lacks the scope {named}"


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("name", [NAME, None], ids=["repository", "registry"])
def test_open_mode_lets_everybody_and_htpasswd_everybody_who_signed_in(action, name):
    access = Access(action, name)
    user, given_to_nobody = Principal(name="anonymous"), replace(ANONYMOUS, ceiling=Ceiling(entries=()))
    for principal in (ANONYMOUS, given_to_nobody, user):
        assert decide(Mode.OPEN, principal, access).allowed
    assert decide(Mode.HTPASSWD, user, access).allowed
    for principal in (ANONYMOUS, given_to_nobody):
        assert decide(Mode.HTPASSWD, principal, access).outcome is Outcome.SIGN_IN


OUTSIDE = """
repository  none pull push delete star list other
visit       Y    Y    Y    Y      Y    Y    Y
list        W    Y    W    W      Y    W    W
pull        W    Y    W    W      Y    W    W
mount       W    Y    W    W      Y    W    W
push        W    W    Y    W      Y    W    W
delete      W    W    W    Y      Y    W    W
describe    W    W    W    W      Y    W    W
administer  W    W    W    W      Y    W    W

registry    none pull push delete star list other
visit       Y    Y    Y    Y      Y    Y    Y
list        W    W    W    W      W    Y    W
pull        D    D    D    D      D    D    D
mount       D    D    D    D      D    D    D
push        D    D    D    D      D    D    D
delete      D    D    D    D      D    D    D
describe    D    D    D    D      D    D    D
administer  D    D    D    D      D    D    D
"""
OUTSIDE_ENTRIES = {
    "none": (),
    "pull": (Entry(NAME, frozenset({"pull"})),),
    "push": (Entry(NAME, frozenset({"push"})),),
    "delete": (Entry(NAME, frozenset({"delete"})),),
    "star": (Entry(NAME, frozenset(), everything=True),),
    "list": (Entry(None, frozenset({"*"})),),
    "other": (Entry(OTHER, ALL, everything=True),),
}


@pytest.mark.parametrize(("where", "operation"), read(OUTSIDE), ids=lambda part: part)
def test_a_token_of_another_server_opens_what_it_names(where, operation):
    for column, letter in read(OUTSIDE)[where, operation].items():
        ceiling = Ceiling(entries=OUTSIDE_ENTRIES[column])
        holder = Principal(name="somebody", ceiling=ceiling)
        access = asked(where, operation)
        assert LETTERS[decide(Mode.TOKEN, holder, access).outcome] == letter, column
        for nobody in (ANONYMOUS, replace(ANONYMOUS, ceiling=ceiling), Principal(name="no token")):
            assert decide(Mode.TOKEN, nobody, access).outcome is Outcome.SIGN_IN


def test_a_repository_called_catalog_is_not_the_list():
    name = RepositoryName("catalog")
    to_list = Principal(name="x", ceiling=Ceiling(entries=(Entry(None, frozenset({"*"})),)))
    to_repository = Principal(name="x", ceiling=Ceiling(entries=(Entry(name, frozenset({"*"}), everything=True),)))
    assert decide(Mode.TOKEN, to_list, Access(Action.PULL, name)).outcome is Outcome.WIDER_TOKEN
    assert decide(Mode.TOKEN, to_repository, Access(Action.LIST)).outcome is Outcome.WIDER_TOKEN


@pytest.mark.parametrize("action", [one for one in Action if one is not Action.VISIT])
@pytest.mark.parametrize("limit", [None, frozenset({HERE})], ids=["any repository", "limited"])
def test_a_refusal_for_single_sign_on_says_so_and_tells_private_from_absent_by_no_word(action, limit):
    ann = replace(ANN, ceiling=Ceiling(repositories=limit))
    there, absent = (
        decide(Mode.ACCOUNTS, ann, Access(action, NAME), standing_at(where, WITHHELD, anonymous_pull=True))
        for where in ("private", "absent")
    )
    assert there == absent
    assert there.outcome is Outcome.DENIED
    assert there.rule.startswith("the organization acme demands single sign-on")
    assert "profile" in there.rule


def test_elsewhere_the_refusal_names_the_role_and_what_may_not_count():
    standing = standing_at("private", Standing(demanded_by="acme"), anonymous_pull=True)
    rule = decide(Mode.ACCOUNTS, ANN, Access(Action.PULL, NAME), standing).rule
    assert rule.startswith("you need the role read on the repository; ")
    assert "the organization acme demands single sign-on" in rule


def test_what_is_public_or_internal_stays_so_for_who_does_not_prove_single_sign_on():
    for visibility in ("public", "internal"):
        assert decide(
            Mode.ACCOUNTS, ANN, asked(visibility, "pull"), standing_at(visibility, WITHHELD, anonymous_pull=True)
        ).allowed
