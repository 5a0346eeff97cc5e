# SPDX-License-Identifier: Apache-2.0
"""The collector meets somebody who needs what it is about to take: every line of the table in the guide, both orders.

Whichever commits first, no image is broken, no bytes are without a row, and nothing stays for ever.
"""

import asyncio
import inspect
import re

import pytest
from sqlalchemy import text

from tests.architecture.papers import ROOT, Page
from tests.services.world import (
    ACTOR,
    ANY,
    EXPIRY,
    NAME,
    OTHER,
    WINDOW,
    body,
    image,
    index,
    push_blob,
    push_image,
    push_manifest,
    read_blob,
)
from tests.support.invariants import objects
from wharfinger.clock import DAY, HOUR, SECOND, after
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import (
    BlobUnknown,
    ContentGone,
    DatabaseUnavailable,
    ManifestBlobUnknown,
    ManifestUnknown,
    NameUnknown,
    UploadBusy,
    UploadUnknown,
)
from wharfinger.domain.manifests import ManifestRules
from wharfinger.metadata import collection as rows
from wharfinger.metadata import queues
from wharfinger.services.blobs import LEASE
from wharfinger.services.collection import CLAIM
from wharfinger.services.reviews import Outcome

LAYER = b"the layer"
DIGEST = digest_of(LAYER)
CLAIMED = 1
"""Transactions of a collector before the one that decides: the claim."""


async def collect(node):
    """Look at everything that is due once more, until nothing is."""
    while await node.reviews.review_manifests(100) + await node.reviews.review_blobs(100):
        pass
    await node.reviews.collect_repositories(1_000)


async def everything_else_goes(world, node):
    """Nothing that lost a race stays behind: after all times are over, rows and bytes are those that are needed."""
    for _ in range(3):
        world.clock.move(WINDOW + DAY)
        await collect(node)
        await node.collection.bury(1_000)
    await world.assert_sound()


async def scalar(node, sql):
    return await node.database.read(lambda c: c.execute(text(sql)).scalar())


async def untagged(world, node):
    """Leave a manifest that is to be collected now."""
    await node.database.write(lambda c: rows.set_untagged(c, 1, DAY))
    digest = await push_image(node, LAYER, tags=())
    world.clock.move(WINDOW)
    await node.reviews.review_blobs(100)
    return digest


# --- a manifest under review is tagged


async def test_a_manifest_that_is_tagged_while_it_is_reviewed_stays(world, node, meeting):
    digest = await untagged(world, node)
    pushed, looked = await meeting.of(
        push_manifest(meeting.first(), image(LAYER), "v1"), node.reviews.review_manifests(10)
    )
    assert (pushed, looked) == (digest, 1)
    assert (await node.manifests.find(node.registry, NAME, "v1")).digest == digest
    await world.assert_sound()
    await everything_else_goes(world, node)
    assert await read_blob(node, DIGEST) == LAYER


async def test_a_tag_for_a_manifest_that_is_just_being_removed_brings_it_anew(world, node, meeting):
    digest = await untagged(world, node)
    looked, pushed = await meeting.of(
        meeting.first(skip=CLAIMED).reviews.review_manifests(10), push_manifest(node, image(LAYER), "v1")
    )
    assert (looked, pushed) == (1, digest)
    assert (await node.manifests.find(node.registry, NAME, "v1")).digest == digest
    await everything_else_goes(world, node)
    assert await read_blob(node, DIGEST) == LAYER


# --- a manifest is pushed that refers to a blob under review


async def blob_under_review(world, node):
    for content in (LAYER, b"{}"):
        await push_blob(node, content)
    world.clock.move(LEASE)


async def test_a_layer_that_a_push_has_found_is_not_removed(world, node, meeting):
    await blob_under_review(world, node)
    pushed, looked = await meeting.of(push_manifest(meeting.first(), image(LAYER), "v1"), node.reviews.review_blobs(10))
    assert (pushed, looked) == (digest_of(image(LAYER)), 2)
    assert await read_blob(node, DIGEST) == LAYER
    await everything_else_goes(world, node)
    assert await read_blob(node, DIGEST) == LAYER


