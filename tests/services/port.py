# SPDX-License-Identifier: Apache-2.0
"""The services for registries over storages of their own, as one process has them."""

from dataclasses import replace

from tests.services.world import ACTOR, WINDOW
from wharfinger.clock import DAY, SECOND
from wharfinger.domain.collection import Rules
from wharfinger.domain.errors import StoreUnavailable
from wharfinger.domain.names import RegistryName
from wharfinger.domain.registries import Domains
from wharfinger.domain.switches import Switches
from wharfinger.services.collection import Collection
from wharfinger.services.lifecycle import Lifecycle
from wharfinger.services.registries import Registries, RegistrySwitches
from wharfinger.services.reviews import Pace, Reviews
from wharfinger.services.storages import OWN, Storage, Storages

TEAM, OTHERS = RegistryName("team"), RegistryName("others")
DOMAINS = Domains(public="registry.test")


class Fragile:
    """A store that fails when somebody begins a key of its own, as often as it is told to."""

    def __init__(self, inner):
        self._inner = inner
        self.failures = 0

    async def begin(self, key, observer=None):
        if self.failures and key.startswith(f"{OWN}inventory"):
            self.failures -= 1
            message = "the disk is on its way out"
            raise StoreUnavailable(message)
        return await self._inner.begin(key, observer)

    def __getattr__(self, name):
        return getattr(self._inner, name)


class Port:
    """The services for registries of one process."""

    def __init__(self, world, node, stores):
        self.node, self.clock = node, world.clock
        declared = [Storage(name=name, place=f"/{name}", store=store) for name, store in stores.items()]
        self.storages = Storages([Storage(name="default", place="/", store=node.store), *declared])
        self.registries = Registries(
            node.registry, database=node.database, storages=self.storages, domains=DOMAINS, clock=world.clock
        )
        self.lifecycle = Lifecycle(node.database, self.storages, world.clock, Switches(deletion=True, read_only=False))
        self.switches = RegistrySwitches(node.database, world.clock, DOMAINS)
        self.collection = Collection(node.database, self.registries, world.clock)

    def look(self):
        self.clock.move(2 * SECOND)  # after which PostgreSQL's are looked at again

    async def make(self, name=TEAM, storage="one"):
        await self.lifecycle.create(name, storage, ACTOR)
        return await self.found(name)

    async def found(self, name):
        self.look()
        return await self.registries.named(name)

    async def at(self, name=TEAM):
        """Return the services as a request to this registry meets them."""
        return replace(self.node, registry=await self.found(name))

    async def delete(self, name=TEAM, *, images=False):
        await self.lifecycle.delete(await self.found(name), ACTOR, images=images)
        self.look()

    async def collect(self, window=WINDOW):
        """Remove all that is due, now and much later."""
        reviews = Reviews(
            database=self.node.database,
            clock=self.clock,
            switches=Switches(deletion=True, read_only=False),
            rules=Rules(window=window),
            pace=Pace(rest=0),
        )
        for _ in range(20):
            self.clock.move(DAY)
            await reviews.review_manifests(100)
            await reviews.collect_repositories(100)
            await reviews.review_blobs(100)
            await self.collection.bury(100)
            await self.lifecycle.settle()


async def keys(store):
    """Return every key of a store."""
    return {key async for key in store.keys("")}
