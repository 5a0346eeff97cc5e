# SPDX-License-Identifier: Apache-2.0
"""A registry is made, changed or deleted by a process that ends at each named point; the next one finishes it.

The storage is never two registries', never nobody's with images that nothing names, and never half taken over.
"""

import signal
import subprocess
import time

import pytest

from tests.crash.acts import TABLE
from tests.metadata.conftest import templates
from tests.metadata.databases import Place
from tests.services.port import OTHERS, TEAM, Port, keys
from tests.services.world import NAME, World, push_image, read_blob
from tests.support.commands import clean_environment, wait_until
from tests.support.invariants import broken_invariants
from tests.support.server import COMMAND, Server
from wharfinger.blobstore.filesystem import FilesystemBlobStore
from wharfinger.clock import DAY, SECOND
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import RegistryUnknown
from wharfinger.failpoints import POINTS, VARIABLE
from wharfinger.services.storages import MARK, OWN, read_mark

__all__ = ["templates"]

LAYER = b"a layer of the team"
MADE = (
    *("registry.create.committing", "registry.create.committed", "registry.marked", "registry.told"),
    *("registry.batch.committed", "registry.returned", "registry.open.committing", "registry.open.committed"),
    "registry.opened",
)
CHANGED = ("registry.change.committing", "registry.change.committed")
DELETED = (
    *("registry.delete.committing", "registry.delete.committed", "registry.inventory.written"),
    *("registry.inventory.noted", "registry.unmarked", "registry.free.committing", "registry.free.committed"),
)
BINDING = ("store.commit.synced", "store.commit.renamed", "store.commit.named", "store.delete.unlinked")
"""Of the store, while it writes or removes the mark, or an inventory."""
KINDS = ("sqlite", "postgresql")
ON_POSTGRESQL = {"registry.create.committed", "registry.batch.committed", "registry.open.committing"}
ON_POSTGRESQL |= {"registry.delete.committed", "registry.inventory.written", "registry.free.committing"}


def on_each(points):
    return [(kind, point) for kind in KINDS for point in points if kind == "sqlite" or point in ON_POSTGRESQL]