async def test_a_push_that_comes_after_the_removal_of_its_layer_is_told_so(world, node, meeting):
    await blob_under_review(world, node)
    looked, pushed = await meeting.of(
        meeting.first(skip=CLAIMED).reviews.review_blobs(10), push_manifest(node, image(LAYER), "v1")
    )
    assert looked == 2
    assert isinstance(pushed, ManifestBlobUnknown)
    assert set(pushed.missing) == {DIGEST, digest_of(b"{}")}
    await push_image(node, LAYER)
    await everything_else_goes(world, node)
    assert await read_blob(node, DIGEST) == LAYER


# --- HEAD of a blob, by somebody who pushes


async def test_a_lease_that_is_renewed_while_the_blob_is_judged_holds(world, node, meeting):
    await blob_under_review(world, node)
    first = meeting.first()
    stat, looked = await meeting.of(
        first.blobs.stat_to_push(first.registry, NAME, DIGEST, None), node.reviews.review_blobs(10)
    )
    assert (stat.digest, looked) == (DIGEST, 2)
    assert await read_blob(node, DIGEST) == LAYER
    world.clock.move(LEASE - 1)
    await collect(node)
    assert await read_blob(node, DIGEST) == LAYER
    world.clock.move(1)
    await collect(node)
    assert await scalar(node, "SELECT count(*) FROM blobs") == 0
    await everything_else_goes(world, node)


async def test_head_of_a_blob_that_is_just_being_removed_is_404(world, node, meeting):
    """And never 200 for something that the manifest will not find."""
    await blob_under_review(world, node)
    looked, stat = await meeting.of(
        meeting.first(skip=CLAIMED).reviews.review_blobs(10),
        node.blobs.stat_to_push(node.registry, NAME, DIGEST, None),
    )
    assert looked == 2
    assert isinstance(stat, BlobUnknown)
    await everything_else_goes(world, node)


# --- the same content is uploaded again


async def test_an_upload_that_found_the_old_blob_keeps_it(world, node, meeting):
    await blob_under_review(world, node)
    first = meeting.first(skip=1)
    pushed, looked = await meeting.of(push_blob(first, LAYER), node.reviews.review_blobs(10))
    assert (pushed, looked) == (DIGEST, 1)  # the upload has put the review of its blob off
    assert await read_blob(node, DIGEST) == LAYER
    await push_image(node, LAYER)
    await everything_else_goes(world, node)
    assert await read_blob(node, DIGEST) == LAYER
    assert len(objects(node.store)) == 2


async def test_an_upload_that_comes_after_the_removal_has_bytes_of_its_own(world, node, meeting):
    await blob_under_review(world, node)
    old = objects(node.store)
    looked, pushed = await meeting.of(meeting.first(skip=CLAIMED).reviews.review_blobs(10), push_blob(node, LAYER))
    assert (looked, pushed) == (2, DIGEST)
    world.clock.move(2 * HOUR)
    await node.collection.bury(100)
    assert not objects(node.store) & old
    assert await read_blob(node, DIGEST) == LAYER
    await world.assert_sound()


async def test_a_mount_of_a_blob_that_is_just_being_removed_leaves_the_client_to_upload(world, node, meeting):
    await blob_under_review(world, node)
    await push_blob(node, b"something", OTHER)
    looked, mounted = await meeting.of(
        meeting.first(skip=CLAIMED).reviews.review_blobs(10),
        node.uploads.mount(node.registry, OTHER, DIGEST, NAME, None, ACTOR),
    )
    assert (looked, mounted) == (2, False)
    await everything_else_goes(world, node)


