# SPDX-License-Identifier: Apache-2.0
"""Uploads: starting one, adding to it, completing, cancelling, mounting instead; and the end of those left standing.

How bytes are taken in, and what is durable when, is in `ingest`.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator

from wharfinger.blobstore.base import ingest_key
from wharfinger.clock import Clock, Instant, after
from wharfinger.domain.digests import Algorithm, Digest, algorithm_of
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.switches import Switches
from wharfinger.domain.uploads import Chunk, expected_algorithm
from wharfinger.failpoints import failpoint
from wharfinger.metadata import blobs as blob_rows
from wharfinger.metadata import repositories as repository_rows
from wharfinger.metadata import uploads as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.standing import Sight
from wharfinger.metadata.uploads import UploadRow
from wharfinger.services.blobs import LEASE
from wharfinger.services.ingest import CLAIM, Batch, Ingest, Means, UploadStatus, discard, upload_unknown
from wharfinger.services.registries import Registry
from wharfinger.services.repositories import ensure
from wharfinger.telemetry import logger

_log = logger("uploads")


class Uploads:
    """Uploads of every registry.

    Args:
        database: where rows are.
        clock: the time.
        switches: the operator's.
        max_size: of a blob, in bytes; nothing for no limit.
        expiry: how long an upload may stand still, in microseconds.
        lease: how long a blob without a manifest is kept, in microseconds.
    """

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        switches: Switches,
        max_size: int | None,
        expiry: int,
        lease: int = LEASE,
    ) -> None:
        self._means = Means(database=database, clock=clock, max_size=max_size, expiry=expiry, lease=lease)
        self._switches = switches

    async def start(
        self, registry: Registry, repository: RepositoryName, algorithm: Algorithm | None, by: Actor
    ) -> UploadStatus:
        """Begin an upload; the repository comes into being with it."""
        self._switches.require_writable()
        row, _ = await self._begin(registry, repository, expected_algorithm(None, algorithm), by)
        return UploadStatus(id=row.id, offset=0)

    async def status(self, registry: Registry, repository: RepositoryName, upload_id: str) -> UploadStatus:
        """Return where the upload stands.

        Raises:
            UploadUnknown: it is not of this repository, was never started, or has ended.
        """
        row = await self._means.database.find(
            rows.UPLOAD, upload_id=upload_id, registry_id=registry.id, repository=repository
        )
        if row is None:
            raise upload_unknown(upload_id)
        return UploadStatus(id=upload_id, offset=int(str(row[0])))

    async def append(
        self,
        registry: Registry,
        repository: RepositoryName,
        upload_id: str,
        chunk: Chunk,
        body: AsyncIterator[Batch],
    ) -> UploadStatus:
        """Add a chunk. If the client goes away in the middle, what arrived is kept and can be resumed.

        Raises:
            UploadUnknown: as `status`.
            UploadOutOfOrder, UploadBusy: the chunk does not fit, or another request is writing; nothing changed.
            SizeInvalid: the body has another length than the chunk said; the upload stands where it stood.
            BlobTooLarge: the limit is passed; the upload is over.
            StoreFull, StoreUnavailable: the store does not take it.
        """
        self._switches.require_writable()
        async with Ingest(self._means, registry, repository, upload_id, chunk) as claim:
            await claim.receive(chunk, body)
            return await claim.advance()

    async def complete(
        self,
        registry: Registry,
        repository: RepositoryName,
        upload_id: str,
        digest: Digest,
        chunk: Chunk,
        body: AsyncIterator[Batch],
    ) -> Digest:
        """Add the last chunk, if there is one, and make the upload a blob of the repository.

        Raises:
            DigestMismatch: the bytes hash to something else; the upload is over and its bytes are gone.
            UploadUnknown, UploadOutOfOrder, UploadBusy, SizeInvalid, BlobTooLarge, StoreFull, StoreUnavailable: as
                `append`.
        """
        self._switches.require_writable()
        async with Ingest(self._means, registry, repository, upload_id, chunk, digest) as claim:
            await claim.receive(chunk, body)
            return await claim.finish(digest)

    async def push(
        self,
        registry: Registry,
        repository: RepositoryName,
        digest: Digest,
        chunk: Chunk,
        body: AsyncIterator[Batch],
        by: Actor,
    ) -> Digest:
        """Upload a blob in one request; raises what `complete` raises, and nothing stays after a failure."""
        self._switches.require_writable()
        row, token = await self._begin(registry, repository, algorithm_of(digest), by, claimed=True)
        claim = Ingest(self._means, registry, repository, row.id, chunk, digest)
        claim.adopt(row, token)
        try:
            async with claim:
                await claim.receive(chunk, body)
                return await claim.finish(digest)
        except BaseException:
            await asyncio.shield(discard(self._means, registry, row))
            raise

    async def cancel(self, registry: Registry, repository: RepositoryName, upload_id: str) -> None:
        """End the upload and remove its bytes, also while a request is writing to it: that one then fails.

        Raises:
            UploadUnknown: as `status`.
        """
        row = await self._means.database.read(lambda c: rows.find(c, registry.id, repository, upload_id))
        if row is None or not await discard(self._means, registry, row):
            raise upload_unknown(upload_id)

    async def mount(
        self,
        registry: Registry,
        repository: RepositoryName,
        digest: Digest,
        source: RepositoryName | None,
        sight: Sight,
        by: Actor,
    ) -> bool:
        """Make a blob that the source has (without a source: any repository in sight) a member of this repository.

        Returns whether it could; if not, nothing changed and the client is to upload. Whether the caller may pull from
        the source was decided before.
        """
        self._switches.require_writable()
        now = self._means.clock.now()

        def work(connection: Connection) -> bool:
            source_id = None if source is None else repository_rows.find(connection, registry.id, source)
            if source is not None and source_id is None:
                return False
            found = blob_rows.find_elsewhere(connection, registry.id, digest, source_id, sight)
            if found is None:
                return False
            repository_id = ensure(connection, registry, repository, by, now)
            blob_rows.join(connection, repository_id, found[0], now, after(now, self._means.lease))
            failpoint("blob.mount.committing")
            return True

        mounted = await self._means.database.write(work)
        failpoint("blob.mount.committed")
        return mounted

    async def expire(self, registry: Registry, limit: int, *, dry_run: bool = False) -> int:
        """End uploads that have stood still for too long, and unlisted repositories that nothing came of.

        Returns how many uploads ended; for a background job. A dry run only logs them.
        """
        now = self._means.clock.now()
        found = await self._means.database.read(lambda c: rows.expired(c, registry.id, now, limit))
        if dry_run:
            for row in found:
                _log.info("upload would end", upload=row.id, offset=row.offset)
            return 0
        failpoint("expiry.found")
        for row in found:
            await discard(self._means, registry, row)
        before = Instant(now - self._means.expiry)
        await self._means.database.write(lambda c: repository_rows.delete_unlisted(c, registry.id, before, limit))
        return len(found)

    async def _begin(
        self, registry: Registry, repository: RepositoryName, algorithm: Algorithm, by: Actor, *, claimed: bool = False
    ) -> tuple[UploadRow, str]:
        upload_id, token, now = str(uuid.uuid4()), uuid.uuid4().hex, self._means.clock.now()

        def work(connection: Connection) -> UploadRow:
            row = UploadRow(
                id=upload_id,
                registry_id=registry.id,
                repository_id=ensure(connection, registry, repository, by, now),
                store_key=ingest_key(upload_id),
                algorithm=algorithm,
                offset=0,
                writer_state=None,
            )
            rows.start(connection, row, by, now, after(now, self._means.expiry))
            if claimed:
                rows.claim(connection, row, token, now, after(now, CLAIM))
            failpoint("upload.start.committing")
            return row

        begun = await self._means.database.write(work)
        failpoint("upload.start.committed")
        return begun, token
