# SPDX-License-Identifier: Apache-2.0
import pytest
from sqlalchemy import text

from tests.services.conftest import EVERY_PAIR
from tests.services.world import (
    ACTOR,
    NAME,
    OTHER,
    Paused,
    image,
    push_blob,
    push_image,
    push_manifest,
    read_blob,
)
from tests.support.invariants import objects
from wharfinger.blobstore.base import KeyUnknown
from wharfinger.blobstore.filesystem import FilesystemBlobStore
from wharfinger.clock import HOUR
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import (
    BlobUnknown,
    DatabaseUnavailable,
    DeletionDisabled,
    ReadOnly,
    StillReferenced,
    StoreUnavailable,
)
from wharfinger.domain.switches import Switches
from wharfinger.metadata.standing import EVERYTHING
from wharfinger.services.blobs import LEASE, Blobs
from wharfinger.services.cache import ContentCache

pytestmark = pytest.mark.parametrize("world", EVERY_PAIR, indirect=True)

SMALL_BLOB = b"small"
LARGE_BLOB = bytes(range(256)) * 8_000


def stat(node, digest, name=NAME):
    return node.blobs.stat(node.registry, name, digest)


def head(node, digest, name=NAME):
    """Ask as somebody who is about to push."""
    return node.blobs.stat_to_push(node.registry, name, digest, EVERYTHING)


async def lease(node, name=NAME):
    sql = text(
        "SELECT lease_until FROM repository_blobs JOIN repositories ON id = repository_id WHERE name = :name"
    ).bindparams(name=name)
    return await node.database.read(lambda c: c.execute(sql).scalar())


async def state(node):
    return await node.database.read(lambda c: c.execute(text("SELECT state FROM blobs")).scalar())


async def rewrite(node, change):
    """Change the stored bytes behind the registry's back."""
    (key,) = objects(node.store)
    if isinstance(node.store, FilesystemBlobStore):
        path = node.store.path(key)
        changed = change(path.read_bytes())
        path.unlink()
        if changed is not None:
            path.write_bytes(changed)
    else:
        changed = change(node.store._finished.pop(key))
        if changed is not None:
            node.store._finished[key] = changed


