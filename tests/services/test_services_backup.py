# SPDX-License-Identifier: Apache-2.0
"""A backup of a running registry, and what it brings back, on each database and from each into the other."""

import asyncio
import json

import pytest
import pytest_asyncio
from sqlalchemy import insert, select

from tests.metadata.rows import every
from tests.services.damage import change, damage, flip, get_bytes, gone, key_of, put_bytes, state_of
from tests.services.people import users
from tests.services.world import (
    ACTOR,
    ANY,
    NAME,
    OTHER,
    World,
    body,
    image,
    push_blob,
    push_image,
    push_manifest,
    read_blob,
)
from wharfinger.blobstore.base import checked_key
from wharfinger.blobstore.filesystem import FilesystemBlobStore
from wharfinger.blobstore.memory import MemoryBlobStore
from wharfinger.clock import HOUR, SECOND
from wharfinger.domain.backups import BackupUnfit, blob_key, page_key, piece_key
from wharfinger.domain.digests import Algorithm, digest_of
from wharfinger.domain.errors import BlobUnknown, StoreUnavailable, UpkeepBusy
from wharfinger.domain.verification import Scope
from wharfinger.metadata import migrations
from wharfinger.metadata.dump import DumpUnfit, Loader
from wharfinger.metadata.schema import LEFT_OUT, metadata, tombstones
from wharfinger.services.archive import Archive
from wharfinger.services.backup import HOLD, HoldEnded, _Hold
from wharfinger.services.restoration import Restoration

NO_ANSWER = "a fault of the disk"
EMPTY = [
    f"DELETE FROM {table}"
    for table in (
        "tag_history",
        "tags",
        "manifest_reviews",
        "manifest_references",
        "manifests",
        "blob_reviews",
        "repository_blobs",
        "blobs",
    )
]


@pytest.fixture
def folder(tmp_path):
    """A store of backups."""
    return FilesystemBlobStore(tmp_path / "backups", reserve=0, max_threads=2)


@pytest_asyncio.fixture
async def vault(folder):
    """The same, for as long as the test."""
    yield folder
    await folder.aclose()


INTO_EACH = pytest.mark.parametrize("elsewhere", ["sqlite", "postgresql"], indirect=True)


@pytest_asyncio.fixture(params=["sqlite"])
async def elsewhere(request, templates, tmp_path):
    """An empty deployment on another machine."""
    (tmp_path / "elsewhere").mkdir()
    place = templates.migrated(request.param, tmp_path / "elsewhere")
    made = World(place, tmp_path / "elsewhere" / "blobs")
    await made.first.store.check()
    yield made
    await made.aclose()
    await place.aclose()
    templates.drop(place)


async def back_up(node, store, *, keep=7, secret=None, **options):
    return await node.backups.make(store, ACTOR, secret=secret, keep=keep, **options)


async def restore(world, store, backup_id=None):
    """Restore into a deployment; returns what became of the bytes."""
    backup = await Archive(store).find(backup_id)
    restoration = Restoration(store, backup, world.clock)
    await restoration.check_pieces()
    outcome = await restoration.put_blobs({1: world.first.store})
    engine = world.place.engine()
    with Loader(engine, migrations.HEAD) as loader:
        await restoration.put_rows(loader, outcome)
    return outcome


async def rows_of(node):
    """Return every row that a backup has."""

    def read(connection):
        names = [name for name in metadata.tables if name not in LEFT_OUT]
        return {name: every(connection, metadata.tables[name]) for name in names}

    return await node.database.read(read)


async def findings(world):
    report = await world.first.verification.run(world.first.registry, Scope(), ACTOR)
    return [(one.kind, one.what) async for one in world.first.verification.findings(report.run)]


@INTO_EACH
async def test_what_is_restored_has_every_row_and_every_byte(node, vault, elsewhere):
    digest = await push_image(node, b"one", b"two")
    await push_image(node, b"two", b"three", tags=("v2", "v3"), name=OTHER)
    await push_manifest(node, image(b"one", subject={"mediaType": "a/b", "digest": digest, "size": 3}))
    await node.tags.delete(node.registry, NAME, "v1", ACTOR)
    await node.uploads.push(node.registry, NAME, digest_of(b"5", Algorithm.SHA512), ANY, body(b"5"), ACTOR)
    await users(node, "alice")
    before = await rows_of(node)
    backup, copied = await back_up(node, vault)
    assert (backup.blobs, copied.already, copied.damaged) == (5, 0, 0)
    outcome = await restore(elsewhere, vault)
    assert (outcome.copied.done, outcome.lost, outcome.moved) == (5, [], {})
    assert await rows_of(elsewhere.first) == before
    assert await read_blob(elsewhere.first, digest_of(b"three"), OTHER) == b"three"
    assert await findings(elsewhere) == []
    await elsewhere.assert_sound()


