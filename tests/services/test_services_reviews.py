# SPDX-License-Identifier: Apache-2.0
"""What goes, what stays and why: reviews of manifests, blobs and repositories, over both databases."""

import pytest
from sqlalchemy import text, update

from tests.services.world import (
    ACTOR,
    NAME,
    OTHER,
    WINDOW,
    image,
    index,
    push_blob,
    push_image,
    push_manifest,
    read_blob,
)
from tests.support.invariants import objects
from wharfinger.clock import DAY, HOUR, SECOND
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import BlobUnknown, ManifestUnknown, StoreUnavailable
from wharfinger.domain.trash import Trashed
from wharfinger.metadata import collection as rows
from wharfinger.metadata.schema import events, manifests, repositories
from wharfinger.services.blobs import LEASE
from wharfinger.services.reviews import CLAIM

LAYER, CONFIG = b"the layer", b"{}"


async def collect(node, limit=100):
    """Run rounds until nothing is due, and bury what is due by then; returns how many steps it took."""
    steps = 0
    while done := [
        await node.reviews.sweep(limit),
        await node.reviews.review_manifests(limit),
        await node.reviews.collect_repositories(limit),
        await node.reviews.review_blobs(limit),
    ]:
        if not any(done):
            break
        steps += sum(done)
        assert steps < 10_000, "collection goes round in circles"
    await node.collection.bury(1_000)
    return steps


async def collect_after(world, microseconds, node=None):
    """Move the clock, collect, and let the time of burials pass too."""
    world.clock.move(microseconds)
    await collect(node or world.first)
    world.clock.move(2 * HOUR)
    await collect(node or world.first)
    await world.assert_sound()


async def count(node, table, condition="1 = 1"):
    return await node.database.read(
        lambda c: c.execute(text(f"SELECT count(*) FROM {table} WHERE {condition}")).scalar()
    )


async def delete(node, digest, name=NAME):
    await node.manifests.delete(node.registry, name, digest, ACTOR)


async def has(node, digest, name=NAME):
    try:
        await node.manifests.find(node.registry, name, digest)
    except ManifestUnknown:
        return False
    return True


async def change(node, table, values, **where):
    statement = update(table).values(values)
    for column, value in where.items():
        statement = statement.where(table.c[column] == value)
    await node.database.write(lambda c: c.execute(statement) and None)


async def test_what_is_tagged_stays_for_ever_and_is_looked_at_once(world, node):
    digest = await push_image(node, LAYER)
    await collect_after(world, 400 * DAY)
    assert await has(node, digest)
    assert await read_blob(node, digest_of(LAYER)) == LAYER
    assert await count(node, "blob_reviews") == await count(node, "manifest_reviews") == 0
    assert await collect(node) == 0


async def test_an_image_that_was_deleted_goes_after_its_time_in_the_trash_with_all_its_bytes(world, node):
    digest = await push_image(node, LAYER)
    await delete(node, digest)
    await collect_after(world, WINDOW - 3 * HOUR)
    assert await count(node, "manifests") == 1
    assert len(objects(node.store)) == 2
    await collect_after(world, 4 * HOUR)
    for table in ("manifests", "manifest_references", "repository_blobs", "blobs", "tombstones"):
        assert await count(node, table) == 0, table
    assert objects(node.store) == set()


async def test_bytes_leave_an_hour_after_their_row_and_not_before(world, node):
    await push_blob(node, LAYER)
    world.clock.move(LEASE)
    await collect(node)
    assert await count(node, "blobs") == 0
    world.clock.move(HOUR - 1)
    await collect(node)
    assert len(objects(node.store)) == 1
    world.clock.move(1)
    await collect(node)
    assert objects(node.store) == set()


async def test_a_blob_without_a_manifest_stays_as_long_as_its_lease(world, node):
    digest = await push_blob(node, LAYER)
    world.clock.move(LEASE - 1)
    await collect(node)
    assert await read_blob(node, digest) == LAYER
    world.clock.move(1)
    await collect(node)
    with pytest.raises(BlobUnknown):
        await node.blobs.stat(node.registry, NAME, digest)


async def test_a_lease_that_was_renewed_counts_although_nobody_asked_for_a_review(world, node):
    digest = await push_blob(node, LAYER)
    world.clock.move(LEASE - HOUR)
    await node.blobs.stat_to_push(node.registry, NAME, digest, None)
    world.clock.move(2 * HOUR)
    await collect(node)
    assert await read_blob(node, digest) == LAYER
    await collect_after(world, LEASE)
    assert await count(node, "blobs") == 0


