# SPDX-License-Identifier: Apache-2.0
"""What works through a deployment works in every registry, and mixes neither their bytes nor their names.

Each test has three registries on three storages, with the same repository, tag, manifest and blobs in all of them.
"""

import pytest

from tests.services.damage import flip, get_bytes, put_bytes
from tests.services.port import OTHERS, TEAM, Port
from tests.services.world import ACTOR, NAME, WINDOW, push_blob, push_image, read_blob
from tests.support.invariants import assert_invariants, objects
from wharfinger.blobstore.memory import MemoryBlobStore
from wharfinger.clock import DAY
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import BlobUnknown, ManifestUnknown, NameUnknown, StoreUnavailable
from wharfinger.domain.names import TagName
from wharfinger.domain.policies.retention import make_policy, make_rule
from wharfinger.domain.trash import TrashKind
from wharfinger.domain.verification import Scope
from wharfinger.metadata.standing import EVERYTHING
from wharfinger.services.archive import Archive
from wharfinger.services.backup import Backups
from wharfinger.services.figures import Figures
from wharfinger.services.labels import Labels
from wharfinger.services.retention import Retention
from wharfinger.services.search import Search

LAYER = b"the same layer everywhere"
V1, V2 = TagName("v1"), TagName("v2")


@pytest.fixture
def stores():
    return {"one": MemoryBlobStore(), "two": MemoryBlobStore()}


@pytest.fixture
async def port(world, node, stores):
    made = Port(world, node, stores)
    await made.registries.check_marks()
    await made.make(TEAM, "one")
    await made.make(OTHERS, "two")
    for one in await every(made):
        await push_image(one, LAYER, tags=("v1", "v2"))
    return made


async def every(port):
    """Return the services as requests to each registry meet them: `default`, team, others."""
    return [port.node, await port.at(TEAM), await port.at(OTHERS)]


async def assert_whole(*nodes):
    for one in nodes:
        assert (await one.manifests.find(one.registry, NAME, "v1")).digest
        assert await read_blob(one, digest_of(LAYER)) == LAYER


async def assert_sound(port):
    for one in await every(port):
        await assert_invariants(one.database, one.registry.store, registry_id=one.registry.id)


async def key_in(node):
    """Return the key of the layer's bytes in a registry."""
    sql = "SELECT store_key FROM blobs WHERE registry_id = :registry AND digest = :digest"
    values = {"registry": node.registry.id, "digest": digest_of(LAYER)}
    return await node.database.read(lambda c: c.exec_driver_sql(_for(c, sql), values).scalar())


def _for(connection, sql):
    if connection.dialect.name == "sqlite":
        return sql
    return sql.replace(":registry", "%(registry)s").replace(":digest", "%(digest)s")


async def test_collection_takes_the_bytes_of_the_registry_that_gave_them_up(port):
    default, team, others = await every(port)
    digest = (await team.manifests.find(team.registry, NAME, "v1")).digest
    await team.manifests.delete(team.registry, NAME, digest, ACTOR)
    await port.collect(window=0)
    assert await key_in(team) is None
    assert objects(team.registry.store) == set()
    await assert_whole(default, others)
    await assert_sound(port)


async def test_a_whole_repository_goes_in_one_registry_alone(port):
    default, team, others = await every(port)
    await team.repositories.delete(team.registry, NAME, ACTOR)
    with pytest.raises(NameUnknown):
        await team.tags.list(team.registry, NAME, None, 9)
    await assert_whole(default, others)
    port.clock.move(WINDOW)
    await port.collect()
    assert objects(team.registry.store) == set()
    await assert_whole(default, others)
    await assert_sound(port)


async def test_a_storage_that_does_not_answer_stops_no_burial_elsewhere(port, monkeypatch):
    default, team, others = await every(port)

    async def fail(*_):
        message = "the disk is gone"
        raise StoreUnavailable(message)

    for one in (team, others):
        digest = (await one.manifests.find(one.registry, NAME, "v1")).digest
        await one.manifests.delete(one.registry, NAME, digest, ACTOR)
    monkeypatch.setattr(team.registry.store, "delete", fail)
    await port.collect(window=0)
    assert objects(others.registry.store) == set()
    assert objects(team.registry.store) != set()
    monkeypatch.undo()
    port.clock.move(DAY)
    await port.collect(window=0)
    assert objects(team.registry.store) == set()
    await assert_whole(default)
    await assert_sound(port)


