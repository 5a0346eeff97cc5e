# SPDX-License-Identifier: Apache-2.0
"""Tags, repositories and collection."""

import pytest
from sqlalchemy import text

from tests.services.test_services_failures import Failing
from tests.services.world import ACTOR, EXPIRY, NAME, OTHER, image, push_blob, push_image, push_manifest
from tests.support.invariants import objects
from wharfinger.clock import DAY, HOUR, SECOND
from wharfinger.domain.access import Visibility
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import (
    DeletionDisabled,
    ManifestUnknown,
    NameUnknown,
    ReadOnly,
    StoreUnavailable,
)
from wharfinger.domain.identity import ANONYMOUS
from wharfinger.domain.manifests import OCI_MANIFEST
from wharfinger.domain.repository_lists import RepositoryOrder
from wharfinger.metadata import queues
from wharfinger.metadata.standing import EVERYTHING, sight_of
from wharfinger.services.repositories import RepositoryChange, RepositorySearch


async def tags(node, last=None, limit=100, name=NAME):
    page = await node.tags.list(node.registry, name, last, limit)
    return list(page.items), page.more


async def catalog(node, last=None, limit=100):
    page = await node.repositories.catalog(node.registry, last, limit, EVERYTHING)
    return list(page.items), page.more


async def test_tags_are_listed_by_bytes_in_pages(node):
    names = ["v10", "V1", "v2", "v1", "v1.0", "_", "0"]
    await push_image(node, b"one", tags=names)
    ordered = sorted(names, key=str.encode)
    assert await tags(node) == (ordered, False)
    assert await tags(node, limit=7) == (ordered, False)
    assert await tags(node, limit=3) == (ordered[:3], True)
    assert await tags(node, last=ordered[2], limit=4) == (ordered[3:], False)
    assert await tags(node, limit=0) == ([], False)
    assert await tags(node, last="zzz") == ([], False)


async def test_a_listing_is_never_older_than_the_last_change(world, node):
    """Also on a node that answered before, and whichever node made the change."""
    nodes = [node, world.node()]
    digest = await push_image(node, b"one", tags=("v1",))

    async def listed():
        found = [await tags(one) for one in nodes]
        for one in nodes:
            batches = (await one.tags.list_all(one.registry, NAME, None)).batches
            found.append(([name async for batch in batches for name in batch], False))
        assert all(one == found[0] for one in found)
        return found[0][0]

    assert await listed() == ["v1"]
    await push_manifest(nodes[1], image(b"one"), "v2")
    assert await listed() == ["v1", "v2"]
    await node.tags.delete(node.registry, NAME, "v1", ACTOR)
    assert await listed() == ["v2"]
    await nodes[1].manifests.delete(node.registry, NAME, digest, ACTOR)
    assert await listed() == []
    await push_manifest(node, image(b"one"), "v3")
    assert await listed() == ["v3"]


async def test_all_tags_come_in_batches(node):
    names = [f"v{number:05}" for number in range(2_005)]
    await push_image(node, b"one", tags=names)
    batches = [list(batch) async for batch in (await node.tags.list_all(node.registry, NAME, None)).batches]
    assert [len(batch) for batch in batches] == [1_000, 1_000, 5]
    assert [name for batch in batches for name in batch] == names
    rest = [list(batch) async for batch in (await node.tags.list_all(node.registry, NAME, names[1_003])).batches]
    assert [len(batch) for batch in rest] == [1_000, 1]


async def test_the_key_of_a_listing_changes_with_every_change_of_what_it_shows(node):
    keys = []
    for tag in ("v1", "v2"):
        await push_image(node, b"one", tags=[tag])
        keys.append((await node.tags.list_all(node.registry, NAME, None)).key)
    keys.append((await node.tags.list_all(node.registry, NAME, "v1")).key)
    await node.tags.delete(node.registry, NAME, "v1", ACTOR)
    keys.append((await node.tags.list_all(node.registry, NAME, None)).key)
    assert len(set(keys)) == len(keys)
    assert (await node.tags.list_all(node.registry, NAME, None)).key == keys[-1]


async def test_a_repository_without_a_manifest_is_not_listed(node):
    await push_blob(node, b"layer")
    assert await catalog(node) == ([], False)
    for ask in (
        tags(node),
        node.tags.list_all(node.registry, NAME, None),
        node.tags.summaries(node.registry, NAME, 10),
        node.repositories.summary(node.registry, NAME),
    ):
        with pytest.raises(NameUnknown):
            await ask