class Yard:
    """A deployment between two processes.

    Args:
        folder: where its data lies, and its storage.
        place: its database.
    """

    def __init__(self, folder, place):
        self.folder, self.place = folder, place
        self.world = self.port = None
        self.environment = {
            "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(folder / "data"),
            "REGISTRY_STORAGE_DELETE_ENABLED": "true",
            "REGISTRY_STORAGES_0_NAME": "one",
            "REGISTRY_STORAGES_0_ROOTDIRECTORY": str(folder / "one"),
            "REGISTRY_STORAGES_1_NAME": "two",
            "REGISTRY_STORAGES_1_ROOTDIRECTORY": str(folder / "two"),
            **({} if place.kind == "sqlite" else {"REGISTRY_DATABASE_URL": place.where}),
        }

    async def open(self):
        """Begin as the next process does, long after the one before it ended."""
        self.world = World(self.place, self.folder / "data" / "wharfinger" / "blobs")
        self.world.clock.move(int(time.time() * SECOND) - self.world.clock.now() + DAY)
        self.stores = {
            name: FilesystemBlobStore(self.folder / name / "wharfinger" / "blobs", reserve=0, max_threads=2)
            for name in ("one", "two")
        }
        for store in (self.world.first.store, *self.stores.values()):
            await store.check()
        self.port = Port(self.world, self.world.first, self.stores)
        return self.port

    async def close(self):
        if self.world is not None:
            await self.world.aclose()
            for store in self.stores.values():
                await store.aclose()
            await self.place.aclose()
            self.world = None

    def run(self, *words, point=None):
        """Run a command in a process of its own; returns its status."""
        more = {} if point is None else {VARIABLE: point}
        done = subprocess.run(
            [COMMAND[0], "registry", *words],
            env=clean_environment(self.environment | more), capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode in {0, -signal.SIGKILL} or point is None, done.stderr
        return done.returncode

    async def assert_sound(self):
        """Check what holds at every moment: who has the storage, and that its bytes are named."""
        holder = (await self.port.lifecycle.holders()).get("one")
        mark = await read_mark(self.stores["one"])
        assert mark is None or (holder is not None and mark == holder.mark)
        if holder is not None and holder.is_live:
            assert mark == holder.mark
            assert await broken_invariants(self.world.first.database, self.stores["one"], registry_id=holder.id) == []
        assert await broken_invariants(self.world.first.database, self.world.first.store) == []

    async def settle(self):
        for _ in range(3):
            await self.port.lifecycle.settle()
        await self.assert_sound()

    async def assert_serves(self, name):
        team = await self.port.at(name)
        assert (await team.manifests.find(team.registry, NAME, "v1")).digest
        assert await read_blob(team, digest_of(LAYER)) == LAYER
        assert {key for key in await keys(self.stores["one"]) if key.startswith(OWN)} == {MARK}

    async def has(self, name):
        try:
            await self.port.found(name)
        except RegistryUnknown:
            return False
        return True


@pytest.fixture
async def yard(request, templates, tmp_path):
    """Return a deployment whose registry `team` has one image."""
    kind = request.param
    (tmp_path / "data" / "wharfinger").mkdir(parents=True)
    place = templates.migrated(kind, tmp_path / "data" / "wharfinger")
    made = Yard(tmp_path, place)
    port = await made.open()
    await port.registries.check_marks()
    await port.make()
    await push_image(await port.at(), LAYER)
    yield made
    await made.close()
    templates.drop(place)


@pytest.mark.parametrize(("yard", "point"), on_each(MADE), indirect=["yard"])
async def test_one_that_was_being_made_is_finished_or_gone(yard, point):
    await yard.port.delete()
    await yard.settle()
    await yard.close()
    assert yard.run("create", OTHERS, "--storage", "one", point=point) == -signal.SIGKILL
    await yard.open()
    await yard.assert_sound()
    await yard.settle()
    assert await yard.has(OTHERS) is (point != "registry.create.committing")
    if not await yard.has(OTHERS):
        await yard.port.make(OTHERS)
    await yard.assert_serves(OTHERS)
    await yard.port.collect()
    await yard.assert_serves(OTHERS)


@pytest.mark.parametrize("point", [f"{point}:1" for point in BINDING[:3]])
@pytest.mark.parametrize("yard", ["sqlite"], indirect=True)
async def test_a_storage_that_was_being_bound_is_bound_or_free(yard, point):
    """The first that a new registry writes is its mark."""
    await yard.close()
    assert yard.run("create", OTHERS, "--storage", "two", point=point) == -signal.SIGKILL
    await yard.open()
    await yard.settle()
    assert (await yard.port.lifecycle.holders())["two"].name == OTHERS
    assert await read_mark(yard.stores["two"]) == (await yard.port.lifecycle.holders())["two"].mark
    await yard.assert_serves(TEAM)


@pytest.mark.parametrize(("yard", "point"), on_each(DELETED), indirect=["yard"])
async def test_one_that_was_being_deleted_is_there_or_leaves_everything(yard, point):
    await yard.close()
    assert yard.run("delete", TEAM, "--yes", point=point) == -signal.SIGKILL
    await yard.open()
    await yard.assert_sound()
    if point == "registry.delete.committing":
        await yard.assert_serves(TEAM)
        await yard.port.delete()
    await yard.port.collect(window=0)
    await yard.settle()
    assert "one" not in await yard.port.lifecycle.holders()
    assert await read_mark(yard.stores["one"]) is None
    assert (await yard.port.lifecycle.left_in("one")).registry == TEAM
    await yard.port.make(OTHERS)
    await yard.assert_serves(OTHERS)


@pytest.mark.parametrize("point", [f"{point}:1" for point in BINDING])
@pytest.mark.parametrize("yard", ["sqlite"], indirect=True)
async def test_an_inventory_is_whole_or_written_again(yard, point):
    """The first that a closing registry writes is its inventory, and the first that it removes is its mark."""
    await yard.close()
    assert yard.run("delete", TEAM, "--yes", point=point) == -signal.SIGKILL
    await yard.open()
    await yard.settle()
    await yard.port.make(OTHERS)
    await yard.assert_serves(OTHERS)


@pytest.mark.parametrize("yard", ["sqlite"], indirect=True)
async def test_one_that_goes_with_its_images_leaves_nothing(yard):
    await yard.close()
    assert yard.run("delete", TEAM, "--images", "--yes", point="registry.delete.committed") == -signal.SIGKILL
    await yard.open()
    await yard.port.collect()
    await yard.settle()
    assert "one" not in await yard.port.lifecycle.holders()
    assert await keys(yard.stores["one"]) == set()


@pytest.mark.parametrize("point", CHANGED)
@pytest.mark.parametrize("yard", ["sqlite"], indirect=True)
async def test_a_change_is_whole_or_none(yard, point):
    await yard.close()
    words = ("set", TEAM, "--public", "--host", "images.example.com")
    assert yard.run(*words, point=point) == -signal.SIGKILL
    was_done = point.endswith("committed")
    port = await yard.open()
    row = await port.switches.of(await port.found(TEAM))
    assert (row.public, row.hosts) == (was_done, ("images.example.com",) if was_done else ())
    await yard.close()
    assert yard.run(*words) == 0
    port = await yard.open()
    row = await port.switches.of(await port.found(TEAM))
    assert (row.public, row.hosts) == (True, ("images.example.com",))


@pytest.mark.parametrize("yard", ["sqlite"], indirect=True)
async def test_a_server_that_starts_finishes_what_was_begun(yard):
    """The claim of the process that died ends by itself; the test does not wait for it."""
    await yard.port.delete()
    await yard.settle()
    await yard.close()
    assert yard.run("create", OTHERS, "--storage", "one", point="registry.batch.committed") == -signal.SIGKILL
    engine = Place("sqlite", str(yard.folder / "data" / "wharfinger" / "wharfinger.db")).engine()
    with engine.begin() as connection:
        assert (
            connection.exec_driver_sql("UPDATE registries SET claimed_until = 1 WHERE claim IS NOT NULL").rowcount == 1
        )
    engine.dispose()
    with Server(yard.folder / "server", environment=yard.environment):
        wait_until(lambda: _is_open(yard, OTHERS), within=30, why=lambda: "the registry is not opened")
    await yard.open()
    await yard.assert_sound()
    await yard.assert_serves(OTHERS)


def _is_open(yard, name):
    listed = subprocess.run(
        [COMMAND[0], "registry", "list"],
        env=clean_environment(yard.environment), capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    return any(line.split()[:1] == [name] and "being" not in line for line in listed.splitlines())


def test_every_point_of_a_registry_is_met_here_and_every_other_one_elsewhere():
    here = {point for point in POINTS if point.startswith("registry.")}
    assert here == {*MADE, *CHANGED, *DELETED}
    assert here.isdisjoint({point for _, _, points in TABLE for point in points})
