# SPDX-License-Identifier: Apache-2.0
"""A database or a store that fails at the worst moment: what is left can be recovered from, and nothing leaks."""

import asyncio

import pytest

from tests.services.conftest import EVERY_PAIR
from tests.services.world import ACTOR, ANY, EXPIRY, NAME, body, image, push_blob, push_image, read_blob
from tests.support.invariants import objects
from wharfinger.clock import DAY, SECOND
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import DatabaseUnavailable, StoreUnavailable, UploadBusy, UploadUnknown

pytestmark = pytest.mark.parametrize("world", EVERY_PAIR, indirect=True)
BIG = bytes(range(256)) * 5_000


class Failing:
    """A database, or a store, of which the named calls fail once they are told to.

    Args:
        inner: the real one.
        error: what the calls raise.
    """

    def __init__(self, inner, error):
        self.inner = inner
        self._error = error
        self.fails = {}
        self.calls = []

    def __getattr__(self, name):
        found = getattr(self.inner, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def call(*arguments, **options):
            self.calls.append(name)
            left = self.fails.get(name, 0)
            if left:
                self.fails[name] = left - 1
                raise self._error
            return await found(*arguments, **options)

        return call


@pytest.fixture
def broken(world):
    """Return a node whose database and store can be made to fail."""
    return world.node(
        database=Failing(world.place.open(), DatabaseUnavailable("no")),
        store=Failing(world.store(), StoreUnavailable("no")),
    )


async def start(node):
    return (await node.uploads.start(node.registry, NAME, None, ACTOR)).id


async def append(node, upload, *pieces):
    return (await node.uploads.append(node.registry, NAME, upload, ANY, body(*pieces))).offset


async def complete(node, upload, content, *pieces):
    return await node.uploads.complete(node.registry, NAME, upload, digest_of(content), ANY, body(*pieces))


class Crashing:
    """A database that stops answering after so many writes, as one whose process died does."""

    def __init__(self, inner, writes):
        self._inner = inner
        self._left = writes

    async def write(self, work, *, durable=True):
        if self._left == 0:
            message = "gone"
            raise DatabaseUnavailable(message)
        self._left -= 1
        return await self._inner.write(work, durable=durable)

    def __getattr__(self, name):
        return getattr(self._inner, name)


@pytest.mark.parametrize("chunked", [False, True])
async def test_bytes_that_were_finished_when_the_database_failed_are_not_lost_sight_of(world, node, chunked):
    """Between making the bytes durable and writing the row: the client begins anew, and expiry cleans up."""
    upload = await start(node)
    if chunked:
        await append(node, upload, b"1234")
    dying = world.node(database=Crashing(world.place.open(), writes=1))
    content = b"12345678" if chunked else b"5678"
    with pytest.raises(DatabaseUnavailable):
        await complete(dying, upload, content, b"5678")
    await world.assert_sound()
    with pytest.raises(UploadBusy):
        await complete(node, upload, content, b"5678")
    world.clock.move(16 * SECOND)
    with pytest.raises(UploadUnknown):
        await complete(node, upload, content, b"5678")
    assert await push_blob(node, content) == digest_of(content)
    await world.assert_sound()
    world.clock.move(EXPIRY)
    assert await node.uploads.expire(node.registry, 10) == 1
    assert len(objects(node.store)) == 1
    assert await read_blob(node, digest_of(content)) == content
    await world.assert_sound()


@pytest.mark.parametrize("writes", [0, 1])
async def test_a_push_in_one_request_that_loses_the_database_is_cleaned_up_by_expiry(world, node, writes):
    dying = world.node(database=Crashing(world.place.open(), writes))
    with pytest.raises(DatabaseUnavailable):
        await push_blob(dying, b"layer")
    await world.assert_sound()
    world.clock.move(EXPIRY)
    assert await node.uploads.expire(node.registry, 10) == writes
    assert objects(node.store) == set()
    await world.assert_sound()


async def test_an_offset_that_could_not_be_written_is_not_promised(world, node):
    upload = await start(node)
    await append(node, upload, b"1234")
    with pytest.raises(DatabaseUnavailable):
        await append(world.node(database=Crashing(world.place.open(), writes=1)), upload, b"5678")
    assert (await node.uploads.status(node.registry, NAME, upload)).offset == 4
    world.clock.move(16 * SECOND)
    assert await complete(node, upload, b"1234abcd", b"abcd") == digest_of(b"1234abcd")
    await world.assert_sound()


async def test_a_claim_that_could_not_be_renewed_repeats_no_bytes(world, node):
    """The database fails for a moment while bytes flow; the upload stands at a prefix of what was sent."""
    upload = await start(node)
    shaky = world.node(database=Failing(world.place.open(), DatabaseUnavailable("no")))

    async def pieces():
        yield [BIG]
        world.clock.move(6 * SECOND)
        shaky.database.fails["write"] = 1
        yield [BIG]

    with pytest.raises(DatabaseUnavailable):
        await shaky.uploads.append(shaky.registry, NAME, upload, ANY, pieces())
    stands = (await node.uploads.status(node.registry, NAME, upload)).offset
    assert stands in {0, len(BIG), 2 * len(BIG)}
    content = BIG + BIG + b"end"
    assert await complete(node, upload, content, content[stands:]) == digest_of(content)
    await world.assert_sound()


@pytest.mark.parametrize("call", ["begin", "resume"])
async def test_a_store_that_does_not_open_gives_the_claim_back(world, broken, call):
    upload = await start(broken)
    if call == "resume":
        await append(broken, upload, b"1234")
    broken.store.fails[call] = 1
    with pytest.raises(StoreUnavailable):
        await append(broken, upload, b"5678")
    assert await append(broken, upload, b"5678") == (8 if call == "resume" else 4)
    await world.assert_sound()


async def test_bytes_that_could_not_be_removed_at_once_are_buried_later(world, broken):
    upload = await start(broken)
    await append(broken, upload, b"1234")
    broken.store.fails["delete"] = 1
    await broken.uploads.cancel(broken.registry, NAME, upload)
    assert len(objects(broken.store)) == 1
    await world.assert_sound()
    world.clock.move(DAY)
    assert await broken.collection.bury(10) == 1
    assert objects(broken.store) == set()
    await world.assert_sound()


async def test_bytes_whose_removal_may_be_undone_keep_their_tombstone(world, broken):
    """A power failure could bring them back, and then no row would name them."""
    upload = await start(broken)
    await append(broken, upload, b"1234")
    await broken.uploads.cancel(broken.registry, NAME, upload)
    world.clock.move(DAY)
    broken.store.fails["settle"] = 1
    assert await broken.collection.bury(10) == 0
    assert await broken.collection.bury(10) == 0
    world.clock.move(DAY)
    assert await broken.collection.bury(10) == 1
    await world.assert_sound()


async def test_bytes_that_vanished_are_an_unknown_upload(node):
    upload = await start(node)
    await append(node, upload, b"1234")
    (key,) = objects(node.store)
    await node.store.delete(key)
    with pytest.raises(UploadUnknown):
        await append(node, upload, b"5678")


async def test_a_manifest_that_could_not_be_written_is_not_there(world, node):
    await push_image(node, b"one")
    dying = world.node(database=Crashing(world.place.open(), writes=2))
    with pytest.raises(DatabaseUnavailable):
        await push_image(dying, b"two")
    assert (await node.manifests.find(node.registry, NAME, "v1")).digest == digest_of(image(b"one"))
    await world.assert_sound()