async def test_a_repository_that_was_emptied_stays(world, node):
    digest = await push_image(node, b"one")
    await node.manifests.delete(node.registry, NAME, digest, ACTOR)
    assert await tags(node) == ([], False)
    assert await catalog(node) == ([NAME], False)
    world.clock.move(2 * EXPIRY)
    await node.uploads.expire(node.registry, 10)
    assert await catalog(node) == ([NAME], False)


async def test_a_repository_that_nothing_came_of_goes(world, node):
    upload = await node.uploads.start(node.registry, NAME, None, ACTOR)
    await node.uploads.cancel(node.registry, NAME, upload.id)
    count = text("SELECT count(*) FROM repositories")
    world.clock.move(EXPIRY)
    await node.uploads.expire(node.registry, 10)
    assert await node.database.read(lambda c: c.execute(count).scalar()) == 1
    world.clock.move(1)
    await node.uploads.expire(node.registry, 10)
    assert await node.database.read(lambda c: c.execute(count).scalar()) == 0


async def test_the_catalog_comes_by_bytes_in_pages(node):
    names = sorted(["acme/b", "acme/a", "acme-x/a", "acme/a-b", "zeta"], key=str.encode)
    for name in names:
        await push_image(node, b"one", name=name)
    assert await catalog(node) == (names, False)
    assert await catalog(node, limit=2) == (names[:2], True)
    assert await catalog(node, last=names[1], limit=3) == (names[2:], False)
    assert await catalog(node, limit=0) == ([], False)


async def test_a_summary_shows_what_is_here(world, node):
    await push_image(node, b"layer", tags=("v1", "v2"))
    world.clock.move(HOUR)
    found = await node.repositories.summary(node.registry, NAME)
    assert (found.name, found.tags, found.manifests) == (NAME, 2, 1)
    assert found.size == len(image(b"layer")) + len(b"layer") + len(b"{}")
    (tag, _) = await node.tags.summaries(node.registry, NAME, 10)
    assert (tag.digest, tag.size) == (digest_of(image(b"layer")), found.size)


async def test_people_browse_in_either_order_from_any_place_both_ways(world, node):
    for name in ("b", "acme/a", "acme-x/a", "zeta"):
        await push_image(node, b"one", name=name)
        world.clock.move(HOUR)

    async def browse(limit=10, **wanted):
        page = await node.repositories.browse(node.registry, RepositorySearch(**wanted), limit, EVERYTHING)
        return [one.name for one in page.items], page.more

    changed, named = ["zeta", "acme-x/a", "acme/a", "b"], ["acme-x/a", "acme/a", "b", "zeta"]
    for order, names in ((RepositoryOrder.CHANGED, changed), (RepositoryOrder.NAME, named)):
        assert await browse(order=order) == (names, False)
        page = await node.repositories.browse(node.registry, RepositorySearch(order=order), 10, EVERYTHING)
        places = [one.position for one in page.items]
        assert await browse(order=order, after=places[1], limit=1) == ([names[2]], True)
        assert await browse(order=order, after=places[1]) == (names[2:], False)
        assert await browse(order=order, before=places[3], limit=2) == (names[1:3], True)
        assert await browse(order=order, before=places[2]) == (names[:2], False)
    assert await browse(namespace="acme") == (["acme/a"], False)
    assert await browse(text="ACME") == (["acme-x/a", "acme/a"], False)
    assert await browse(text="%") == ([], False)


async def test_people_see_of_a_list_what_they_may_pull(node):
    await push_image(node, b"one", name="acme/closed")
    await push_image(node, b"one", name="acme/open")
    change = RepositoryChange(visibility=Visibility.PUBLIC, description="For everybody")
    await node.repositories.change(node.registry, "acme/open", change, ACTOR)
    page = await node.repositories.browse(node.registry, RepositorySearch(), 10, sight_of(ANONYMOUS))
    assert [(one.name, one.description, one.visibility) for one in page.items] == [
        ("acme/open", "For everybody", Visibility.PUBLIC)
    ]