async def test_a_layer_that_another_image_shares_stays(world, node):
    gone = await push_image(node, LAYER, b"own", tags=("v1",))
    await push_image(node, LAYER, tags=("v2",))
    await delete(node, gone)
    await collect_after(world, WINDOW)
    assert await read_blob(node, digest_of(LAYER)) == LAYER
    with pytest.raises(BlobUnknown):
        await node.blobs.stat(node.registry, NAME, digest_of(b"own"))


async def test_a_blob_leaves_one_repository_and_stays_in_the_other(world, node):
    gone = await push_image(node, LAYER)
    await push_image(node, LAYER, name=OTHER)
    await delete(node, gone)
    await collect_after(world, WINDOW)
    assert await count(node, "repository_blobs") == 2
    assert await read_blob(node, digest_of(LAYER), OTHER) == LAYER
    with pytest.raises(BlobUnknown):
        await node.blobs.stat(node.registry, NAME, digest_of(LAYER))


async def test_a_blob_that_was_deleted_by_hand_can_be_restored_for_as_long_as_a_manifest(world, node):
    digest = await push_blob(node, LAYER)
    await node.blobs.delete(node.registry, NAME, digest)
    await collect_after(world, WINDOW - 3 * HOUR)
    assert await count(node, "blobs") == 1
    await collect_after(world, 4 * HOUR)
    assert await count(node, "blobs") == 0


async def test_the_bytes_of_a_manifest_in_the_trash_outlive_the_deletion_of_its_blob(world, node):
    digest = await push_image(node, LAYER)
    world.clock.move(40 * DAY)
    await delete(node, digest)
    await node.blobs.delete(node.registry, NAME, digest_of(LAYER))
    await collect_after(world, 20 * DAY)
    assert await node.manifests.restore(node.registry, NAME, digest, ACTOR)
    await world.assert_sound()
    assert await read_blob(node, digest_of(LAYER)) == LAYER


async def test_a_manifest_without_a_tag_stays_by_default(world, node):
    first = await push_image(node, b"one", tags=("v1",))
    await push_image(node, b"two", tags=("v1",))
    never = await push_image(node, b"three", tags=())
    await collect_after(world, 400 * DAY)
    assert await has(node, first)
    assert await has(node, never)
    assert await count(node, "manifest_reviews") == 0


async def keep_untagged(node, microseconds):
    await node.database.write(lambda c: rows.set_untagged(c, 1, microseconds))


async def test_a_registry_may_collect_what_has_had_no_tag_for_some_time(world, node):
    await keep_untagged(node, 60 * DAY)
    first = await push_image(node, b"one", tags=("v1",))
    never = await push_image(node, b"three", tags=())
    world.clock.move(10 * DAY)
    await push_image(node, b"two", tags=("v1",))
    await collect_after(world, 49 * DAY)
    assert (await has(node, first), await has(node, never)) == (True, True)
    await collect_after(world, 1 * DAY)
    assert (await has(node, first), await has(node, never)) == (True, False)
    await collect_after(world, 10 * DAY)
    assert (await has(node, first), await has(node, "v1")) == (False, True)


async def test_what_a_tag_left_is_never_collected_while_the_tag_can_be_put_back(world, node):
    await keep_untagged(node, DAY)
    first = await push_image(node, b"one", tags=("v1",))
    world.clock.move(100 * DAY)
    await push_image(node, b"two", tags=("v1",))
    await collect_after(world, WINDOW - 3 * HOUR)
    assert await has(node, first)
    await collect_after(world, 4 * HOUR)
    assert not await has(node, first)


async def test_a_pull_and_another_push_count_as_use(world, node):
    await keep_untagged(node, 60 * DAY)
    pulled = await push_image(node, b"one", tags=())
    pushed = await push_image(node, b"two", tags=())
    world.clock.move(50 * DAY)
    await change(node, manifests, {"pulled_at": world.clock.now()}, digest=pulled)
    await push_manifest(node, image(b"two"))
    await collect_after(world, 59 * DAY)
    assert await has(node, pulled)
    assert await has(node, pushed)
    await collect_after(world, 2 * DAY)
    assert not await has(node, pulled)
    assert not await has(node, pushed)


