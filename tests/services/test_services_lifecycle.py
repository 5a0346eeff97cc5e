# SPDX-License-Identifier: Apache-2.0
"""Registries over storages of their own: made, deleted, and made again with the images that were left there."""

import pytest

from tests.services.port import OTHERS, TEAM, Fragile, Port, keys
from tests.services.world import ACTOR, NAME, image, index, push_blob, push_image, push_manifest, read_blob
from wharfinger.blobstore.memory import MemoryBlobStore
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import (
    BlobUnknown,
    HostUnknown,
    NameUnknown,
    RegistryConflict,
    RegistryInvalid,
    RegistryUnknown,
    StoreUnavailable,
)
from wharfinger.domain.names import RepositoryName
from wharfinger.metadata.standing import EVERYTHING
from wharfinger.services.registries import RegistryChange
from wharfinger.services.storages import MARK, OWN, read_mark, write_mark


@pytest.fixture
def stores():
    return {"one": Fragile(MemoryBlobStore()), "two": MemoryBlobStore()}


@pytest.fixture
def port(world, node, stores):
    return Port(world, node, stores)


async def test_a_registry_answers_on_its_host_as_soon_as_it_is_made(port, world, node, stores):
    await port.make()
    elsewhere = Port(world, node, stores)
    for one in (port, elsewhere):
        assert (await one.registries.on_host("team.registry.test:5000")).name == TEAM
        assert (await one.registries.on_host("TEAM.Registry.test.")).name == TEAM
        assert (await one.registries.on_host("registry.test")).name == "default"
        assert (await one.registries.on_host("elsewhere.test")).name == "default"
        with pytest.raises(HostUnknown):
            await one.registries.on_host("nobody.registry.test")


async def test_another_process_sees_what_changed(port, world, node, stores):
    elsewhere = Port(world, node, stores)
    assert [one.name for one in await elsewhere.registries.all()] == ["default"]
    team = await port.make()
    elsewhere.look()
    assert (await elsewhere.registries.on_host("team.registry.test")).id == team.id
    await port.switches.change(team, RegistryChange(public_endpoint=False, hosts=["images.test"]), ACTOR)
    elsewhere.look()
    assert (await elsewhere.registries.on_host("images.test")).id == team.id
    with pytest.raises(HostUnknown):
        await elsewhere.registries.on_host("team.registry.test")


async def test_one_storage_serves_one_registry(port):
    await port.make()
    with pytest.raises(RegistryConflict, match="serves the registry 'team'"):
        await port.lifecycle.create(OTHERS, "one", ACTOR)
    with pytest.raises(RegistryConflict, match="There is a registry 'team' already"):
        await port.lifecycle.create(TEAM, "two", ACTOR)
    with pytest.raises(RegistryConflict, match="serves the registry 'default'"):
        await port.lifecycle.create(OTHERS, "default", ACTOR)
    with pytest.raises(RegistryInvalid, match="there are one, two"):
        await port.lifecycle.create(OTHERS, "three", ACTOR)


async def test_a_storage_of_another_deployment_is_refused(port, stores):
    await write_mark(stores["one"], "f" * 32)
    with pytest.raises(RegistryConflict, match="belongs to another registry, perhaps of another deployment"):
        await port.lifecycle.create(TEAM, "one", ACTOR)
    assert await keys(stores["one"]) == {MARK}
    await port.make(TEAM, "two")  # the name was not used up


async def test_bytes_that_nothing_names_are_not_taken_over(port, stores):
    writer = await stores["one"].begin("ab/abc")
    await writer.write([b"whose?"])
    await writer.commit()
    with pytest.raises(RegistryInvalid, match="nothing says what they are"):
        await port.lifecycle.create(TEAM, "one", ACTOR)
    assert await keys(stores["one"]) == {"ab/abc"}


async def test_nothing_crosses_registries(port, node):
    await port.make()
    team = await port.at()
    digest = await push_image(team, b"layer")
    layer = await push_blob(team)
    with pytest.raises(NameUnknown):
        await node.tags.list(node.registry, NAME, None, 10)
    with pytest.raises(BlobUnknown):
        await node.blobs.stat(node.registry, NAME, layer)
    await push_image(node, b"other", tags=("v2",))
    for source in (NAME, None):
        assert not await node.uploads.mount(node.registry, NAME, layer, source, EVERYTHING, ACTOR)
    with pytest.raises(BlobUnknown):
        await node.blobs.stat_to_push(node.registry, NAME, layer, EVERYTHING)
    found = await node.repositories.catalog(node.registry, None, 10, EVERYTHING)
    assert list(found.items) == [NAME]
    assert (await team.manifests.find(team.registry, NAME, "v1")).digest == digest


