# SPDX-License-Identifier: Apache-2.0
"""Deleting, restoring and pushing at once: each order is forced, by stopping one transaction just before its commit.

`settle` runs the first up to its commit, begins the second, and lets both end once the second waits for the first.
"""

import asyncio

import pytest
from sqlalchemy import text

from tests.services.test_services_races import blocked, paused, settle
from tests.services.test_services_undo import (
    delete,
    delete_repository,
    names,
    restore_manifest,
    restore_repository,
    restore_tag,
    tags,
)
from tests.services.world import (
    ACTOR,
    NAME,
    OTHER,
    PATIENCE,
    body,
    image,
    push_blob,
    push_image,
    push_manifest,
    read_blob,
)
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import (
    ContentGone,
    ManifestBlobUnknown,
    ManifestUnknown,
    NameTaken,
    NameUnknown,
    StillReferenced,
    TagImmutable,
    UploadUnknown,
)
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.trash import Trashed
from wharfinger.domain.uploads import Chunk
from wharfinger.metadata import trash as trash_rows
from wharfinger.services.repositories import RepositoryChange

__all__ = ["blocked", "paused"]

ONE, TWO = digest_of(image(b"one")), digest_of(image(b"two"))
KEPT = RepositoryChange(immutable_tags="all")


@pytest.fixture
def other(world, paused):
    """Return a node whose transactions stop before their commit."""
    return world.node(database=paused)


async def count(node, sql):
    return await node.database.read(lambda c: c.execute(text(sql)).scalar())


# --- restoring against pushing ---------------------------------------------------------------------------------------


async def test_a_tag_that_is_pushed_while_it_is_restored_names_what_was_pushed(world, node, other, paused, blocked):
    await push_image(node, b"one")
    await delete(node, "v1")
    await push_image(node, b"two", tags=())
    restored, pushed = await settle(restore_tag(other), push_manifest(node, image(b"two"), "v1"), paused, blocked)
    assert (restored, pushed) == (ONE, TWO)
    assert await names(node) == TWO
    await world.assert_sound()


async def test_a_tag_that_is_restored_while_it_is_pushed_goes_back_by_one_step(world, node, other, paused, blocked):
    await push_image(node, b"one")
    await push_image(node, b"two", tags=())
    pushed, restored = await settle(push_manifest(other, image(b"two"), "v1"), restore_tag(node), paused, blocked)
    assert (pushed, restored) == (TWO, ONE)
    assert await names(node) == ONE
    await world.assert_sound()


async def test_an_immutable_tag_that_is_pushed_first_is_not_restored_over(world, node, other, paused, blocked):
    await push_image(node, b"one")
    await delete(node, "v1")
    await push_image(node, b"two", tags=())
    await node.repositories.change(node.registry, NAME, KEPT, ACTOR)
    pushed, restored = await settle(push_manifest(other, image(b"two"), "v1"), restore_tag(node), paused, blocked)
    assert pushed == TWO
    assert isinstance(restored, ManifestUnknown)  # undoing the last step would leave no tag, which is not restoring
    assert await names(node) == TWO
    await world.assert_sound()


@pytest.mark.parametrize("push_first", [False, True])
async def test_a_manifest_that_is_pushed_and_restored_at_once_is_there(world, node, other, paused, blocked, push_first):
    await push_image(node, b"one")
    await delete(node, ONE)
    if push_first:
        pushed, restored = await settle(
            push_manifest(other, image(b"one")), restore_manifest(node, ONE), paused, blocked
        )
        assert isinstance(restored, ManifestUnknown)
    else:
        restored, pushed = await settle(
            restore_manifest(other, ONE), push_manifest(node, image(b"one")), paused, blocked
        )
        assert list(restored.tags) == ["v1"]
    assert pushed == ONE
    assert await names(node, ONE) == ONE
    await world.assert_sound()


async def test_a_repository_is_not_restored_over_one_that_is_just_being_pushed(world, node, other, paused, blocked):
    await push_image(node, b"one")
    await delete_repository(node)
    pushed, restored = await settle(push_blob(other, b"new"), restore_repository(node), paused, blocked)
    assert pushed == digest_of(b"new")
    assert isinstance(restored, NameTaken)
    with pytest.raises(NameUnknown):
        await tags(node)
    await world.assert_sound()


async def test_a_push_goes_into_the_repository_that_is_just_being_restored(world, node, other, paused, blocked):
    await push_image(node, b"one")
    await delete_repository(node)
    restored, pushed = await settle(restore_repository(other), push_blob(node, b"new"), paused, blocked)
    assert (restored, pushed) == (NAME, digest_of(b"new"))
    assert await tags(node) == ["v1"]
    assert await read_blob(node, pushed) == b"new"
    assert await count(node, "SELECT count(*) FROM repositories") == 1
    await world.assert_sound()


async def test_a_repository_that_two_restore_comes_back_once(world, node, other, paused, blocked):
    await push_image(node, b"one")
    await delete_repository(node)
    first, second = await settle(restore_repository(other), restore_repository(node), paused, blocked)
    assert first == NAME
    assert isinstance(second, NameUnknown | NameTaken)
    assert await tags(node) == ["v1"]
    await world.assert_sound()


