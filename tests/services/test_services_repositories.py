# SPDX-License-Identifier: Apache-2.0
"""Changing repositories, namespaces and registries: what counts from then on, and what is told of it."""

import asyncio

import pytest
from sqlalchemy import text

from tests.services.people import acme, acting, make_repository, may, scalar, users
from tests.services.world import ACTOR, NAME, image, push_blob, push_image, push_manifest
from wharfinger.domain.access import Access, Action, Mode, Visibility
from wharfinger.domain.errors import AccountConflict, AccountUnknown, NamespaceUnknown, NameUnknown
from wharfinger.domain.identity import ANONYMOUS
from wharfinger.domain.repositories import SOURCE_ANNOTATION
from wharfinger.metadata.standing import EVERYTHING, sight_of
from wharfinger.services.authorization import Authorization
from wharfinger.services.namespaces import NamespaceChange
from wharfinger.services.registries import RegistryChange
from wharfinger.services.repositories import RepositoryChange

SOURCE = "https://github.com/acme/app"
OTHER_SOURCE = "https://github.com/acme/other"


async def told(node, action):
    """Return what is told of one kind of event."""
    sql = text("SELECT repository, target, detail, principal, request_id FROM events WHERE action = :a ORDER BY id")
    return await node.database.read(lambda c: [tuple(row) for row in c.execute(sql, {"a": action})])


async def change(node, **what):
    return await node.repositories.change(node.registry, NAME, RepositoryChange(**what), ACTOR)


async def test_a_new_repository_is_private_and_says_nothing(world, node):
    await push_image(node)
    found = await node.repositories.find(node.registry, NAME)
    assert (found.name, found.description, found.source) == (NAME, None, None)
    assert (found.visibility, found.inherits) == (Visibility.PRIVATE, False)
    assert found.created_at == found.changed_at == world.clock.now()


async def test_everything_is_changed_at_once_and_told_once(node):
    await make_repository(node, NAME)
    made = await change(node, description="An app", source=SOURCE, visibility=Visibility.PUBLIC, inherits=True)
    assert made == await node.repositories.find(node.registry, NAME)
    assert (made.description, made.source, made.visibility, made.inherits) == (
        "An app",
        SOURCE,
        Visibility.PUBLIC,
        True,
    )
    detail = (
        f"description from '' to 'An app', source from nothing to {SOURCE}, "
        "visibility from private to public, inheritance from off to on"
    )
    assert await told(node, "repository.changed") == [(NAME, None, detail, "somebody", "r-1")]


async def test_what_is_not_named_stays_and_an_empty_text_takes_away(node):
    await make_repository(node, NAME)
    await change(node, description="An app", source=SOURCE)
    made = await change(node, visibility=Visibility.INTERNAL)
    assert (made.description, made.source) == ("An app", SOURCE)
    made = await change(node, description="", source="")
    assert (made.description, made.source, made.visibility) == (None, None, Visibility.INTERNAL)


async def test_where_nothing_changes_nothing_is_told(node):
    await make_repository(node, NAME)
    await change(node, description="An app")
    for what in ({"description": "An app"}, {"visibility": Visibility.PRIVATE}, {"inherits": False}, {}):
        await change(node, **what)
    assert len(await told(node, "repository.changed")) == 1


async def test_a_repository_that_is_not_there_cannot_be_changed(node):
    with pytest.raises(NameUnknown):
        await change(node, description="An app")
    with pytest.raises(NameUnknown):
        await node.repositories.find(node.registry, NAME)


@pytest.mark.parametrize(
    ("what", "action"),
    [({"description": "x"}, Action.DESCRIBE), ({"source": ""}, Action.DESCRIBE),
     ({"visibility": Visibility.PUBLIC}, Action.ADMINISTER), ({"inherits": False}, Action.ADMINISTER),
     ({"description": "x", "inherits": True}, Action.ADMINISTER)],
)  # fmt: skip
def test_a_change_says_what_it_takes(what, action):
    assert RepositoryChange(**what).action is action


async def test_visibility_counts_from_the_next_request_on(node):
    ann, bob = await users(node, "ann", "bob")
    await make_repository(node, NAME, acting(ann))
    authorization = Authorization(node.database, Mode.ACCOUNTS)

    async def reach():
        anonymous = await authorization.allows(ANONYMOUS, node.registry, Access(Action.PULL, NAME))
        return anonymous, await may(node, bob, "pull", NAME)

    assert await reach() == (False, False)
    for visibility, expected in (
        (Visibility.INTERNAL, (False, True)),
        (Visibility.PUBLIC, (True, True)),
        (Visibility.PRIVATE, (False, False)),
    ):
        await change(node, visibility=visibility)
        assert await reach() == expected


