# SPDX-License-Identifier: Apache-2.0
"""What was deleted comes back whole, or not at all."""

import pytest
from sqlalchemy import text

from tests.services.people import users
from tests.services.world import (
    ACTOR,
    EXPIRY,
    NAME,
    OTHER,
    body,
    descriptor,
    image,
    index,
    push_blob,
    push_image,
    push_manifest,
    read_blob,
)
from wharfinger.clock import DAY, HOUR
from wharfinger.domain.access import Role
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import (
    BlobUnknown,
    ContentGone,
    DeletionDisabled,
    ManifestUnknown,
    NameTaken,
    NameUnknown,
    ReadOnly,
    UploadUnknown,
)
from wharfinger.domain.grants import Place
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.uploads import Chunk
from wharfinger.metadata import trash as trash_rows

NEW = RepositoryName("acme/again")
ONE, TWO = digest_of(image(b"one")), digest_of(image(b"two"))


async def names(node, tag="v1", name=NAME):
    """Return the digest that the tag names."""
    return (await node.manifests.find(node.registry, name, tag)).digest


async def tags(node, name=NAME):
    return list((await node.tags.list(node.registry, name, None, 100)).items)


async def told(node, *actions):
    sql = text("SELECT action, tag, digest, repository, principal, detail FROM events ORDER BY id")
    rows = await node.database.read(lambda c: [tuple(row) for row in c.execute(sql)])
    return [row for row in rows if row[0] in actions]


async def delete(node, reference, name=NAME):
    if ":" in reference:
        await node.manifests.delete(node.registry, name, reference, ACTOR)
    else:
        await node.tags.delete(node.registry, name, reference, ACTOR)


async def restore_tag(node, tag="v1", to=None, name=NAME):
    return await node.tags.restore(node.registry, name, tag, ACTOR, to=to)


# --- tags ------------------------------------------------------------------------------------------------------------


async def test_a_deleted_tag_comes_back_to_what_it_named(world, node):
    await push_image(node, b"one")
    await delete(node, "v1")
    assert await restore_tag(node) == ONE
    assert await names(node) == ONE
    assert (await told(node, "tag.moved"))[-1][1:] == ("v1", ONE, NAME, "somebody", "restored")
    await world.assert_sound()


async def test_a_tag_that_moved_goes_back_by_one_step_and_forth_again(world, node):
    await push_image(node, b"one")
    await push_image(node, b"two")
    assert await restore_tag(node) == ONE
    assert await restore_tag(node) == TWO
    await world.assert_sound()


async def test_a_tag_goes_back_to_any_manifest_that_it_named_and_to_no_other(world, node):
    for content in (b"one", b"two", b"three"):
        await push_image(node, content)
    other = await push_image(node, b"other", tags=("v2",))
    assert await restore_tag(node, to=ONE) == ONE
    assert await names(node) == ONE
    with pytest.raises(ManifestUnknown, match="never named"):
        await restore_tag(node, to=other)
    assert await names(node) == ONE
    await world.assert_sound()


async def test_a_tag_that_never_was_or_never_named_anything_else_cannot_be_restored(node):
    await push_image(node, b"one")
    with pytest.raises(ManifestUnknown, match="nothing else"):
        await restore_tag(node)
    with pytest.raises(ManifestUnknown, match="never was"):
        await restore_tag(node, "v2")
    with pytest.raises(NameUnknown):
        await restore_tag(node, name=OTHER)


async def test_a_tag_brings_its_deleted_manifest_back_with_it_and_no_other_tag(world, node):
    await push_image(node, b"one", tags=("v1", "latest"))
    await delete(node, ONE)
    assert await tags(node) == []
    assert await restore_tag(node) == ONE
    assert await tags(node) == ["v1"]
    assert await read_blob(node, digest_of(b"one")) == b"one"
    await world.assert_sound()