async def test_what_was_left_comes_back_whole(port, stores):
    await port.make()
    team = await port.at()
    digest = await push_image(team, b"one", b"two")
    child = await push_image(team, b"three", tags=())
    listed = await push_manifest(team, index(image(b"three")), "all")
    subject = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1}
    attached = await push_manifest(team, image(b"one", subject=subject))
    lonely = await push_image(team, b"unused", tags=("gone",), name=RepositoryName("alone"))
    await team.tags.delete(team.registry, RepositoryName("alone"), "gone", ACTOR)
    await team.descriptions.change(team.registry, NAME, "# What it *is*", ACTOR)
    await port.delete()
    with pytest.raises(HostUnknown):
        await port.registries.on_host("team.registry.test")
    assert await port.lifecycle.settle() == 1
    assert (await port.lifecycle.left_in("one")).registry == "team"
    before = {key for key in await keys(stores["one"]) if not key.startswith(OWN)}
    await port.collect()
    assert {key for key in await keys(stores["one"]) if not key.startswith(OWN)} == before

    await port.make(OTHERS)
    back = await port.at(OTHERS)
    assert (await back.manifests.find(back.registry, NAME, "v1")).digest == digest
    assert (await back.manifests.find(back.registry, NAME, "all")).digest == listed
    assert (await back.manifests.find(back.registry, NAME, child)).digest == child
    found = await back.manifests.find(back.registry, RepositoryName("alone"), lonely)
    assert found.digest == lonely
    for layer in (b"one", b"two", b"three"):
        assert await read_blob(back, digest_of(layer)) == layer
    referrers = await back.manifests.referrers(back.registry, NAME, digest, None, None)
    assert attached in str(referrers)
    assert (await back.descriptions.find(back.registry, NAME)).text == "# What it *is*"
    assert await port.lifecycle.left_in("one") is None
    await port.collect()
    assert (await back.manifests.find(back.registry, NAME, "v1")).digest == digest
    assert await read_blob(back, digest_of(b"two")) == b"two"


async def test_with_its_images_a_registry_leaves_nothing(port, stores):
    await port.make()
    await push_image(await port.at(), b"layer")
    await port.delete(images=True)
    assert await port.lifecycle.settle() == 0
    with pytest.raises(RegistryConflict, match="which is on the way"):
        await port.lifecycle.create(OTHERS, "one", ACTOR)
    await port.collect()
    assert await keys(stores["one"]) == set()
    await port.make(OTHERS)
    assert (await port.lifecycle.contents(await port.found(OTHERS))).blobs == 0


async def test_nothing_is_collected_before_the_inventory_is_durable(port, stores):
    await port.make()
    team = await port.at()
    digest = await push_image(team, b"layer")
    await port.delete()
    stores["one"].failures = 30
    await port.collect(window=0)
    assert await port.lifecycle.left_in("one") is None
    stores["one"].failures = 0
    assert await port.lifecycle.settle() == 1
    back = await port.make(OTHERS)
    assert (await team.manifests.find(back, NAME, "v1")).digest == digest


async def test_a_process_that_ends_on_the_way_is_followed_by_one_that_begins_anew(port, node, monkeypatch):
    await port.make()
    team = await port.at()
    digests = [await push_image(team, bytes([number]), tags=(f"v{number}",)) for number in range(5)]
    await port.delete()
    await port.lifecycle.settle()
    monkeypatch.setattr("wharfinger.services.inventories._BATCH", 7)
    writes = 0
    real = node.database.write

    async def write(work, *, durable=True):
        nonlocal writes
        writes += 1
        if writes == 5:
            message = "the power went"
            raise StoreUnavailable(message)
        return await real(work, durable=durable)

    monkeypatch.setattr(node.database, "write", write)
    with pytest.raises(StoreUnavailable):
        await port.lifecycle.create(OTHERS, "one", ACTOR)
    port.look()
    with pytest.raises(HostUnknown):
        await port.registries.on_host("others.registry.test")
    assert await port.lifecycle.settle() == 1
    back = await port.at(OTHERS)
    found = [(await back.manifests.find(back.registry, NAME, f"v{number}")).digest for number in range(5)]
    assert found == digests


async def test_who_did_not_hear_of_the_end_pushes_nowhere(port):
    await port.make()
    late = await port.at()
    await push_image(late, b"layer")
    await port.delete()
    with pytest.raises(RegistryUnknown):
        await push_blob(late, b"more", RepositoryName("new"))
    with pytest.raises(RegistryUnknown):
        await push_manifest(late, image(b"layer"), "v2")
    with pytest.raises(RegistryUnknown):
        await port.lifecycle.delete(late.registry, ACTOR, images=False)


async def test_the_default_registry_stays(port, node):
    with pytest.raises(RegistryInvalid, match="cannot be deleted"):
        await port.lifecycle.delete(node.registry, ACTOR, images=False)


async def test_the_folder_of_a_disk_that_is_not_mounted_is_no_storage(port, world, node, stores):
    await port.make()
    await push_image(await port.at(), b"layer")
    disk, stores["one"] = stores["one"], Fragile(MemoryBlobStore())
    after = Port(world, node, stores)
    await after.registries.check_marks()
    with pytest.raises(StoreUnavailable, match="is the disk mounted"):
        await read_blob(await after.at(), digest_of(b"layer"))
    assert await keys(stores["one"]) == set()
    await after.delete()
    assert await after.lifecycle.settle() == 0  # its inventory belongs beside its images
    assert await keys(stores["one"]) == set()
    stores["one"] = disk
    again = Port(world, node, stores)
    await again.registries.check_marks()
    assert await again.lifecycle.settle() == 1
    await again.make(OTHERS)
    assert await read_blob(await again.at(OTHERS), digest_of(b"layer")) == b"layer"


async def test_a_storage_that_lost_its_mark_alone_gets_it_again(port, world, node, stores):
    team = await port.make()
    await push_image(await port.at(), b"layer")
    await stores["one"].delete(MARK)
    after = Port(world, node, stores)
    await after.registries.check_marks()
    assert await read_blob(await after.at(), digest_of(b"layer")) == b"layer"
    assert await read_mark(stores["one"]) == (await port.switches.of(team)).mark