async def test_inheritance_lets_members_and_roles_of_the_namespace_in(node):
    await acme(node, "bob")
    bob = await node.accounts.find("bob")
    await make_repository(node, NAME)
    assert not await may(node, bob, "pull", NAME)
    await change(node, inherits=True)
    assert await may(node, bob, "pull", NAME)
    await change(node, inherits=False)
    assert not await may(node, bob, "pull", NAME)


async def test_who_makes_a_repository_administers_it(node):
    ann, bob = await users(node, "ann", "bob")
    await make_repository(node, "beta/app", acting(ann))
    assert await may(node, ann, "administer", "beta/app")
    assert not await may(node, bob, "administer", "beta/app")


async def test_a_list_has_settings_and_pages_and_shows_what_may_be_seen(node):
    (ann,) = await users(node, "ann")
    names = ["acme/app", "acme/lib", "zed"]
    for name in names:
        await push_image(node, name=name)
    await node.repositories.change(node.registry, "zed", RepositoryChange(visibility=Visibility.PUBLIC), ACTOR)
    page = await node.repositories.list(node.registry, None, 2, EVERYTHING)
    assert ([one.name for one in page.items], page.more) == (names[:2], True)
    page = await node.repositories.list(node.registry, "acme/lib", 2, EVERYTHING)
    assert ([(one.name, one.visibility) for one in page.items], page.more) == ([("zed", Visibility.PUBLIC)], False)
    page = await node.repositories.list(node.registry, None, 5, sight_of(acting(ann).principal))
    assert [one.name for one in page.items] == ["zed"]


# --- the source that a manifest names --------------------------------------------------------------------------------


def annotated(source, *, config=b"{}", **more):
    return image(config=config, annotations={SOURCE_ANNOTATION: source}, **more)


async def push(node, content):
    await push_blob(node, b"{}")
    return await push_manifest(node, content, "v1")


async def source(node):
    return (await node.repositories.find(node.registry, NAME)).source


async def test_the_first_manifest_that_names_a_source_links_it(node):
    await push_image(node)
    assert await source(node) is None
    await push(node, annotated("git@github.com:acme/app.git"))
    assert await source(node) == SOURCE
    await push(node, annotated(OTHER_SOURCE))
    assert await source(node) == SOURCE
    detail = f"source from nothing to {SOURCE}, as what was pushed says"
    assert await told(node, "repository.changed") == [(NAME, None, detail, "somebody", "r-1")]


async def test_what_somebody_said_of_the_source_no_manifest_changes(node):
    await make_repository(node, NAME)
    await change(node, source=OTHER_SOURCE)
    await push(node, annotated(SOURCE))
    assert await source(node) == OTHER_SOURCE
    await change(node, source="")
    await push(node, annotated(SOURCE, artifactType="application/x-other"))
    assert await source(node) is None


async def test_a_source_that_cannot_be_read_hinders_no_push(node):
    await push(node, annotated("my laptop"))
    assert await source(node) is None


async def test_what_is_attached_to_an_image_does_not_say_where_the_image_comes_from(node):
    subject = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:" + "0" * 64, "size": 2}
    await push(node, annotated(SOURCE, subject=subject))
    assert await source(node) is None


async def test_a_label_of_the_configuration_is_not_asked_because_it_may_be_of_the_image_below(node):
    await push_image(node, config=b'{"config":{"Labels":{"%s":"%s"}}}' % (SOURCE_ANNOTATION.encode(), SOURCE.encode()))
    assert await source(node) is None


# --- namespaces ------------------------------------------------------------------------------------------------------


async def change_namespace(node, name="acme", **what):
    return await node.namespaces.change(node.registry, name, NamespaceChange(**what), ACTOR)


async def test_new_repositories_begin_as_their_namespace_says_and_old_ones_stay(node):
    await make_repository(node, NAME)
    made = await change_namespace(node, default_visibility=Visibility.INTERNAL)
    assert (made.name, made.default_visibility, made.owner) == ("acme", Visibility.INTERNAL, None)
    await make_repository(node, "acme/new")
    assert (await node.repositories.find(node.registry, "acme/new")).visibility is Visibility.INTERNAL
    assert (await node.repositories.find(node.registry, NAME)).visibility is Visibility.PRIVATE
    detail = "default visibility from private to internal"
    assert await told(node, "namespace.changed") == [(None, "acme", detail, "somebody", "r-1")]
    await change_namespace(node, default_visibility=Visibility.INTERNAL)
    assert len(await told(node, "namespace.changed")) == 1