async def test_a_line_says_what_was_pushed_last_and_not_what_is_attached_to_it(node):
    digest = await push_image(node, b"layer", tags=("v1", "v2"), artifactType="application/vnd.example.card")
    subject = {"mediaType": OCI_MANIFEST, "digest": digest, "size": 1}
    await push_image(node, b"x", tags=(), artifactType="application/vnd.example.signature", subject=subject)
    page = await node.repositories.browse(node.registry, RepositorySearch(), 10, EVERYTHING)
    (line,) = page.items
    assert (line.figures.tags, line.figures.stars, line.figures.pulls) == (2, 0, 0)
    assert (line.media_type, line.artifact_type) == (OCI_MANIFEST, "application/vnd.example.card")
    await node.manifests.delete(node.registry, NAME, digest, ACTOR)
    (line,) = (await node.repositories.browse(node.registry, RepositorySearch(), 10, EVERYTHING)).items
    assert (line.figures.tags, line.media_type) == (0, None)


async def test_a_deleted_tag_is_gone_and_its_manifest_stays(world, node):
    digest = await push_image(node, b"one", tags=("v1", "v2"))
    await node.tags.delete(node.registry, NAME, "v1", ACTOR)
    assert await tags(node) == (["v2"], False)
    assert (await node.manifests.find(node.registry, NAME, digest)).digest == digest
    for name in ("v1", "never"):
        with pytest.raises(ManifestUnknown):
            await node.tags.delete(node.registry, NAME, name, ACTOR)
    with pytest.raises(NameUnknown):
        await node.tags.delete(node.registry, OTHER, "v1", ACTOR)
    await push_manifest(node, image(b"one"), "v1")
    await world.assert_sound()


async def test_what_the_operator_switched_off_is_not_done(world, node):
    await push_image(node, b"one")
    with pytest.raises(DeletionDisabled, match=r"storage\.delete\.enabled"):
        await world.node(deletion=False).tags.delete(node.registry, NAME, "v1", ACTOR)
    with pytest.raises(ReadOnly):
        await world.node(read_only=True).tags.delete(node.registry, NAME, "v1", ACTOR)


async def bury(node, world, content, delay=0):
    """Store bytes that only a tombstone names."""
    key = f"ab/{content}"
    writer = await node.store.begin(key)
    await writer.write([content.encode()])
    await writer.commit()
    now = world.clock.now()
    await node.database.write(lambda c: queues.bury(c, 1, key, now + delay, now))


async def test_buried_bytes_are_removed_when_their_time_has_come(world, node):
    await bury(node, world, "now")
    await bury(node, world, "later", HOUR)
    assert await node.collection.bury(10) == 1
    assert objects(node.store) == {"ab/later"}
    await world.assert_sound()
    world.clock.move(HOUR)
    assert [await node.collection.bury(10) for _ in range(2)] == [1, 0]
    assert objects(node.store) == set()


async def test_buried_bytes_are_removed_a_few_at_a_time(world, node):
    for number in range(5):
        await bury(node, world, f"{number}")
    assert [await node.collection.bury(2) for _ in range(4)] == [2, 2, 1, 0]
    assert objects(node.store) == set()


async def test_bytes_that_are_gone_already_are_no_trouble(world, node):
    await bury(node, world, "one")
    await node.store.delete("ab/one")
    assert await node.collection.bury(10) == 1


async def test_bytes_that_cannot_be_removed_stop_no_others_and_are_tried_later_and_later(world, node):
    broken = world.node(store=Failing(world.store(), StoreUnavailable("no")))
    await bury(node, world, "first")
    world.clock.move(1)
    await bury(node, world, "second")
    pauses = []
    broken.store.fails["delete"] = 1
    assert await broken.collection.bury(10) == 1
    assert objects(node.store) == {"ab/first"}
    for _ in range(12):
        due = await node.database.read(lambda c: c.execute(text("SELECT not_before FROM tombstones")).scalar())
        pauses.append((due - world.clock.now()) // SECOND)
        world.clock.move(due - world.clock.now() - 1)
        assert await broken.collection.bury(10) == 0
        world.clock.move(1)
        broken.store.fails["delete"] = 1
        assert await broken.collection.bury(10) == 0
    assert pauses[:4] == [60, 120, 240, 480]
    assert pauses[-1] == 60 * 2**10
    world.clock.move(DAY)
    assert await broken.collection.bury(10) == 1
    assert objects(node.store) == set()
    await world.assert_sound()
