# SPDX-License-Identifier: Apache-2.0
"""Two processes make, close and use registries at once."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text

from tests.services.port import OTHERS, TEAM, Port, keys
from tests.services.world import ACTOR, ANY, NAME, body, push_image, read_blob
from tests.support.invariants import broken_invariants
from wharfinger.blobstore.filesystem import FilesystemBlobStore
from wharfinger.clock import DAY, SECOND
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import NameUnknown, RegistryConflict, RegistryUnknown, UpkeepBusy, UploadUnknown
from wharfinger.metadata import closing
from wharfinger.services.registries import RegistryChange
from wharfinger.services.storages import MARK, OWN, read_mark
from wharfinger.services.turns import LASTS, Turns

LAYER = b"layer"


@pytest.fixture
async def stores(tmp_path):
    """Storages whose stores leave files of uploads that are under way."""
    made = {name: FilesystemBlobStore(tmp_path / name, reserve=0, max_threads=2) for name in ("one", "two")}
    for store in made.values():
        await store.check()
    yield made
    for store in made.values():
        await store.aclose()


@pytest.fixture
def ports(world, node, stores):
    """Two processes."""
    return Port(world, node, stores), Port(world, world.node(), stores)


async def made_by(tries):
    """Return how often something was done, and what was said of the others."""
    found = await asyncio.gather(*tries, return_exceptions=True)
    errors = [one for one in found if isinstance(one, BaseException)]
    assert all(isinstance(one, RegistryConflict) for one in errors), errors
    return len(found) - len(errors)


async def test_one_of_two_that_make_the_same_registry_makes_it(ports, stores):
    tries = [port.lifecycle.create(TEAM, storage, ACTOR) for port in ports for storage in ("one", "two")]
    assert await made_by(tries) == 1
    row = next(row for row in (await ports[0].lifecycle.holders()).values() if row.name == TEAM)
    marks = {name: await read_mark(store) for name, store in stores.items()}
    assert marks == {**dict.fromkeys(stores), row.storage: row.mark}


async def test_one_of_two_that_bind_the_same_storage_has_it(ports, stores):
    tries = [port.lifecycle.create(f"team-{number}", "one", ACTOR) for port in ports for number in range(3)]
    assert await made_by(tries) == 1
    holder = (await ports[0].lifecycle.holders())["one"]
    assert await read_mark(stores["one"]) == holder.mark
    assert await keys(stores["one"]) == {MARK}


async def test_the_job_does_not_open_what_somebody_opens(ports):
    await asyncio.gather(ports[0].make(), *(ports[1].lifecycle.settle() for _ in range(10)))
    count = text("SELECT count(*) FROM events WHERE action = 'registry.created'")
    assert await ports[0].node.database.read(lambda c: c.execute(count).scalar()) == 1


async def test_two_that_close_the_same_registry_leave_one_whole_inventory(ports, stores):
    await ports[0].make()
    await push_image(await ports[0].at(), LAYER)
    await ports[0].delete()
    assert sum(await asyncio.gather(*(port.lifecycle.settle() for port in ports * 3))) == 1
    left = {key for key in await keys(stores["one"]) if key.startswith(OWN)}
    assert len(left) == 1
    await ports[1].make(OTHERS)
    assert await read_blob(await ports[1].at(OTHERS), digest_of(LAYER)) == LAYER


async def test_one_of_two_that_delete_the_same_registry_is_told_that_it_is_gone(ports):
    await ports[0].make()
    registries = [await port.found(TEAM) for port in ports]
    tries = [port.lifecycle.delete(one, ACTOR, images=False) for port, one in zip(ports, registries, strict=True)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == ["NoneType", "RegistryUnknown"]


async def test_one_of_two_that_give_the_same_host_gives_it(ports):
    one, two = await ports[0].make(TEAM, "one"), await ports[0].make(OTHERS, "two")
    change = RegistryChange(hosts=["images.test"])
    tries = [port.switches.change(registry, change, ACTOR) for port, registry in zip(ports, (one, two), strict=True)]
    assert await made_by(tries) == 1


async def test_who_stood_still_for_too_long_does_nothing_more(ports, world):
    team = await ports[0].make()
    slow, quick = (Turns(port.node.database, world.clock) for port in ports)
    async with slow.of(team.id) as mine:
        async with quick.of(team.id) as theirs:
            assert theirs is None
        world.clock.move(LASTS + SECOND)
        async with quick.of(team.id) as theirs:
            assert theirs is not None
            with pytest.raises(UpkeepBusy):
                await ports[0].node.database.write(mine.guard)
            await ports[1].node.database.write(theirs.guard)
    async with slow.of(team.id) as again:
        assert again is not None


async def test_a_turn_ends_with_what_went_wrong_in_it(ports, world):
    team = await ports[0].make()
    turns = Turns(ports[0].node.database, world.clock)
    with pytest.raises(KeyError, match="the very one"):
        async with turns.of(team.id):
            raise KeyError("the very one")  # noqa: EM101, TRY003 - told apart by it
    async with Turns(ports[1].node.database, world.clock).of(team.id) as turn:
        assert turn is not None
    assert await ports[0].node.database.write(lambda c: closing.is_claimed(c, team.id, turn.token)) is False


@pytest.mark.parametrize("images", [False, True], ids=["its images stay", "its images go"])
@pytest.mark.parametrize("cut", ["before its end", "after it was settled"])
async def test_a_push_that_runs_while_its_registry_is_deleted_ends_nowhere(ports, stores, images, cut):
    port = ports[0]
    await port.make()
    team = await port.at()
    await push_image(team, LAYER)
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slowly():
        async for piece in body(b"more"):
            yield piece
        arrived.set()
        await go_on.wait()
        async for piece in body(b" and more"):
            yield piece

    digest = digest_of(b"more and more")
    push = asyncio.create_task(team.uploads.push(team.registry, NAME, digest, ANY, slowly(), ACTOR))
    await asyncio.wait_for(arrived.wait(), 20)
    await port.delete(images=images)
    if cut == "after it was settled":
        await port.lifecycle.settle()
    go_on.set()
    with pytest.raises((NameUnknown, RegistryUnknown, UploadUnknown)):
        await push
    await port.collect()
    await port.lifecycle.settle()
    assert "one" not in await port.lifecycle.holders()
    if images:
        assert await keys(stores["one"]) == set()
    await port.make(OTHERS)
    port.clock.move(8 * DAY)
    await port.collect()
    again = await port.found(OTHERS)
    assert await broken_invariants(port.node.database, stores["one"], registry_id=again.id) == []
    if not images:
        assert await read_blob(replace(port.node, registry=again), digest_of(LAYER)) == LAYER
