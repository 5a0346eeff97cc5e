# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.services.people import BUILDERS, acme, facts, scalar, users
from tests.services.world import ACTOR
from wharfinger.domain.access import Role
from wharfinger.domain.accounts import MemberRole, TeamName
from wharfinger.domain.errors import AccountConflict, AccountInvalid, AccountUnknown
from wharfinger.domain.grants import DEPLOYMENT

TESTERS = TeamName("acme", "testers")


async def test_members_have_roles_that_change(node):
    await acme(node, "bob")
    await node.organizations.put_member("acme", "bob", MemberRole.OWNER, ACTOR)
    assert [(one.name, one.role) for one in await node.organizations.members("acme")] == [
        ("ann", MemberRole.OWNER),
        ("bob", MemberRole.OWNER),
    ]
    (of_bob,) = await node.organizations.organizations_of("bob")
    assert (of_bob.name, of_bob.role) == ("acme", MemberRole.OWNER)
    assert (await facts(node))[-1] == ("member.added", "acme", "bob as owner")


async def test_the_role_that_a_member_has_is_given_without_an_event(node):
    await acme(node, "bob")
    before = await facts(node)
    await node.organizations.put_member("acme", "bob", MemberRole.MEMBER, ACTOR)
    await node.organizations.put_member("acme", "ann", MemberRole.OWNER, ACTOR)
    assert await facts(node) == before


@pytest.mark.parametrize("wanted", ["leave", "step down"])
async def test_the_last_owner_stays_one(node, wanted):
    await acme(node, "bob")
    call = {
        "leave": lambda: node.organizations.remove_member("acme", "ann", ACTOR),
        "step down": lambda: node.organizations.put_member("acme", "ann", MemberRole.MEMBER, ACTOR),
    }[wanted]
    with pytest.raises(AccountConflict, match="'ann' is the last owner of 'acme'"):
        await call()
    await node.organizations.put_member("acme", "bob", MemberRole.OWNER, ACTOR)
    await node.organizations.remove_member("acme", "ann", ACTOR)
    assert [one.name for one in await node.organizations.members("acme")] == ["bob"]


async def test_who_leaves_the_organization_leaves_its_teams(node):
    await acme(node, "bob")
    assert await node.organizations.members_of_team(BUILDERS) == ["bob"]
    await node.organizations.remove_member("acme", "bob", ACTOR)
    assert await node.organizations.members_of_team(BUILDERS) == []
    assert (await facts(node))[-1] == ("member.removed", "acme", "bob")
    with pytest.raises(AccountUnknown, match="no member"):
        await node.organizations.remove_member("acme", "bob", ACTOR)


async def test_members_are_users_of_organizations(node):
    await acme(node, "bob")
    with pytest.raises(AccountInvalid, match="not a user"):
        await node.organizations.put_member("acme", "acme", MemberRole.MEMBER, ACTOR)
    with pytest.raises(AccountInvalid, match="not an organization"):
        await node.organizations.put_member("bob", "ann", MemberRole.MEMBER, ACTOR)
    with pytest.raises(AccountUnknown, match="'zoe'"):
        await node.organizations.put_member("acme", "zoe", MemberRole.MEMBER, ACTOR)
    with pytest.raises(AccountUnknown, match="'zoe'"):
        await node.organizations.members("zoe")


async def test_teams_are_listed_with_their_size(node):
    await acme(node, "bob", "cid")
    await node.organizations.create_team(TESTERS, ACTOR, description="they test")
    found = [(one.name, one.members, one.description) for one in await node.organizations.teams("acme")]
    assert found == [("builders", 2, None), ("testers", 0, "they test")]
    with pytest.raises(AccountConflict, match="'acme/testers'"):
        await node.organizations.create_team(TESTERS, ACTOR)


async def test_only_members_are_in_teams_and_each_once(node):
    await acme(node, "bob")
    await users(node, "zoe")
    with pytest.raises(AccountInvalid, match="'zoe' is no member of 'acme'"):
        await node.organizations.join_team(BUILDERS, "zoe", ACTOR)
    before = await facts(node)
    await node.organizations.join_team(BUILDERS, "bob", ACTOR)
    assert await facts(node) == before
    await node.organizations.leave_team(BUILDERS, "bob", ACTOR)
    assert (await facts(node))[-1] == ("team.left", "acme/builders", "bob")
    with pytest.raises(AccountUnknown, match="no member of 'acme/builders'"):
        await node.organizations.leave_team(BUILDERS, "bob", ACTOR)


async def test_a_deleted_team_takes_its_grants_along(node):
    await acme(node, "bob")
    await node.grants.give(BUILDERS, DEPLOYMENT, Role.READ, ACTOR)
    await node.organizations.delete_team(BUILDERS, ACTOR)
    assert await scalar(node, "SELECT count(*) FROM grants") == 0
    assert (await facts(node))[-1] == ("team.deleted", "acme/builders", None)
    for call in (node.organizations.members_of_team(BUILDERS), node.organizations.delete_team(BUILDERS, ACTOR)):
        with pytest.raises(AccountUnknown, match="no team 'acme/builders'"):
            await call
