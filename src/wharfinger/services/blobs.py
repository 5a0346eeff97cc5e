# SPDX-License-Identifier: Apache-2.0
"""Blobs within a repository: looking one up, reading it, linking it, deleting it.

A blob is readable only through a repository that has it. Knowing a digest gives nothing.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wharfinger.blobstore.base import KeyUnknown, checked_key
from wharfinger.clock import HOUR, Clock, Instant, after
from wharfinger.domain.digests import Digest, algorithm_of, digest_of
from wharfinger.domain.errors import BlobUnknown, ContentGone, DatabaseUnavailable, StillReferenced
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.switches import Switches
from wharfinger.failpoints import failpoint
from wharfinger.metadata import blobs as rows
from wharfinger.metadata import events, trash
from wharfinger.metadata import repositories as repository_rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.standing import Sight
from wharfinger.services.cache import ContentCache
from wharfinger.services.registries import Registry

LEASE: Final = 24 * HOUR
"""How long a blob without a manifest is kept after an upload, a mount, or a `HEAD` by somebody who pushes, unless the
setting `collection.grace` says otherwise."""


_LEASE_LEFT: Final = HOUR
"""With less left, a lease that cannot be renewed is no promise any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobStat:
    """A blob that a repository has."""

    digest: Digest
    size: int
    store_key: str
    blob_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobContent:
    """The bytes of a blob, or of a range of it, in the first of the three forms that there is."""

    content: bytes | None = None
    path: Path | None = None
    """A local file that holds exactly the whole blob."""
    pieces: AsyncIterator[bytes] | None = None