async def test_a_rule_that_is_set_later_counts_for_what_was_there_before(world, node):
    old = [await push_image(node, b"%d" % number, tags=()) for number in range(7)]
    tagged = await push_image(node, b"tagged")
    await collect_after(world, 100 * DAY)
    await keep_untagged(node, 60 * DAY)
    assert [await node.reviews.sweep(5), await node.reviews.sweep(5), await node.reviews.sweep(5)] == [5, 3, 0]
    await collect_after(world, 0)
    assert [await has(node, one) for one in old] == [False] * 7
    assert await has(node, tagged)


async def test_images_of_an_index_stay_with_it_and_go_with_it(world, node):
    children = [await push_image(node, layer, tags=()) for layer in (b"one", b"two")]
    whole = await push_manifest(node, index(image(b"one"), image(b"two")), "v1")
    await keep_untagged(node, DAY)
    await collect_after(world, 100 * DAY)
    assert [await has(node, one) for one in children] == [True, True]
    await keep_untagged(node, None)
    await delete(node, whole)
    await collect_after(world, WINDOW - 3 * HOUR)
    assert [await has(node, one) for one in children] == [True, True]
    await collect_after(world, 4 * HOUR)
    assert [await has(node, one) for one in children] == [False, False]
    assert objects(node.store) == set()


async def test_an_image_that_another_index_lists_or_that_had_a_tag_outlives_the_index(world, node):
    shared = await push_image(node, b"shared", tags=())
    named = await push_image(node, b"named", tags=("was",))
    lost = await push_image(node, b"lost", tags=())
    await node.tags.delete(node.registry, NAME, "was", ACTOR)
    whole = await push_manifest(node, index(image(b"shared"), image(b"named"), image(b"lost")), "v1")
    await push_manifest(node, index(image(b"shared")), "v2")
    await delete(node, whole)
    await collect_after(world, 2 * WINDOW)
    assert [await has(node, one) for one in (shared, named, lost)] == [True, True, False]


async def test_what_belonged_to_something_that_went_stays_while_it_is_pulled(world, node):
    child = await push_image(node, b"one", tags=())
    whole = await push_manifest(node, index(image(b"one")), "v1")
    await delete(node, whole)
    world.clock.move(WINDOW - DAY)
    await change(node, manifests, {"pulled_at": world.clock.now()}, digest=child)
    await collect_after(world, 20 * DAY)
    assert not await count(node, "manifests", f"digest = '{whole}'")
    assert await has(node, child)
    await collect_after(world, 10 * DAY)
    assert not await has(node, child)


