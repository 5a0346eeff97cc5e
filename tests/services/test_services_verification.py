# SPDX-License-Identifier: Apache-2.0
"""Verification finds whatever was done to bytes and rows, and nothing else; what it finds is not served."""

import asyncio

import pytest
from sqlalchemy import delete, insert, select, text, update

from tests.services.damage import (
    change,
    cut,
    damage,
    damage_manifest,
    flip,
    gone,
    key_of,
    longer,
    put_bytes,
    state_of,
    zero,
)
from tests.services.world import (
    ACTOR,
    ANY,
    NAME,
    OTHER,
    body,
    image,
    index,
    push_blob,
    push_image,
    push_manifest,
    read_blob,
)
from wharfinger.blobstore.base import checked_key, ingest_key
from wharfinger.clock import DAY, HOUR, SECOND
from wharfinger.domain.digests import Algorithm, digest_of
from wharfinger.domain.errors import BlobUnknown, ManifestBlobUnknown, ManifestUnknown, StoreUnavailable, UpkeepBusy
from wharfinger.domain.verification import Kind, Phase, Scope
from wharfinger.metadata import verification as rows
from wharfinger.metadata.schema import blobs, events, manifest_references, manifests, tag_history, tombstones
from wharfinger.services.examination import ORPHAN_DELAY
from wharfinger.services.pace import Pace
from wharfinger.services.verification import CLAIM

EVERYTHING = Scope()
NO_ANSWER = "a fault of the disk"


async def verify(node, scope=EVERYTHING, **options):
    """Verify, and return the report with the findings as pairs of kind and what."""
    report = await node.verification.run(node.registry, scope, ACTOR, **options)
    found = [finding async for finding in node.verification.findings(report.run)]
    return report, [(finding.kind, finding.what) for finding in found]


async def actions(node):
    """Return the events of verification."""
    found = await node.database.read(
        lambda c: c.execute(select(events.c.action).where(events.c.action.like("content.%"))).scalars().all()
    )
    return list(found)


async def test_a_sound_registry_has_no_findings(node):
    await push_image(node, b"one", b"two")
    await push_image(node, b"two", b"three", tags=("v2",), name=OTHER)
    report, found = await verify(node)
    assert found == []
    assert report.is_complete
    tally = report.run.tally
    assert (tally.blobs, tally.manifests, tally.tags, tally.objects, tally.healed) == (4, 2, 2, 6, 0)
    assert tally.bytes == len(b"onetwothree{}")


async def test_an_empty_registry_is_sound(node):
    report, found = await verify(node)
    assert found == []
    assert report.is_complete


@pytest.mark.parametrize("harm", [flip, cut, zero, longer])
async def test_wrong_bytes_are_quarantined_and_answer_as_if_they_were_not_there(node, harm):
    await push_image(node, b"layer")
    digest = digest_of(b"layer")
    await damage(node, digest, harm)
    _, found = await verify(node)
    assert found == [(Kind.BLOB_DAMAGED, digest)]
    assert await state_of(node, digest) == "quarantined"
    assert await actions(node) == ["content.damaged"]
    with pytest.raises(BlobUnknown):
        await node.blobs.stat(node.registry, NAME, digest)


async def test_bytes_that_are_gone_are_missing(node):
    await push_image(node, b"layer")
    digest = digest_of(b"layer")
    await damage(node, digest, gone)
    _, found = await verify(node)
    assert found == [(Kind.BLOB_MISSING, digest)]
    assert await state_of(node, digest) == "missing"


async def test_a_finding_says_which_images_need_the_blob_and_what_repairs_it(node):
    await push_image(node, b"layer", tags=("v1", "v2"))
    await damage(node, digest_of(b"layer"), gone)
    report, _ = await verify(node)
    (finding,) = [one async for one in node.verification.findings(report.run)]
    assert "needed by acme/app:v1" in finding.detail
    assert "push the image again" in finding.remedy


async def test_a_key_that_was_renamed_is_a_missing_blob_and_an_orphan(node):
    await push_image(node, b"layer")
    digest = digest_of(b"layer")
    key = await key_of(node, digest)
    await damage(node, digest, gone)
    put_bytes(node.store, f"{key}-renamed", b"layer")
    _, found = await verify(node)
    assert sorted(found) == [(Kind.BLOB_MISSING, digest), (Kind.ORPHAN, f"{key}-renamed")]


