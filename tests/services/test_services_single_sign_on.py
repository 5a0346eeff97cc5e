# SPDX-License-Identifier: Apache-2.0
"""What organizations demand, what providers say of people, and sessions: rows and events, on both databases."""

import asyncio

import pytest

from tests.services.people import BUILDERS, acme, acting, credential, facts, may, robot, scalar, users
from tests.services.signing import CheapPasswords
from tests.services.world import ACTOR
from wharfinger.clock import Instant
from wharfinger.domain.access import Access, Action, Mode, Outcome
from wharfinger.domain.accounts import CredentialKind, MemberRole, TeamName
from wharfinger.domain.errors import (
    AccountConflict,
    AccountInvalid,
    AccountUnknown,
    CredentialInvalid,
    SignOnDenied,
)
from wharfinger.domain.identity import Principal, Proof
from wharfinger.domain.names import RepositoryName
from wharfinger.services.authorization import Authorization
from wharfinger.services.newcomers import Newcomer, read, settle
from wharfinger.services.team_mappings import follow_groups

APP = "acme/app"
RUNNERS = TeamName("acme", "runners")


async def decide(node, account, action=Action.PULL, proof=None):
    principal = Principal(name=account.name, account_id=account.id, proof=proof or Proof())
    authorization = Authorization(node.database, Mode.ACCOUNTS)
    return await authorization.decide(principal, node.registry, Access(action, RepositoryName(APP)))


async def account(node, name):
    return await node.accounts.find(name)


async def sign_in_with_groups(world, node, name, *groups, provider="corp"):
    """Do what a sign-in does with groups."""
    who = await account(node, name)

    def work(connection):
        follow_groups(connection, who, provider, frozenset(groups), acting(who), world.clock.now())

    await node.database.write(work)


async def test_a_demand_withholds_at_once_what_the_organization_gives_and_nothing_else(node):
    await acme(node, "bob")
    await node.uploads.start(node.registry, RepositoryName(APP), None, acting(await account(node, "ann")))
    ann = await account(node, "ann")
    assert await may(node, ann, "push", APP)
    assert await node.demands.make("acme", "corp", ACTOR) == 2
    refused = await decide(node, ann, Action.PUSH)
    assert refused.outcome is Outcome.DENIED
    assert "the organization acme demands single sign-on" in refused.rule
    assert (await decide(node, ann, Action.PUSH, Proof(provider="corp"))).allowed
    assert not (await decide(node, ann, Action.PUSH, Proof(provider="other"))).allowed
    assert await may(node, ann, "push", "ann/app")
    await node.demands.lift("acme", ACTOR)
    assert await may(node, ann, "push", APP)
    told = [fact for fact in await facts(node) if fact[0] == "sign-on.demanded"]
    assert told == [("sign-on.demanded", "acme", "through corp"), ("sign-on.demanded", "acme", "no more")]


async def test_robots_of_a_demanding_organization_go_on(node):
    await acme(node)
    ci = await robot(node)
    await node.uploads.start(node.registry, RepositoryName(APP), None, acting(ci))
    await node.demands.make("acme", "corp", ACTOR)
    assert await may(node, ci, "push", APP)


@pytest.mark.parametrize("kind", [CredentialKind.TOKEN, CredentialKind.KEY])
async def test_a_credential_counts_once_authorized_and_no_more_once_withdrawn(node, kind):
    await acme(node)
    ann = await account(node, "ann")
    number = await node.credentials.create("ann", credential(kind), ACTOR)
    await node.demands.make("acme", "corp", ACTOR)
    proof = Proof(credential_id=number)
    assert not (await decide(node, ann, proof=proof)).allowed
    for _ in range(2):  # a second time changes nothing
        await node.demands.authorize("ann", number, "acme", ACTOR)
    assert (await decide(node, ann, proof=proof)).allowed
    assert (await node.demands.every(ann.id)).authorized == {(number, (await account(node, "acme")).id)}
    await node.demands.make("acme", "other", ACTOR)
    assert not (await decide(node, ann, proof=proof)).allowed, "it was authorized for another provider"
    await node.demands.make("acme", "corp", ACTOR)
    assert (await decide(node, ann, proof=proof)).allowed
    await node.demands.withdraw("ann", number, "acme", ACTOR)
    assert not (await decide(node, ann, proof=proof)).allowed
    with pytest.raises(AccountUnknown):
        await node.demands.withdraw("ann", number, "acme", ACTOR)


async def test_only_what_makes_sense_can_be_authorized(node):
    await acme(node)
    await users(node, "bob")
    mine = await node.credentials.create("ann", credential(), ACTOR)
    theirs = await node.credentials.create("bob", credential(fingerprint="f-2"), ACTOR)
    device = await node.credentials.create("ann", credential(CredentialKind.REFRESH, fingerprint="f-3"), ACTOR)
    with pytest.raises(AccountConflict, match="demands no single sign-on"):
        await node.demands.authorize("ann", mine, "acme", ACTOR)
    await node.demands.make("acme", "corp", ACTOR)
    for number in (theirs, device, 4711):
        with pytest.raises(AccountUnknown):
            await node.demands.authorize("ann", number, "acme", ACTOR)
    with pytest.raises(AccountInvalid, match="no member"):
        await node.demands.authorize("bob", theirs, "acme", ACTOR)
    await node.credentials.revoke("ann", mine, ACTOR)
    with pytest.raises(AccountUnknown):
        await node.demands.authorize("ann", mine, "acme", ACTOR)