async def test_a_tag_whose_manifest_was_collected_says_so(node):
    await push_image(node, b"one")
    await delete(node, ONE)
    await node.database.write(lambda c: c.execute(text("DELETE FROM manifests")) and None)
    with pytest.raises(ContentGone, match="was collected") as raised:
        await restore_tag(node)
    assert raised.value.missing == (ONE,)
    assert await tags(node) == []


async def test_the_history_of_a_tag_says_what_when_and_who_in_pages(world, node):
    times = []
    for content in (b"one", b"two", b"one"):
        times.append(world.clock.now())
        await push_image(node, content)
        world.clock.move(HOUR)
    await delete(node, "v1")
    page = await node.tags.history(node.registry, NAME, "v1", None, 3)
    assert page.more
    assert [(step.before, step.after) for step in page.items] == [(ONE, None), (TWO, ONE), (ONE, TWO)]
    assert [step.at for step in page.items][1:] == [times[2], times[1]]
    assert {step.by for step in page.items} == {"somebody"}
    rest = await node.tags.history(node.registry, NAME, "v1", page.items[-1].id, 3)
    assert ([(step.before, step.after) for step in rest.items], rest.more) == ([(None, ONE)], False)


async def test_the_history_of_a_repository_has_every_tag(node):
    await push_image(node, b"one", tags=("a", "b"))
    await push_image(node, b"one", tags=("c",), name=OTHER)
    await delete(node, "a")
    page = await node.tags.history(node.registry, NAME, None, None, 10)
    assert [(step.tag, step.after) for step in page.items] == [("a", None), ("b", ONE), ("a", ONE)]


async def test_steps_of_a_tag_are_one_after_the_other_although_the_clock_stands_still(world, node):
    for content in (b"one", b"two", b"one"):
        await push_image(node, content)
    world.clock.move(-HOUR)
    await push_image(node, b"two")
    steps = (await node.tags.history(node.registry, NAME, "v1", None, 10)).items
    assert [step.after for step in steps] == [TWO, ONE, TWO, ONE]
    assert [step.at for step in steps] == sorted({step.at for step in steps}, reverse=True)


async def test_what_a_tag_named_at_a_time(world, node):
    before = world.clock.now()
    world.clock.move(HOUR)
    await push_image(node, b"one")
    first = world.clock.now()
    world.clock.move(HOUR)
    await push_image(node, b"two")
    world.clock.move(HOUR)
    await delete(node, ONE)
    await delete(node, "v1")
    deleted = world.clock.now()

    then = await node.tags.at(node.registry, NAME, "v1", first)
    assert (then.digest, then.since, then.by, then.is_here, then.in_trash) == (ONE, first, "somebody", False, True)
    then = await node.tags.at(node.registry, NAME, "v1", deleted - 1)
    assert (then.digest, then.is_here, then.in_trash) == (TWO, True, False)
    for time in (before, deleted):
        with pytest.raises(ManifestUnknown, match="at 2023-11-1"):
            await node.tags.at(node.registry, NAME, "v1", time)


# --- manifests and blobs ---------------------------------------------------------------------------------------------


async def restore_manifest(node, digest, name=NAME):
    return await node.manifests.restore(node.registry, name, digest, ACTOR)


async def test_a_manifest_comes_back_with_the_tags_that_went_with_it(world, node):
    await push_image(node, b"one", tags=("v1", "by-hand", "made-anew"))
    await delete(node, "by-hand")
    await delete(node, ONE)
    await push_image(node, b"two", tags=("made-anew",))
    restored = await restore_manifest(node, ONE)
    assert (list(restored.tags), list(restored.others)) == (["v1"], [])
    assert (await names(node), await names(node, "made-anew")) == (ONE, TWO)
    assert await tags(node) == ["made-anew", "v1"]
    assert [row[2] for row in await told(node, "manifest.restored")] == [ONE]
    await world.assert_sound()


