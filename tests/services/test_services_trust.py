# SPDX-License-Identifier: Apache-2.0
"""Workloads on both databases: whom a rule lets in, what that gives, what a removed one ends, and what is recorded."""

import dataclasses
import json

import pytest

from tests.services.people import facts, make_repository, scalar, users
from tests.services.signing import identity_of, tokens_of, trust_of
from tests.services.world import ACTOR
from tests.support.issuer import AUDIENCE, Key, Tokens
from wharfinger.clock import SECOND
from wharfinger.domain.access import Access, Action, Mode
from wharfinger.domain.errors import (
    AccountConflict,
    AccountInvalid,
    AccountUnknown,
    CredentialInvalid,
    NameUnknown,
    OutboundFailed,
)
from wharfinger.domain.forges import Code, Wish, github
from wharfinger.domain.grants import Place
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.roles import Role
from wharfinger.domain.trust import NewRule, parse_claims
from wharfinger.services import trust as trust_service
from wharfinger.services.authorization import Authorization
from wharfinger.services.identity import Bearer, Password
from wharfinger.services.trust import WorkloadRefused

ISSUER = "https://issuer.example.com"
ACME = Place(registry_id=1, namespace="acme")
REGISTRY = Place(registry_id=1)
APP = Place(registry_id=1, repository=RepositoryName("acme/app"))
KEY = Key("k1", "ES256")
HOUR = 3_600 * SECOND


