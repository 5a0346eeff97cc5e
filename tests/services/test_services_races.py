# SPDX-License-Identifier: Apache-2.0
"""Two transactions that meet: each order is forced, by stopping one of them just before its commit.

`Paused` holds the transaction of one node open after its last statement. The other node's is started then, and its
outcome must leave no broken image whichever commits first.
"""

import asyncio
import itertools
import threading

import pytest
from sqlalchemy import text

from tests.services.world import (
    ACTOR,
    NAME,
    OTHER,
    PATIENCE,
    Paused,
    image,
    push_blob,
    push_image,
    push_manifest,
    read_blob,
)
from tests.support.invariants import objects
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import (
    BlobUnknown,
    ManifestBlobUnknown,
    StillReferenced,
)
from wharfinger.metadata import repositories as repository_rows
from wharfinger.metadata import sqlite

LAYER = b"the layer"


@pytest.fixture
def paused(world):
    return Paused(world.place.open())


@pytest.fixture
def blocked(world, monkeypatch):
    """Return a function that waits until the first node's transaction is held up by the one that is paused."""
    refused = threading.Event()
    is_busy = sqlite._is_busy

    def noted(error):
        found = is_busy(error)
        if found:
            refused.set()
        return found

    monkeypatch.setattr(sqlite, "_is_busy", noted)
    waits = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    def waiting(engine):
        with engine.connect() as connection:
            return connection.execute(waits).scalar() > 0

    async def wait():
        engine = None if world.place.kind == "sqlite" else world.place.engine()
        async with asyncio.timeout(PATIENCE):
            while not (refused.is_set() if engine is None else await asyncio.to_thread(waiting, engine)):  # noqa: ASYNC110
                await asyncio.sleep(0.002)

    return wait


async def settle(first, second, paused, blocked):
    """Run both, the first up to its commit before the second begins; return what each came to."""
    earlier = asyncio.ensure_future(first)
    await paused.at_the_end()
    later = asyncio.ensure_future(second)
    await blocked()
    paused.let_go.set()
    return await asyncio.gather(earlier, later, return_exceptions=True)


async def test_a_push_that_has_checked_its_layer_keeps_it_from_being_deleted(world, node, paused, blocked):
    await push_blob(node, LAYER)
    await push_blob(node, b"{}")
    pushed, deleted = await settle(
        push_manifest(world.node(database=paused), image(LAYER), "v1"),
        node.blobs.delete(node.registry, NAME, digest_of(LAYER)),
        paused,
        blocked,
    )
    assert pushed == digest_of(image(LAYER))
    assert isinstance(deleted, StillReferenced)
    await world.assert_sound()


async def test_a_layer_that_is_being_deleted_is_missing_to_a_push(world, node, paused, blocked):
    await push_blob(node, LAYER)
    await push_blob(node, b"{}")
    deleted, pushed = await settle(
        world.node(database=paused).blobs.delete(node.registry, NAME, digest_of(LAYER)),
        push_manifest(node, image(LAYER), "v1"),
        paused,
        blocked,
    )
    assert deleted is None
    assert isinstance(pushed, ManifestBlobUnknown)
    with pytest.raises(BlobUnknown):
        await node.blobs.stat(node.registry, NAME, digest_of(LAYER))
    await world.assert_sound()


async def test_a_tag_that_moves_before_it_is_deleted_is_deleted_from_where_it_went(world, node, paused, blocked):
    await push_image(node, b"one")
    await push_blob(node, b"two")
    moved, deleted = await settle(
        push_manifest(world.node(database=paused), image(b"two"), "v1"),
        node.tags.delete(node.registry, NAME, "v1", ACTOR),
        paused,
        blocked,
    )
    assert (moved, deleted) == (digest_of(image(b"two")), None)
    assert await history(node) == [
        (None, digest_of(image(b"one"))),
        (digest_of(image(b"one")), digest_of(image(b"two"))),
        (digest_of(image(b"two")), None),
    ]
    await world.assert_sound()


async def test_a_tag_that_is_deleted_before_it_moves_is_made_anew(world, node, paused, blocked):
    await push_image(node, b"one")
    await push_blob(node, b"two")
    deleted, moved = await settle(
        world.node(database=paused).tags.delete(node.registry, NAME, "v1", ACTOR),
        push_manifest(node, image(b"two"), "v1"),
        paused,
        blocked,
    )
    assert (deleted, moved) == (None, digest_of(image(b"two")))
    assert (await history(node))[1:] == [(digest_of(image(b"one")), None), (None, digest_of(image(b"two")))]
    await world.assert_sound()