# --- deleting a repository against what goes on in it ----------------------------------------------------------------


async def test_a_manifest_pushed_into_a_repository_that_is_deleted_is_not_in_the_trash(
    world, node, other, paused, blocked
):
    """The push finds a free name, and its layers are not there."""
    await push_image(node, b"one")
    deleted, pushed = await settle(delete_repository(other), push_manifest(node, image(b"one"), "v2"), paused, blocked)
    assert deleted is None
    assert isinstance(pushed, ManifestBlobUnknown)
    with pytest.raises(NameUnknown):
        await tags(node)
    await push_image(node, b"one", tags=("v2",))
    assert await tags(node) == ["v2"]
    await world.assert_sound()


async def test_a_repository_that_is_deleted_after_a_push_has_it_in_the_trash(world, node, other, paused, blocked):
    await push_image(node, b"one")
    pushed, deleted = await settle(push_manifest(other, image(b"one"), "v2"), delete_repository(node), paused, blocked)
    assert (pushed, deleted) == (ONE, None)
    await restore_repository(node)
    assert await tags(node) == ["v1", "v2"]
    await world.assert_sound()


async def test_bytes_that_come_for_a_deleted_repository_are_buried(world, node):
    """The repository goes between the claim of the last chunk and its end."""
    await push_image(node, b"one")
    upload = await node.uploads.start(node.registry, NAME, None, ACTOR)
    arrived, gone = asyncio.Event(), asyncio.Event()

    async def slow():
        yield [b"by"]
        arrived.set()
        await gone.wait()
        yield [b"tes"]

    sending = asyncio.ensure_future(
        node.uploads.complete(node.registry, NAME, upload.id, digest_of(b"bytes"), Chunk(), slow())
    )
    async with asyncio.timeout(PATIENCE):
        await arrived.wait()
    await delete_repository(world.node())
    await push_image(node, b"two")
    buried = await count(node, "SELECT count(*) FROM tombstones")
    gone.set()
    with pytest.raises(UploadUnknown):
        await sending
    assert await count(node, "SELECT count(*) FROM uploads") == 0
    assert await count(node, "SELECT count(*) FROM tombstones") == buried + 1
    await world.assert_sound()
    await node.uploads.push(node.registry, NAME, digest_of(b"bytes"), Chunk(), body(b"bytes"), ACTOR)
    assert await read_blob(node, digest_of(b"bytes")) == b"bytes"


@pytest.mark.parametrize("mount_first", [False, True])
async def test_a_layer_is_mounted_from_a_repository_that_is_deleted_or_it_is_not(
    world, node, other, paused, mount_first
):
    """Whichever comes first, what was told holds: the mounted layer stays when its source goes."""
    await push_image(node, b"one")
    await push_image(node, b"two", name=OTHER)
    wanted = (node.registry, OTHER, digest_of(b"one"), NAME, None, ACTOR)
    if mount_first:
        mounting = asyncio.ensure_future(other.uploads.mount(*wanted))
        await paused.at_the_end()
        deleting = asyncio.ensure_future(delete_repository(node))
        if world.place.kind == "postgresql":
            await deleting  # a mount does not hold up the deletion of its source
        paused.let_go.set()
        mounted, _ = await asyncio.gather(mounting, deleting)
        assert mounted
        assert await read_blob(node, digest_of(b"one"), OTHER) == b"one"
    else:
        deleting = asyncio.ensure_future(delete_repository(other))
        await paused.at_the_end()
        mounting = asyncio.ensure_future(node.uploads.mount(*wanted))
        if world.place.kind == "postgresql":
            assert await mounting  # nothing was deleted yet
        paused.let_go.set()
        _, mounted = await asyncio.gather(deleting, mounting)
        assert mounted == (world.place.kind == "postgresql")
    await world.assert_sound()


async def test_a_tag_that_is_deleted_while_its_repository_is_is_deleted_with_it(world, node, other, paused, blocked):
    await push_image(node, b"one", tags=("v1", "v2"))
    deleted, tag = await settle(delete_repository(other), delete(node, "v1"), paused, blocked)
    assert deleted is None
    assert isinstance(tag, NameUnknown)
    await restore_repository(node)
    assert await tags(node) == ["v1", "v2"]
    await world.assert_sound()


# --- restoring against deleting --------------------------------------------------------------------------------------


async def test_what_is_deleted_again_while_it_is_restored_is_deleted(world, node, other, paused, blocked):
    await push_image(node, b"one")
    await delete(node, ONE)
    restored, deleted = await settle(restore_manifest(other, ONE), delete(node, ONE), paused, blocked)
    assert list(restored.tags) == ["v1"]
    assert deleted is None
    assert await tags(node) == []
    await restore_manifest(node, ONE)
    assert await tags(node) == ["v1"]
    await world.assert_sound()


