# SPDX-License-Identifier: Apache-2.0
import asyncio

import pytest
from sqlalchemy import text

from tests.services.conftest import EVERY_PAIR
from tests.services.world import ACTOR, ANY, EXPIRY, NAME, OTHER, body, push_blob, read_blob
from tests.support.invariants import objects
from wharfinger.blobstore.filesystem import FilesystemBlobStore
from wharfinger.clock import DAY, SECOND
from wharfinger.domain.digests import Algorithm, digest_of
from wharfinger.domain.errors import (
    BlobTooLarge,
    BlobUnknown,
    DigestMismatch,
    ReadOnly,
    SizeInvalid,
    StoreUnavailable,
    UploadBusy,
    UploadOutOfOrder,
    UploadUnknown,
)
from wharfinger.domain.uploads import Chunk, ContentRange
from wharfinger.metadata.standing import EVERYTHING

pytestmark = pytest.mark.parametrize("world", EVERY_PAIR, indirect=True)

BIG = bytes(range(256)) * 5_000
"""More than is gathered before the store sees it."""


class Gone(Exception):
    """The client has gone."""


async def start(node, algorithm=None, name=NAME):
    return (await node.uploads.start(node.registry, name, algorithm, ACTOR)).id


async def append(node, upload, *pieces, chunk=ANY, error=None):
    return (await node.uploads.append(node.registry, NAME, upload, chunk, body(*pieces, error=error))).offset


async def complete(node, upload, content, *pieces, chunk=ANY, algorithm=Algorithm.SHA256, error=None):
    digest = digest_of(content, algorithm)
    return await node.uploads.complete(node.registry, NAME, upload, digest, chunk, body(*pieces, error=error))


async def offset(node, upload):
    return (await node.uploads.status(node.registry, NAME, upload)).offset


async def test_a_blob_is_uploaded_in_chunks_and_read_again(world, node):
    upload = await start(node)
    assert await offset(node, upload) == 0
    assert await append(node, upload, b"one ", b"two ") == 8
    assert await append(node, upload, BIG) == 8 + len(BIG)
    digest = await complete(node, upload, b"one two " + BIG + b" end", b" end")
    assert await read_blob(node, digest) == b"one two " + BIG + b" end"
    await world.assert_sound()


async def test_an_upload_goes_on_in_another_process(world, node):
    """There the running hash is not, so the bytes are read once at the end."""
    upload = await start(node)
    await append(node, upload, b"first ")
    await append(world.node(), upload, b"second ")
    await append(node, upload, b"third ")
    digest = await complete(world.node(), upload, b"first second third last", b"last")
    assert await read_blob(node, digest) == b"first second third last"
    await world.assert_sound()


async def test_a_stale_running_hash_is_not_believed(world, node):
    """The first process has a hash of its own chunk, and the second chunk went elsewhere."""
    upload = await start(node)
    await append(node, upload, b"aaaa")
    await append(world.node(), upload, b"bbbb")
    assert await complete(node, upload, b"aaaabbbb") == digest_of(b"aaaabbbb")


@pytest.mark.parametrize("declared", [None, Algorithm.SHA512])
async def test_the_algorithm_may_be_known_at_the_end_only(world, node, declared):
    upload = await start(node, declared)
    await append(node, upload, b"content")
    digest = await complete(node, upload, b"content", algorithm=Algorithm.SHA512)
    assert digest.startswith("sha512:")
    assert await read_blob(node, digest) == b"content"
    await world.assert_sound()


async def test_nothing_at_all_is_a_blob_too(world, node):
    upload = await start(node)
    assert await append(node, upload) == 0
    digest = await complete(node, upload, b"")
    assert await read_blob(node, digest) == b""
    assert await push_blob(node, b"", OTHER) == digest
    await world.assert_sound()


async def test_a_chunk_elsewhere_than_where_the_upload_stands_changes_nothing(world, node):
    upload = await start(node)
    await append(node, upload, b"1234")
    for first in (0, 3, 5):
        with pytest.raises(UploadOutOfOrder) as raised:
            await append(node, upload, b"xy", chunk=Chunk(content_range=ContentRange(first, first + 1)))
        assert raised.value.offset == 4
    assert await append(node, upload, b"xy", chunk=Chunk(content_range=ContentRange(4, 5))) == 6
    assert await complete(node, upload, b"1234xy") == digest_of(b"1234xy")
    await world.assert_sound()