async def test_a_blob_in_memory_of_another_node_is_not_served_once_it_was_found_damaged(world, node):
    other = world.node()
    await push_image(node, b"small")
    digest = digest_of(b"small")
    assert await read_blob(other, digest) == b"small"
    await damage(node, digest, flip)
    await verify(node)
    with pytest.raises(BlobUnknown):
        await read_blob(other, digest)


async def test_a_second_push_repairs_a_blob(node):
    await push_image(node, b"layer")
    digest = digest_of(b"layer")
    await damage(node, digest, flip)
    await verify(node)
    with pytest.raises(ManifestBlobUnknown):
        await push_manifest(node, image(b"layer"), "v2")
    await push_image(node, b"layer", tags=("v1", "v2"))
    assert await read_blob(node, digest) == b"layer"
    assert (await verify(node))[1] == []


async def test_bytes_that_were_put_back_are_served_again(node):
    await push_image(node, b"layer")
    digest, lost = digest_of(b"layer"), digest_of(b"{}")
    await damage(node, digest, flip)
    await damage(node, lost, gone)
    await verify(node)
    put_bytes(node.store, await key_of(node, digest), b"layer")
    put_bytes(node.store, await key_of(node, lost), b"{}")
    report, found = await verify(node)
    assert (found, report.run.tally.healed) == ([], 2)
    assert await read_blob(node, digest) == b"layer"
    assert (await actions(node))[-2:] == ["content.healed", "content.healed"]


async def test_what_stays_damaged_is_found_every_time_and_told_once(node):
    await push_image(node, b"layer")
    await damage(node, digest_of(b"layer"), flip)
    assert (await verify(node))[1] == (await verify(node))[1] != []
    assert await actions(node) == ["content.damaged"]


async def test_the_bytes_of_a_sha512_blob_are_held_against_sha512(node):
    content = b"layer"
    digest = digest_of(content, Algorithm.SHA512)
    await node.uploads.push(node.registry, NAME, digest, ANY, body(content), ACTOR)
    assert (await verify(node))[1] == []
    await damage(node, digest, flip)
    assert (await verify(node))[1] == [(Kind.BLOB_DAMAGED, digest)]


async def test_a_wrong_size_in_a_row_is_put_right_from_the_bytes(node):
    await push_image(node, b"layer")
    digest = digest_of(b"layer")
    await change(node, update(blobs).where(blobs.c.digest == digest).values(size=7))
    assert (await verify(node))[1] == [(Kind.BLOB_SIZE, digest)]
    assert await read_blob(node, digest) == b"layer"
    assert (await verify(node))[1] == []


async def test_a_tombstone_for_bytes_that_a_blob_needs_is_taken_back(world, node):
    await push_image(node, b"layer")
    digest = digest_of(b"layer")
    key = await key_of(node, digest)
    await change(node, insert(tombstones).values(registry_id=1, store_key=key, not_before=0, attempts=0, created_at=0))
    assert (await verify(node))[1] == [(Kind.BLOB_DOOMED, digest)]
    await node.collection.bury(100)
    assert await read_blob(node, digest) == b"layer"
    await world.assert_sound()


async def test_when_bytes_were_read_is_noted(world, node):
    await push_image(node, b"layer")
    world.clock.move(DAY)
    await verify(node)
    seen = await node.database.read(lambda c: set(c.execute(select(blobs.c.verified_at)).scalars()))
    assert seen == {world.clock.now()}


async def test_a_damaged_manifest_is_not_served_anywhere_until_it_is_pushed_again(world, node):
    other = world.node()
    content = image(b"layer")
    digest = await push_image(node, b"layer")
    stored = await other.manifests.find(other.registry, NAME, "v1")
    assert await other.manifests.content(stored) == content
    await damage_manifest(node, digest, content.replace(b"layers", b"strata"))
    _, found = await verify(node)
    assert found == [(Kind.MANIFEST_DAMAGED, f"{NAME}@{digest}")]
    for reference in ("v1", digest):
        with pytest.raises(ManifestUnknown):
            await other.manifests.find(other.registry, NAME, reference)
    await push_manifest(node, content, "v1")
    assert await other.manifests.content(await other.manifests.find(other.registry, NAME, "v1")) == content
    assert (await verify(node))[1] == []
    await world.assert_sound()