@INTO_EACH
async def test_a_restored_registry_takes_pushes_and_gives_no_id_twice(node, vault, elsewhere):
    await push_image(node, b"one")
    gone_digest = await push_image(node, b"two", tags=("v2",))
    before = await rows_of(node)
    highest = max(row["id"] for row in before["manifests"])
    await change(
        node,
        "DELETE FROM tag_history WHERE name = 'v2'",
        "DELETE FROM tags WHERE name = 'v2'",
        "DELETE FROM manifest_reviews",
        f"DELETE FROM manifests WHERE digest = '{gone_digest}'",
    )
    await back_up(node, vault)
    await restore(elsewhere, vault)
    await push_image(elsewhere.first, b"three", tags=("v3",))
    assert max(row["id"] for row in (await rows_of(elsewhere.first))["manifests"]) > highest


async def test_unfinished_uploads_are_left_out(node, vault, elsewhere):
    status = await node.uploads.start(node.registry, NAME, Algorithm.SHA256, ACTOR)
    await node.uploads.append(node.registry, NAME, status.id, ANY, body(b"some"))
    await back_up(node, vault)
    await restore(elsewhere, vault)
    assert await findings(elsewhere) == []


async def test_bytes_that_are_there_are_not_copied_again(node, vault):
    await push_image(node, b"one")
    await back_up(node, vault)
    await push_image(node, b"two", tags=("v2",))
    backup, copied = await back_up(node, vault)
    assert (backup.blobs, copied.already, copied.bytes) == (3, 2, len(b"two"))


async def test_an_empty_registry_can_be_backed_up_and_restored(node, vault, elsewhere):
    await back_up(node, vault)
    await restore(elsewhere, vault)
    assert await findings(elsewhere) == []


async def test_the_secret_is_brought_along(node, vault):
    await back_up(node, vault, secret=b"s" * 32)
    restoration = Restoration(vault, await Archive(vault).find(None), node.backups._clock)
    assert await restoration.secret() == b"s" * 32


async def test_a_backup_without_the_secret_has_none(node, vault):
    await back_up(node, vault)
    assert await Restoration(vault, await Archive(vault).find(None), node.backups._clock).secret() is None


async def test_no_key_that_signs_is_in_a_backup(node, vault):
    await change(
        node, "INSERT INTO signing_keys (kid, private_key, created_at, signs_from) VALUES ('k', 'sealed', 0, 0)"
    )
    backup, _ = await back_up(node, vault)
    assert "signing_keys" not in backup.rows


async def test_damaged_bytes_are_not_copied_and_are_named(node, vault, elsewhere):
    await push_image(node, b"one", b"two")
    await damage(node, digest_of(b"one"), flip)
    await damage(node, digest_of(b"two"), gone)
    backup, copied = await back_up(node, vault)
    assert (backup.damaged, set(copied.named)) == (2, {digest_of(b"one"), digest_of(b"two")})
    outcome = await restore(elsewhere, vault)
    assert set(outcome.lost) == {(1, digest_of(b"one")), (1, digest_of(b"two"))}
    assert await state_of(elsewhere.first, digest_of(b"one")) == "missing"
    with pytest.raises(BlobUnknown):
        await read_blob(elsewhere.first, digest_of(b"one"))
    await push_image(elsewhere.first, b"one", b"two")
    assert await findings(elsewhere) == []


async def test_bytes_that_cannot_be_read_do_not_stop_the_backup(node, vault, monkeypatch):
    await push_image(node, b"one", b"two")
    bad, stat = await key_of(node, digest_of(b"one")), node.store.stat

    async def fail(key):
        if key == bad:
            raise StoreUnavailable(NO_ANSWER)
        return await stat(key)

    monkeypatch.setattr(node.store, "stat", fail)
    backup, copied = await back_up(node, vault)
    assert (backup.blobs, copied.named) == (3, (digest_of(b"one"),))


async def test_a_store_that_does_not_answer_stops_the_backup_and_leaves_none(node, vault, monkeypatch):
    await push_image(node, b"one")

    async def fail(*_):
        raise StoreUnavailable(NO_ANSWER)

    monkeypatch.setattr(node.store, "stat", fail)
    monkeypatch.setattr(node.store, "check", fail)
    with pytest.raises(StoreUnavailable):
        await back_up(node, vault)
    with pytest.raises(BackupUnfit):
        await Archive(vault).find(None)


class Dead(BaseException):
    """The process ends."""


