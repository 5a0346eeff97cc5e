# SPDX-License-Identifier: Apache-2.0
"""What pages of a repository show: its full description, sizes, tags in pages, some pulls, and who reaches it."""

import asyncio

import pytest
from sqlalchemy import text

from tests.services.people import BUILDERS, acme, acting, make_repository, users
from tests.services.signing import trust_of
from tests.services.test_services_pulls import ask
from tests.services.world import ACTOR, NAME, OTHER, image, push_image
from wharfinger.clock import SECOND
from wharfinger.domain.access import Role, Visibility
from wharfinger.domain.audit import AuditFilter
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import (
    DeletionDisabled,
    ManifestUnknown,
    NameUnknown,
    PreconditionFailed,
    ReadOnly,
    TagImmutable,
)
from wharfinger.domain.grants import DEPLOYMENT, Place
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.tags import TagPosition
from wharfinger.domain.trust import NewRule
from wharfinger.metadata.pulls import WHOLE
from wharfinger.services import reach, sizes
from wharfinger.services.reach import Way
from wharfinger.services.repositories import RepositoryChange
from wharfinger.services.tags import TagSearch

NOBODY = RepositoryName("acme/nothing")


async def test_a_full_description_is_kept_as_it_was_written_and_told_by_its_length(world, node):
    (ann,) = await users(node, "ann")
    await make_repository(node, NAME)
    assert await node.descriptions.find(node.registry, NAME) is None
    made = await node.descriptions.change(node.registry, NAME, "# <b>App</b>\n", acting(ann))
    assert made == await node.descriptions.find(node.registry, NAME)
    assert (made.text, made.changed_at, made.changed_by) == ("# <b>App</b>\n", world.clock.now(), "ann")
    sight = await node.audit.of_repository(node.registry, NAME)
    (event, _) = (await node.audit.list(AuditFilter(), sight, limit=5)).items
    assert (event.action, event.detail) == ("repository.changed", "full description from 0 to 13 characters")
    world.clock.move(SECOND)
    assert await node.descriptions.change(node.registry, NAME, made.text, ACTOR) == made
    assert await node.descriptions.change(node.registry, NAME, "", ACTOR) is None
    assert len((await node.audit.list(AuditFilter(), sight, limit=5)).items) == 3
    await world.assert_sound()


async def test_a_full_description_that_somebody_else_changed_meanwhile_stays(world, node):
    await make_repository(node, NAME)
    await node.descriptions.change(node.registry, NAME, "one", ACTOR, seen="")
    with pytest.raises(PreconditionFailed):
        await node.descriptions.change(node.registry, NAME, "two", ACTOR, seen="")
    assert (await node.descriptions.change(node.registry, NAME, "two", ACTOR, seen="one")).text == "two"
    with pytest.raises(NameUnknown):
        await node.descriptions.change(node.registry, NOBODY, "x", ACTOR)
    with pytest.raises(NameUnknown):
        await node.descriptions.find(node.registry, NOBODY)
    with pytest.raises(ReadOnly):
        await world.node(read_only=True).descriptions.change(node.registry, NAME, "x", ACTOR)


async def test_a_description_goes_and_comes_back_with_its_repository(node):
    await push_image(node)
    await node.descriptions.change(node.registry, NAME, "one", ACTOR)
    await node.repositories.delete(node.registry, NAME, ACTOR)
    await push_image(node)
    assert await node.descriptions.find(node.registry, NAME) is None
    await node.repositories.delete(node.registry, NAME, ACTOR)
    old = min((await node.trash.list(node.registry, None, None, 10)).items, key=lambda one: one.number)
    await node.repositories.restore(node.registry, NAME, ACTOR, number=old.number)
    assert (await node.descriptions.find(node.registry, NAME)).text == "one"


async def size(node, name=NAME):
    return await node.sizes.of_repository(node.registry, name)


async def test_a_blob_that_another_repository_has_is_shared_and_everything_else_is_unique(world, node):
    await push_image(node, b"base", b"app", config=b"{}")
    found = await size(node)
    assert (found.unique, found.shared) == (len(b"baseapp{}"), 0)
    assert found.own == len(image(b"base", b"app"))
    assert found.total == found.unique + found.own
    assert (found.tags, found.manifests) == (1, 1)
    await push_image(node, b"base", name=OTHER, config=b"{ }")
    world.clock.move(sizes.LONGEST * SECOND)
    found = await size(node)
    assert (found.unique, found.shared) == (len(b"app{}"), len(b"base"))
    await node.repositories.delete(node.registry, OTHER, ACTOR)
    world.clock.move(sizes.LONGEST * SECOND)
    assert (await size(node)).shared == 0


async def test_what_is_in_the_trash_does_not_count(node):
    first = await push_image(node, b"one", tags=("v1",))
    await push_image(node, b"second", tags=("v2",))
    before = (await size(node)).total
    await node.manifests.delete(node.registry, NAME, first, ACTOR)
    assert (await size(node)).total == before - len(b"one") - len(image(b"one"))
    with pytest.raises(NameUnknown):
        await size(node, NOBODY)