async def test_a_manifest_whose_bytes_came_back_is_served_again(node):
    content = image(b"layer")
    digest = await push_image(node, b"layer")
    await damage_manifest(node, digest, b"{}")
    await verify(node)
    await damage_manifest(node, digest, content)
    report, found = await verify(node)
    assert (found, report.run.tally.healed) == ([], 1)
    await node.manifests.find(node.registry, NAME, "v1")


EDGE_HARMS = {
    "lost": lambda: delete(manifest_references).where(manifest_references.c.position == 1),
    "opened": lambda: update(manifest_references).where(manifest_references.c.position == 1).values(blob_id=None),
    "other size": lambda: update(manifest_references).where(manifest_references.c.position == 1).values(size=1),
    "other type": lambda: update(manifest_references).values(media_type="text/plain"),
    "led elsewhere": lambda: (
        update(manifest_references)
        .where(manifest_references.c.position == 1)
        .values(blob_id=select(blobs.c.id).where(blobs.c.digest == digest_of(b"{}")).scalar_subquery())
    ),
    "row size": lambda: update(manifests).values(size=1),
    "row type": lambda: update(manifests).values(media_type="application/vnd.oci.image.index.v1+json"),
    "artifact type": lambda: update(manifests).values(artifact_type="text/plain"),
    "subject": lambda: update(manifests).values(subject_digest=digest_of(b"nothing")),
    "referrer": lambda: update(manifests).values(referrer="{}"),
}


@pytest.mark.parametrize("harm", EDGE_HARMS)
async def test_rows_that_disagree_with_a_sound_manifest_are_made_from_it_again(world, node, harm):
    digest = await push_image(node, b"layer")
    before = await edges(node)
    await change(node, EDGE_HARMS[harm]())
    assert (await verify(node))[1] == [(Kind.MANIFEST_FACTS, f"{NAME}@{digest}")]
    assert await edges(node) == before
    assert (await verify(node))[1] == []
    await world.assert_sound()


async def edges(node):
    def read(connection):
        rows = connection.execute(select(manifest_references).order_by(manifest_references.c.position)).all()
        return [tuple(row) for row in rows], tuple(
            connection.execute(
                select(manifests.c.size, manifests.c.media_type, manifests.c.artifact_type, manifests.c.subject_digest)
            ).one()
        )

    return await node.database.read(read)


async def test_indexes_with_children_here_and_elsewhere_are_sound(node):
    child = image(b"layer")
    await push_image(node, b"layer")
    await push_manifest(node, index(child, b"elsewhere"), "all")
    await push_manifest(node, image(b"layer", subject={"mediaType": "a/b", "digest": digest_of(child), "size": 3}))
    assert (await verify(node))[1] == []


async def test_a_deleted_image_is_verified_in_the_trash_and_no_finding(node):
    digest = await push_image(node, b"layer")
    await node.manifests.delete(node.registry, NAME, digest, ACTOR)
    report, found = await verify(node)
    assert (found, report.run.tally.manifests) == ([], 1)


async def test_a_blob_that_was_hidden_below_a_live_image_makes_it_incomplete(node):
    digest = await push_image(node, b"layer")
    await change(node, text("UPDATE repository_blobs SET unlinked_at = 1"))
    assert (await verify(node))[1] == [(Kind.MANIFEST_INCOMPLETE, f"{NAME}@{digest}")]


async def test_a_tag_whose_history_ends_elsewhere_is_found(node):
    await push_image(node, b"layer")
    await change(node, update(tag_history).values(to_digest=digest_of(b"other")))
    assert (await verify(node))[1] == [(Kind.TAG_HISTORY, f"{NAME}:v1")]


async def test_a_tag_that_leads_to_a_deleted_manifest_is_found(node):
    await push_image(node, b"layer")
    await change(node, update(manifests).values(deleted_at=1))
    assert (Kind.TAG_ASTRAY, f"{NAME}:v1") in (await verify(node))[1]


