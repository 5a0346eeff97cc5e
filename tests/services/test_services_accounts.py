# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.services.people import (
    BUILDERS,
    acme,
    acting,
    credential,
    facts,
    make_repository,
    may,
    robot,
    scalar,
    users,
)
from tests.services.world import ACTOR
from wharfinger.domain.access import Role
from wharfinger.domain.accounts import AccessType, AccountKind, CredentialKind, MemberRole, parse_robot_name
from wharfinger.domain.errors import AccountConflict, AccountInvalid, AccountUnknown
from wharfinger.domain.grants import DEPLOYMENT, Place
from wharfinger.services.accounts import PEOPLE, AccountChange

PROFILE = AccountChange(display_name="Ann", email="ann@example.org", description="builds")


async def test_a_user_is_created_with_what_is_known_of_it(node):
    made = await node.accounts.create_user("ann", ACTOR, profile=PROFILE)
    assert made == await node.accounts.find("ann")
    assert (made.kind, made.display_name, made.email) == (AccountKind.USER, "Ann", "ann@example.org")
    assert (made.access_type, made.anonymous_pull, made.suspended_at) == (AccessType.BOTH, True, None)
    assert await facts(node) == [("account.created", "ann", "user")]


async def test_an_event_says_who_created_an_account_and_holds_no_hash(node):
    await node.accounts.create_user("ann", ACTOR, password_hash="the hash")
    sql = "SELECT count(*) FROM events WHERE principal = :who AND registry_id IS NULL"
    assert await scalar(node, sql, who="somebody") == 1
    assert await scalar(node, "SELECT count(*) FROM events WHERE detail LIKE '%hash%'") == 0


async def test_users_and_organizations_share_one_set_of_names(node):
    await acme(node)
    for name in ("ann", "acme"):
        with pytest.raises(AccountConflict, match="taken"):
            await node.accounts.create_user(name, ACTOR)
    with pytest.raises(AccountConflict, match="taken"):
        await node.accounts.create_organization("ann", ACTOR, owner="ann")


async def test_a_refused_creation_leaves_nothing(node):
    before = await facts(node)
    with pytest.raises(AccountUnknown, match="'nobody'"):
        await node.accounts.create_organization("acme", ACTOR, owner="nobody")
    with pytest.raises(AccountUnknown):
        await node.accounts.find("acme")
    assert await facts(node) == before


async def test_an_organization_begins_with_an_owner_who_is_a_user(node):
    await acme(node)
    (owner,) = await node.organizations.members("acme")
    assert (owner.name, owner.role) == ("ann", MemberRole.OWNER)
    with pytest.raises(AccountInvalid, match="not a user, but an organization"):
        await node.accounts.create_organization("beta", ACTOR, owner="acme")


async def test_robots_belong_to_an_organization_or_to_a_registry(node):
    made = await acme(node)
    of_organization, of_registry = await robot(node), await robot(node, "@default+ci")
    assert (of_organization.name, of_organization.organization_id) == ("acme+ci", made.id)
    assert (of_registry.name, of_registry.registry_id) == ("@default+ci", 1)
    assert await node.accounts.robots("acme") == [of_organization]
    assert await node.accounts.robots_of_registry(1) == [of_registry]
    with pytest.raises(AccountConflict, match="taken"):
        await robot(node)
    with pytest.raises(AccountUnknown, match="no registry 'other'"):
        await robot(node, "@other+ci")
    with pytest.raises(AccountInvalid, match="not an organization, but a user"):
        await node.accounts.create_robot(parse_robot_name("ann+ci"), ACTOR)


async def test_a_list_has_pages_and_kinds(node):
    await acme(node, "bob")
    await robot(node)
    page = await node.accounts.list(PEOPLE, None, 2)
    assert ([one.name for one in page.items], page.more) == (["acme", "ann"], True)
    page = await node.accounts.list(PEOPLE, "ann", 2)
    assert ([one.name for one in page.items], page.more) == (["bob"], False)
    page = await node.accounts.list([AccountKind.ROBOT], None, 9)
    assert [one.name for one in page.items] == ["acme+ci"]