async def test_a_provider_that_the_settings_do_not_know_is_named_with_those_that_they_do(node):
    await acme(node)
    for refused in (
        node.demands.make("acme", "crop", ACTOR),
        node.external_identities.link("ann", "crop", "s", ACTOR),
        node.team_mappings.map(BUILDERS, "crop", "g", ACTOR),
    ):
        with pytest.raises(AccountInvalid, match="known are corp, other"):
            await refused


async def test_only_organizations_demand(node):
    await users(node, "ann")
    with pytest.raises(AccountInvalid):
        await node.demands.make("ann", "corp", ACTOR)


async def test_a_subject_is_one_account(node):
    await users(node, "ann", "bob")
    link = node.external_identities.link
    for _ in range(2):
        await link("ann", "corp", "s-1", ACTOR)
    with pytest.raises(AccountConflict):
        await link("bob", "corp", "s-1", ACTOR)
    await link("bob", "other", "s-1", ACTOR)
    assert [one.subject for one in await node.external_identities.list("ann")] == ["s-1"]
    assert [fact for fact in await facts(node) if fact[0] == "identity.linked"] == [
        ("identity.linked", "ann", "s-1 of corp"),
        ("identity.linked", "bob", "s-1 of other"),
    ]
    await node.accounts.delete("ann", ACTOR)
    await link("bob", "corp", "s-1", ACTOR)
    for subject in ("", "x" * 256, "a\nb"):
        with pytest.raises(AccountInvalid):
            await link("bob", "corp", subject, ACTOR)


async def test_unlinking_ends_sessions(node):
    who = await with_session(node)
    await node.external_identities.link("ann", "corp", "s-1", ACTOR)
    await node.external_identities.unlink("ann", "corp", ACTOR)
    assert await node.sessions.find(who.secret) is None
    with pytest.raises(AccountUnknown):
        await node.external_identities.unlink("ann", "corp", ACTOR)


async def test_groups_bring_people_into_teams_and_take_them_out(world, node):
    await acme(node)
    await users(node, "bob")
    await node.organizations.create_team(RUNNERS, ACTOR)
    for team, group in ((BUILDERS, "dev"), (RUNNERS, "dev"), (RUNNERS, "ops")):
        await node.team_mappings.map(team, "corp", group, ACTOR)
    members = node.organizations.members_of_team
    await sign_in_with_groups(world, node, "bob", "dev", "unknown")
    assert [list(await members(team)) for team in (BUILDERS, RUNNERS)] == [["bob"], ["bob"]]
    await sign_in_with_groups(world, node, "bob", "ops")
    assert [list(await members(team)) for team in (BUILDERS, RUNNERS)] == [[], ["bob"]]
    await sign_in_with_groups(world, node, "bob", "dev", provider="other")
    assert list(await members(RUNNERS)) == ["bob"], "another provider takes nothing away"
    before = len(await facts(node))
    await sign_in_with_groups(world, node, "bob", "ops")
    assert len(await facts(node)) == before, "nothing changed, so nothing is told"
    await sign_in_with_groups(world, node, "bob")
    assert {one.name for one in await node.organizations.members("acme")} == {"ann"}


async def test_who_was_put_there_by_hand_stays_whatever_the_groups_say(world, node):
    await acme(node, "bob")
    await users(node, "cid", "dan")
    await node.team_mappings.map(BUILDERS, "corp", "dev", ACTOR)
    for name in ("bob", "cid", "dan"):
        await sign_in_with_groups(world, node, name, "dev")
    await node.organizations.put_member("acme", "cid", MemberRole.MEMBER, ACTOR)
    await node.organizations.join_team(BUILDERS, "dan", ACTOR)
    for name in ("bob", "cid", "dan"):
        await sign_in_with_groups(world, node, name)
    assert list(await node.organizations.members_of_team(BUILDERS)) == ["bob", "dan"]
    assert {one.name for one in await node.organizations.members("acme")} == {"ann", "bob", "cid", "dan"}


async def test_a_team_that_follows_no_group_any_more_loses_whom_groups_brought(world, node):
    await acme(node, "bob")
    await users(node, "cid")
    for group in ("dev", "ops"):
        await node.team_mappings.map(BUILDERS, "corp", group, ACTOR)
    await sign_in_with_groups(world, node, "cid", "dev")
    await node.team_mappings.unmap(BUILDERS, "corp", "dev", ACTOR)
    assert list(await node.organizations.members_of_team(BUILDERS)) == ["bob", "cid"], "the other group may be its"
    await node.team_mappings.unmap(BUILDERS, "corp", "ops", ACTOR)
    assert list(await node.organizations.members_of_team(BUILDERS)) == ["bob"]
    assert {one.name for one in await node.organizations.members("acme")} == {"ann", "bob"}
    with pytest.raises(AccountUnknown):
        await node.team_mappings.unmap(BUILDERS, "corp", "ops", ACTOR)