async def test_a_blob_that_is_just_being_mounted_stays_in_the_registry(world, node, meeting):
    await blob_under_review(world, node)
    await push_blob(node, b"something", OTHER)
    first = meeting.first()
    mounted, looked = await meeting.of(
        first.uploads.mount(first.registry, OTHER, DIGEST, NAME, None, ACTOR), node.reviews.review_blobs(10)
    )
    assert (mounted, looked) == (True, 2)
    assert await read_blob(node, DIGEST, OTHER) == LAYER
    await world.assert_sound()
    await everything_else_goes(world, node)


# --- bytes and tombstones


async def test_a_node_that_dies_between_bytes_and_tombstone_leaves_the_rest_to_the_next_one(world, node, meeting):
    await blob_under_review(world, node)
    await collect(node)
    world.clock.move(2 * HOUR)
    held = meeting.first()
    inner, claims = held.database._inner.write, []

    async def die(work, **options):
        if not claims:
            claims.append(work)
            return await inner(work, **options)
        message = "gone"
        raise DatabaseUnavailable(message)

    held.database._inner.write = die
    held.database._skip = 2
    with pytest.raises(DatabaseUnavailable):
        await held.collection.bury(100)
    held.database._inner.write = inner
    assert objects(node.store) == set()
    assert await scalar(node, "SELECT count(*) FROM tombstones") == 2
    assert await node.collection.bury(100) == 0  # they are claimed by the one that is gone
    world.clock.move(CLAIM)
    assert await node.collection.bury(100) == 2
    assert await scalar(node, "SELECT count(*) FROM tombstones") == 0


async def test_a_pull_that_has_begun_ends_well_although_the_bytes_go(world, node):
    content = bytes(range(256)) * 8_192
    digest = await push_blob(node, content)
    blob = await node.blobs.stat(node.registry, NAME, digest)
    found = await node.blobs.read(node.registry, blob, 1, blob.size)
    got = bytearray(await anext(found.pieces))
    world.clock.move(LEASE)
    await collect(node)
    world.clock.move(2 * HOUR)
    assert await node.collection.bury(100) == 1
    assert objects(node.store) == set()
    async for piece in found.pieces:
        got += piece
    assert bytes(got) == content[1:]


# --- reviews


async def test_a_review_that_is_asked_for_while_it_is_finished_is_not_lost(world, node, meeting):
    """A manifest under a tag is found needed; at that moment the tag goes."""
    digest = await push_image(node, LAYER)
    await node.database.write(lambda c: queues.review_manifest(c, _only(c, "manifests"), world.clock.now(), "asked"))
    looked, _ = await meeting.of(
        meeting.first(skip=CLAIMED).reviews.review_manifests(10),
        node.tags.delete(node.registry, NAME, "v1", ACTOR),
    )
    assert looked == 1
    assert await scalar(node, "SELECT reason FROM manifest_reviews") == "tag deleted"
    assert await node.manifests.find(node.registry, NAME, digest)


async def test_a_review_that_was_asked_for_again_since_it_was_claimed_outlives_its_end(world, node):
    await push_image(node, LAYER)
    now = world.clock.now()

    def work(connection):
        number = _only(connection, "manifests")
        queues.review_manifest(connection, number, now, "first")
        (review,) = queues.claim_manifests(connection, now, after(now, SECOND), 10)
        queues.review_manifest(connection, number, now, "second")
        queues.finish(connection, review)
        queues.postpone(connection, review, after(now, DAY), failed=False)
        (again,) = queues.claim_manifests(connection, now, after(now, SECOND), 10)
        return again.reason

    assert await node.database.write(work) == "second"


def _only(connection, table):
    return connection.execute(text(f"SELECT min(id) FROM {table}")).scalar()


async def test_two_collectors_take_on_different_reviews(world, node):
    for number in range(20):
        await push_blob(node, b"%d" % number)
    world.clock.move(LEASE)
    nodes = [node, world.node(), world.node()]
    assert sum(await asyncio.gather(*(one.reviews.review_blobs(20) for one in nodes))) == 20
    assert sum(one.reviews.tally["blob", Outcome.REMOVED] for one in nodes) == 20
    assert await scalar(node, "SELECT count(*) FROM blobs") == 0
    assert await scalar(node, "SELECT count(*) FROM tombstones") == 20
    await everything_else_goes(world, node)