async def test_verification_finds_damage_where_it_is(port, stores):
    default, team, others = await every(port)
    key = await key_in(team)
    put_bytes(stores["one"], key, flip(get_bytes(stores["one"], key)))
    stray = await stores["two"].begin("ab/stray")
    await stray.write([b"nobody's"])
    await stray.commit()
    port.clock.move(2 * DAY)
    found = {}
    for one in (default, team, others):
        report = await one.verification.run(one.registry, Scope(), ACTOR)
        found[one.registry.name] = [(item.kind, item.what) async for item in one.verification.findings(report.run)]
    assert found["default"] == []
    assert [what for _, what in found[TEAM]] == [digest_of(LAYER)]
    assert [what for _, what in found[OTHERS]] == ["ab/stray"]
    with pytest.raises(BlobUnknown):
        await team.blobs.stat(team.registry, NAME, digest_of(LAYER))
    await assert_whole(default, others)
    await push_blob(team, LAYER)  # which repairs it
    await assert_whole(team)


async def test_retention_runs_in_every_registry_by_its_own_rules(port, node):
    default, team, others = await every(port)
    retention = Retention(node.database, port.registries, port.clock, node.retention._switches)
    policy = make_policy([make_rule(name="one", tags="*", newest=1)])
    for one in (default, others):
        await retention.set_for_repository(one.registry, NAME, policy, ACTOR)
    assert await retention.of_repository(team.registry, NAME) is None
    port.clock.move(DAY)
    assert await retention.run_some(10) == 2
    left = [len((await one.tags.list(one.registry, NAME, None, 9)).items) for one in (default, team, others)]
    assert left == [1, 2, 1]


async def test_the_trash_is_each_registrys_own(port):
    default, team, others = await every(port)
    await team.tags.delete(team.registry, NAME, V2, ACTOR)
    await others.repositories.delete(others.registry, NAME, ACTOR)
    shown = [
        [(entry.kind, str(entry)) for entry in (await one.trash.list(one.registry, None, None, 9)).items]
        for one in (default, team, others)
    ]
    assert shown[0] == []
    assert shown[1] == [(TrashKind.TAG, f"{NAME}:v2")]
    assert [kind for kind, _ in shown[2]] == [TrashKind.REPOSITORY]
    for one in (default, team):
        with pytest.raises(NameUnknown):
            await one.repositories.restore(one.registry, NAME, ACTOR)
    with pytest.raises(ManifestUnknown):
        await default.tags.restore(default.registry, NAME, TagName("v3"), ACTOR)
    await others.repositories.restore(others.registry, NAME, ACTOR)
    await team.tags.restore(team.registry, NAME, V2, ACTOR)
    await assert_whole(default, team, others)
    await assert_sound(port)


async def test_search_finds_in_one_registry(port, node):
    search = Search(node.database, Labels(node.database, port.registries, node.manifests, node.blobs))
    default, team, _ = await every(port)
    await push_image(team, b"secret", tags=("hidden",), name="acme/secret")
    for what in ("secret", "hidden", digest_of(b"secret")):
        assert (await search.find(default.registry, what, EVERYTHING, limit=9)).is_empty
        assert not (await search.find(team.registry, what, EVERYTHING, limit=9)).is_empty
    found = await search.find(default.registry, "acme", EVERYTHING, limit=9)
    assert [one.name for one in found.repositories.items] == [NAME]


async def test_figures_and_sizes_are_each_registrys_own(port, node):
    default, team, others = await every(port)
    await push_blob(team, b"x" * 1_000)
    figures = Figures(node.database, port.registries, port.clock)
    await figures.take()
    held = await node.database.read(
        lambda c: dict(c.exec_driver_sql("SELECT registry_id, bytes FROM figures").all())  # type: ignore[arg-type]
    )
    assert held[default.registry.id] == held[others.registry.id] == held[team.registry.id] - 1_000


@pytest.mark.parametrize("damaged", ["default", TEAM, OTHERS])
async def test_a_backup_has_good_bytes_as_long_as_one_registry_has(port, node, damaged):
    """It holds content by digest, once for all registries."""
    for one in await every(port):
        if one.registry.name == damaged:
            key = await key_in(one)
            put_bytes(one.registry.store, key, flip(get_bytes(one.registry.store, key)))
    vault = MemoryBlobStore()
    backups = Backups(node.database, port.registries, port.clock, "0")
    await backups.make(vault, ACTOR, secret=None, keep=1)
    name = digest_of(LAYER).partition(":")[2]
    (key,) = [key async for key in Archive(vault).store.keys("") if name in key]
    assert b"".join([piece async for piece in vault.open(key, 0, await vault.stat(key))]) == LAYER