async def test_many_tags_are_read_in_batches(node, monkeypatch):
    monkeypatch.setattr("wharfinger.services.verification_steps._TAGS", 2)
    await push_image(node, b"layer", tags=[f"v{number}" for number in range(5)])
    await push_image(node, b"layer", tags=["a", "b", "c"], name=OTHER)
    await change(node, update(tag_history).where(tag_history.c.name == "v4").values(to_digest=None))
    report, found = await verify(node)
    assert (report.run.tally.tags, found) == (8, [(Kind.TAG_HISTORY, f"{NAME}:v4")])


async def test_an_object_that_no_row_names_is_reported_and_left_alone(node):
    put_bytes(node.store, ingest_key("ff-stray"), b"stray")
    assert (await verify(node))[1] == [(Kind.ORPHAN, "ff/ff-stray")]
    assert await node.store.stat(checked_key("ff/ff-stray")) == 5


async def test_unfinished_bytes_that_no_row_names_are_reported(node):
    writer = await node.store.begin(ingest_key("ff-stray"))
    await writer.write([b"stray"])
    await writer.checkpoint()
    await writer.close()
    assert (await verify(node))[1] == [(Kind.ORPHAN, "ff/ff-stray")]


async def test_uploads_under_way_and_tombstones_are_no_orphans(world, node):
    status = await node.uploads.start(node.registry, NAME, Algorithm.SHA256, ACTOR)
    await node.uploads.append(node.registry, NAME, status.id, ANY, body(b"some"))
    await push_blob(node, b"layer")
    await push_blob(node, b"layer", OTHER)
    report, found = await verify(node)
    assert (found, report.run.tally.objects) == ([], 3)
    await world.assert_sound()


async def test_orphans_are_buried_only_when_asked_and_only_after_a_week(world, node):
    put_bytes(node.store, ingest_key("ff-stray"), b"stray")
    await verify(node, bury_orphans=True)
    world.clock.move(ORPHAN_DELAY - HOUR)
    assert await node.collection.bury(100) == 0
    world.clock.move(2 * HOUR)
    assert await node.collection.bury(100) == 1
    assert [key async for key in node.store.keys("")] == []


async def test_only_one_repository_is_looked_at_when_it_is_named(node):
    await push_image(node, b"one")
    await push_image(node, b"two", name=OTHER)
    await damage(node, digest_of(b"one"), flip)
    report, found = await verify(node, Scope(repository=OTHER))
    assert (found, report.run.tally.blobs, report.run.tally.manifests) == ([], 2, 1)
    assert (await verify(node, Scope(repository=NAME)))[1] == [(Kind.BLOB_DAMAGED, digest_of(b"one"))]


async def test_only_one_digest_is_looked_at_when_it_is_named(node):
    digest = await push_image(node, b"one", b"two")
    report, found = await verify(node, Scope(digest=digest_of(b"one")))
    assert (found, report.run.tally.blobs, report.run.tally.manifests) == ([], 1, 0)
    report, found = await verify(node, Scope(digest=digest))
    assert (found, report.run.tally.blobs, report.run.tally.manifests) == ([], 0, 1)


async def test_only_what_is_young_is_looked_at_when_a_time_is_named(world, node):
    await push_image(node, b"old")
    world.clock.move(DAY)
    await push_image(node, b"new", tags=("v2",))
    report, _ = await verify(node, Scope(since=world.clock.now()))
    assert (report.run.tally.blobs, report.run.tally.manifests, report.run.tally.tags) == (1, 1, 1)


async def test_a_second_start_goes_on_where_the_first_one_stopped(node):
    for number in range(5):
        await push_blob(node, b"layer %d" % number)
    seen = []
    report, _ = await verify(node, stop=lambda: bool(seen and seen[-1].tally.blobs >= 3), progress=seen.append)
    assert not report.is_complete
    assert (report.run.phase, report.run.tally.blobs) == (Phase.BLOBS, 3)
    resumed = []
    report, _ = await verify(node, progress=resumed.append)
    assert report.is_complete
    assert resumed[0].tally.blobs == 4
    assert report.run.tally.blobs == 5