async def test_of_two_collectors_that_take_the_last_two_memberships_one_takes_the_blob(world, node, meeting):
    """Neither sees the removal of the other before it commits; the lock on the blob lets one wait for it."""
    await push_blob(node, LAYER)
    await push_blob(node, LAYER, OTHER)
    world.clock.move(LEASE)
    outcome = await meeting.of(meeting.first(skip=CLAIMED).reviews.review_blobs(1), node.reviews.review_blobs(1))
    assert outcome == [1, 1]
    assert await scalar(node, "SELECT count(*) FROM repository_blobs") == 0
    assert await scalar(node, "SELECT count(*) FROM blobs") == 0
    assert await scalar(node, "SELECT count(*) FROM tombstones") == 2  # of the blob, and of the second copy
    await everything_else_goes(world, node)
    assert objects(node.store) == set()


# --- uploads that expire


async def upload(world, node):
    status = await node.uploads.start(node.registry, NAME, None, ACTOR)
    world.clock.move(EXPIRY)
    return status.id


async def test_an_upload_that_is_just_completed_does_not_expire(world, node, meeting):
    number = await upload(world, node)
    first = meeting.first(skip=1)

    async def expire():
        world.clock.move(20 * SECOND)  # the claim seems to be over too
        return await node.uploads.expire(node.registry, 10)

    completed, _ = await meeting.of(
        first.uploads.complete(first.registry, NAME, number, DIGEST, ANY, body(LAYER)), expire()
    )
    assert completed == DIGEST
    assert await read_blob(node, DIGEST) == LAYER
    await world.assert_sound()


async def test_an_upload_that_just_expired_cannot_be_completed(world, node, meeting):
    number = await upload(world, node)
    first = meeting.first()
    expired, completed = await meeting.of(
        first.uploads.expire(first.registry, 10),
        node.uploads.complete(node.registry, NAME, number, DIGEST, ANY, body(LAYER)),
    )
    assert expired == 1
    assert isinstance(completed, UploadUnknown | UploadBusy)
    await everything_else_goes(world, node)
    assert objects(node.store) == set()


# --- restoring


async def in_the_trash(world, node):
    digest = await push_image(node, LAYER)
    await node.manifests.delete(node.registry, NAME, digest, ACTOR)
    world.clock.move(WINDOW)
    await node.reviews.review_blobs(10)
    return digest


async def test_a_manifest_that_is_restored_in_the_last_moment_stays(world, node, meeting):
    digest = await in_the_trash(world, node)
    first = meeting.first()
    restored, looked = await meeting.of(
        first.manifests.restore(first.registry, NAME, digest, ACTOR), node.reviews.review_manifests(10)
    )
    assert not isinstance(restored, BaseException)
    assert looked == 1
    await collect(node)
    assert await node.manifests.find(node.registry, NAME, "v1")
    assert await read_blob(node, DIGEST) == LAYER
    await world.assert_sound()


async def test_a_manifest_that_is_just_being_removed_is_not_restored_in_part(world, node, meeting):
    digest = await in_the_trash(world, node)
    looked, restored = await meeting.of(
        meeting.first(skip=CLAIMED).reviews.review_manifests(10),
        node.manifests.restore(node.registry, NAME, digest, ACTOR),
    )
    assert looked == 1
    assert isinstance(restored, ManifestUnknown | ContentGone)
    await world.assert_sound()
    await everything_else_goes(world, node)
    assert objects(node.store) == set()


# --- repositories


async def repository_in_the_trash(world, node):
    await push_image(node, LAYER)
    await node.repositories.delete(node.registry, NAME, ACTOR)
    world.clock.move(WINDOW)