async def test_a_namespace_can_be_prepared_before_its_first_push(node):
    await change_namespace(node, "later", default_visibility=Visibility.PUBLIC)
    await make_repository(node, "later/app")
    assert (await node.repositories.find(node.registry, "later/app")).visibility is Visibility.PUBLIC


async def test_a_namespace_is_claimed_for_the_account_of_its_name_and_given_back(node):
    await make_repository(node, "ann/app")
    ann = await node.accounts.create_user("ann", ACTOR, claim=False)
    assert not await may(node, ann, "administer", "ann/app")
    assert (await change_namespace(node, "ann", owned=True)).owner == "ann"
    assert await may(node, ann, "administer", "ann/app")
    assert (await change_namespace(node, "ann", owned=False)).owner is None
    assert not await may(node, ann, "administer", "ann/app")
    assert [row[2] for row in await told(node, "namespace.changed")] == [
        "owner from the registry to ann",
        "owner from ann to the registry",
    ]


async def test_a_namespace_without_an_account_of_its_name_has_no_owner(node):
    await make_repository(node, NAME)
    with pytest.raises(AccountUnknown):
        await change_namespace(node, owned=True)


async def test_where_accounts_own_no_namespaces_none_is_claimed(node):
    await make_repository(node, "ann/app")
    await node.accounts.create_user("ann", ACTOR, claim=False)
    await node.registry_switches.change(node.registry, RegistryChange(account_namespaces=False), ACTOR)
    with pytest.raises(AccountConflict, match="registry set default --account-namespaces"):
        await change_namespace(node, "ann", owned=True)


async def test_namespaces_are_listed_with_owner_and_number_of_repositories(node):
    await acme(node)
    for name in ("acme/app", "acme/lib", "beta/app"):
        await push_image(node, name=name)
    await make_repository(node, "acme/unlisted")
    page = await node.namespaces.list(node.registry, None, 5)
    assert [(one.name, one.owner, one.repositories) for one in page.items] == [("acme", "acme", 2), ("beta", None, 1)]
    page = await node.namespaces.list(node.registry, None, 1)
    assert ([one.name for one in page.items], page.more) == (["acme"], True)
    page = await node.namespaces.list(node.registry, None, 5, owner="acme")
    assert [one.name for one in page.items] == ["acme"]
    assert (await node.namespaces.find(node.registry, "beta")).repositories == 1
    with pytest.raises(NamespaceUnknown):
        await node.namespaces.find(node.registry, "gamma")


async def test_two_who_change_one_thing_at_once_both_count(world, node):
    await make_repository(node, NAME)
    other = world.node()
    await asyncio.gather(
        change(node, description="An app"),
        other.repositories.change(other.registry, NAME, RepositoryChange(visibility=Visibility.PUBLIC), ACTOR),
    )
    found = await node.repositories.find(node.registry, NAME)
    assert (found.description, found.visibility) == ("An app", Visibility.PUBLIC)
    assert len(await told(node, "repository.changed")) == 2


# --- registries ------------------------------------------------------------------------------------------------------


async def test_anonymous_pull_is_a_switch_of_the_registry(node):
    await make_repository(node, NAME)
    await change(node, visibility=Visibility.PUBLIC)
    authorization = Authorization(node.database, Mode.ACCOUNTS)
    assert await authorization.allows(ANONYMOUS, node.registry, Access(Action.PULL, NAME))
    after = await node.registry_switches.change(node.registry, RegistryChange(anonymous_pull=False), ACTOR)
    assert (after, after.anonymous_pull) == (await node.registry_switches.of(node.registry), False)
    assert not await authorization.allows(ANONYMOUS, node.registry, Access(Action.PULL, NAME))
    await node.registry_switches.change(node.registry, RegistryChange(anonymous_pull=False), ACTOR)
    assert await told(node, "registry.changed") == [
        (None, "default", "anonymous pull from on to off", "somebody", "r-1")
    ]


async def test_whether_accounts_own_the_namespaces_of_their_names_is_a_switch_of_the_registry(node):
    (ann,) = await users(node, "ann")
    assert (await node.registry_switches.of(node.registry)).account_namespaces
    await node.registry_switches.change(node.registry, RegistryChange(account_namespaces=False), ACTOR)
    await make_repository(node, "ann/app")
    assert await scalar(node, "SELECT owner_id FROM namespaces") is None
    assert not await may(node, ann, "pull", "ann/app")