class Blobs:
    """Blobs of every registry."""

    def __init__(
        self, database: Database, clock: Clock, switches: Switches, cache: ContentCache, *, lease: int = LEASE
    ) -> None:
        self._lease = lease
        self._database = database
        self._clock = clock
        self._switches = switches
        self._cache = cache

    async def stat(self, registry: Registry, repository: RepositoryName, digest: Digest) -> BlobStat:
        """Return size and place of a blob.

        Raises:
            BlobUnknown: the repository does not have it.
        """
        found = await self._find(registry, repository, digest)
        if found is None:
            raise blob_unknown(digest)
        return found[0]

    async def stat_to_push(
        self, registry: Registry, repository: RepositoryName, digest: Digest, sight: Sight
    ) -> BlobStat:
        """Return a blob to somebody who is about to push a manifest that needs it.

        A blob that another repository has, one that the caller sees (`Authorization.sight`), is linked here, so that it
        need not be uploaded; one that is here has its lease renewed when less than half is left. Most calls write
        nothing. Where the database cannot write, the client is left to upload, or to rely on a lease that has time
        left.

        Raises:
            BlobUnknown: the registry does not have it, or it was deleted from this repository by hand.
            DatabaseUnavailable: the lease ends soon and cannot be renewed.
        """
        found = await self._find(registry, repository, digest)
        now = self._clock.now()
        if found is None:
            if not await self._try_to_link(registry, repository, digest, now, sight):
                raise blob_unknown(digest)
            return await self.stat(registry, repository, digest)
        stat, repository_id, lease_until = found
        if lease_until < after(now, self._lease // 2) and not self._switches.read_only:
            await self._renew(stat, repository_id, lease_until, now)
        return stat

    async def read(self, registry: Registry, blob: BlobStat, start: int = 0, stop: int | None = None) -> BlobContent:
        """Return the bytes from `start` up to but not including `stop`.

        Raises:
            BlobUnknown: the bytes are not where they should be; from now on the blob counts as missing, so that a
                push repairs it.
            StoreUnavailable: the store does not answer.
        """
        end = blob.size if stop is None else stop
        key = checked_key(blob.store_key)
        content = self._cache.get(blob.digest)
        if content is not None:
            return BlobContent(content=content[start:end])
        try:
            size = await registry.store.stat(key)
        except KeyUnknown:
            size = -1
        if size != blob.size:
            raise await self._missing(blob)
        if blob.size <= self._cache.max_item:
            return BlobContent(content=(await self._load(registry, blob))[start:end])
        path = registry.store.path(key) if (start, end) == (0, blob.size) else None
        if path is not None:
            return BlobContent(path=path)
        return BlobContent(pieces=await self._begun(blob, registry.store.open(key, start, end)))

    async def content(self, registry: Registry, blob: BlobStat) -> bytes:
        """Return the whole content, verified; the caller has found its size to be bearable.

        Raises:
            BlobUnknown: the bytes are not there, or not what the digest names; from now on the blob counts as missing.
            StoreUnavailable: the store does not answer.
        """
        content = self._cache.get(blob.digest)
        return await self._load(registry, blob) if content is None else content

    async def delete(self, registry: Registry, repository: RepositoryName, digest: Digest) -> None:
        """Take the blob out of the repository at once; its bytes go when nothing needs them any more.

        Raises:
            BlobUnknown: the repository does not have it.
            StillReferenced: a manifest of the repository needs it.
        """
        self._switches.require_deletion()
        now = self._clock.now()

        def work(connection: Connection) -> None:
            repository_id = repository_rows.find(connection, registry.id, repository)
            if repository_id is None or repository_rows.lock(connection, repository_id) is None:
                raise blob_unknown(digest)
            blob_id, _ = rows.members(connection, repository_id, [digest]).get(digest, (None, 0))
            if blob_id is None:
                raise blob_unknown(digest)
            if rows.is_referenced(connection, repository_id, blob_id):
                message = Sentence("A manifest of this repository still refers to the blob; delete the manifest first.")
                raise StillReferenced(message, detail={"digest": digest})
            rows.unlink(connection, repository_id, blob_id, now, after(now, self._lease))
            failpoint("blob.delete.committing")

        await self._database.write(work)
        failpoint("blob.delete.committed")

    async def restore(self, registry: Registry, repository: RepositoryName, digest: Digest, by: Actor) -> None:
        """Undo the deletion of a blob from the repository; manifests that were pushed without it have it again.

        Raises:
            BlobUnknown: it was not deleted from here, or it was collected.
            ContentGone: somebody ended its time in the trash.
        """
        self._switches.require_writable()
        now = self._clock.now()

        def work(connection: Connection) -> None:
            repository_id = repository_rows.find(connection, registry.id, repository)
            if repository_id is None or repository_rows.lock(connection, repository_id) is None:
                raise blob_unknown(digest)
            found = trash.find_blob(connection, repository_id, digest)
            if found is None:
                message = Sentence("The blob %(digest)s is not in the trash of this repository.", digest=digest)
                raise BlobUnknown(message, detail={"digest": digest})
            if found.purged:
                message = Sentence(
                    "The blob %(digest)s does not come back: its time in the trash has ended. Push it again.",
                    digest=digest,
                )
                raise ContentGone(message, [digest])
            rows.join(connection, repository_id, found.id, now, after(now, self._lease))
            event = Event(
                action=EventAction.BLOB_RESTORED, repository_id=repository_id, repository=repository, digest=digest
            )
            events.record(connection, registry.id, event, by, now)
            failpoint("blob.restore.committing")

        await self._database.write(work)
        failpoint("blob.restore.committed")

    async def _find(
        self, registry: Registry, repository: RepositoryName, digest: Digest
    ) -> tuple[BlobStat, int, Instant] | None:
        row = await self._database.find(rows.BLOB, registry_id=registry.id, repository=repository, digest=digest)
        if row is None:
            return None
        blob_id, size, store_key, repository_id, lease_until = row
        stat = BlobStat(digest=digest, size=size, store_key=store_key, blob_id=blob_id)
        return stat, repository_id, lease_until

    async def _try_to_link(
        self, registry: Registry, repository: RepositoryName, digest: Digest, now: Instant, sight: Sight
    ) -> bool:
        if self._switches.read_only or not await self._database.find(
            rows.ELSEWHERE, registry_id=registry.id, digest=digest
        ):
            return False
        try:
            linked = await self._database.write(lambda c: self._link(c, registry, repository, digest, now, sight))
        except DatabaseUnavailable:
            return False
        failpoint("blob.link.committed")
        return linked is not None

    async def _renew(self, stat: BlobStat, repository_id: int, lease_until: Instant, now: Instant) -> None:
        until = after(now, self._lease)
        try:
            renewed = await self._database.write(lambda c: rows.extend_lease(c, repository_id, stat.blob_id, until))
        except DatabaseUnavailable:
            if lease_until < after(now, _LEASE_LEFT):
                raise
        else:
            if not renewed:  # the collector, or somebody who deleted it, came first
                raise blob_unknown(stat.digest)

    def _link(
        self,
        connection: Connection,
        registry: Registry,
        repository: RepositoryName,
        digest: Digest,
        now: Instant,
        sight: Sight,
    ) -> int | None:
        repository_id = repository_rows.find(connection, registry.id, repository)
        if repository_id is None or rows.was_deleted_here(connection, repository_id, digest):
            return None
        found = rows.find_elsewhere(connection, registry.id, digest, None, sight)
        if found is None:
            return None
        rows.join(connection, repository_id, found[0], now, after(now, self._lease))
        failpoint("blob.link.committing")
        return found[0]

    async def _load(self, registry: Registry, blob: BlobStat) -> bytes:
        """Read a blob whole, verify it, and keep it if it is small."""
        try:
            pieces = [piece async for piece in registry.store.open(checked_key(blob.store_key), 0, blob.size)]
        except KeyUnknown:
            raise await self._missing(blob) from None
        content = b"".join(pieces)
        algorithm = algorithm_of(blob.digest)
        if len(content) > self._cache.max_item:  # hashing it here would hold up the loop
            digest = await asyncio.to_thread(digest_of, content, algorithm)
        else:
            digest = digest_of(content, algorithm)
        if digest != blob.digest:
            raise await self._missing(blob)
        self._cache.put(blob.digest, content)
        return content

    async def _begun(self, blob: BlobStat, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Read the first piece: what fails before the first byte is answered with an error, not with a broken body."""
        try:
            first = await anext(pieces, b"")
        except KeyUnknown:
            raise await self._missing(blob) from None
        return _chained(first, pieces)

    async def _missing(self, blob: BlobStat) -> BlobUnknown:
        await self._database.write(lambda c: rows.set_missing(c, blob.blob_id, blob.store_key))
        return blob_unknown(blob.digest)


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    try:
        yield first
        async for piece in rest:
            yield piece
    finally:
        if isinstance(rest, AsyncGenerator):
            await rest.aclose()


def blob_unknown(digest: Digest) -> BlobUnknown:
    """Return the error for a blob that the repository does not have."""
    return BlobUnknown(
        Sentence("The blob %(digest)s is not in this repository.", digest=digest), detail={"digest": digest}
    )
