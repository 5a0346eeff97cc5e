# SPDX-License-Identifier: Apache-2.0
"""Every moment of a scenario at which the power may fail, and what has to hold in what is found afterwards.

A scenario runs on the real services and the real driver, over a disk in memory and a real SQLite file. After each call
to the disk, each commit and each acknowledgement the recorder keeps a copy of all of it. What a power failure at that
moment leaves is one of `Disk.after_power_failure` together with one state of the rows. SQLite's own durability is
trusted: a durable commit is there, and of those after it that were not durable, any first part.

States are held to be the same where nothing that runs afterwards can tell them apart: bytes of an unfinished file after
the offset that its row promises (`resume` cuts them off, `begin` all of them), and those of a file that a tombstone
alone names, which are removed and never read.
"""

import hashlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from tests.crash.disks import Disk, DiskFiles
from tests.metadata.databases import Place
from tests.services.world import EXPIRY, NAME, World, push_blob, read_blob
from wharfinger.blobstore.filesystem import FilesystemBlobStore
from wharfinger.clock import DAY, SECOND
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import UploadUnknown
from wharfinger.domain.uploads import Chunk

ROOT = Path("/disk/wharfinger/blobs")
PART = ".part"


@dataclass(frozen=True)
class HasBlob:
    """A repository has a blob: 201, or 200 for a HEAD."""

    content: bytes
    name: str = NAME


@dataclass(frozen=True)
class Stands:
    """An upload stands at an offset, or further: 202, 204."""

    upload: str
    sent: bytes


@dataclass(frozen=True)
class Moment:
    """What a power failure finds."""

    what: str
    disk: Disk
    rows: tuple[bytes, ...]
    facts: frozenset
    at: int


class Recorder:
    """One deployment that remembers every moment.

    Args:
        place: a migrated SQLite file.
        contents: everything that the scenario uploads whole.
        files: the class of the file interface; one with a fault shows that the checks see it.
    """

    def __init__(self, place, contents, files=DiskFiles):
        self.contents = contents
        self.moments = []
        self.world = World(place, None)
        self._kind = files
        self._disk = Disk.of({}, [ROOT.parent])
        self._facts = set()
        self._connection = sqlite3.connect(place.path, check_same_thread=False)
        self._rows = [self._snapshot()]
        self._stores = []

    @property
    def clock(self):
        return self.world.clock

    def node(self, **options):
        """Start one more process of the deployment."""
        store = FilesystemBlobStore(ROOT, reserve=0, max_threads=2, files=self._kind(self._disk, self._note))
        self._stores.append(store)
        return self.world.node(database=Witness(self.world.place.open(), self._committed), store=store, **options)

    def acknowledge(self, fact):
        """The client has its answer; from here on the fact has to hold."""
        if isinstance(fact, Stands):  # what was said before of the same upload is contained in it
            self._facts = {one for one in self._facts if not (isinstance(one, Stands) and one.upload == fact.upload)}
        self._facts.add(fact)
        self._note("acknowledged")

    def withdraw(self, fact):
        """The client asks for the opposite; from here on either may be found."""
        self._facts.discard(fact)

    async def aclose(self):
        for store in self._stores:
            await store.aclose()
        await self.world.aclose()
        self._connection.close()

    def _note(self, what):
        facts = frozenset(self._facts)
        self.moments.append(Moment(what, self._disk.copy(), tuple(self._rows), facts, self.clock.now()))

    def _committed(self, *, durable):
        snapshot = self._snapshot()
        self._rows = [snapshot] if durable else [*self._rows, snapshot]
        self._note("durable commit" if durable else "commit")

    def _snapshot(self):
        return self._connection.serialize()


class Witness:
    """A database that tells of each commit."""

    def __init__(self, inner, committed):
        self._inner = inner
        self._committed = committed

    async def write(self, work, *, durable=True):
        result = await self._inner.write(work, durable=durable)
        self._committed(durable=durable)
        return result

    def __getattr__(self, name):
        return getattr(self._inner, name)


class Rows:
    """What a state of the database says about bytes."""

    def __init__(self, snapshot):
        self.snapshot = snapshot
        connection = sqlite3.connect(":memory:")
        connection.row_factory = sqlite3.Row
        # The image says that it has a write-ahead log; one in memory has none.
        connection.deserialize(snapshot[:18] + b"\x01\x01" + snapshot[20:])
        self.blobs = connection.execute("SELECT * FROM blobs").fetchall()
        self.uploads = connection.execute("SELECT * FROM uploads").fetchall()
        self.tombstones = connection.execute("SELECT * FROM tombstones").fetchall()
        members = connection.execute(
            "SELECT r.name, b.digest FROM repository_blobs m JOIN blobs b ON b.id = m.blob_id"
            " JOIN repositories r ON r.id = m.repository_id WHERE m.unlinked_at IS NULL AND b.state = 'live'"
        )
        self.members = {(row["name"], row["digest"]) for row in members}
        connection.close()

    def promised(self, upload):
        """How many bytes of an upload a client was told of."""
        return upload["offset"] if upload["writer_state"] is not None else 0


@dataclass(frozen=True)
class State:
    """What is found: rows and files."""

    rows: Rows
    files: dict
    folders: tuple

    @classmethod
    def of(cls, rows, disk):
        return cls(rows, {path.relative_to(ROOT).as_posix(): c for path, c in disk.files().items()}, disk.folders())

    def recognised(self):
        """What of it can be told apart by anything that runs afterwards (see the module)."""
        offsets = {row["store_key"]: self.rows.promised(row) for row in self.rows.uploads}
        blobs = {row["store_key"] for row in self.rows.blobs}
        seen = []
        for name, content in sorted(self.files.items()):
            key = name.removesuffix(PART)
            if name.endswith(PART) and key in offsets:
                seen.append((name, content[: offsets[key]], len(content) >= offsets[key]))
            else:
                seen.append((name, content if key in blobs or key in offsets else b""))
        return self.rows.snapshot, tuple(seen), tuple(self.folders)