async def test_a_change_sets_what_it_names_and_an_empty_text_removes(node):
    await node.accounts.create_user("ann", ACTOR, profile=PROFILE)
    change = AccountChange(email="", access_type=AccessType.CONSOLE, anonymous_pull=False)
    changed = await node.accounts.change("ann", change, ACTOR)
    assert (changed.display_name, changed.email, changed.description) == ("Ann", None, "builds")
    assert (changed.access_type, changed.anonymous_pull) == (AccessType.CONSOLE, False)
    detail = "access type from both to console, anonymous pull from on to off, e-mail removed"
    assert (await facts(node))[-1] == ("account.changed", "ann", detail)
    assert await node.accounts.change("ann", AccountChange(), ACTOR) == changed
    assert await node.accounts.change("ann", change, ACTOR) == changed
    assert len(await facts(node)) == 2


async def test_a_change_is_told_with_what_was_and_what_is_but_for_addresses(node):
    await node.accounts.create_user("ann", ACTOR, profile=AccountChange(display_name="Ann", description="builds"))
    for change, told in (
        (AccountChange(display_name="Ann Lee"), "display name from 'Ann' to 'Ann Lee'"),
        (AccountChange(description=""), "description from 'builds' to ''"),
        (AccountChange(email="ann@example.org"), "e-mail given"),
        (AccountChange(email="ann@example.com"), "e-mail changed"),
        (AccountChange(email=""), "e-mail removed"),
    ):
        await node.accounts.change("ann", change, ACTOR)
        assert (await facts(node))[-1] == ("account.changed", "ann", told)


async def test_a_name_with_repositories_is_given_only_to_who_says_what_becomes_of_them(node):
    await make_repository(node, "bob/app")
    with pytest.raises(AccountConflict, match="claim"):
        await node.accounts.create_user("bob", ACTOR)
    bob = await node.accounts.create_user("bob", ACTOR, claim=True)
    assert await may(node, bob, "administer", "bob/app")


async def test_a_name_can_be_taken_without_its_repositories(node):
    await make_repository(node, "bob/app")
    bob = await node.accounts.create_user("bob", ACTOR, claim=False)
    assert not await may(node, bob, "pull", "bob/app")
    assert not await may(node, bob, "push", "bob/new")


async def test_a_namespace_in_a_registry_without_account_namespaces_is_nobodys_to_claim(node):
    await node.database.write(lambda c: c.exec_driver_sql("UPDATE registries SET account_namespaces = 0") and None)
    await make_repository(node, "bob/app")
    (bob,) = await users(node, "bob")
    assert not await may(node, bob, "pull", "bob/app")
    assert not await may(node, bob, "push", "bob/new")


async def test_a_first_push_to_the_own_name_makes_a_namespace_that_is_owned(node):
    ann, bob = await users(node, "ann", "bob")
    assert await may(node, ann, "push", "ann/app")
    assert not await may(node, bob, "push", "ann/app")
    await make_repository(node, "ann/app", acting(ann))
    await make_repository(node, "ann/other")
    assert await may(node, ann, "administer", "ann/other")


async def test_who_makes_a_repository_is_its_admin(node):
    (ann,) = await users(node, "ann")
    await node.grants.give("ann", Place(registry_id=1, namespace="beta"), Role.WRITE, ACTOR)
    await make_repository(node, "beta/app", acting(ann))
    await node.grants.take("ann", Place(registry_id=1, namespace="beta"), ACTOR)
    assert await may(node, ann, "administer", "beta/app")
    (grant,) = await node.grants.of_subject("ann")
    assert (str(grant.place), grant.role) == ("the repository beta/app", Role.ADMIN)


async def test_a_suspended_account_may_nothing_until_it_is_resumed(node):
    (ann,) = await users(node, "ann")
    await make_repository(node, "ann/app", acting(ann))
    await node.accounts.suspend("ann", ACTOR)
    await node.accounts.suspend("ann", ACTOR)
    assert not await may(node, ann, "pull", "ann/app")
    assert (await node.accounts.find("ann")).suspended_at is not None
    await node.accounts.resume("ann", ACTOR)
    await node.accounts.resume("ann", ACTOR)
    assert await may(node, ann, "administer", "ann/app")
    assert (await facts(node))[1:] == [("account.suspended", "ann", None), ("account.resumed", "ann", None)]


async def test_a_suspended_organization_stops_its_robots_teams_and_owners(node):
    await acme(node, "bob")
    ci = await robot(node)
    ann, bob = [await node.accounts.find(name) for name in ("ann", "bob")]
    await make_repository(node, "acme/app")
    place = Place(registry_id=1, repository="acme/app")
    await node.grants.give("acme+ci", place, Role.WRITE, ACTOR)
    await node.grants.give(BUILDERS, place, Role.WRITE, ACTOR)
    everyone = [(ann, "administer"), (bob, "push"), (ci, "push")]
    assert [await may(node, who, action, "acme/app") for who, action in everyone] == [True] * 3
    await node.accounts.suspend("acme", ACTOR)
    assert [await may(node, who, action, "acme/app") for who, action in everyone] == [False] * 3