async def test_a_layer_cannot_be_deleted_while_its_manifest_is_being_restored(world, node, other, paused, blocked):
    await push_image(node, b"one")
    await delete(node, ONE)
    layer = digest_of(b"one")
    restored, deleted = await settle(
        restore_manifest(other, ONE), node.blobs.delete(node.registry, NAME, layer), paused, blocked
    )
    assert restored.digest == ONE
    assert isinstance(deleted, StillReferenced)
    await world.assert_sound()


async def test_a_layer_that_is_just_being_deleted_comes_back_with_its_manifest(world, node, other, paused, blocked):
    await push_image(node, b"one")
    await delete(node, ONE)
    layer = digest_of(b"one")
    deleted, restored = await settle(
        other.blobs.delete(node.registry, NAME, layer), restore_manifest(node, ONE), paused, blocked
    )
    assert deleted is None
    assert restored.digest == ONE
    assert await read_blob(node, layer) == b"one"
    await world.assert_sound()


# --- the end of the time in the trash --------------------------------------------------------------------------------


def begin_to_take(now):
    """Return the first transaction of a collector that takes a deleted repository."""

    def work(connection):
        taken = trash_rows.begin_purge(connection, 1, now)
        if taken:
            connection.execute(text("DELETE FROM tags WHERE repository_id = 1"))
        return taken

    return work


async def test_a_repository_that_is_just_being_collected_does_not_come_back(world, node, paused, blocked):
    await push_image(node, b"one")
    await delete_repository(node)
    taken, restored = await settle(
        paused.write(begin_to_take(world.clock.now())), restore_repository(node), paused, blocked
    )
    assert taken
    assert isinstance(restored, ContentGone)
    assert restored.missing == ("v1",)


async def test_a_repository_that_is_just_being_restored_is_not_collected(world, node, other, paused, blocked):
    await push_image(node, b"one")
    await delete_repository(node)
    restored, taken = await settle(
        restore_repository(other), node.database.write(begin_to_take(world.clock.now())), paused, blocked
    )
    assert (restored, taken) == (NAME, False)
    assert await tags(node) == ["v1"]
    await world.assert_sound()


@pytest.mark.parametrize("purge_first", [False, True])
async def test_a_manifest_is_purged_or_it_comes_back(world, node, other, paused, blocked, purge_first):
    await push_image(node, b"one")
    await delete(node, ONE)
    what = Trashed(repository=NAME, digest=ONE)
    if purge_first:
        purged, restored = await settle(
            other.trash.purge(node.registry, what, ACTOR), restore_manifest(node, ONE), paused, blocked
        )
        assert (purged, type(restored)) == (None, ContentGone)
        assert await tags(node) == []
    else:
        restored, purged = await settle(
            restore_manifest(other, ONE), node.trash.purge(node.registry, what, ACTOR), paused, blocked
        )
        assert list(restored.tags) == ["v1"]
        assert purged is not None
        assert await tags(node) == ["v1"]
    await world.assert_sound()


# --- a rule against a push -------------------------------------------------------------------------------------------


async def test_a_push_that_waits_for_a_new_rule_obeys_it(world, node, other, paused, blocked):
    await push_image(node, b"one")
    await push_image(node, b"two", tags=())
    changed, pushed = await settle(
        other.repositories.change(node.registry, NAME, KEPT, ACTOR),
        push_manifest(node, image(b"two"), "v1"),
        paused,
        blocked,
    )
    assert changed.immutable_tags == "all"
    assert isinstance(pushed, TagImmutable)
    assert await names(node) == ONE
    await world.assert_sound()


async def test_a_rule_that_waits_for_a_push_keeps_what_was_pushed(node, other, paused, blocked):
    await push_image(node, b"one")
    await push_image(node, b"two", tags=())
    pushed, changed = await settle(
        push_manifest(other, image(b"two"), "v1"),
        node.repositories.change(node.registry, NAME, KEPT, ACTOR),
        paused,
        blocked,
    )
    assert (pushed, changed.immutable_tags) == (TWO, "all")
    with pytest.raises(TagImmutable):
        await push_manifest(node, image(b"one"), "v1")
    assert await names(node) == TWO


async def test_however_many_push_delete_and_restore_a_repository_all_of_it_is_whole(world, node):
    nodes = [node, world.node(), world.node()]
    await push_image(node, b"one")

    async def turn(number):
        worker = nodes[number % 3]
        match number % 4:
            case 0:
                return await delete_repository(worker)
            case 1:
                return await restore_repository(worker)
            case 2:
                return await restore_repository(worker, new_name=RepositoryName(f"acme/again-{number}"))
            case _:
                return await push_image(worker, b"one", tags=(f"t{number}",))

    results = await asyncio.gather(*(turn(number) for number in range(24)), return_exceptions=True)
    expected = (NameUnknown, NameTaken, ManifestBlobUnknown, UploadUnknown)
    assert not [one for one in results if isinstance(one, Exception) and not isinstance(one, expected)]
    await world.assert_sound()
    live = await count(node, f"SELECT count(*) FROM repositories WHERE deleted_at IS NULL AND name = '{NAME}'")
    assert live in {0, 1}
