# SPDX-License-Identifier: Apache-2.0
"""The services of a node over real rows and real bytes, with a clock that stands still until it is moved."""

import asyncio
import json
import threading
from dataclasses import dataclass

from tests.support.invariants import assert_invariants
from wharfinger.blobstore.filesystem import FilesystemBlobStore
from wharfinger.blobstore.memory import MemoryBlobStore
from wharfinger.clock import DAY, SECOND, Clock, Instant
from wharfinger.domain.collection import Rules
from wharfinger.domain.digests import digest_of
from wharfinger.domain.identity import Actor, Principal
from wharfinger.domain.manifests import OCI_INDEX, OCI_MANIFEST, ManifestRules
from wharfinger.domain.names import DEFAULT_REGISTRY, RepositoryName
from wharfinger.domain.switches import Switches
from wharfinger.domain.uploads import Chunk
from wharfinger.services.accounts import Accounts
from wharfinger.services.audit import Audit
from wharfinger.services.backup import Backups
from wharfinger.services.blobs import Blobs
from wharfinger.services.cache import ContentCache
from wharfinger.services.collection import Collection
from wharfinger.services.content import Content
from wharfinger.services.credentials import Credentials
from wharfinger.services.demands import Demands
from wharfinger.services.descriptions import Descriptions
from wharfinger.services.external_identities import ExternalIdentities
from wharfinger.services.figures import Figures
from wharfinger.services.grants import Grants
from wharfinger.services.inspection import Inspections
from wharfinger.services.jobs import Jobs
from wharfinger.services.manifests import ManifestPush, Manifests
from wharfinger.services.namespaces import Namespaces
from wharfinger.services.organizations import Organizations
from wharfinger.services.outlook import Outlooks
from wharfinger.services.pulls import Pulls
from wharfinger.services.reach import Reaches
from wharfinger.services.refusals import Refusals
from wharfinger.services.registries import Registries, Registry, RegistrySwitches
from wharfinger.services.repositories import Repositories
from wharfinger.services.retention import Retention
from wharfinger.services.reviews import Pace, Reviews
from wharfinger.services.sessions import Sessions
from wharfinger.services.sizes import Sizes
from wharfinger.services.stars import Stars
from wharfinger.services.tags import Tags
from wharfinger.services.team_mappings import TeamMappings
from wharfinger.services.trash import Trash
from wharfinger.services.uploads import Uploads
from wharfinger.services.verification import Verification

ACTOR = Actor(principal=Principal(name="somebody"), client_address="192.0.2.7", request_id="r-1")
NAME = RepositoryName("acme/app")
OTHER = RepositoryName("acme/other")
ANY = Chunk()
EXPIRY = 7 * DAY
WINDOW = 30 * DAY
PATIENCE = 20
SMALL = 1_000
"""Bytes up to which the tests' nodes keep a blob in memory."""


class FakeClock(Clock):
    """Stands still until a test moves it."""

    def __init__(self):
        self._now = 1_700_000_000 * SECOND
        self._jumped = 0

    def now(self):
        return Instant(self._now + self._jumped)

    def monotonic(self):
        return self._now / SECOND

    def move(self, microseconds):
        self._now += microseconds

    def jump(self, microseconds):
        """Let only the wall clock go on, as if somebody had set it."""
        self._jumped += microseconds


@dataclass
class Node:
    """The services of one process."""

    database: object
    store: object
    registry: Registry
    uploads: Uploads
    blobs: Blobs
    manifests: Manifests
    tags: Tags
    repositories: Repositories
    collection: Collection
    outlooks: Outlooks
    reviews: Reviews
    accounts: Accounts
    organizations: Organizations
    grants: Grants
    content: Content
    credentials: Credentials
    namespaces: Namespaces
    registry_switches: RegistrySwitches
    audit: Audit
    refusals: Refusals
    verification: Verification
    demands: Demands
    external_identities: ExternalIdentities
    team_mappings: TeamMappings
    sessions: Sessions
    trash: Trash
    backups: Backups
    pulls: Pulls
    figures: Figures
    jobs: Jobs
    retention: Retention
    descriptions: Descriptions
    reaches: Reaches
    sizes: Sizes
    stars: Stars
    inspections: Inspections


PROVIDERS = ("corp", "other")
"""The providers that the settings of every node know."""