@pytest.mark.parametrize("sent", [b"123", b"12345"])
async def test_a_chunk_of_another_length_than_it_says_changes_nothing(world, node, sent):
    upload = await start(node)
    await append(node, upload, b"ab")
    chunk = Chunk(content_range=ContentRange(2, 5))
    with pytest.raises(SizeInvalid):
        await append(node, upload, sent, chunk=chunk)
    with pytest.raises(SizeInvalid):
        await complete(node, upload, b"ab1234", sent, chunk=chunk)
    assert await offset(node, upload) == 2
    assert await append(node, upload, b"1234", chunk=chunk) == 6
    assert await complete(node, upload, b"ab1234") == digest_of(b"ab1234")
    await world.assert_sound()


async def test_what_arrived_before_the_client_went_is_kept_and_resumed(world, node):
    upload = await start(node)
    with pytest.raises(Gone):
        await append(node, upload, BIG, b"tail", error=Gone())
    assert await offset(node, upload) == len(BIG) + 4
    await append(world.node(), upload, b" and on")
    assert await complete(node, upload, BIG + b"tail and on") == digest_of(BIG + b"tail and on")
    await world.assert_sound()


async def test_what_arrived_before_the_last_chunk_broke_off_is_kept(world, node):
    upload = await start(node)
    with pytest.raises(Gone):
        await complete(node, upload, b"12345678", b"1234", error=Gone())
    assert await offset(node, upload) == 4
    assert await complete(node, upload, b"12345678", b"5678") == digest_of(b"12345678")
    await world.assert_sound()


async def test_a_client_that_goes_before_its_first_byte_leaves_the_upload_free(world, node):
    upload = await start(node)
    with pytest.raises(Gone):
        await append(node, upload, error=Gone())
    assert await append(node, upload, b"1234") == 4
    await world.assert_sound()


async def test_a_request_that_is_cancelled_gives_its_claim_back(world, node):
    upload = await start(node)
    await append(node, upload, b"1234")
    began, never = asyncio.Event(), asyncio.Event()

    async def slow():
        yield [BIG]
        began.set()
        await never.wait()

    task = asyncio.ensure_future(node.uploads.append(node.registry, NAME, upload, ANY, slow()))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    stands = await offset(node, upload)
    assert (b"1234" + BIG)[:stands].startswith(b"1234")
    rest = (b"1234" + BIG)[stands:] + b"end"
    assert await complete(node, upload, b"1234" + BIG + b"end", rest) == digest_of(b"1234" + BIG + b"end")
    await world.assert_sound()


async def test_one_request_at_a_time_writes(world, node):
    upload = await start(node)
    began, go = asyncio.Event(), asyncio.Event()

    async def slow():
        yield [b"12"]
        began.set()
        await go.wait()
        yield [b"34"]

    first = asyncio.ensure_future(node.uploads.append(node.registry, NAME, upload, ANY, slow()))
    await began.wait()
    for other in (node, world.node()):
        with pytest.raises(UploadBusy) as raised:
            await append(other, upload, b"xx")
        assert raised.value.offset == 0
        with pytest.raises(UploadBusy):
            await complete(other, upload, b"xx", b"xx")
    go.set()
    assert (await first).offset == 4
    assert await complete(node, upload, b"1234") == digest_of(b"1234")
    await world.assert_sound()


async def test_a_claim_that_was_lost_in_the_middle_changes_nothing(world, node):
    """A request stands still until its claim is over; another one takes the upload and completes it."""
    upload = await start(node)
    await append(node, upload, b"1234")
    began, go = asyncio.Event(), asyncio.Event()

    async def slow():
        yield [b"stale"]
        began.set()
        await go.wait()

    stale = asyncio.ensure_future(node.uploads.append(node.registry, NAME, upload, ANY, slow()))
    await began.wait()
    world.clock.move(16 * SECOND)
    other = world.node()
    if isinstance(node.store, FilesystemBlobStore):  # a file is locked as long as a writer has it open
        with pytest.raises(StoreUnavailable):
            await complete(other, upload, b"1234 good", b" good")
    else:
        await complete(other, upload, b"1234 good", b" good")
    go.set()
    with pytest.raises(UploadUnknown):
        await stale
    if isinstance(node.store, FilesystemBlobStore):
        assert await offset(other, upload) == 4
        await complete(other, upload, b"1234 good", b" good")
    world.clock.move(DAY)
    await node.collection.bury(100)
    assert await read_blob(other, digest_of(b"1234 good")) == b"1234 good"
    await world.assert_sound()