async def test_layers_that_were_deleted_by_hand_come_back_with_their_manifest(world, node):
    await push_image(node, b"one")
    await delete(node, ONE)
    for content in (b"one", b"{}"):
        await node.blobs.delete(node.registry, NAME, digest_of(content))
    await restore_manifest(node, ONE)
    assert await read_blob(node, digest_of(b"one")) == b"one"
    await world.assert_sound()


async def test_an_index_comes_back_with_all_that_it_lists_however_deep(world, node):
    await push_image(node, b"one", tags=())
    await push_image(node, b"two", tags=())
    inner = index(image(b"one"))
    await push_manifest(node, inner)
    outer = index(inner, image(b"two"), annotations={"depth": "two"})
    top = await push_manifest(node, outer, "all")
    for digest in (top, digest_of(inner), ONE):
        await delete(node, digest)
    await node.blobs.delete(node.registry, NAME, digest_of(b"one"))
    restored = await restore_manifest(node, top)
    assert sorted(restored.others) == sorted([digest_of(inner), ONE])
    for digest in (top, digest_of(inner), ONE, TWO):
        assert await names(node, digest) == digest
    assert await read_blob(node, digest_of(b"one")) == b"one"
    await world.assert_sound()


async def test_what_comes_back_closes_the_edges_that_waited_for_it(world, node):
    await push_image(node, b"one", tags=())
    await delete(node, ONE)
    listing = index(image(b"one"))
    parent = await push_manifest(node, listing, "all")
    await restore_manifest(node, ONE)
    sql = text("SELECT count(*) FROM manifest_references WHERE child_id IS NULL AND blob_id IS NULL")
    assert await node.database.read(lambda c: c.execute(sql).scalar()) == 0
    with pytest.raises(Exception, match="lists the manifest"):
        await delete(node, ONE)
    await delete(node, parent)
    await world.assert_sound()


async def test_a_referrer_appears_again_when_it_comes_back(world, node):
    await push_image(node, b"one")
    signature = await push_image(node, b"signature", tags=(), subject=descriptor(image(b"one")))
    await delete(node, signature)

    async def attached():
        page = await node.manifests.referrers(node.registry, NAME, ONE, (), None)
        return [digest for digest, _ in page.items]

    assert await attached() == []
    await restore_manifest(node, signature)
    assert await attached() == [signature]
    await world.assert_sound()


async def test_a_manifest_with_damaged_bytes_does_not_come_back_and_nothing_of_it_does(node):
    await push_image(node, b"one", tags=())
    parent = await push_manifest(node, index(image(b"one")), "all")
    await delete(node, parent)
    await delete(node, ONE)
    await node.blobs.delete(node.registry, NAME, digest_of(b"{}"))
    missing = text("UPDATE blobs SET state = 'missing' WHERE digest = :digest").bindparams(digest=digest_of(b"one"))
    await node.database.write(lambda c: c.execute(missing) and None)
    with pytest.raises(ContentGone) as raised:
        await restore_manifest(node, parent)
    assert raised.value.missing == (digest_of(b"one"),)
    for digest in (parent, ONE):
        with pytest.raises(ManifestUnknown):
            await names(node, digest)
    with pytest.raises(BlobUnknown):
        await node.blobs.stat(node.registry, NAME, digest_of(b"{}"))
    await push_blob(node, b"one")
    await restore_manifest(node, parent)
    assert await names(node, "all") == parent


async def test_only_what_is_in_the_trash_comes_out_of_it(node):
    await push_image(node, b"one")
    for digest in (ONE, TWO):
        with pytest.raises(ManifestUnknown, match="not in the trash"):
            await restore_manifest(node, digest)
    with pytest.raises(NameUnknown):
        await restore_manifest(node, ONE, OTHER)
    with pytest.raises(BlobUnknown, match="not in the trash"):
        await node.blobs.restore(node.registry, NAME, digest_of(b"one"), ACTOR)