def states(recorder):
    """Yield every moment with every state that may be found after it, equal ones once for the same facts."""
    seen, known = set(), {}
    for moment in recorder.moments:
        for disk in moment.disk.after_power_failure():
            for snapshot in moment.rows:
                rows = known.setdefault(snapshot, None) or Rows(snapshot)
                known[snapshot] = rows
                state = State.of(rows, disk)
                key = (hashlib.sha256(repr(state.recognised()).encode()).digest(), moment.facts)
                if key not in seen:
                    seen.add(key)
                    yield moment, state


def complaints(moment, state, contents):
    """Say what does not hold in a state, before anything has run."""
    yield from _lost(moment, state)
    yield from _torn(state, contents)
    yield from _unnamed(state)
    yield from _promised(state)


def _lost(moment, state):
    uploads = {row["id"]: row for row in state.rows.uploads}
    for fact in moment.facts:
        match fact:
            case HasBlob(content, name):
                if (name, digest_of(content)) not in state.rows.members:
                    yield f"{content!r} was acknowledged, and {name} does not have it"
            case Stands(upload, sent):
                if upload not in uploads or state.rows.promised(uploads[upload]) < len(sent):
                    yield f"{sent!r} was acknowledged, and the upload stands before its end"


def _torn(state, contents):
    for name, content in state.files.items():
        if not name.endswith(PART) and not name.startswith(".check-") and content not in contents:
            yield f"{content!r} is under a final key"


def _unnamed(state):
    rows = state.rows
    named = {row["store_key"] for table in (rows.blobs, rows.uploads, rows.tombstones) for row in table}
    for name in state.files:
        if name.removesuffix(PART) not in named and not name.startswith(".check-"):
            yield f"no row names the file {name[-12:]}"


def _promised(state):
    rows, buried = state.rows, {row["store_key"] for row in state.rows.tombstones}
    for blob in rows.blobs:
        found = state.files.get(blob["store_key"], b"")
        if blob["state"] == "live" and digest_of(found) != blob["digest"]:
            yield f"the blob of {blob['size']} bytes has {found!r}"
        if blob["store_key"] in buried:
            yield "a tombstone waits for the bytes of a blob"
    for upload in rows.uploads:
        offset = rows.promised(upload)
        part, whole = (state.files.get(upload["store_key"] + end) for end in (PART, ""))
        # Bytes that were finished when the power failed have their final name: nobody was told of a blob.
        if len(part if part is not None else whole or b"") < offset:
            yield f"an upload promises {offset} bytes and has {part!r}"


async def recover(moment, state, contents, folder):
    """Start a node over what was found, go on with everything, and clean up; returns what does not hold."""
    path = folder / "found.db"
    path.write_bytes(state.rows.snapshot)
    place = Place("sqlite", str(path))
    disk = Disk.of({ROOT / name: content for name, content in state.files.items()}, state.folders)
    world = World(place, None)
    store = FilesystemBlobStore(ROOT, reserve=0, max_threads=2, files=DiskFiles(disk))
    node = world.node(store=store)
    world.clock.move(moment.at - world.clock.now())
    try:
        await store.check()
        return [complaint async for complaint in _go_on(world, node, moment, state, contents)]
    finally:
        await store.aclose()
        await world.aclose()
        await place.aclose()
        for end in ("", "-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)


async def _go_on(world, node, moment, state, contents):
    world.clock.move(16 * SECOND)  # the claims of those who died
    for fact in moment.facts:
        if isinstance(fact, HasBlob) and await read_blob(node, digest_of(fact.content), fact.name) != fact.content:
            yield f"{fact.content!r} cannot be read"
        if isinstance(fact, Stands):
            async for complaint in _resumed(node, fact, state, contents):
                yield complaint
    for content in contents:
        if await read_blob(node, await push_blob(node, content)) != content:
            yield f"{content!r} cannot be pushed again"
    world.clock.move(EXPIRY + DAY)
    await node.uploads.expire(node.registry, 100)
    world.clock.move(DAY)
    await node.collection.bury(100)
    left = {path.relative_to(ROOT).as_posix() for path in node.store._files.disk.files()}
    keys = {row[0] for row in await node.database.read(_keys)}
    if left != keys:
        yield f"after expiry and burial there is {sorted(left - keys)} too much and {sorted(keys - left)} too little"


async def _resumed(node, fact, state, contents):
    """Go on with an upload where it stands, as a client does that was told so."""
    row = next(row for row in state.rows.uploads if row["id"] == fact.upload)
    (content,) = (one for one in contents if one.startswith(fact.sent))
    stands = (await node.uploads.status(node.registry, NAME, fact.upload)).offset
    if not content.startswith(content[:stands]) or stands < len(fact.sent):
        yield f"the upload stands at {stands}"

    async def rest():
        yield [content[stands:]]

    try:
        await node.uploads.complete(node.registry, NAME, fact.upload, digest_of(content), Chunk(), rest())
    except UploadUnknown:
        # Allowed in one case alone: it was complete, and the power failed before the row of its blob.
        if state.files.get(row["store_key"]) != content:
            yield f"the upload of {content!r} cannot be resumed at {stands}"
        return
    if await read_blob(node, digest_of(content)) != content:
        yield f"{content!r} was resumed and is something else"


def _keys(connection):
    return connection.exec_driver_sql("SELECT store_key FROM blobs WHERE state = 'live'").all()