async def test_a_repository_that_is_restored_in_the_last_moment_is_whole(world, node, meeting):
    await repository_in_the_trash(world, node)
    first = meeting.first()
    restored, steps = await meeting.of(
        first.repositories.restore(first.registry, NAME, ACTOR), node.reviews.collect_repositories(10)
    )
    assert not isinstance(restored, BaseException)
    assert steps == 1
    assert await node.manifests.find(node.registry, NAME, "v1")
    assert await read_blob(node, DIGEST) == LAYER
    await everything_else_goes(world, node)
    assert await read_blob(node, DIGEST) == LAYER


async def test_a_repository_of_which_something_is_just_being_removed_is_not_restored(world, node, meeting):
    await repository_in_the_trash(world, node)
    steps, restored = await meeting.of(
        meeting.first().reviews.collect_repositories(1), node.repositories.restore(node.registry, NAME, ACTOR)
    )
    assert steps == 1
    assert isinstance(restored, ContentGone | NameUnknown)
    await everything_else_goes(world, node)
    assert await scalar(node, "SELECT count(*) FROM repositories") == 0
    assert objects(node.store) == set()


async def test_an_upload_that_ends_in_a_repository_that_is_taken_apart_leaves_nothing(world, node, meeting):
    """It began before the repository was deleted."""
    status = await node.uploads.start(node.registry, NAME, None, ACTOR)
    await node.repositories.delete(node.registry, NAME, ACTOR)
    world.clock.move(WINDOW)
    steps, completed = await meeting.of(
        meeting.first().reviews.collect_repositories(1),
        node.uploads.complete(node.registry, NAME, status.id, DIGEST, ANY, body(LAYER)),
    )
    assert steps == 1
    assert isinstance(completed, UploadUnknown)
    await everything_else_goes(world, node)
    assert objects(node.store) == set()


async def test_a_push_to_the_name_of_a_repository_that_is_taken_apart_makes_a_new_one(world, node, meeting):
    await repository_in_the_trash(world, node)
    await push_blob(node, b"{}", OTHER)
    steps, _ = await meeting.of(meeting.first().reviews.collect_repositories(1), push_image(node, b"new"))
    assert steps == 1
    await everything_else_goes(world, node)
    assert await node.manifests.find(node.registry, NAME, "v1")
    assert await read_blob(node, digest_of(b"new")) == b"new"


async def test_a_child_that_a_new_index_lists_while_it_is_reviewed_stays(world, node, meeting):
    digest = await untagged(world, node)
    listing = index(image(LAYER))
    pushed, looked = await meeting.of(push_manifest(meeting.first(), listing, "all"), node.reviews.review_manifests(10))
    assert (pushed, looked) == (digest_of(listing), 1)
    assert await node.manifests.find(node.registry, NAME, digest)
    await everything_else_goes(world, node)
    assert await read_blob(node, DIGEST) == LAYER


async def test_an_index_that_comes_after_the_removal_of_its_child_is_refused_where_children_are_required(
    world, node, meeting
):
    await untagged(world, node)
    strict = world.node(database=node.database, rules=ManifestRules(children_required=True))
    looked, pushed = await meeting.of(
        meeting.first(skip=CLAIMED).reviews.review_manifests(10), push_manifest(strict, index(image(LAYER)), "all")
    )
    assert looked == 1
    assert isinstance(pushed, ManifestBlobUnknown)
    await everything_else_goes(world, node)


def test_the_page_of_races_names_every_test_and_nothing_else():
    """Its table is what people read who change the collector."""
    rows_of_page = Page(ROOT / "docs" / "garbage-collection.md").rows("race")
    named = [name for *_, tests in rows_of_page for name in re.findall(r"`(\w+)`", tests)]
    here = [name.removeprefix("test_") for name, value in globals().items() if inspect.iscoroutinefunction(value)]
    assert sorted(named) == sorted(name for name in here if f"test_{name}" in globals())
    assert all(answer and re.search(r"`\w+`", tests) for _, answer, tests in rows_of_page)