@pytest.mark.parametrize("wrong", ["digest", "size"])
async def test_a_request_that_lost_its_claim_does_not_end_the_upload_of_another(world, wrong):
    node, other = world.node(max_size=10), world.node()
    upload = await start(node)
    await append(node, upload, b"1234")
    began, go = asyncio.Event(), asyncio.Event()

    async def slow():
        began.set()
        await go.wait()
        yield [b"0123456789" if wrong == "size" else b"56"]

    digest = digest_of(b"other")
    stale = asyncio.ensure_future(node.uploads.complete(node.registry, NAME, upload, digest, ANY, slow()))
    await began.wait()
    world.clock.move(16 * SECOND)
    row = text("UPDATE uploads SET claim = 'another', claimed_until = :until").bindparams(until=world.clock.now() + DAY)
    await other.database.write(lambda c: c.execute(row) and None)
    go.set()
    with pytest.raises((DigestMismatch, BlobTooLarge, UploadUnknown)):
        await stale
    assert await offset(other, upload) == 4
    await other.database.write(lambda c: c.execute(text("UPDATE uploads SET claim = NULL")) and None)


async def test_a_claim_is_renewed_while_bytes_flow(world, node):
    upload = await start(node)

    async def long():
        for _ in range(4):
            world.clock.move(6 * SECOND)
            yield [BIG]
        with pytest.raises(UploadBusy):
            await append(world.node(), upload, b"x")

    status = await node.uploads.append(node.registry, NAME, upload, ANY, long())
    assert status.offset == 4 * len(BIG)
    assert await complete(world.node(), upload, BIG * 4) == digest_of(BIG * 4)


async def test_another_digest_than_the_bytes_have_leaves_nothing(world, node):
    upload = await start(node)
    await append(node, upload, b"1234")
    with pytest.raises(DigestMismatch) as raised:
        await complete(node, upload, b"other", b"5678")
    assert raised.value.detail == {"digest": digest_of(b"other"), "found": digest_of(b"12345678")}
    with pytest.raises(UploadUnknown):
        await offset(node, upload)
    for content in (b"other", b"12345678"):
        with pytest.raises(BlobUnknown):
            await node.blobs.stat(node.registry, NAME, digest_of(content))
    assert objects(node.store) == set()
    await world.assert_sound()


async def test_a_blob_over_the_limit_ends_the_upload(world):
    node = world.node(max_size=10)
    upload = await start(node)
    assert await append(node, upload, b"0123456789") == 10
    with pytest.raises(BlobTooLarge) as raised:
        await append(node, upload, b"x")
    assert raised.value.detail == {"limit": 10, "size": 11}
    with pytest.raises(UploadUnknown):
        await offset(node, upload)
    assert objects(node.store) == set()
    await world.assert_sound()


@pytest.mark.parametrize("case", ["mismatch", "gone", "size", "large"])
async def test_a_push_in_one_request_that_fails_leaves_nothing(world, case):
    node = world.node(max_size=100)
    digest, chunk, pieces, error, expected = {
        "mismatch": (digest_of(b"other"), ANY, [b"1234"], None, DigestMismatch),
        "gone": (digest_of(b"1234"), ANY, [b"12"], Gone(), Gone),
        "size": (digest_of(b"1234"), Chunk(content_range=ContentRange(0, 5)), [b"1234"], None, SizeInvalid),
        "large": (digest_of(b"x" * 101), ANY, [b"x" * 101], None, BlobTooLarge),
    }[case]
    with pytest.raises(expected):
        await node.uploads.push(node.registry, NAME, digest, chunk, body(*pieces, error=error), ACTOR)
    assert objects(node.store) == set()
    await world.assert_sound()
    world.clock.move(DAY)
    assert await node.uploads.expire(node.registry, 10) == 0