def signature(of):
    return image(
        config=b"{}",
        subject={"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest_of(of), "size": len(of)},
    )


async def test_what_is_attached_goes_with_what_it_is_attached_to(world, node):
    subject = await push_image(node, LAYER)
    attached = await push_manifest(node, signature(image(LAYER)))
    deeper = await push_manifest(node, signature(signature(image(LAYER))))
    await keep_untagged(node, DAY)
    await collect_after(world, 100 * DAY)
    assert await has(node, attached)
    assert await has(node, deeper)
    await keep_untagged(node, None)
    await delete(node, subject)
    await collect_after(world, WINDOW)
    assert await count(node, "manifests") == 0
    assert objects(node.store) == set()


async def test_something_that_was_attached_and_deleted_goes_although_its_subject_stays(world, node):
    subject = await push_image(node, LAYER)
    attached = await push_manifest(node, signature(image(LAYER)))
    await delete(node, attached)
    await collect_after(world, WINDOW)
    assert await count(node, "manifests", f"digest = '{attached}'") == 0
    assert await has(node, subject)


async def test_what_was_purged_goes_at_once_with_its_parts(world, node):
    await push_image(node, b"one", tags=())
    whole = await push_manifest(node, index(image(b"one")), "v1")
    world.clock.move(LEASE)
    await delete(node, whole)
    await change(node, manifests, {"purged_at": world.clock.now()}, digest=whole)
    await collect_after(world, DAY)
    assert await count(node, "manifests") == 0
    assert objects(node.store) == set()


async def test_a_part_that_is_pushed_again_a_moment_after_the_whole_was_deleted_stays(world, node):
    part = await push_image(node, b"one", tags=())
    whole = await push_manifest(node, index(image(b"one")), "v1")
    world.clock.move(1)
    await delete(node, whole)
    world.clock.move(1)
    await push_manifest(node, image(b"one"))
    await collect_after(world, WINDOW + DAY)
    assert await has(node, part)
    assert not await has(node, whole)


async def test_what_was_deleted_by_its_digest_and_purged_goes_although_it_was_just_pushed(world, node):
    await push_blob(node, b"a password")
    await node.blobs.delete(node.registry, NAME, digest_of(b"a password"))
    await node.trash.purge(node.registry, Trashed(repository=NAME, digest=digest_of(b"a password")), ACTOR)
    await collect_after(world, HOUR)
    assert objects(node.store) == set()


async def test_a_deleted_repository_goes_with_everything_in_it(world, node):
    for number in range(3):
        await push_image(node, LAYER, b"%d" % number, tags=(f"v{number}",))
    await push_manifest(node, index(image(LAYER, b"1")), "all")
    await push_blob(node, b"left over")
    await node.uploads.start(node.registry, NAME, None, ACTOR)
    await push_image(node, LAYER, name=OTHER)
    await node.repositories.delete(node.registry, NAME, ACTOR)
    await collect_after(world, WINDOW - 3 * HOUR)
    assert await count(node, "repositories") == 2
    assert len(objects(node.store)) == 6
    await collect_after(world, 4 * HOUR)
    assert await count(node, "repositories") == 1
    assert await count(node, "tag_history", "repository_id = 1") == await count(node, "uploads") == 0
    assert await read_blob(node, digest_of(LAYER), OTHER) == LAYER
    assert len(objects(node.store)) == 2


async def test_a_repository_is_taken_apart_in_steps_and_never_comes_back_in_part(world, node):
    await push_image(node, LAYER)
    await node.repositories.delete(node.registry, NAME, ACTOR)
    world.clock.move(WINDOW)
    assert await node.reviews.collect_repositories(1) == 1
    assert await count(node, "repositories", "purged_at IS NOT NULL") == 1
    with pytest.raises(Exception, match="come back"):
        await node.repositories.restore(node.registry, NAME, ACTOR)
    await collect_after(world, DAY)
    assert await count(node, "repositories") == 0


async def test_every_table_of_a_repository_is_emptied_or_goes_with_its_row():
    """A table that somebody adds must not stand in the way of a repository's end."""
    emptied = {"tags", "manifest_references", "tag_history", "manifests", "uploads", "repository_blobs", "blob_reviews"}
    for table in repositories.metadata.tables.values():
        for key in table.foreign_keys:
            if key.column.table is repositories:
                assert table.name in emptied or key.ondelete == "CASCADE", table.name


@pytest.mark.parametrize("state", ["missing", "quarantined"])
async def test_a_blob_whose_bytes_are_bad_goes_like_any_other(world, node, state):
    digest = await push_blob(node, LAYER)
    await node.database.write(lambda c: c.execute(text(f"UPDATE blobs SET state = '{state}'")) and None)
    await collect_after(world, LEASE)
    assert await count(node, "blobs") == 0
    assert objects(node.store) == set()
    assert await push_blob(node, LAYER) == digest


async def test_a_blob_whose_bytes_are_bad_stays_while_a_manifest_needs_it_and_a_push_repairs_it(world, node):
    await push_image(node, LAYER)
    await node.database.write(lambda c: c.execute(text("UPDATE blobs SET state = 'quarantined'")) and None)
    await collect_after(world, 100 * DAY)
    assert await count(node, "blobs") == 2
    await push_blob(node, LAYER)
    assert await read_blob(node, digest_of(LAYER)) == LAYER


async def test_an_index_of_thousands_is_taken_away_in_steps(world, node, monkeypatch):
    monkeypatch.setattr(rows, "AT_ONCE", 2)
    layers = [b"%d" % number for number in range(5)]
    for layer in layers:
        await push_image(node, layer, tags=())
    whole = await push_manifest(node, index(*map(image, layers)), "v1")
    await delete(node, whole)
    await collect_after(world, WINDOW)
    assert await count(node, "manifests") == 0


async def test_each_removal_is_an_event_with_its_reason(world, node):
    digest = await push_image(node, LAYER)
    await delete(node, digest)
    await collect_after(world, WINDOW)
    found = await node.database.read(
        lambda c: c.execute(events.select().where(events.c.action == "manifest.collected")).mappings().all()
    )
    (event,) = found
    assert (event["repository"], event["digest"], event["principal"]) == (NAME, digest, "system")
    assert event["detail"] == "it was deleted on 2023-11-14, and its time in the trash is over"


async def test_one_that_cannot_be_judged_stops_no_other_and_is_tried_later_and_later(world, node, monkeypatch):
    bad = await push_blob(node, b"bad")
    await push_blob(node, b"good")
    judge = rows.blob_facts

    def facts(connection, repository_id, blob_id):
        found = judge(connection, repository_id, blob_id)
        if found is not None and found.digest == bad:
            message = "odd"
            raise ValueError(message)
        return found

    monkeypatch.setattr(rows, "blob_facts", facts)
    world.clock.move(LEASE)
    await collect(node)
    assert await count(node, "blobs") == 1
    pauses = []
    for _ in range(3):
        due = await node.database.read(lambda c: c.execute(text("SELECT due_at FROM blob_reviews")).scalar())
        pauses.append((due - world.clock.now()) // SECOND)
        world.clock.move(due - world.clock.now())
        await collect(node)
    assert pauses == [120, 240, 480]
    monkeypatch.setattr(rows, "blob_facts", judge)
    await collect_after(world, DAY)
    assert await count(node, "blobs") == 0


async def test_bytes_that_cannot_be_removed_stop_no_others(world, node):
    for content in (b"one", b"two", b"three"):
        await push_blob(node, content)
    world.clock.move(LEASE)
    await collect(node)
    world.clock.move(2 * HOUR)
    keys = sorted(objects(node.store))
    inner = node.store.delete

    async def fail(key):
        if key == keys[0]:
            message = "no"
            raise StoreUnavailable(message)
        await inner(key)

    node.store.delete = fail
    await collect(node)
    assert sorted(objects(node.store)) == keys[:1]
    node.store.delete = inner
    await collect_after(world, DAY)
    assert objects(node.store) == set()


async def test_a_collector_that_died_holds_its_reviews_for_a_short_time_only(world, node):
    await push_blob(node, LAYER)
    world.clock.move(LEASE)
    monkey = node.reviews._settle

    async def die(*_):
        raise KeyboardInterrupt

    node.reviews._settle = die
    with pytest.raises(KeyboardInterrupt):
        await node.reviews.review_blobs(100)
    node.reviews._settle = monkey
    other = world.node()
    assert await other.reviews.review_blobs(100) == 0
    world.clock.move(CLAIM)
    assert await other.reviews.review_blobs(100) == 1
    assert await count(node, "blobs") == 0


async def test_nothing_is_collected_while_the_registry_is_read_only(world, node):
    await push_blob(node, LAYER)
    await keep_untagged(node, DAY)
    world.clock.move(LEASE)
    idle = world.node(read_only=True)
    assert await collect(idle) == 0
    assert idle.reviews.standing_still() == "the registry is read-only"
    assert await count(node, "blobs") == 1


async def test_after_the_clock_jumped_nothing_is_collected_for_as_long_as_it_jumped(world, node):
    digest = await push_blob(node, LAYER)
    assert node.reviews.standing_still() is None
    world.clock.jump(DAY)
    assert await collect(node) == 0
    assert "jumped by +86400 seconds" in node.reviews.standing_still()
    world.clock.move(DAY - SECOND)
    assert await collect(node) == 0
    assert await read_blob(node, digest) == LAYER
    world.clock.move(SECOND)
    assert await collect(node) == 1
    assert await count(node, "blobs") == 0


async def test_a_clock_that_jumps_back_is_believed_again(world, node):
    await push_blob(node, LAYER)
    node.reviews.standing_still()
    world.clock.jump(-DAY)
    assert node.reviews.standing_still() is not None
    world.clock.jump(DAY)
    assert node.reviews.standing_still() is None


async def test_a_clock_that_is_set_right_step_by_step_is_believed(world, node):
    for _ in range(100):
        world.clock.move(30 * SECOND)
        world.clock.jump(30 * SECOND)
        assert node.reviews.standing_still() is None


async def test_the_same_blob_in_many_repositories_is_reviewed_in_one(world, node):
    """Work is proportional to what changed: a base layer that is everywhere is not looked for everywhere."""
    for number in range(20):
        await push_image(node, LAYER, name=f"acme/app-{number}")
    await collect_after(world, LEASE)
    gone = await node.manifests.find(node.registry, "acme/app-7", "v1")
    await delete(node, gone.digest, "acme/app-7")
    world.clock.move(WINDOW)
    assert await node.reviews.review_manifests(100) == 1
    assert await node.reviews.review_blobs(100) == 2
    assert await count(node, "repository_blobs") == 38