class Forge:
    """An issuer in memory, which counts how often it was asked."""

    def __init__(self, clock):
        self.keys = [KEY]
        self.asked = []
        self.is_up = True
        self.tokens = Tokens(ISSUER, KEY, lambda: clock.now() // SECOND)

    async def __call__(self, issuer, kid):
        self.asked.append((issuer, kid))
        if not self.is_up:
            message = f"{issuer} cannot be reached."
            raise OutboundFailed(message)
        return [key.jwk for key in self.keys]


@pytest.fixture
def forge(world):
    return Forge(world.clock)


@pytest.fixture
def trust(world, node, forge):
    return trust_of(world, node, forge)


@pytest.fixture
def identity(world, node, forge):
    return identity_of(world, node, keys=forge)


def rule(place=ACME, role=Role.WRITE, **more):
    made = {"conditions": {"repository_owner": ("acme",)}, **more}
    return NewRule(name="builds", issuer=ISSUER, audience=AUDIENCE, place=place, role=role, **made)


def linked(place=ACME, **code):
    return dataclasses.replace(github(Code(path="acme", **code), Wish(audience=AUDIENCE, place=place)), issuer=ISSUER)


async def decide(node, principal, action, name, *tags):
    access = Access(Action(action), RepositoryName(name), tags)
    return await Authorization(node.database, Mode.ACCOUNTS).decide(principal, node.registry, access)


async def may(node, principal, action, name, *tags):
    return (await decide(node, principal, action, name, *tags)).allowed


# The rules


async def test_a_rule_is_made_listed_and_removed_and_each_is_told(node, trust):
    made = await trust.create(rule(tags=("v*", "latest")), ACTOR)
    assert await trust.list() == await trust.list(ACME) == [made]
    assert (made.conditions, made.tags, made.place) == ({"repository_owner": ("acme",)}, ("v*", "latest"), ACME)
    assert await trust.find(made.id) == made
    assert await trust.remove(made.id, ACTOR) == made
    assert await trust.list() == []
    detail = f"write on the namespace acme for {ISSUER}: repository_owner=acme"
    title = f"trust rule {made.id} (builds)"
    assert await facts(node) == [("trust.added", title, detail), ("trust.removed", title, detail)]


async def test_a_rule_that_is_not_there_is_unknown(trust):
    for call in (trust.remove(7, ACTOR), trust.find(7), trust.change_keys(7, None, ACTOR)):
        with pytest.raises(AccountUnknown):
            await call


async def test_a_rule_that_cannot_count_is_not_made(node, trust):
    for new, error in (
        (rule(conditions={"a": ()}), AccountInvalid),
        (rule(jwks="{}"), AccountInvalid),
        (rule(jwks='{"keys": [{"kty": "oct", "kid": "k", "k": "c2VjcmV0"}]}'), AccountInvalid),
        (rule(place=APP), NameUnknown),
    ):
        with pytest.raises(error):
            await trust.create(new, ACTOR)
    assert await facts(node) == []
    assert await trust.list() == []


async def test_two_rules_tell_the_source_of_an_issuer_in_one_way(trust):
    await trust.create(linked(), ACTOR)
    await trust.create(linked(place=REGISTRY), ACTOR)
    with pytest.raises(AccountConflict, match="otherwise"):
        await trust.create(linked(host="git.example.com"), ACTOR)


async def test_there_are_only_so_many_rules(trust, monkeypatch):
    monkeypatch.setattr(trust_service, "MAX_RULES", 1)
    await trust.create(rule(), ACTOR)
    with pytest.raises(AccountConflict, match="the limit"):
        await trust.create(rule(), ACTOR)


async def test_of_a_key_set_only_the_public_halves_are_kept(trust):
    jwk = KEY.jwk | {"d": "canary-private", "k": "canary-shared", "more": "of it"}
    made = await trust.create(rule(jwks=json.dumps({"keys": [jwk]})), ACTOR)
    assert "canary" not in made.jwks
    assert json.loads(made.jwks)["keys"][0]["kid"] == "k1"


async def test_rules_end_with_their_repository(node, trust):
    await make_repository(node, "acme/app")
    made = await trust.create(rule(place=APP), ACTOR)
    await node.database.write(lambda c: c.exec_driver_sql("UPDATE repositories SET deleted_at = 1") and None)
    assert await trust.list() == []
    with pytest.raises(AccountUnknown):
        await trust.find(made.id)


# Who comes in


async def test_a_workload_comes_in_by_the_rules_that_it_matches(node, trust, forge):
    mine = await trust.create(rule(), ACTOR)
    await trust.create(rule(conditions={"repository_owner": ("beta",)}), ACTOR)
    also = await trust.create(rule(role=Role.READ, place=REGISTRY, conditions={}), ACTOR)
    found = await trust.recognise(forge.tokens.make(), node.registry)
    assert found.workload.rules == (mine.id, also.id)
    assert found.name == "repo:acme/app:ref:refs/heads/main of issuer.example.com"
    assert (found.account_id, found.is_anonymous, found.workload.source) == (None, False, None)
    assert forge.asked == [(ISSUER, "k1")]


@pytest.mark.parametrize("kind", ["RS256", "ES256", "EdDSA"])
async def test_each_algorithm_of_public_keys_is_taken(node, trust, forge, kind):
    await trust.create(rule(), ACTOR)
    key = Key("other", kind)
    forge.keys.append(key)
    assert (await trust.recognise(forge.tokens.make(key=key), node.registry)).workload is not None


TAMPERED = {
    "issuer": {"iss": "https://other.example.com"},
    "issuer with a slash": {"iss": ISSUER + "/"},
    "audience": {"aud": "other.example.com"},
    "audience in capitals": {"aud": AUDIENCE.upper()},
    "no audience": {"without": ("aud",)},
    "claim": {"repository_owner": "eve"},
    "claim gone": {"without": ("repository_owner",)},
    "ended": {"exp": 1_699_999_939},
    "begins later": {"nbf": 1_700_000_061},
    "made later": {"iat": 1_700_000_061, "exp": 1_700_000_900},
    "no end": {"without": ("exp",)},
    "no beginning": {"without": ("iat",)},
    "end as a text": {"exp": "1700000300"},
    "end as a fraction": {"exp": 1_700_000_300.5},
    "end before it was made": {"exp": 1_699_999_999},
    "no key": {"header": {"kid": None}},
    "another key": {"header": {"kid": "k2"}},
    "no algorithm": {"header": {"alg": None}},
    "none": {"header": {"alg": "none"}},
    "shared secret": {"header": {"alg": "HS256"}},
    "another algorithm": {"header": {"alg": "RS256"}},
    "another type": {"header": {"typ": "at+jwt"}},
    "an address of keys": {"header": {"jku": "https://evil.example.com/keys"}},
    "a key of its own": {"header": {"jwk": Key("k1", "ES256").jwk}},
    "something critical": {"header": {"crit": ["b64"], "b64": False}},
    "a stranger's key": {"key": Key("k1", "ES256")},
}


@pytest.mark.parametrize("how", TAMPERED)
async def test_a_token_with_one_thing_changed_lets_nobody_in(node, trust, identity, forge, how):
    await trust.create(rule(), ACTOR)
    changed = forge.tokens.make(**TAMPERED[how])
    with pytest.raises(WorkloadRefused):
        await trust.recognise(changed, node.registry)
    for shown in (Bearer(changed), Password("anything", changed)):
        with pytest.raises(CredentialInvalid, match=r"is wrong, has ended|is not valid here"):
            await identity.recognise(shown)
    assert {issuer for issuer, _ in forge.asked} <= {ISSUER}


@pytest.mark.parametrize("part", [0, 1, 2])
async def test_a_token_with_a_letter_changed_lets_nobody_in(node, trust, forge, part):
    await trust.create(rule(), ACTOR)
    parts = forge.tokens.make().split(".")
    middle = len(parts[part]) // 2
    parts[part] = parts[part][:middle] + ("A" if parts[part][middle] != "A" else "B") + parts[part][middle + 1 :]
    with pytest.raises(WorkloadRefused):
        await trust.recognise(".".join(parts), node.registry)


@pytest.mark.parametrize(("seconds", "fits"), [(300 + 60, True), (300 + 61, False)])
async def test_clocks_may_be_a_minute_apart(world, node, trust, forge, seconds, fits):
    await trust.create(rule(), ACTOR)
    token = forge.tokens.make()
    world.clock.move(seconds * SECOND)
    if fits:
        await trust.recognise(token, node.registry)
        return
    with pytest.raises(WorkloadRefused, match="expired"):
        await trust.recognise(token, node.registry)


async def test_a_remembered_token_ends_all_the_same(world, node, trust, forge):
    await trust.create(rule(), ACTOR)
    token = forge.tokens.make(exp=world.clock.now() // SECOND + 10)
    await trust.recognise(token, node.registry)
    world.clock.move(59 * SECOND)
    await trust.recognise(token, node.registry)
    world.clock.move(12 * SECOND)
    with pytest.raises(WorkloadRefused, match="expired"):
        await trust.recognise(token, node.registry)
    assert len(forge.asked) == 1


async def test_only_issuers_that_a_matching_rule_names_are_asked(node, trust, forge):
    await trust.create(rule(), ACTOR)
    for claims in ({"iss": "https://other.example.com"}, {"aud": "other"}, {"repository_owner": "eve"}, {"exp": 1}):
        with pytest.raises(WorkloadRefused):
            await trust.recognise(forge.tokens.make(**claims), node.registry)
    assert forge.asked == []


async def test_while_an_issuer_is_down_a_token_that_might_be_good_is_not_called_bad(trust, identity, forge):
    await trust.create(rule(), ACTOR)
    forge.is_up = False
    with pytest.raises(OutboundFailed, match="try again"):
        await identity.recognise(Bearer(forge.tokens.make()))
    forge.is_up = True
    assert (await identity.recognise(Bearer(forge.tokens.make()))).workload is not None


async def test_keys_by_file_need_no_issuer_and_change_by_hand(node, trust, forge):
    forge.is_up = False
    other = Key("k9", "EdDSA")
    made = await trust.create(rule(jwks=json.dumps({"keys": [KEY.jwk]})), ACTOR)
    assert (await trust.recognise(forge.tokens.make(), node.registry)).workload.rules == (made.id,)
    await trust.change_keys(made.id, json.dumps({"keys": [other.jwk]}), ACTOR)
    assert (await trust.recognise(forge.tokens.make(key=other), node.registry)).workload.rules == (made.id,)
    with pytest.raises(WorkloadRefused, match="unknown key"):
        await trust.recognise(forge.tokens.make(), node.registry)
    assert forge.asked == []
    assert [what for what, *_ in await facts(node)] == ["trust.added", "trust.changed"]


async def test_the_owner_of_a_namespace_answers_for_its_rules(node, trust):
    (ann,) = await users(node, "ann")
    await trust.create(rule(place=Place(registry_id=1, namespace="ann")), ACTOR)
    about = await scalar(node, "SELECT about_id FROM events WHERE action = 'trust.added'")
    assert about == ann.id


async def test_keys_that_somebody_gave_one_rule_count_for_no_other(node, trust, forge):
    await trust.create(rule(), ACTOR)
    eves = Key("k1", "ES256")
    hers = await trust.create(rule(jwks=json.dumps({"keys": [eves.jwk]}), role=Role.READ), ACTOR)
    found = await trust.recognise(forge.tokens.make(key=eves), node.registry)
    assert found.workload.rules == (hers.id,)


async def test_only_so_many_rules_count_for_one_token(node, trust, forge, monkeypatch):
    monkeypatch.setattr(trust_service, "MAX_MATCHING", 2)
    made = [await trust.create(rule(), ACTOR) for _ in range(3)]
    found = await trust.recognise(forge.tokens.make(), node.registry)
    assert found.workload.rules == tuple(one.id for one in made[:2])


# What it may do


async def test_a_workload_makes_repositories_where_its_rule_reaches_and_pushes_on(node, trust, forge):
    made = await trust.create(rule(), ACTOR)
    job = await trust.recognise(forge.tokens.make(), node.registry)
    by = Actor(principal=job)
    assert await may(node, job, "push", "acme/new")
    assert not await may(node, job, "push", "beta/new")
    await make_repository(node, "acme/new", by)
    assert await may(node, job, "push", "acme/new")
    assert not await may(node, job, "delete", "acme/new")
    assert await scalar(node, "SELECT made_by_rule FROM repositories") == made.id
    assert await scalar(node, "SELECT source FROM repositories") is None
    assert await scalar(node, "SELECT count(*) FROM grants") == 0


async def test_a_rule_on_a_namespace_reaches_what_others_made_only_if_that_inherits(node, trust, forge):
    await trust.create(rule(), ACTOR)
    job = await trust.recognise(forge.tokens.make(), node.registry)
    await make_repository(node, "acme/theirs")
    assert not await may(node, job, "pull", "acme/theirs")
    await node.database.write(lambda c: c.exec_driver_sql("UPDATE repositories SET inherits = 1") and None)
    assert await may(node, job, "push", "acme/theirs")


async def test_a_workflow_pushes_what_is_linked_to_its_source_and_pulls_nothing_else_that_is_private(
    node, trust, forge
):
    await trust.create(linked(), ACTOR)
    job = await trust.recognise(forge.tokens.make(), node.registry)
    other = await trust.recognise(forge.tokens.make(repository="acme/other"), node.registry)
    assert job.workload.source == "https://github.com/acme/app"
    by = Actor(principal=job)
    for name, fits in (("acme/app", True), ("acme/app/web", True), ("acme/web", False), ("acme/other", False)):
        assert await may(node, job, "push", name) is fits, name
    await make_repository(node, "acme/app/web", by)
    await make_repository(node, "acme/theirs")
    assert await scalar(node, "SELECT source FROM repositories WHERE name = 'acme/app/web'") == job.workload.source
    assert await may(node, job, "push", "acme/app/web")
    assert not await may(node, other, "pull", "acme/app/web")
    assert not await may(node, job, "pull", "acme/theirs")
    sql = "UPDATE repositories SET source = 'https://github.com/Acme/App.git' WHERE name = 'acme/theirs'"
    await node.database.write(lambda c: c.exec_driver_sql(sql) and None)
    assert await may(node, job, "push", "acme/theirs")


async def test_a_pull_request_may_not_write_by_the_ready_rule(node, trust, forge):
    await trust.create(linked(), ACTOR)
    for event in ("pull_request", "pull_request_target", "workflow_run"):
        with pytest.raises(WorkloadRefused, match="match no rule"):
            await trust.recognise(forge.tokens.make(event_name=event), node.registry)


async def test_tags_outside_the_pattern_are_refused(node, trust, forge):
    await trust.create(rule(tags=("v*",)), ACTOR)
    job = await trust.recognise(forge.tokens.make(), node.registry)
    await make_repository(node, "acme/new", Actor(principal=job))
    assert await may(node, job, "push", "acme/new")
    assert await may(node, job, "push", "acme/new", "v1", "v2")
    assert "not under this tag" in (await decide(node, job, "push", "acme/new", "v1", "latest")).rule


async def test_a_removed_rule_stops_with_the_next_request_whatever_was_got_by_it(world, node, trust, identity, forge):
    made = await trust.create(rule(place=REGISTRY), ACTOR)
    token = forge.tokens.make()
    tokens = tokens_of(world, node.database)
    job = await identity.recognise(Bearer(token))
    shown = [
        Bearer((await tokens.issue(job, node.registry, (), "exchange")).text),
        Bearer((await tokens.issue_credential(job, node.registry)).text),
        Password("x", (await tokens.issue_credential(job, node.registry)).text),
    ]
    for one in shown:
        assert (await identity.recognise(one)).workload == job.workload
    await trust.remove(made.id, ACTOR)
    for one in shown:
        with pytest.raises(CredentialInvalid):
            await identity.recognise(one)
    # The identity token itself is remembered for a minute, and gives nothing from now on.
    decision = await decide(node, job, "pull", "acme/app")
    assert decision.rule == "the trust rules that let this workload in are gone"


async def test_a_credential_of_a_workload_ends_after_an_hour_whatever_the_keys_do(world, node, trust, identity, forge):
    await trust.create(rule(), ACTOR)
    tokens = tokens_of(world, node.database)
    job = await identity.recognise(Bearer(forge.tokens.make()))
    issued = await tokens.issue_credential(job, node.registry)
    assert issued.seconds == 3_600
    world.clock.move(HOUR)
    assert (await identity.recognise(Bearer(issued.text))).name == job.name
    world.clock.move(61 * SECOND)
    with pytest.raises(CredentialInvalid):
        await identity.recognise(Bearer(issued.text))


async def test_what_a_workload_got_is_for_nothing_else(world, node, trust, identity, forge):
    """Neither is a credential a registry token, nor the other way round, nor is either an identity to exchange."""
    await trust.create(rule(place=REGISTRY), ACTOR)
    tokens = tokens_of(world, node.database)
    job = await identity.recognise(Bearer(forge.tokens.make()))
    credential = (await tokens.issue_credential(job, node.registry)).text
    registry_token = (await tokens.issue(job, node.registry, (), "exchange")).text
    for call in (
        tokens.verify(credential, node.registry),
        tokens.verify_credential(registry_token, node.registry),
        identity.recognise(Password("x", registry_token)),
        identity.recognise_workload(credential, node.registry),
        identity.recognise_workload(registry_token, node.registry),
        identity.refresh(credential),
    ):
        with pytest.raises(CredentialInvalid):
            await call


# Why


async def test_a_test_says_of_every_rule_why_it_does_not_let_a_token_in(node, trust, forge):
    await trust.create(rule(), ACTOR)
    await trust.create(rule(conditions={"repository_owner": ("beta",)}), ACTOR)
    await trust.create(dataclasses.replace(rule(), audience="other"), ACTOR)
    await trust.create(dataclasses.replace(rule(), issuer="https://other.example.com"), ACTOR)
    await trust.create(rule(jwks=json.dumps({"keys": [Key("k9", "EdDSA").jwk]})), ACTOR)
    report = await trust.test(forge.tokens.make(), node.registry)
    assert [list(one.reasons) for one in report.verdicts] == [
        [],
        ["repository_owner is 'acme', and must be 'beta'"],
        [f"aud is {AUDIENCE!r}, and must be 'other'"],
        [f"iss is {ISSUER!r}, and must be 'https://other.example.com'"],
        ["signature: unknown key"],
    ]
    assert report.principal is not None
    assert report.problem is None


async def test_a_test_says_that_a_token_has_ended_and_what_would_have_been(world, node, trust, forge):
    await trust.create(rule(), ACTOR)
    token = forge.tokens.make()
    world.clock.move(HOUR)
    report = await trust.test(token, node.registry)
    assert (report.problem, report.principal) == ("expired", None)
    assert [list(one.reasons) for one in report.verdicts] == [[]]


async def test_a_test_says_that_an_issuer_cannot_be_asked(node, trust, forge):
    await trust.create(rule(), ACTOR)
    forge.is_up = False
    report = await trust.test(forge.tokens.make(), node.registry)
    assert list(report.verdicts[0].reasons) == [f"signature: {ISSUER} cannot be reached."]


@pytest.mark.parametrize("text", ["", "abc", "a.b.c", "e30.e30.e30", "x" * 9_000, "whp_" + "a" * 36])
async def test_what_is_no_identity_token_is_called_so(node, trust, text):
    with pytest.raises(AccountInvalid, match="not an identity token"):
        await trust.test(text, node.registry)


async def test_claims_alone_are_held_against_every_rule_and_let_nobody_in(node, trust, forge):
    """Whoever writes a rule has the claims of a job, from its log, before there is a token to show."""
    await trust.create(rule(), ACTOR)
    await trust.create(rule(conditions={"repository_owner": ("beta",)}), ACTOR)
    forge.is_up = False  # nobody is asked
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "repo:acme/app", "repository_owner": "acme"}
    report = await trust.test_claims(claims, node.registry)
    assert [list(one.reasons) for one in report.verdicts] == [[], ["repository_owner is 'acme', and must be 'beta'"]]
    assert (report.issuer, report.subject, list(report.audience)) == (ISSUER, "repo:acme/app", [AUDIENCE])
    assert (report.principal, report.expires_at, report.problem) == (None, None, None)
    strange = await trust.test_claims({"iss": ["no", "text"], "sub": 7, "aud": {}}, node.registry)
    assert strange.verdicts[0].reasons == [f"iss is '', and must be {ISSUER!r}"]


@pytest.mark.parametrize("text", ["", "[]", "{", '"iss"', "{" * 30_000, '{"a": "' + "x" * 20_000 + '"}'])
def test_what_are_no_claims_is_called_so(text):
    with pytest.raises(AccountInvalid, match="Claims are a JSON object"):
        parse_claims(text)