@pytest.mark.parametrize("writes", range(1, 7))
async def test_a_backup_that_dies_anywhere_leaves_the_one_before_and_the_next_one_goes_on(
    world, node, vault, elsewhere, monkeypatch, writes
):
    await push_image(node, b"one")
    first, _ = await back_up(node, vault)
    await push_image(node, b"two", b"three", tags=("v2",))
    before = await rows_of(node)
    begin, count = vault.begin, 0

    async def die(key, observer=None):
        nonlocal count
        count += 1
        if count == writes:
            raise Dead
        return await begin(key, observer)

    with monkeypatch.context() as patch:
        patch.setattr(vault, "begin", die)
        died = False
        try:
            await back_up(node, vault)
        except Dead:
            died = True
    assert died == (writes <= 5)  # rows, contents, two blobs, the page
    if died:
        assert (await Archive(vault).find(None)).id == first.id
    world.clock.move(SECOND)
    await back_up(node, vault)
    await restore(elsewhere, vault)
    restored = await rows_of(elsewhere.first)
    assert restored["manifests"] == before["manifests"]
    assert await findings(elsewhere) == []


async def test_halves_and_old_backups_go_with_the_bytes_that_only_they_name(world, node, vault):
    await push_image(node, b"one")
    await back_up(node, vault)
    await vault_put(vault, piece_key("20010101T000000.000000Z-abcdef", "metadata"), b"half")
    await vault_put(vault, blob_key(digest_of(b"nobody's")), b"nobody's")
    for _ in range(2):
        world.clock.move(SECOND)
        await change(node, *EMPTY)
        await push_image(node, b"two", tags=("v2",))
        last, _ = await back_up(node, vault, keep=2)
    whole, halves = await Archive(vault).ids()
    assert (len(whole), halves, whole[-1]) == (2, [], last.id)
    blobs = {key async for key in vault.keys("blobs/")}
    assert blobs == {blob_key(digest_of(content)) for content in (b"two", b"{}")}


async def vault_put(vault, key, content):
    writer = await vault.begin(checked_key(key))
    await writer.write([content])
    await writer.commit()


async def test_while_a_backup_is_made_nothing_is_buried(node, vault):
    await push_image(node, b"one")
    digest = digest_of(b"one")
    key = await key_of(node, digest)
    seen = []

    def collect(_copied):
        if not seen:
            seen.append(key)

    burying = []
    original = node.backups._snapshot

    async def snapshot_then_collect(archive, backup_id):
        result = await original(archive, backup_id)
        row = {"registry_id": 1, "store_key": key, "not_before": 0, "attempts": 0, "created_at": 0}
        await change(node, *EMPTY, insert(tombstones).values(**row))
        burying.append(await node.collection.bury(100))
        return result

    node.backups._snapshot = snapshot_then_collect
    _, copied = await back_up(node, vault, progress=collect)
    assert (burying, copied.damaged, copied.done) == ([0], 0, 2)
    assert await node.collection.bury(100) == 1


async def test_two_backups_are_not_made_at_once(world, node, vault):
    other = world.node()
    await push_image(node, b"one")

    async def second(_copied=None):
        with pytest.raises(UpkeepBusy):
            await back_up(other, vault)

    original = node.backups._snapshot

    async def snapshot(archive, backup_id):
        await second()
        return await original(archive, backup_id)

    node.backups._snapshot = snapshot
    await back_up(node, vault)
    await back_up(other, vault)


async def test_the_hold_of_a_backup_that_died_ends_by_itself(world, node, vault):
    await push_blob(node, b"one")
    await push_blob(node, b"one", OTHER)  # leaves a tombstone
    hold = _Hold(node.database, world.clock)
    await hold.take()
    world.clock.move(HOLD - SECOND)
    with pytest.raises(UpkeepBusy):
        await back_up(node, vault)
    world.clock.move(2 * SECOND)
    await back_up(node, vault)
    world.clock.move(2 * HOUR)
    assert await node.collection.bury(100) == 1


async def test_a_backup_that_stood_still_for_too_long_says_so(world, node, vault):
    await push_image(node, b"one", b"two")

    def sleep(_copied):
        world.clock.move(2 * HOLD)

    with pytest.raises(HoldEnded):
        await back_up(node, vault, progress=sleep)
    with pytest.raises(BackupUnfit):
        await Archive(vault).find(None)


@pytest.mark.parametrize("piece", ["metadata", "contents"])
async def test_a_changed_piece_is_refused(node, vault, elsewhere, piece):
    await push_image(node, b"one")
    backup, _ = await back_up(node, vault)
    key = checked_key(piece_key(backup.id, piece))
    put_bytes(vault, key, flip(get_bytes(vault, key)))
    with pytest.raises(BackupUnfit, match=piece):
        await restore(elsewhere, vault)


async def test_a_changed_page_is_refused(node, vault):
    backup, _ = await back_up(node, vault)
    put_bytes(vault, checked_key(page_key(backup.id)), b"{}")
    with pytest.raises(BackupUnfit):
        await Archive(vault).find(None)