async def test_a_push_in_one_request_makes_the_blob(world, node):
    digest = await push_blob(node, BIG)
    assert await read_blob(node, digest) == BIG
    await world.assert_sound()


async def test_a_cancelled_upload_is_gone_with_its_bytes(world, node):
    upload = await start(node)
    await append(node, upload, b"1234")
    await node.uploads.cancel(node.registry, NAME, upload)
    with pytest.raises(UploadUnknown):
        await offset(node, upload)
    with pytest.raises(UploadUnknown):
        await node.uploads.cancel(node.registry, NAME, upload)
    assert objects(node.store) == set()
    await world.assert_sound()


async def test_an_upload_that_is_cancelled_while_it_is_written_fails_its_writer(world, node):
    upload = await start(node)
    began, go = asyncio.Event(), asyncio.Event()

    async def slow():
        yield [b"12"]
        began.set()
        await go.wait()

    digest = digest_of(b"12")
    writing = asyncio.ensure_future(node.uploads.complete(node.registry, NAME, upload, digest, ANY, slow()))
    await began.wait()
    await world.node().uploads.cancel(node.registry, NAME, upload)
    go.set()
    with pytest.raises(Exception, match=r"upload|store|storage"):
        await writing
    with pytest.raises(BlobUnknown):
        await node.blobs.stat(node.registry, NAME, digest)
    world.clock.move(DAY)
    await node.collection.bury(10)
    assert objects(node.store) == set()
    await world.assert_sound()


async def test_an_upload_of_another_repository_is_unknown(node):
    upload = await start(node, name=OTHER)
    with pytest.raises(UploadUnknown):
        await offset(node, upload)
    with pytest.raises(UploadUnknown):
        await append(node, upload, b"x")
    with pytest.raises(UploadUnknown):
        await node.uploads.cancel(node.registry, NAME, upload)


async def test_uploads_that_stand_still_end_with_their_bytes(world, node):
    still, moving, empty = await start(node), await start(node), await start(node)
    await append(node, still, b"1234")
    await append(node, moving, b"1234")
    world.clock.move(EXPIRY - SECOND)
    await append(node, moving, b"5678")
    world.clock.move(SECOND)
    assert await node.uploads.expire(node.registry, 10, dry_run=True) == 0
    assert await node.uploads.expire(node.registry, 10) == 2
    for upload in (still, empty):
        with pytest.raises(UploadUnknown):
            await offset(node, upload)
    assert len(objects(node.store)) == 1
    assert await complete(node, moving, b"12345678") == digest_of(b"12345678")
    await world.assert_sound()


async def test_a_mounted_blob_is_read_where_it_was_mounted(world, node):
    digest = await push_blob(node, b"layer", OTHER)
    assert await node.uploads.mount(node.registry, NAME, digest, OTHER, EVERYTHING, ACTOR)
    assert await read_blob(node, digest) == b"layer"
    assert len(objects(node.store)) == 1
    await world.assert_sound()


async def test_a_mount_from_anywhere_finds_the_blob(node):
    digest = await push_blob(node, b"layer", OTHER)
    assert await node.uploads.mount(node.registry, NAME, digest, None, EVERYTHING, ACTOR)
    assert await read_blob(node, digest) == b"layer"


async def test_a_mount_of_what_the_source_does_not_have_changes_nothing(world, node):
    digest = await push_blob(node, b"layer", OTHER)
    assert not await node.uploads.mount(node.registry, NAME, digest_of(b"never"), OTHER, EVERYTHING, ACTOR)
    assert not await node.uploads.mount(node.registry, NAME, digest, "acme/nowhere", EVERYTHING, ACTOR)
    with pytest.raises(BlobUnknown):
        await node.blobs.stat(node.registry, NAME, digest)
    await world.assert_sound()


async def test_a_read_only_registry_takes_no_uploads(world):
    node = world.node(read_only=True)
    for attempt in (
        start(node),
        append(node, "u", b"x"),
        complete(node, "u", b"x"),
        push_blob(node),
        node.uploads.mount(node.registry, NAME, digest_of(b"x"), None, EVERYTHING, ACTOR),
    ):
        with pytest.raises(ReadOnly):
            await attempt