class World:
    """One deployment: a database, a store, and as many nodes as a test wants.

    Args:
        place: the database.
        folder: for a filesystem store; nothing for one in memory.
    """

    def __init__(self, place, folder):
        self.place = place
        self.clock = FakeClock()
        self._folder = folder
        self._memory = MemoryBlobStore() if folder is None else None
        self._stores = []
        self.first = self.node()

    def store(self):
        """Open the store once more."""
        if self._folder is None:
            return self._memory
        self._stores.append(FilesystemBlobStore(self._folder, reserve=0, max_threads=2))
        return self._stores[-1]

    def node(self, *, database=None, store=None, max_size=None, deletion=True, read_only=False, rules=None):
        """Start one more node, as another process of the deployment."""
        database = database or self.place.open()
        store = store or self.store()
        registry = Registry(id=1, name=DEFAULT_REGISTRY, store=store)
        switches = Switches(deletion=deletion, read_only=read_only)
        repositories = Repositories(database, self.clock, switches)
        blobs = Blobs(database, self.clock, switches, ContentCache(max_bytes=10 * SMALL, max_item=SMALL))
        manifests = Manifests(
            database=database,
            clock=self.clock,
            switches=switches,
            rules=rules or ManifestRules(),
            cache=ContentCache(max_bytes=1_000_000, max_item=1_000_000),
        )
        return Node(
            database=database,
            store=store,
            registry=registry,
            uploads=Uploads(database=database, clock=self.clock, switches=switches, max_size=max_size, expiry=EXPIRY),
            blobs=blobs,
            manifests=manifests,
            tags=Tags(database, repositories, self.clock, switches),
            repositories=repositories,
            collection=Collection(database, Registries(registry), self.clock),
            outlooks=Outlooks(database, self.clock, Rules(window=WINDOW)),
            reviews=Reviews(
                database=database,
                clock=self.clock,
                switches=switches,
                rules=Rules(window=WINDOW),
                pace=Pace(rest=0),
            ),
            accounts=Accounts(database, self.clock),
            organizations=Organizations(database, self.clock),
            grants=Grants(database, self.clock),
            content=Content(database, self.clock),
            credentials=Credentials(database, self.clock),
            namespaces=Namespaces(database, self.clock),
            registry_switches=RegistrySwitches(database, self.clock),
            audit=Audit(database),
            refusals=Refusals(database, self.clock),
            verification=Verification(database, self.clock),
            demands=Demands(database, self.clock, PROVIDERS),
            external_identities=ExternalIdentities(database, self.clock, PROVIDERS),
            team_mappings=TeamMappings(database, self.clock, PROVIDERS),
            sessions=Sessions(database, self.clock),
            trash=Trash(database, self.clock, switches, window=WINDOW),
            backups=Backups(database, Registries(registry), self.clock, "0"),
            pulls=Pulls(database, repositories, self.clock),
            figures=Figures(database, Registries(registry), self.clock),
            jobs=Jobs(database, self.clock, "dock"),
            retention=Retention(database, Registries(registry), self.clock, switches),
            descriptions=Descriptions(database, self.clock, switches),
            reaches=Reaches(database),
            sizes=Sizes(database, repositories, self.clock),
            stars=Stars(database, repositories, self.clock, switches),
            inspections=Inspections(database, manifests, blobs),
        )

    async def assert_sound(self):
        """Check every invariant."""
        await assert_invariants(self.first.database, self.first.store)

    async def aclose(self):
        for store in self._stores:
            await store.aclose()


async def body(*pieces, error=None):
    """Yield the pieces, and then fail if there is an error."""
    for piece in pieces:
        yield [piece]
    if error is not None:
        raise error


async def push_blob(node, content=b"layer", name=NAME):
    """Upload a blob in one request and return its digest."""
    digest = digest_of(content)
    return await node.uploads.push(node.registry, name, digest, ANY, body(content), ACTOR)


async def read_blob(node, digest, name=NAME, start=0, stop=None):
    """Return the bytes that a client would get."""
    blob = await node.blobs.stat(node.registry, name, digest)
    found = await node.blobs.read(node.registry, blob, start, stop)
    if found.content is not None:
        return found.content
    if found.path is not None:
        return await asyncio.to_thread(found.path.read_bytes)
    return b"".join([piece async for piece in found.pieces])


def descriptor(content, media_type="application/octet-stream", **more):
    """Return a descriptor of bytes."""
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content), **more}


def image(*layers, config=b"{}", **more):
    """Return the bytes of an image manifest."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(config, "application/vnd.oci.image.config.v1+json"),
        "layers": [descriptor(layer) for layer in layers],
        **more,
    }
    return json.dumps(document).encode()


def index(*children, **more):
    """Return the bytes of an index of manifests."""
    listed = [descriptor(child, OCI_MANIFEST) for child in children]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed, **more}).encode()


async def push_manifest(node, content, *tags, name=NAME, **more):
    """Store a manifest and return its digest."""
    push = ManifestPush(**{"content": content, "content_type": None, "digest": None, "tags": tags, **more})
    return (await node.manifests.put(node.registry, name, push, ACTOR)).digest


async def push_image(node, *layers, tags=("v1",), name=NAME, config=b"{}", **more):
    """Upload layers, config and manifest; return the manifest's digest."""
    for content in (*layers, config):
        await push_blob(node, content, name)
    return await push_manifest(node, image(*layers, config=config, **more), *tags, name=name)


class Paused:
    """A database whose transactions stop just before they commit, until they are let go.

    Args:
        inner: the database.
    """

    def __init__(self, inner):
        self._inner = inner
        self.reached, self.let_go = threading.Event(), threading.Event()

    async def write(self, work, *, durable=True):
        def and_wait(connection):
            result = work(connection)
            self.reached.set()
            assert self.let_go.wait(PATIENCE)
            return result

        return await self._inner.write(and_wait, durable=durable)

    async def at_the_end(self):
        """Wait until a transaction has done its work and stands before its commit."""
        assert await asyncio.to_thread(self.reached.wait, PATIENCE)

    def __getattr__(self, name):
        return getattr(self._inner, name)