async def test_a_deleted_blob_comes_back(world, node):
    await push_blob(node, b"layer")
    await node.blobs.delete(node.registry, NAME, digest_of(b"layer"))
    await node.blobs.restore(node.registry, NAME, digest_of(b"layer"), ACTOR)
    assert await read_blob(node, digest_of(b"layer")) == b"layer"
    await world.assert_sound()


async def test_a_push_of_what_was_deleted_needs_no_restoring(world, node):
    await push_image(node, b"one")
    await delete(node, ONE)
    await push_image(node, b"one", tags=())
    with pytest.raises(ManifestUnknown, match="not in the trash"):
        await restore_manifest(node, ONE)
    assert await restore_tag(node) == ONE
    await world.assert_sound()


# --- repositories ----------------------------------------------------------------------------------------------------


async def delete_repository(node, name=NAME):
    await node.repositories.delete(node.registry, name, ACTOR)


async def restore_repository(node, name=NAME, **more):
    return await node.repositories.restore(node.registry, name, ACTOR, **more)


async def test_a_deleted_repository_is_gone_for_everybody_at_once(world, node):
    await push_image(node, b"one")
    await delete_repository(node)
    with pytest.raises(NameUnknown):
        await names(node)
    with pytest.raises(NameUnknown):
        await names(node, ONE)
    with pytest.raises(BlobUnknown):
        await node.blobs.stat(node.registry, NAME, digest_of(b"one"))
    with pytest.raises(NameUnknown):
        await tags(node)
    assert list((await node.repositories.catalog(node.registry, None, 10, None)).items) == []
    assert not await node.uploads.mount(node.registry, OTHER, digest_of(b"one"), None, None, ACTOR)
    assert not await node.uploads.mount(node.registry, OTHER, digest_of(b"one"), NAME, None, ACTOR)
    with pytest.raises(NameUnknown):
        await delete_repository(node)
    assert [row[3:5] for row in await told(node, "repository.deleted")] == [(NAME, "somebody")]
    await world.assert_sound()


async def test_a_repository_comes_back_as_it_was(world, node):
    await users(node, "boss")
    await push_image(node, b"one", tags=("v1", "gone"))
    await push_image(node, b"two", tags=("v2",))
    await delete(node, "gone")
    place = Place(registry_id=1, repository=NAME)
    await node.grants.give("boss", place, Role.WRITE, ACTOR)
    described = text("UPDATE repositories SET description = 'ours', visibility = 'internal', inherits = 1")
    await node.database.write(lambda c: c.execute(described) and None)
    await delete_repository(node)
    world.clock.move(DAY)
    assert await restore_repository(node) == NAME
    assert await tags(node) == ["v1", "v2"]
    assert (await names(node), await names(node, "v2")) == (ONE, TWO)
    assert await read_blob(node, digest_of(b"one")) == b"one"
    assert [grant.subject for grant in await node.grants.of_place(place)] == ["boss"]
    row = text("SELECT description, visibility, inherits, deletion_id, purged_at FROM repositories")
    assert await node.database.read(lambda c: tuple(c.execute(row).one())) == ("ours", "internal", 1, None, None)
    assert await restore_tag(node, "gone") == ONE
    await world.assert_sound()


async def test_the_name_of_a_deleted_repository_is_free_and_what_is_new_has_nothing_of_the_old(world, node):
    await push_image(node, b"one")
    await delete_repository(node)
    await push_image(node, b"two")
    assert await tags(node) == ["v1"]
    assert await names(node) == TWO
    with pytest.raises(ManifestUnknown):
        await names(node, ONE)
    with pytest.raises(ManifestUnknown):
        await restore_tag(node)
    with pytest.raises(NameTaken, match="under another name"):
        await restore_repository(node)
    assert await restore_repository(node, new_name=NEW) == NEW
    assert (await names(node), await names(node, name=NEW)) == (TWO, ONE)
    assert (await told(node, "repository.restored"))[0][3:] == (NEW, "somebody", f"it was called {NAME}")
    await world.assert_sound()