async def test_a_size_is_measured_once_until_the_repository_changes(world, node):
    await push_image(node, b"one")
    measured = []
    work = node.database.read

    async def counted(function):
        measured.append(function)
        return await work(function)

    node.database.read = counted
    await asyncio.gather(*(size(node) for _ in range(5)))
    assert len(measured) == 1
    await push_image(node, b"second", tags=("v2",))
    measured.clear()
    await size(node)
    assert len(measured) == 1
    world.clock.move((sizes.LONGEST - 1) * SECOND)
    await size(node)
    assert len(measured) == 1
    world.clock.move(SECOND)
    await size(node)
    assert len(measured) == 2


async def test_a_repository_that_takes_long_to_measure_is_measured_rarely(world, node):
    await push_image(node, b"one")
    work = node.database.read

    async def slow(function):
        world.clock.move(3 * SECOND)
        return await work(function)

    node.database.read = slow
    first = await size(node)
    node.database.read = work
    await push_image(node, b"second", tags=("v2",))
    world.clock.move(59 * SECOND)
    assert await size(node) == first
    world.clock.move(2 * SECOND)
    assert (await size(node)).total > first.total


async def test_sizes_of_many_repositories_do_not_fill_the_memory(node, monkeypatch):
    monkeypatch.setattr(sizes, "MOST_REMEMBERED", 2)
    for letter in "abc":
        await push_image(node, name=RepositoryName(letter))
        await size(node, RepositoryName(letter))
    assert len(node.sizes._measured) == 2


async def many_tags(world, node, count):
    """Push an image under tags, one at a time but the last two, and return their names, the newest first."""
    names = [f"v{number:02}" for number in range(count)]
    for name in names[:-2]:
        await push_image(node, tags=(name,))
        world.clock.move(SECOND)
    await push_image(node, tags=names[-2:])
    return names[::-1]


async def tags(node, limit, **search):
    page = await node.tags.newest(node.registry, NAME, TagSearch(**search), limit)
    return [one.name for one in page.items], page.more, page.items


async def test_pages_of_tags_lead_there_and_back_and_miss_none(world, node):
    names = await many_tags(world, node, 8)
    found, more, rows = await tags(node, 3)
    assert (found, more) == (names[:3], True)
    seen, last = [*found], rows[-1]
    while more:
        found, more, rows = await tags(node, 3, after=TagPosition(last.moved_at, last.name))
        seen += found
        last = rows[-1]
    assert seen == names
    first = rows[0]
    found, more, _ = await tags(node, 3, before=TagPosition(first.moved_at, first.name))
    assert (found, more) == (names[3:6], True)
    found, more, _ = await tags(node, 6, before=TagPosition(first.moved_at, first.name))
    assert (found, more) == (names[:6], False)


async def test_a_page_goes_on_after_a_tag_that_was_deleted_meanwhile(world, node):
    names = await many_tags(world, node, 5)
    _, _, rows = await tags(node, 2)
    await node.tags.delete(node.registry, NAME, rows[-1].name, ACTOR)
    found, _, _ = await tags(node, 2, after=TagPosition(rows[-1].moved_at, rows[-1].name))
    assert found == names[2:4]


async def test_tags_are_searched_for_letter_by_letter(node):
    await push_image(node, tags=("v1.0", "V1_0", "v1x0", "latest"))
    for wanted, names in (("v1", {"v1.0", "V1_0", "v1x0"}), ("1_0", {"V1_0"}), ("1.0", {"v1.0"}), ("%", set())):
        assert set((await tags(node, 10, text=wanted))[0]) == names


async def test_several_tags_are_deleted_together_or_not_at_all(world, node):
    await push_image(node, tags=("a", "b", "c", "keep"))
    await node.repositories.change(node.registry, NAME, RepositoryChange(immutable_tags="keep"), ACTOR)
    with pytest.raises(TagImmutable, match="keep"):
        await node.tags.delete_all(node.registry, NAME, ["a", "keep"], ACTOR)
    with pytest.raises(ManifestUnknown, match="missing"):
        await node.tags.delete_all(node.registry, NAME, ["a", "missing"], ACTOR)
    assert set((await tags(node, 10))[0]) == {"a", "b", "c", "keep"}
    await node.tags.delete_all(node.registry, NAME, ["a", "b", "a"], ACTOR)
    assert set((await tags(node, 10))[0]) == {"c", "keep"}
    await node.repositories.change(node.registry, NAME, RepositoryChange(immutable_deletable=True), ACTOR)
    await node.tags.delete_all(node.registry, NAME, ["keep"], ACTOR)
    with pytest.raises(DeletionDisabled):
        await world.node(deletion=False).tags.delete_all(node.registry, NAME, ["c"], ACTOR)
    await world.assert_sound()