async def test_an_index_keeps_its_child_from_being_deleted(world, node, paused, blocked):
    child = await push_image(node, b"one", tags=())
    listing = f'{{"schemaVersion": 2, "mediaType": "{INDEX}", "manifests": [{entry(child)}]}}'.encode()
    pushed, deleted = await settle(
        push_manifest(world.node(database=paused), listing, "all"),
        node.manifests.delete(node.registry, NAME, child, ACTOR),
        paused,
        blocked,
    )
    assert pushed == digest_of(listing)
    assert isinstance(deleted, StillReferenced)
    await world.assert_sound()


INDEX = "application/vnd.oci.image.index.v1+json"


def entry(child):
    media_type = "application/vnd.oci.image.manifest.v1+json"
    return f'{{"mediaType": "{media_type}", "digest": "{child}", "size": {len(image(b"one"))}}}'


async def test_an_upload_begins_in_a_repository_that_is_just_being_removed(world, node, paused, blocked):
    await node.uploads.start(node.registry, NAME, None, ACTOR)
    await node.database.write(lambda c: c.execute(text("DELETE FROM uploads")) and None)
    later = world.clock.now() + 1

    def remove(connection):
        return repository_rows.delete_unlisted(connection, 1, later, 10)

    removed, started = await settle(
        paused.write(remove), node.uploads.start(node.registry, NAME, None, ACTOR), paused, blocked
    )
    assert removed == 1
    assert await node.uploads.status(node.registry, NAME, started.id) == started


async def test_a_repository_in_which_an_upload_is_just_beginning_is_not_removed(world, node, paused, blocked):
    await node.uploads.start(node.registry, NAME, None, ACTOR)
    await node.database.write(lambda c: c.execute(text("DELETE FROM uploads")) and None)
    later = world.clock.now() + 1
    started, removed = await settle(
        world.node(database=paused).uploads.start(node.registry, NAME, None, ACTOR),
        node.database.write(lambda c: repository_rows.delete_unlisted(c, 1, later, 10)),
        paused,
        blocked,
    )
    assert removed == 0
    assert await node.uploads.status(node.registry, NAME, started.id) == started


async def history(node, tag="v1"):
    sql = text("SELECT from_digest, to_digest FROM tag_history WHERE name = :tag ORDER BY id").bindparams(tag=tag)
    return await node.database.read(lambda c: [tuple(row) for row in c.execute(sql)])


async def test_no_movement_of_a_tag_is_lost_however_many_push_at_once(world, node):
    """From three nodes: what each push was told is in the chain, and the chain has nothing else."""
    nodes = [node, world.node(), world.node()]
    await push_blob(node, b"{}")
    manifests = [image(annotations={"number": str(number)}) for number in range(24)]
    pushed = await asyncio.gather(*(push_manifest(nodes[n % 3], one, "v1") for n, one in enumerate(manifests)))
    steps = await history(node)
    assert steps[0][0] is None
    assert all(left == came for (_, left), (came, _) in itertools.pairwise(steps))
    assert sorted(to for _, to in steps) == sorted(pushed)
    assert (await node.manifests.find(node.registry, NAME, "v1")).digest == steps[-1][1]
    await world.assert_sound()


async def test_of_many_who_make_a_tag_only_if_it_is_absent_one_succeeds(world, node):
    nodes = [node, world.node()]
    await push_blob(node, b"{}")
    manifests = [image(annotations={"number": str(number)}) for number in range(10)]
    results = await asyncio.gather(
        *(push_manifest(nodes[n % 2], one, "v1", if_absent=True) for n, one in enumerate(manifests)),
        return_exceptions=True,
    )
    won = [result for result in results if isinstance(result, str)]
    assert [to for _, to in await history(node)] == won
    assert len(won) == 1


async def test_many_pushes_of_one_blob_keep_one_object(world, node):
    nodes = [node, world.node()]
    names = [NAME, OTHER]
    await asyncio.gather(*(push_blob(nodes[n % 2], LAYER, names[n % 2]) for n in range(8)))
    for name in names:
        assert await read_blob(node, digest_of(LAYER), name) == LAYER
    await world.assert_sound()
    world.clock.move(2 * 3_600 * 1_000_000)
    assert await node.collection.bury(100) == 7
    assert len(objects(node.store)) == 1
    await world.assert_sound()


async def test_many_first_pushes_make_one_repository(world, node):
    nodes = [node, world.node()]
    await asyncio.gather(*(push_blob(nodes[n % 2], f"layer {n}".encode()) for n in range(12)))
    sql = text("SELECT count(*) FROM repositories")
    created = text("SELECT count(*) FROM events WHERE action = 'repository.created'")
    assert await node.database.read(lambda c: (c.execute(sql).scalar(), c.execute(created).scalar())) == (1, 1)