async def test_mappings_go_with_their_team_and_are_listed(node):
    await acme(node)
    await node.team_mappings.map(BUILDERS, "corp", "dev", ACTOR)
    (found,) = await node.team_mappings.list("acme")
    assert (found.team.name, found.provider, found.group) == (BUILDERS, "corp", "dev")
    await node.organizations.delete_team(BUILDERS, ACTOR)
    assert not await node.team_mappings.list("acme")
    for group in ("", "x" * 256, "a\nb"):
        with pytest.raises(AccountInvalid):
            await node.team_mappings.map(BUILDERS, "corp", group, ACTOR)


def newcomer(**more):
    said = {"provider": "corp", "subject": "s-1", "called": "ann", "display_name": "Ann", "email": None}
    return Newcomer(**{**said, "groups": frozenset(), **more})


async def test_a_newcomer_gets_a_new_account_or_none(world, node):
    async def arrive(who, *, may_create=True):
        return await node.database.write(lambda c: settle(c, who, ACTOR, world.clock.now(), may_create=may_create).name)

    with pytest.raises(SignOnDenied, match="wharfinger user link NAME corp s-1"):
        await arrive(newcomer(), may_create=False)
    assert await arrive(newcomer(called="Ann@example.com")) == "ann"
    for called in ("ann", "ANN", "ann@other.example"):
        with pytest.raises(SignOnDenied, match="wharfinger user link ann corp 'a b'"):
            await arrive(newcomer(subject="a b", called=called))
    await node.uploads.start(node.registry, RepositoryName("team/app"), None, ACTOR)
    for called in ("team", "", "settings", "이안"):
        with pytest.raises(SignOnDenied):
            await arrive(newcomer(subject="s-2", called=called))
    assert await scalar(node, "SELECT count(*) FROM external_identities") == 1


def test_claims_of_another_form_are_not_there():
    def said(**claims):
        return read("corp", "s", claims, name_claim="preferred_username", groups_claim="groups")

    assert said(groups="one").groups == {"one"}
    assert said(groups=["one", 2, None]).groups == {"one"}
    for groups in (7, {"a": 1}, None):
        assert said(groups=groups).groups == frozenset()
    odd = said(preferred_username=7, name="a\nb", email=["x"])
    assert (odd.called, odd.display_name, odd.email) == ("", None, None)


async def with_session(node, name="ann"):
    hashed = CheapPasswords().hash_password("horse")
    await node.accounts.create_user(name, ACTOR, password_hash=hashed)
    return await node.sessions.begin(await node.accounts.password(name), ACTOR)


async def test_a_session_is_kept_as_a_hash_and_is_seen_now_and_then(world, node):
    made = await with_session(node)
    assert len(made.secret) >= 43
    assert made.secret not in repr(made)
    assert await scalar(node, "SELECT count(*) FROM sessions WHERE fingerprint = :s", s=made.secret) == 0
    assert (await node.sessions.find(made.secret)).name == "ann"
    for wrong in ("", made.secret[:-1], "x" * 10_000, "\ud800"):
        assert await node.sessions.find(wrong) is None
    begun = world.clock.now()
    world.clock.move(60_000_000)
    await node.sessions.find(made.secret)
    assert await scalar(node, "SELECT seen_at FROM sessions") == begun
    world.clock.move(300_000_000)
    await node.sessions.find(made.secret)
    assert await scalar(node, "SELECT seen_at FROM sessions") == Instant(begun + 360_000_000)


@pytest.mark.parametrize("what", ["password", "suspended", "deleted"])
async def test_a_password_that_was_right_a_moment_ago_begins_no_session_afterwards(world, node, what):
    await with_session(node)
    shown = await node.accounts.password("ann")
    world.clock.move(1)
    match what:
        case "password":
            await node.accounts.set_password("ann", CheapPasswords().hash_password("other"), ACTOR)
        case "suspended":
            await node.accounts.suspend("ann", ACTOR)
        case "deleted":
            await node.accounts.delete("ann", ACTOR)
    assert await scalar(node, "SELECT count(*) FROM sessions") == 0
    with pytest.raises(CredentialInvalid):
        await node.sessions.begin(shown, ACTOR)


async def test_two_people_sign_in_at_once_and_follow_the_same_groups(world, node):
    await acme(node)
    await users(node, *(names := [f"u{number}" for number in range(6)]))
    await node.team_mappings.map(BUILDERS, "corp", "dev", ACTOR)
    await asyncio.gather(*(sign_in_with_groups(world, node, name, "dev") for name in names))
    assert list(await node.organizations.members_of_team(BUILDERS)) == names