async def test_a_deleted_user_leaves_its_name_and_nothing_it_held(node):
    await acme(node, "bob")
    bob = await node.accounts.find("bob")
    await node.accounts.set_password("bob", "hash", ACTOR)
    await node.grants.give("bob", DEPLOYMENT, Role.ADMIN, ACTOR)
    await node.credentials.create("bob", credential(kind=CredentialKind.TOKEN), ACTOR)
    await make_repository(node, "bob/app", acting(bob))
    await node.accounts.delete("bob", ACTOR)
    assert not await may(node, bob, "pull", "bob/app")
    for table in ("passwords", "team_members", "grants"):
        assert await scalar(node, f"SELECT count(*) FROM {table}") == 0
    assert (await node.credentials.find("f-1")).revoked
    again = await node.accounts.create_user("bob", ACTOR, claim=False)
    assert again.id != bob.id
    assert not await may(node, again, "pull", "bob/app")
    with pytest.raises(AccountUnknown):
        await node.accounts.delete("carol", ACTOR)


async def test_the_last_owner_of_an_organization_cannot_be_deleted(node):
    await acme(node, "bob")
    with pytest.raises(AccountConflict, match="last owner of 'acme'"):
        await node.accounts.delete("ann", ACTOR)
    await node.organizations.put_member("acme", "bob", MemberRole.OWNER, ACTOR)
    await node.accounts.delete("ann", ACTOR)
    assert [one.name for one in await node.organizations.members("acme")] == ["bob"]


async def test_a_deleted_organization_takes_robots_and_teams_along_and_leaves_repositories(node):
    await acme(node, "bob")
    ci = await robot(node)
    ann = await node.accounts.find("ann")
    await make_repository(node, "acme/app", acting(ann))
    await node.grants.take("ann", Place(registry_id=1, repository="acme/app"), ACTOR)
    await node.grants.give(BUILDERS, DEPLOYMENT, Role.ADMIN, ACTOR)
    await node.grants.give("acme+ci", DEPLOYMENT, Role.ADMIN, ACTOR)
    await node.accounts.delete("acme", ACTOR)
    for who in (ann, ci, await node.accounts.find("bob")):
        assert not await may(node, who, "pull", "acme/app")
    with pytest.raises(AccountUnknown):
        await node.accounts.find("acme+ci")
    for table in ("teams", "team_members", "memberships", "grants"):
        assert await scalar(node, f"SELECT count(*) FROM {table}") == 0
    assert await scalar(node, "SELECT count(*) FROM repositories WHERE deleted_at IS NULL") == 1


async def test_a_password_is_found_by_name_with_what_signing_in_needs(node):
    await node.accounts.create_user("ann", ACTOR, password_hash="one")
    await users(node, "bob")
    found = await node.accounts.password("ann")
    assert (found.hash, found.failures, found.locked_until, found.suspended) == ("one", 0, None, False)
    assert await node.accounts.password("bob") is None
    await node.accounts.suspend("ann", ACTOR)
    assert (await node.accounts.password("ann")).suspended


async def test_a_new_password_ends_what_the_old_one_opened_and_no_token(node):
    await node.accounts.create_user("ann", ACTOR, password_hash="one")
    token = await node.credentials.create("ann", credential(kind=CredentialKind.TOKEN), ACTOR)
    refresh = credential(kind=CredentialKind.REFRESH, fingerprint="f-2")
    from_token = credential(kind=CredentialKind.REFRESH, fingerprint="f-3", parent_id=token)
    for one in (refresh, from_token):
        await node.credentials.create("ann", one, ACTOR)
    await node.accounts.set_password("ann", "two", ACTOR)
    assert (await node.accounts.password("ann")).hash == "two"
    assert [(await node.credentials.find(one)).revoked for one in ("f-1", "f-2", "f-3")] == [False, True, False]
    assert (await facts(node))[-1] == ("password.changed", "ann", None)


async def test_only_users_have_passwords(node):
    await acme(node)
    with pytest.raises(AccountInvalid, match="not a user"):
        await node.accounts.set_password("acme", "hash", ACTOR)
