# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.services.people import BUILDERS, acme, facts, make_repository, may, robot, scalar, users
from tests.services.world import ACTOR
from wharfinger.domain.access import Role
from wharfinger.domain.accounts import TeamName
from wharfinger.domain.errors import AccountInvalid, AccountUnknown, NameUnknown
from wharfinger.domain.grants import DEPLOYMENT, Place

REGISTRY = Place(registry_id=1)
NAMESPACE = Place(registry_id=1, namespace="beta")
REPOSITORY = Place(registry_id=1, repository="beta/app")
PLACES = [DEPLOYMENT, REGISTRY, NAMESPACE, REPOSITORY]


@pytest.mark.parametrize("place", PLACES, ids=str)
async def test_a_role_opens_what_it_says_until_it_is_taken(node, place):
    await make_repository(node, "beta/app")
    await node.database.write(lambda c: c.exec_driver_sql("UPDATE repositories SET inherits = 1") and None)
    (ann,) = await users(node, "ann")
    await node.grants.give("ann", place, Role.WRITE, ACTOR)
    assert await may(node, ann, "push", "beta/app")
    assert not await may(node, ann, "delete", "beta/app")
    await node.grants.give("ann", place, Role.READ, ACTOR)
    assert await may(node, ann, "pull", "beta/app")
    assert not await may(node, ann, "push", "beta/app")
    await node.grants.take("ann", place, ACTOR)
    assert not await may(node, ann, "pull", "beta/app")


async def test_a_role_of_a_team_is_its_members(node):
    await acme(node, "bob", "cid")
    await make_repository(node, "beta/app")
    bob = await node.accounts.find("bob")
    await node.grants.give(BUILDERS, REPOSITORY, Role.ADMIN, ACTOR)
    await node.grants.give("bob", REPOSITORY, Role.READ, ACTOR)
    assert await may(node, bob, "delete", "beta/app")
    await node.organizations.leave_team(BUILDERS, "bob", ACTOR)
    assert not await may(node, bob, "delete", "beta/app")
    assert await may(node, bob, "pull", "beta/app")


@pytest.mark.parametrize("place", PLACES, ids=str)
async def test_each_change_is_one_event_and_one_row(node, place):
    await make_repository(node, "beta/app")
    await users(node, "ann")
    for role in (Role.READ, Role.READ, Role.ADMIN):
        await node.grants.give("ann", place, role, ACTOR)
    assert await scalar(node, "SELECT count(*) FROM grants") == 1
    await node.grants.take("ann", place, ACTOR)
    assert (await facts(node))[1:] == [
        ("grant.given", "ann", f"read on {place}"),
        ("grant.given", "ann", f"admin on {place}"),
        ("grant.taken", "ann", str(place)),
    ]


async def test_an_event_names_the_registry_and_the_repository(node):
    await make_repository(node, "beta/app")
    await users(node, "ann")
    await node.grants.give("ann", REPOSITORY, Role.READ, ACTOR)
    sql = "SELECT count(*) FROM events WHERE action = 'grant.given' AND registry_id = 1 AND repository = 'beta/app'"
    assert await scalar(node, sql) == 1


async def test_grants_are_listed_by_place_and_by_subject(node):
    await acme(node)
    await robot(node)
    await make_repository(node, "beta/app")
    for subject in ("ann", "acme+ci", BUILDERS):
        await node.grants.give(subject, REPOSITORY, Role.READ, ACTOR)
    for place in (DEPLOYMENT, REGISTRY, NAMESPACE):
        await node.grants.give(BUILDERS, place, Role.WRITE, ACTOR)
    found = await node.grants.of_place(REPOSITORY)
    assert [(str(one.subject), one.place, one.role) for one in found] == [
        (name, REPOSITORY, Role.READ) for name in ("ann", "acme+ci", "acme/builders")
    ]
    found = await node.grants.of_subject(BUILDERS)
    assert [(one.subject, one.place) for one in found] == [
        (BUILDERS, place) for place in (REPOSITORY, DEPLOYMENT, REGISTRY, NAMESPACE)
    ]
    assert [one.place for one in await node.grants.of_subject("acme+ci")] == [REPOSITORY]
    assert [one.subject for one in await node.grants.of_place(DEPLOYMENT)] == [BUILDERS]


async def test_a_role_on_a_namespace_comes_before_its_first_repository(node):
    (ann,) = await users(node, "ann")
    await node.grants.give("ann", NAMESPACE, Role.WRITE, ACTOR)
    assert await may(node, ann, "push", "beta/new")
    assert not await may(node, ann, "push", "gamma/new")


async def test_what_is_not_there_can_neither_have_nor_carry_a_role(node):
    await acme(node)
    with pytest.raises(AccountUnknown, match="'zoe'"):
        await node.grants.give("zoe", DEPLOYMENT, Role.READ, ACTOR)
    with pytest.raises(AccountUnknown, match="'acme/none'"):
        await node.grants.give(TeamName("acme", "none"), DEPLOYMENT, Role.READ, ACTOR)
    with pytest.raises(NameUnknown, match="'beta/app'"):
        await node.grants.give("ann", REPOSITORY, Role.READ, ACTOR)
    with pytest.raises(AccountUnknown, match="no namespace 'beta'"):
        await node.grants.of_place(NAMESPACE)
    for subject in ("zoe", TeamName("acme", "none"), TeamName("zoe", "none")):
        with pytest.raises(AccountUnknown):
            await node.grants.of_subject(subject)


async def test_organizations_are_given_nothing_and_nothing_cannot_be_given(node):
    await acme(node)
    with pytest.raises(AccountInvalid, match="one of its teams"):
        await node.grants.give("acme", DEPLOYMENT, Role.READ, ACTOR)
    with pytest.raises(AccountInvalid, match="take the grant away"):
        await node.grants.give("ann", DEPLOYMENT, Role.NONE, ACTOR)


async def test_a_role_that_was_not_given_there_cannot_be_taken(node):
    await users(node, "ann")
    await node.grants.give("ann", DEPLOYMENT, Role.ADMIN, ACTOR)
    with pytest.raises(AccountUnknown, match="'ann' was given no role on the registry"):
        await node.grants.take("ann", REGISTRY, ACTOR)


async def test_a_repository_that_was_begun_and_left_takes_its_grants_along(node):
    ann = (await users(node, "ann"))[0]
    await make_repository(node, "beta/app")
    await node.grants.give("ann", REPOSITORY, Role.READ, ACTOR)
    await node.database.write(lambda c: c.exec_driver_sql("DELETE FROM uploads") and None)
    await node.database.write(lambda c: c.exec_driver_sql("DELETE FROM repositories") and None)
    assert await node.grants.of_subject(ann.name) == []
