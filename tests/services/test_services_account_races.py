# SPDX-License-Identifier: Apache-2.0
"""Two transactions about the same accounts meet: the first stands before its commit when the second begins."""

import asyncio

import pytest
from sqlalchemy import text

from tests.services.people import BUILDERS, acme, acting, credential, make_repository, may, scalar, users
from tests.services.test_services_races import blocked, paused, settle
from tests.services.world import ACTOR
from wharfinger.domain.access import Role
from wharfinger.domain.accounts import MemberRole
from wharfinger.domain.errors import AccountConflict, AccountInvalid, AccountUnknown
from wharfinger.domain.grants import DEPLOYMENT, Place

__all__ = ["blocked", "paused"]


@pytest.fixture
def first(world, paused):
    """Return a node whose transactions stop before they commit."""
    return world.node(database=paused)


async def test_of_two_owners_who_leave_at_once_one_stays(node, first, paused, blocked):
    await acme(node, "bob")
    await node.organizations.put_member("acme", "bob", MemberRole.OWNER, ACTOR)
    left, stays = await settle(
        first.organizations.remove_member("acme", "ann", ACTOR),
        node.organizations.remove_member("acme", "bob", ACTOR),
        paused,
        blocked,
    )
    assert left is None
    assert isinstance(stays, AccountConflict)
    assert [one.name for one in await node.organizations.members("acme")] == ["bob"]


async def test_an_owner_who_leaves_while_the_other_is_deleted_stays(node, first, paused, blocked):
    await acme(node, "bob")
    await node.organizations.put_member("acme", "bob", MemberRole.OWNER, ACTOR)
    deleted, stays = await settle(
        first.accounts.delete("ann", ACTOR),
        node.organizations.remove_member("acme", "bob", ACTOR),
        paused,
        blocked,
    )
    assert deleted is None
    assert isinstance(stays, AccountConflict)


async def test_who_is_being_deleted_is_given_nothing(node, first, paused, blocked):
    await users(node, "ann")
    deleted, given = await settle(
        first.accounts.delete("ann", ACTOR),
        node.grants.give("ann", DEPLOYMENT, Role.ADMIN, ACTOR),
        paused,
        blocked,
    )
    assert deleted is None
    assert isinstance(given, AccountUnknown)
    assert await scalar(node, "SELECT count(*) FROM grants") == 0


async def test_what_is_given_just_before_a_deletion_goes_with_it(node, first, paused, blocked):
    await users(node, "ann")
    given, deleted = await settle(
        first.grants.give("ann", DEPLOYMENT, Role.ADMIN, ACTOR),
        node.accounts.delete("ann", ACTOR),
        paused,
        blocked,
    )
    assert (given, deleted) == (None, None)
    assert await scalar(node, "SELECT count(*) FROM grants") == 0


async def test_a_credential_made_just_before_a_deletion_ends_with_it(node, first, paused, blocked):
    await users(node, "ann")
    made, deleted = await settle(
        first.credentials.create("ann", credential(), ACTOR), node.accounts.delete("ann", ACTOR), paused, blocked
    )
    assert (made, deleted) == (1, None)
    assert (await node.credentials.find("f-1")).revoked


async def test_who_is_leaving_the_organization_joins_none_of_its_teams(node, first, paused, blocked):
    await acme(node, "bob")
    await node.organizations.leave_team(BUILDERS, "bob", ACTOR)
    left, joined = await settle(
        first.organizations.remove_member("acme", "bob", ACTOR),
        node.organizations.join_team(BUILDERS, "bob", ACTOR),
        paused,
        blocked,
    )
    assert left is None
    assert isinstance(joined, AccountInvalid)


async def test_two_roles_given_at_once_are_one_grant(node, first, paused, blocked):
    await users(node, "ann")
    both = await settle(
        first.grants.give("ann", DEPLOYMENT, Role.READ, ACTOR),
        node.grants.give("ann", DEPLOYMENT, Role.ADMIN, ACTOR),
        paused,
        blocked,
    )
    assert both == [None, None]
    assert await scalar(node, "SELECT count(*) FROM grants WHERE role = 'admin'") == 1


async def test_of_two_accounts_with_one_name_one_is_made(node, first, paused, blocked):
    made, refused = await settle(
        first.accounts.create_user("ann", ACTOR), node.accounts.create_user("ann", ACTOR), paused, blocked
    )
    assert made.name == "ann"
    assert isinstance(refused, AccountConflict)


async def test_a_first_push_that_meets_the_deletion_of_the_namesake_leaves_no_owner(node, first, paused, blocked):
    (ann,) = await users(node, "ann")
    deleted, _ = await settle(first.accounts.delete("ann", ACTOR), make_repository(node, "ann/app"), paused, blocked)
    assert deleted is None
    assert await scalar(node, "SELECT count(*) FROM namespaces WHERE owner_id IS NULL") == 1
    assert not await may(node, ann, "pull", "ann/app")


async def test_a_push_does_not_wait_for_a_change_of_the_account_that_pushes(world, node, first, paused):
    """The lock leaves foreign keys alone; SQLite has one writer for all, so only the other database can show it."""
    (ann,) = await users(node, "ann")
    await node.grants.give("ann", Place(registry_id=1), Role.WRITE, ACTOR)
    if world.place.kind == "sqlite":
        paused.let_go.set()
    suspending = asyncio.ensure_future(first.accounts.suspend("ann", ACTOR))
    await paused.at_the_end()
    async with asyncio.timeout(30):
        await make_repository(node, "beta/app", acting(ann))
    assert world.place.kind == "sqlite" or not suspending.done()
    paused.let_go.set()
    await suspending
    found = text("SELECT created_by FROM repositories")
    assert await node.database.read(lambda c: c.execute(found).scalar()) == ann.id