async def test_of_several_of_one_name_the_last_comes_back_or_the_one_that_is_named(world, node):
    for content in (b"one", b"two"):
        await push_image(node, content)
        await delete_repository(node)
        world.clock.move(HOUR)
    entries = (await node.trash.list(node.registry, None, None, 10)).items
    assert [str(entry) for entry in entries] == [NAME, NAME]
    await restore_repository(node)
    assert await names(node) == TWO
    await restore_repository(node, number=entries[1].number, new_name=NEW)
    assert await names(node, name=NEW) == ONE
    with pytest.raises(NameUnknown, match="trash"):
        await restore_repository(node, number=entries[1].number, new_name=OTHER)


async def test_a_new_name_puts_the_repository_into_the_namespace_of_that_name(node):
    await push_image(node, b"one")
    await delete_repository(node)
    await restore_repository(node, new_name=RepositoryName("other/app"))
    sql = text("SELECT n.name FROM repositories r JOIN namespaces n ON n.id = r.namespace_id")
    assert await node.database.read(lambda c: c.execute(sql).scalar()) == "other"


async def test_a_repository_of_which_the_collector_took_a_part_does_not_come_back(world, node):
    await push_image(node, b"one")
    await push_image(node, b"two", tags=("v2",))
    await delete_repository(node)

    def take(connection):
        trash_rows.begin_purge(connection, 1, world.clock.now())
        connection.execute(text("DELETE FROM tags WHERE name = 'v1'"))

    await node.database.write(take)
    with pytest.raises(ContentGone) as raised:
        await restore_repository(node)
    assert raised.value.missing == ("v1",)
    with pytest.raises(NameUnknown):
        await tags(node)


async def test_a_repository_whose_tags_are_gone_does_not_come_back_whoever_took_them(node):
    await push_image(node, b"one")
    await delete_repository(node)
    await node.database.write(lambda c: c.execute(text("DELETE FROM tags")) and None)
    with pytest.raises(ContentGone, match="whole") as raised:
        await restore_repository(node)
    assert raised.value.missing == ("v1",)


async def test_an_upload_waits_in_the_trash_for_its_repository(world, node):
    await push_image(node, b"one")
    upload = await node.uploads.start(node.registry, NAME, None, ACTOR)
    await node.uploads.append(node.registry, NAME, upload.id, Chunk(), body(b"be"))
    await delete_repository(node)
    with pytest.raises(UploadUnknown):
        await node.uploads.status(node.registry, NAME, upload.id)
    await push_image(node, b"two")
    with pytest.raises(UploadUnknown):
        await node.uploads.append(node.registry, NAME, upload.id, Chunk(), body(b"gin"))
    await delete_repository(node)
    entries = (await node.trash.list(node.registry, None, None, 10)).items
    await restore_repository(node, number=min(entry.number for entry in entries))
    digest = digest_of(b"begin")
    await node.uploads.complete(node.registry, NAME, upload.id, digest, Chunk(), body(b"gin"))
    assert await read_blob(node, digest) == b"begin"
    world.clock.move(EXPIRY + DAY)
    await world.assert_sound()


async def test_the_switch_binds_deleting_and_not_restoring(world, node):
    await push_image(node, b"one")
    keeping, reading = world.node(deletion=False), world.node(read_only=True)
    with pytest.raises(DeletionDisabled):
        await delete_repository(keeping)
    await delete(node, ONE)
    await restore_manifest(keeping, ONE)
    await delete(node, "v1")
    await restore_tag(keeping)
    await delete_repository(node)
    await restore_repository(keeping)
    assert await names(node) == ONE
    await delete(node, ONE)
    for restoring in (restore_manifest(reading, ONE), restore_tag(reading), restore_repository(reading)):
        with pytest.raises(ReadOnly):
            await restoring