@pytest.mark.parametrize("content", [b"", SMALL_BLOB, LARGE_BLOB])
async def test_a_blob_is_read_whole_or_in_part(node, content):
    digest = await push_blob(node, content)
    assert (await stat(node, digest)).size == len(content)
    assert await read_blob(node, digest) == content
    for start, stop in ((0, 1), (2, 4), (0, len(content)), (len(content) // 2, len(content))):
        assert await read_blob(node, digest, start=start, stop=stop) == content[start:stop]


async def test_a_small_blob_comes_from_memory_the_second_time(node):
    digest = await push_blob(node, SMALL_BLOB)
    assert await read_blob(node, digest) == SMALL_BLOB
    await rewrite(node, lambda _content: None)
    assert await read_blob(node, digest) == SMALL_BLOB


async def test_a_blob_is_readable_through_its_own_repository_only(node):
    digest = await push_blob(node, SMALL_BLOB)
    await push_blob(node, b"something", OTHER)
    with pytest.raises(BlobUnknown):
        await stat(node, digest, OTHER)
    with pytest.raises(BlobUnknown):
        await stat(node, digest, "acme/nowhere")


async def test_somebody_who_pushes_is_given_a_blob_of_another_repository(world, node):
    digest = await push_blob(node, SMALL_BLOB, OTHER)
    await push_blob(node, b"something")
    assert (await head(node, digest)).size == len(SMALL_BLOB)
    assert await read_blob(node, digest) == SMALL_BLOB
    await world.assert_sound()


async def test_looking_makes_no_repository(node):
    digest = await push_blob(node, SMALL_BLOB, OTHER)
    with pytest.raises(BlobUnknown):
        await head(node, digest)
    count = await node.database.read(lambda c: c.execute(text("SELECT count(*) FROM repositories")).scalar())
    assert count == 1


async def test_looking_does_not_undo_a_deletion_but_pushing_and_mounting_do(world, node):
    digest = await push_blob(node, SMALL_BLOB)
    await push_blob(node, SMALL_BLOB, OTHER)
    await node.blobs.delete(node.registry, NAME, digest)
    with pytest.raises(BlobUnknown):
        await head(node, digest)
    assert await node.uploads.mount(node.registry, NAME, digest, OTHER, EVERYTHING, ACTOR)
    assert await read_blob(node, digest) == SMALL_BLOB
    await node.blobs.delete(node.registry, NAME, digest)
    await push_blob(node, SMALL_BLOB)
    assert await read_blob(node, digest) == SMALL_BLOB
    await world.assert_sound()


async def test_a_blob_that_was_deleted_everywhere_is_given_to_nobody(node):
    digest = await push_blob(node, SMALL_BLOB, OTHER)
    await push_blob(node, b"something")
    await node.blobs.delete(node.registry, OTHER, digest)
    with pytest.raises(BlobUnknown):
        await head(node, digest)
    assert not await node.uploads.mount(node.registry, NAME, digest, None, EVERYTHING, ACTOR)


async def test_a_lease_is_renewed_when_less_than_half_of_it_is_left(world, node):
    digest = await push_blob(node, SMALL_BLOB)
    until = world.clock.now() + LEASE
    world.clock.move(LEASE // 2)
    await head(node, digest)
    assert await lease(node) == until
    world.clock.move(1)
    await head(node, digest)
    assert await lease(node) == world.clock.now() + LEASE


async def test_a_blob_that_is_restored_is_kept_for_as_long_as_the_settings_say(world, node):
    patient = Blobs(
        node.database,
        world.clock,
        Switches(deletion=True, read_only=False),
        ContentCache(max_bytes=1, max_item=1),
        lease=3 * LEASE,
    )
    digest = await push_blob(node, SMALL_BLOB)
    await patient.delete(node.registry, NAME, digest)
    world.clock.move(HOUR)
    await patient.restore(node.registry, NAME, digest, ACTOR)
    assert await lease(node) == world.clock.now() + 3 * LEASE


async def test_reading_renews_no_lease(world, node):
    digest = await push_blob(node, SMALL_BLOB)
    until = await lease(node)
    world.clock.move(LEASE)
    await stat(node, digest)
    assert await lease(node) == until


class Mute(Paused):
    """A database that takes no writes."""

    async def write(self, _work, **_options):
        message = "no"
        raise DatabaseUnavailable(message)


async def test_where_nothing_can_be_written_a_lease_with_time_left_is_relied_on(world, node):
    digest = await push_blob(node, SMALL_BLOB)
    mute = world.node(database=Mute(world.place.open()))
    world.clock.move(LEASE - HOUR)
    assert (await head(mute, digest)).digest == digest
    world.clock.move(1)
    with pytest.raises(DatabaseUnavailable):
        await head(mute, digest)


async def test_where_nothing_can_be_written_nothing_is_linked(world, node):
    digest = await push_blob(node, SMALL_BLOB, OTHER)
    await push_blob(node, b"something")
    for other in (world.node(database=Mute(world.place.open())), world.node(read_only=True)):
        with pytest.raises(BlobUnknown):
            await head(other, digest)


async def test_a_read_only_registry_renews_no_lease_and_answers(world, node):
    digest = await push_blob(node, SMALL_BLOB)
    until = await lease(node)
    world.clock.move(LEASE)
    assert (await head(world.node(read_only=True), digest)).digest == digest
    assert await lease(node) == until


@pytest.mark.parametrize("content", [SMALL_BLOB, LARGE_BLOB])
async def test_bytes_that_are_gone_are_an_unknown_blob_until_they_are_pushed_again(world, node, content):
    digest = await push_blob(node, content)
    await push_image(node, content, tags=("v1",))
    for key in objects(node.store):
        await node.store.delete(key)
    fresh = world.node()
    with pytest.raises(BlobUnknown):
        await read_blob(fresh, digest)
    with pytest.raises(BlobUnknown):
        await stat(fresh, digest)
    with pytest.raises(BlobUnknown):
        await head(fresh, digest)
    await push_blob(fresh, content)
    assert await read_blob(fresh, digest) == content
    assert await read_blob(world.node(), digest) == content


@pytest.mark.parametrize("content", [SMALL_BLOB, LARGE_BLOB])
@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: content + b"x"])
async def test_bytes_of_another_length_are_never_served(world, node, content, change):
    digest = await push_blob(node, content)
    await rewrite(node, change)
    with pytest.raises(BlobUnknown):
        await read_blob(world.node(), digest)
    assert await state(node) == "missing"
    await push_blob(node, content)
    assert await read_blob(world.node(), digest) == content


async def test_small_bytes_that_were_corrupted_are_never_served(world, node):
    digest = await push_blob(node, SMALL_BLOB)
    await rewrite(node, lambda _content: b"snall")
    with pytest.raises(BlobUnknown):
        await read_blob(world.node(), digest)
    assert await state(node) == "missing"
    await push_blob(node, SMALL_BLOB)
    assert await read_blob(world.node(), digest) == SMALL_BLOB
    await world.assert_sound()


async def test_a_deleted_blob_is_gone_at_once_and_its_bytes_stay(world, node):
    digest = await push_blob(node, SMALL_BLOB)
    await push_blob(node, SMALL_BLOB, OTHER)
    await node.blobs.delete(node.registry, NAME, digest)
    with pytest.raises(BlobUnknown):
        await stat(node, digest)
    with pytest.raises(BlobUnknown):
        await node.blobs.delete(node.registry, NAME, digest)
    assert await read_blob(node, digest, OTHER) == SMALL_BLOB
    await world.assert_sound()


async def test_a_blob_that_a_manifest_needs_is_not_deleted(world, node):
    manifest = await push_image(node, SMALL_BLOB)
    for content in (SMALL_BLOB, b"{}"):
        with pytest.raises(StillReferenced):
            await node.blobs.delete(node.registry, NAME, digest_of(content))
    await node.manifests.delete(node.registry, NAME, manifest, ACTOR)
    await node.blobs.delete(node.registry, NAME, digest_of(SMALL_BLOB))
    await world.assert_sound()


async def test_a_manifest_needs_a_blob_that_was_deleted_to_be_pushed_again(world, node):
    manifest = await push_image(node, SMALL_BLOB)
    await node.manifests.delete(node.registry, NAME, manifest, ACTOR)
    await node.blobs.delete(node.registry, NAME, digest_of(SMALL_BLOB))
    with pytest.raises(Exception, match="refers to content"):
        await push_manifest(node, image(SMALL_BLOB), "v1")
    await push_image(node, SMALL_BLOB)
    assert await read_blob(node, digest_of(SMALL_BLOB)) == SMALL_BLOB
    await world.assert_sound()


async def test_what_the_operator_switched_off_is_not_done(world, node):
    digest = await push_blob(node, SMALL_BLOB)
    with pytest.raises(DeletionDisabled):
        await world.node(deletion=False).blobs.delete(node.registry, NAME, digest)
    with pytest.raises(ReadOnly):
        await world.node(read_only=True).blobs.delete(node.registry, NAME, digest)


@pytest.mark.parametrize(("error", "meant"), [(StoreUnavailable("no"), StoreUnavailable), (None, BlobUnknown)])
async def test_range_whose_first_byte_cannot_be_read_is_an_error_before_anything_is_sent(
    node, monkeypatch, error, meant
):
    digest = await push_blob(node, LARGE_BLOB)
    blob = await stat(node, digest)

    async def broken(key, _start, _stop):
        raise KeyUnknown(key) if error is None else error
        yield

    monkeypatch.setattr(node.store, "open", broken)
    with pytest.raises(meant):
        await node.blobs.read(node.registry, blob, 1, 1_000_000)
    assert await state(node) == ("missing" if error is None else "live")


async def test_range_gives_its_source_back_when_nobody_wants_the_rest(node, monkeypatch):
    digest = await push_blob(node, LARGE_BLOB)
    blob, closed = await stat(node, digest), []

    async def pieces(_key, start, stop):
        try:
            for at in range(start, stop, 1_000):
                yield LARGE_BLOB[at : min(at + 1_000, stop)]
        finally:
            closed.append(True)

    monkeypatch.setattr(node.store, "open", pieces)
    found = await node.blobs.read(node.registry, blob, 1, 1_000_000)
    assert await anext(found.pieces) == LARGE_BLOB[1:1_001]
    assert await anext(found.pieces) == LARGE_BLOB[1_001:2_001]
    await found.pieces.aclose()
    assert closed