async def test_one_that_is_stopped_from_elsewhere_ends_soon_and_goes_on_where_it_was(world, node):
    for number in range(5):
        await push_blob(node, b"layer %d" % number)
    reading = asyncio.Event()

    async def stop_it():
        await reading.wait()
        (going,) = await node.verification.unfinished(node.registry)
        assert going.is_working
        stopped = await node.verification.stop(node.registry, going.run.id, ACTOR)
        world.clock.move(2 * SECOND)
        return stopped

    def tell(run):
        if run.phase is Phase.BLOBS:
            reading.set()

    # at a byte a second, the first layer takes seven: it is the wait for the pace that is broken off
    slowly = node.verification.run(node.registry, EVERYTHING, ACTOR, rate=1, progress=tell)
    async with asyncio.timeout(25):
        report, stopped = await asyncio.gather(slowly, stop_it())
    assert stopped.is_stopped
    assert (report.is_stopped, report.is_complete) == (True, False)
    (left,) = await node.verification.unfinished(node.registry)
    assert (left.is_stopped, left.is_working) == (True, False)
    report, _ = await verify(node)
    assert (report.run.id, report.is_complete, report.is_stopped) == (left.run.id, True, False)
    assert report.run.tally.blobs == 5
    again = await node.verification.stop(node.registry, left.run.id, ACTOR)
    assert (again.is_complete, again.is_stopped) == (True, False)


async def test_what_was_stopped_in_the_background_rests_until_it_is_ordered_or_due_again(world, node):
    await push_blob(node, b"layer")
    run = (await node.verification.order(node.registry, ACTOR)).run

    async def work():
        await node.verification.work(node.registry, interval=DAY, rate=None, stop=lambda: False)
        return (await node.verification.get(node.registry, run.id)).is_complete

    await node.verification.stop(node.registry, run.id, ACTOR)
    assert not await work()
    world.clock.move(DAY - SECOND)
    assert not await work()
    world.clock.move(SECOND)
    assert await work()


async def test_what_was_stopped_in_the_background_goes_on_with_the_next_order(node):
    run = (await node.verification.order(node.registry, ACTOR)).run
    await node.verification.stop(node.registry, run.id, ACTOR)
    ordered = await node.verification.order(node.registry, ACTOR)
    assert (ordered.run.id, ordered.is_stopped) == (run.id, False)
    await node.verification.work(node.registry, interval=DAY, rate=None, stop=lambda: False)
    assert (await node.verification.get(node.registry, run.id)).is_complete


async def test_a_restart_begins_at_the_top(node):
    for number in range(3):
        await push_blob(node, b"layer %d" % number)
    seen = []
    await verify(node, stop=lambda: bool(seen and seen[-1].tally.blobs >= 2), progress=seen.append)
    seen.clear()
    await verify(node, restart=True, progress=seen.append)
    assert next(run for run in seen if run.tally.blobs).tally.blobs == 1


async def test_what_was_found_before_an_interruption_is_in_the_report(node):
    for number in range(3):
        await push_blob(node, b"layer %d" % number)
    await damage(node, digest_of(b"layer 0"), flip)
    seen = []
    await verify(node, stop=lambda: bool(seen and seen[-1].tally.blobs >= 2), progress=seen.append)
    assert (await verify(node))[1] == [(Kind.BLOB_DAMAGED, digest_of(b"layer 0"))]


async def test_a_process_that_dies_leaves_its_findings_and_its_claim_ends(world, node):
    await push_blob(node, b"layer")
    await damage(node, digest_of(b"layer"), flip)

    class Dead(BaseException):
        pass

    def die(run):
        if run.tally.blobs:
            raise Dead

    release, rows.release = rows.release, lambda *_: None
    try:
        with pytest.raises(Dead):
            await verify(node, progress=die)
    finally:
        rows.release = release
    with pytest.raises(UpkeepBusy):
        await verify(node)
    world.clock.move(CLAIM)
    assert (await verify(node))[1] == [(Kind.BLOB_DAMAGED, digest_of(b"layer"))]


async def test_a_store_that_does_not_answer_marks_nothing(node, monkeypatch):
    await push_image(node, b"layer")

    async def fail(*_):
        raise StoreUnavailable(NO_ANSWER)

    monkeypatch.setattr(node.store, "stat", fail)
    monkeypatch.setattr(node.store, "check", fail)
    with pytest.raises(StoreUnavailable):
        await verify(node)
    assert await state_of(node, digest_of(b"layer")) == "live"