async def test_a_page_of_a_later_format_is_refused(node, vault):
    backup, _ = await back_up(node, vault)
    key = checked_key(page_key(backup.id))
    page = json.loads(get_bytes(vault, key))
    put_bytes(vault, key, json.dumps({**page, "format": 99}).encode())
    with pytest.raises(BackupUnfit, match="newer"):
        await Archive(vault).find(None)


async def test_a_check_finds_every_blob_that_is_not_what_it_was(node, vault):
    await push_image(node, b"one", b"two", b"three")
    await back_up(node, vault)
    put_bytes(vault, checked_key(blob_key(digest_of(b"one"))), b"eno")
    put_bytes(vault, checked_key(blob_key(digest_of(b"two"))), None)
    restoration = Restoration(vault, await Archive(vault).find(None), node.backups._clock)
    copied = await restoration.check_blobs()
    assert (copied.done, set(copied.named)) == (4, {digest_of(b"one"), digest_of(b"two")})


async def test_right_bytes_in_the_store_stay_and_wrong_ones_get_another_key(node, vault, elsewhere):
    await push_image(node, b"one", b"two")
    await back_up(node, vault)
    kept, wrong = await key_of(node, digest_of(b"one")), await key_of(node, digest_of(b"two"))
    put_bytes(elsewhere.first.store, kept, b"one")
    put_bytes(elsewhere.first.store, wrong, b"TWO")
    outcome = await restore(elsewhere, vault)
    assert outcome.copied.already == 1
    assert set(outcome.moved) == {(1, wrong)}
    assert await read_blob(elsewhere.first, digest_of(b"two")) == b"two"
    assert await findings(elsewhere) == [("orphan", wrong)]


@pytest.mark.parametrize("writes", [1, 2, 3])
async def test_a_restoration_that_died_goes_on(node, vault, elsewhere, monkeypatch, writes):
    await push_image(node, b"one", b"two")
    await back_up(node, vault)
    begin, count = elsewhere.first.store.begin, 0

    async def die(key, observer=None):
        nonlocal count
        count += 1
        if count == writes:
            raise Dead
        return await begin(key, observer)

    with monkeypatch.context() as patch:
        patch.setattr(elsewhere.first.store, "begin", die)
        with pytest.raises(Dead):
            await restore(elsewhere, vault)
    assert (await rows_of(elsewhere.first))["blobs"] == []
    outcome = await restore(elsewhere, vault)
    assert outcome.copied.already == writes - 1
    assert await findings(elsewhere) == []


@INTO_EACH
async def test_half_of_the_rows_is_no_database(node, vault, elsewhere):
    await push_image(node, b"one")
    await back_up(node, vault)
    backup = await Archive(vault).find(None)
    lines = [line async for batch in Archive(vault).lines(backup.id, "metadata") for line in batch]
    engine = elsewhere.place.engine()
    for end in (1, len(lines) // 2, len(lines) - 1):
        with pytest.raises(DumpUnfit), Loader(engine, migrations.HEAD) as loader:
            loader.take(lines[:end])
    assert (await rows_of(elsewhere.first))["repositories"] == []


async def test_what_was_acknowledged_before_a_backup_under_load_is_in_it(world, node, vault, elsewhere):
    other, stop, enough = world.node(), asyncio.Event(), asyncio.Event()
    acknowledged = {}

    async def load():
        number = 0
        while not stop.is_set():
            number += 1
            digest = await push_image(other, b"layer %d" % number, b"shared", tags=(f"v{number}",))
            if number % 3 == 0:
                await other.manifests.delete(other.registry, NAME, digest, ACTOR)
            else:
                acknowledged[f"v{number}"] = b"layer %d" % number
            if number == 6:
                enough.set()
            await other.collection.bury(100)

    async def make():
        try:
            await enough.wait()
            before = dict(acknowledged)
            await back_up(node, vault)
            return before
        finally:
            stop.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(load())
        made = group.create_task(make())
    await restore(elsewhere, vault)
    assert await findings(elsewhere) == []
    for tag, content in made.result().items():
        await elsewhere.first.manifests.find(elsewhere.first.registry, NAME, tag)
        assert await read_blob(elsewhere.first, digest_of(content)) == content


async def test_the_event_names_who_made_the_backup(node, vault):
    backup, _ = await back_up(node, vault)
    events = metadata.tables["events"]
    row = await node.database.read(
        lambda c: c.execute(select(events.c.target, events.c.principal).where(events.c.action == "backup.made")).one()
    )
    assert tuple(row) == (backup.id, "somebody")


async def test_a_store_of_another_kind_keeps_backups_too(node):
    await push_image(node, b"one")
    store = MemoryBlobStore()
    await back_up(node, store)
    assert (await Restoration(store, await Archive(store).find(None), node.backups._clock).check_blobs()).damaged == 0