async def test_pulls_are_counted_for_the_tags_that_are_asked_for(node):
    await push_image(node, b"one", tags=("v1", "v2", "v3"))
    assert await node.pulls.of(node.registry, NAME) == {}
    await ask(node, "v1")
    await ask(node, "v2", reader=("192.0.2.2", None))
    await node.pulls.flush()
    found = await node.pulls.of(node.registry, NAME, ["v1", "v3"])
    assert {what: count.pulls for what, count in found.items()} == {WHOLE: 2, "v1": 1}
    digest = digest_of(image(b"one"))
    assert (await node.pulls.of(node.registry, NAME, [digest]))[digest].pulls == 2


async def people(node, name=NAME):
    found = await node.reaches.of_repository(node.registry, name)
    return found, [(str(one.subject), one.role, one.way, one.counts) for one in found.people]


async def test_everybody_who_reaches_a_repository_is_named_with_the_way(node):
    await acme(node, "bob", "cid", "dot", "eve")
    await push_image(node)
    place = {"registry_id": node.registry.id}
    await node.grants.give("bob", Place(**place, repository=NAME), Role.WRITE, ACTOR)
    await node.grants.give(BUILDERS, Place(**place, namespace="acme"), Role.WRITE, ACTOR)
    await node.grants.give("cid", Place(**place), Role.READ, ACTOR)
    await node.grants.give("dot", DEPLOYMENT, Role.ADMIN, ACTOR)
    await push_image(node, name=OTHER)
    await node.grants.give("eve", Place(**place, repository=OTHER), Role.ADMIN, ACTOR)
    found, lines = await people(node)
    assert (found.visibility, found.inherits, found.namespace, found.owner) == (
        Visibility.PRIVATE,
        False,
        "acme",
        "acme",
    )
    assert not found.is_cut
    assert lines == [
        ("bob", Role.WRITE, Way.REPOSITORY, True),
        ("ann", Role.ADMIN, Way.OWNER, True),
        ("acme/builders", Role.WRITE, Way.NAMESPACE, False),
        ("acme", Role.READ, Way.MEMBER, False),
        ("cid", Role.READ, Way.REGISTRY, True),
        ("dot", Role.ADMIN, Way.DEPLOYMENT, True),
    ]
    await node.repositories.change(node.registry, NAME, RepositoryChange(inherits=True), ACTOR)
    assert all(counts for *_, counts in (await people(node))[1])


async def test_trust_rules_are_named_with_their_place_and_whether_they_count(world, node):
    await push_image(node)
    await push_image(node, name=OTHER)
    registry = node.registry.id
    places = {
        "here": Place(registry_id=registry, repository=NAME),
        "namespace": Place(registry_id=registry, namespace="acme"),
        "linked": Place(registry_id=registry, namespace="acme"),
        "registry": Place(registry_id=registry),
        "elsewhere": Place(registry_id=registry, repository=OTHER),
        "other": Place(registry_id=registry, namespace="other"),
    }
    made = {}
    for name, place in places.items():
        source = "https://github.com/{repository}" if name == "linked" else None
        new = NewRule(
            name=name,
            issuer="https://issuer.example.com",
            audience="us",
            conditions={"repository": ("acme/app",)},
            place=place,
            role=Role.WRITE,
            source=source,
        )
        made[name] = (await trust_of(world, node).create(new, ACTOR)).id

    async def trusted():
        found = (await node.reaches.of_repository(node.registry, NAME)).trusted
        return {one.rule.name: (one.way, one.counts, one.is_maker) for one in found}

    namespace = Way.NAMESPACE
    assert await trusted() == {
        "here": (Way.REPOSITORY, True, False),
        "namespace": (namespace, False, False),
        "linked": (namespace, False, False),
        "registry": (Way.REGISTRY, True, False),
    }
    for source, counts in (("https://gitlab.com/acme/app", False), ("https://github.com/acme/app", True)):
        change = RepositoryChange(inherits=True, source=source)
        await node.repositories.change(node.registry, NAME, change, ACTOR)
        assert await trusted() == {
            "here": (Way.REPOSITORY, True, False),
            "namespace": (namespace, True, False),
            "linked": (namespace, counts, False),
            "registry": (Way.REGISTRY, True, False),
        }
    await node.repositories.change(node.registry, NAME, RepositoryChange(inherits=False), ACTOR)
    sql = text("UPDATE repositories SET made_by_rule = :rule WHERE name = :name")
    await node.database.write(lambda c: c.execute(sql, {"rule": made["namespace"], "name": NAME}) and None)
    assert (await trusted())["namespace"] == (namespace, True, True)


async def test_the_user_whose_namespace_it_is_and_nobody_else(node, monkeypatch):
    await users(node, "ann")
    await push_image(node, name=RepositoryName("ann/app"))
    assert (await people(node, RepositoryName("ann/app")))[1] == [("ann", Role.ADMIN, Way.OWNER, True)]
    await push_image(node, name=RepositoryName("alone"))
    found, lines = await people(node, RepositoryName("alone"))
    assert (found.namespace, found.owner, lines) == (None, None, [])
    with pytest.raises(NameUnknown):
        await people(node, NOBODY)
    monkeypatch.setattr(reach, "MOST", 1)
    assert (await people(node, RepositoryName("ann/app")))[0].is_cut