async def test_a_blob_that_cannot_be_read_is_reported_and_stays_as_it_was(node, monkeypatch):
    await push_image(node, b"layer")
    bad, stat = await key_of(node, digest_of(b"layer")), node.store.stat

    async def fail(key):
        if key == bad:
            raise StoreUnavailable(NO_ANSWER)
        return await stat(key)

    monkeypatch.setattr(node.store, "stat", fail)
    assert (await verify(node))[1] == [(Kind.BLOB_UNREADABLE, digest_of(b"layer"))]
    assert await state_of(node, digest_of(b"layer")) == "live"


async def test_a_blob_that_was_collected_while_it_was_read_is_no_finding(node, monkeypatch):
    await push_blob(node, b"layer")
    stat = node.store.stat

    async def collect_first(key):
        monkeypatch.setattr(node.store, "stat", stat)
        await change(node, text("DELETE FROM repository_blobs"), text("DELETE FROM blobs"))
        await node.store.delete(key)
        return await stat(key)

    monkeypatch.setattr(node.store, "stat", collect_first)
    assert (await verify(node))[1] == []


async def test_a_blob_that_was_repaired_while_it_was_read_is_no_finding(node, monkeypatch):
    digest = await push_blob(node, b"layer")
    await damage(node, digest, gone)
    stat = node.store.stat

    async def repair_first(key):
        monkeypatch.setattr(node.store, "stat", stat)
        try:
            return await stat(key)
        finally:
            with pytest.raises(BlobUnknown):
                await read_blob(node, digest)
            await push_blob(node, b"layer")

    monkeypatch.setattr(node.store, "stat", repair_first)
    assert (await verify(node))[1] == []
    assert await read_blob(node, digest) == b"layer"


async def test_verification_under_pushes_and_deletes_raises_no_false_alarm(world, node):
    other, stop = world.node(), asyncio.Event()

    async def load():
        number = 0
        while not stop.is_set():
            number += 1
            digest = await push_image(other, b"layer %d" % number, b"shared", tags=(f"v{number % 3}",))
            if number % 2:
                await other.manifests.delete(other.registry, NAME, digest, ACTOR)
            await other.collection.bury(100)

    async def check():
        try:
            for _ in range(5):
                assert (await verify(node))[1] == []
        finally:
            stop.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(load())
        group.create_task(check())


async def test_the_job_verifies_everything_once_in_an_interval(world, node):
    await push_image(node, b"layer")
    work = {"interval": DAY, "rate": None, "stop": lambda: False}
    await node.verification.work(node.registry, **work)
    await damage(node, digest_of(b"layer"), flip)
    assert await node.verification.work(node.registry, **work) == 0
    world.clock.move(DAY)
    assert await node.verification.work(node.registry, **work) == 1
    assert await state_of(node, digest_of(b"layer")) == "quarantined"


async def test_two_nodes_do_not_do_the_job_twice(world, node):
    other = world.node()
    await push_image(node, b"layer")
    reads, stat = [], node.store.stat

    async def count(key):
        reads.append(key)
        await asyncio.sleep(0.05)
        return await stat(key)

    node.store.stat = other.store.stat = count
    try:
        async with asyncio.TaskGroup() as group:
            for one in (node, other):
                group.create_task(
                    one.verification.work(one.registry, interval=DAY, rate=None, stop=lambda: False), name="work"
                )
    finally:
        node.store.stat = other.store.stat = stat
    assert len(reads) == len(set(reads)) == 2


async def test_a_verification_by_hand_does_not_wait_for_the_job(node):
    await push_image(node, b"layer")
    await node.verification.work(node.registry, interval=DAY, rate=None, stop=lambda: False)
    report, _ = await verify(node)
    assert report.run.tally.blobs == 2


async def test_of_older_verifications_only_the_last_is_kept(node):
    for _ in range(4):
        await verify(node)
    count = await node.database.read(lambda c: c.execute(text("SELECT count(*) FROM verifications")).scalar())
    assert count == 2


async def test_no_more_bytes_are_read_than_the_rate_allows(world):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)
        world.clock.move(int(seconds * SECOND))

    pace = Pace(1000, world.clock, sleep)
    for _ in range(4):
        await pace.pay(1000)
    assert sum(slept) == pytest.approx(4)
    assert max(slept) <= 0.5


async def test_a_pause_for_the_rate_ends_when_the_work_is_to_stop(world):
    async def sleep(_seconds):
        raise AssertionError

    await Pace(1, world.clock, sleep).pay(10**9, lambda: True)
