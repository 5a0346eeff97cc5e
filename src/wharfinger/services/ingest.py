# SPDX-License-Identifier: Apache-2.0
"""Taking bytes in: one request's hold on an upload, from the claim to the blob.

```text
append     [T] claim    [B] write …, checkpoint (durable)    [T] offset, claim given back
complete   [T] claim    [B] write …, compare the digest, commit (durable)    [T] blob, membership, row gone
```

Bytes are durable before a row says so, and a row names them before they exist: after any crash there is no object that
no row names, and no row that promises bytes that are not there. The running hash of an upload is kept in this process
only; when it does not cover the bytes, they are read once (ADR 0009).
"""

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, Self

from wharfinger.blobstore.base import KeyTaken, KeyUnknown, Observer, Writer, checked_key
from wharfinger.clock import HOUR, SECOND, Clock, after
from wharfinger.domain.digests import Algorithm, Digest, Hasher, algorithm_of
from wharfinger.domain.errors import BlobTooLarge, DigestMismatch, StoreUnavailable, UploadBusy, UploadUnknown
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.uploads import Chunk, check_place, check_received, check_size
from wharfinger.failpoints import failpoint
from wharfinger.metadata import blobs as blob_rows
from wharfinger.metadata import queues
from wharfinger.metadata import repositories as repository_rows
from wharfinger.metadata import uploads as rows
from wharfinger.metadata.blobs import NewBlob
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.uploads import UploadRow
from wharfinger.services.blobs import LEASE
from wharfinger.services.registries import Registry

Batch = Sequence[bytes]
"""Pieces of a body that are written together, as many as a request may hold in memory."""
CLAIM: Final = 15 * SECOND
"""How long a request that died keeps an upload from others."""
_RENEW: Final = CLAIM // 3
_RUNNING_HASHES: Final = 4_096
BURY_DELAY: Final = HOUR
"""How long replaced bytes stay, for reads that began before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadStatus:
    """Where an upload stands."""

    id: str
    offset: int


class RunningHashes:
    """Hashes of uploads whose last byte this process received; the longest untouched are forgotten first."""

    def __init__(self) -> None:
        self._hashers: OrderedDict[str, Hasher] = OrderedDict()

    def keep(self, upload_id: str, hasher: Hasher) -> None:
        """Remember the hash until the next request for the upload."""
        self._hashers[upload_id] = hasher
        while len(self._hashers) > _RUNNING_HASHES:
            self._hashers.popitem(last=False)

    def take(self, upload_id: str) -> Hasher | None:
        """Return the hash, which now belongs to the caller."""
        return self._hashers.pop(upload_id, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What taking bytes in needs.

    Args:
        database: where rows are.
        clock: the time.
        max_size: of a blob, in bytes; nothing for no limit.
        expiry: how long an upload may stand still, in microseconds.
        lease: how long a blob without a manifest is kept, in microseconds.
    """

    database: Database
    clock: Clock
    max_size: int | None
    expiry: int
    lease: int = LEASE
    hashes: RunningHashes = field(default_factory=RunningHashes)


class Ingest:
    """One request's hold on an upload: nobody else adds to it meanwhile, and whatever happens it is given back.

    Leaving without `advance` or `finish` gives the claim back and leaves the upload at its last durable byte: where
    it stood, or, if the client went away in the middle of a chunk, after what had arrived.
    """

    def __init__(
        self,
        means: Means,
        registry: Registry,
        repository: RepositoryName,
        upload_id: str,
        chunk: Chunk,
        digest: Digest | None = None,
    ) -> None:
        self._means = means
        self._registry = registry
        self._repository = repository
        self._id = upload_id
        self._chunk = chunk
        self._digest = digest
        self._row: UploadRow | None = None
        self._token = uuid.uuid4().hex
        self._writer: Writer | None = None
        self._hasher: Hasher | None = None
        self._renewed = means.clock.now()
        self._ended = False
        self._salvage = False

    def adopt(self, row: UploadRow, token: str) -> None:
        """Hold an upload that was claimed when it was begun."""
        self._row, self._token = row, token

    async def __aenter__(self) -> Self:
        if self._row is None:
            self._row = await self._take()
        try:
            await self._open(self._row)
        except BaseException:
            await asyncio.shield(self._release())
            raise
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, _traceback: object) -> None:
        if not self._ended:
            await asyncio.shield(self._give_back(error))

    async def receive(self, chunk: Chunk, body: AsyncIterator[Batch]) -> None:
        """Write the body as it comes."""
        writer, start = self._open_writer(), self._open_writer().offset
        while (batch := await self._next(body)) is not None:
            await self._write(writer, batch)
            del batch  # it would stay in memory while the next one is gathered
        check_received(chunk, writer.offset - start)

    async def _next(self, body: AsyncIterator[Batch]) -> Batch | None:
        """Return the next batch; if the client goes away or stalls, keep what it did send: it may come back."""
        try:
            return await anext(body, None)
        except Exception:
            self._salvage = True
            raise

    async def advance(self) -> UploadStatus:
        """Make what was written durable, move the offset, and give the claim back."""
        row, writer = self._held(), self._open_writer()
        state = await writer.checkpoint()
        failpoint("upload.checkpointed")
        moved = replace(row, offset=writer.offset)
        expires = after(self._means.clock.now(), self._means.expiry)

        def work(connection: Connection) -> bool:
            held = rows.advance(connection, moved, self._token, state, expires)
            failpoint("upload.advance.committing")
            return held

        held = await self._database.write(work)
        failpoint("upload.advance.committed")
        self._ended = True
        await writer.close()
        if not held:
            raise upload_unknown(row.id)
        if self._hasher is not None:
            self._means.hashes.keep(row.id, self._hasher)
        return UploadStatus(id=row.id, offset=moved.offset)

    async def finish(self, digest: Digest) -> Digest:
        """Compare the digest, make the bytes durable, and make them a blob; the only place that compares."""
        row, writer = self._held(), self._open_writer()
        size = writer.offset
        try:
            found = await self._digest_of(row, writer, algorithm_of(digest))
            failpoint("upload.hashed")
            if found == digest:
                await writer.commit()
                failpoint("upload.stored")
        except (KeyUnknown, StoreUnavailable) as error:
            # The upload may have been cancelled meanwhile, and its bytes have gone with it.
            if isinstance(error, KeyUnknown) or await self._is_gone():
                raise upload_unknown(row.id) from error
            raise
        if found != digest:
            await self._throw_away(row, writer)
            message = Sentence(
                "The bytes hash to %(found)s, not to %(digest)s; the upload was thrown away, start again.",
                found=found,
                digest=digest,
            )
            raise DigestMismatch(message, detail={"digest": digest, "found": found})
        await asyncio.shield(self._publish(row, digest, size))
        return digest

    @property
    def _database(self) -> Database:
        return self._means.database

    def _held(self) -> UploadRow:
        if self._row is None:
            message = "the claim was not taken"
            raise RuntimeError(message)
        return self._row

    def _open_writer(self) -> Writer:
        if self._writer is None:
            message = "the claim was not entered"
            raise RuntimeError(message)
        return self._writer

    async def _take(self) -> UploadRow:
        now = self._means.clock.now()

        def work(connection: Connection) -> UploadRow:
            row = rows.find(connection, self._registry.id, self._repository, self._id)
            if row is None:
                raise upload_unknown(self._id)
            check_place(row.id, row.offset, self._chunk)
            if not rows.claim(connection, row, self._token, now, after(now, CLAIM)):
                raise UploadBusy(row.id, row.offset)
            return row

        # Not durable: after a power failure nobody is writing any more.
        row = await self._database.write(work, durable=False)
        failpoint("upload.claimed")
        return row

    async def _open(self, row: UploadRow) -> None:
        self._hasher = self._running_hash(row)
        observer: Observer | None = None if self._hasher is None else self._hasher.update
        key = checked_key(row.store_key)
        try:
            if row.writer_state is None:
                self._writer = await self._registry.store.begin(key, observer)
            else:
                self._writer = await self._registry.store.resume(key, row.writer_state, observer)
        except KeyUnknown:
            raise upload_unknown(row.id) from None
        except KeyTaken:
            # The bytes were finished, and then the database failed: nobody was told of a blob, so there is none.
            raise upload_unknown(row.id) from None
        failpoint("upload.opened")

    def _running_hash(self, row: UploadRow) -> Hasher | None:
        """Return a hash that covers the upload so far, or nothing if this process does not have one."""
        kept = self._means.hashes.take(row.id)
        if row.offset == 0:
            return Hasher(row.algorithm if self._digest is None else algorithm_of(self._digest))
        return kept if kept is not None and kept.size == row.offset else None

    async def _write(self, writer: Writer, pieces: Batch) -> None:
        check_size(writer.offset + sum(map(len, pieces)), self._means.max_size)
        await writer.write(pieces)
        failpoint("upload.written")
        now = self._means.clock.now()
        if now > after(self._renewed, _RENEW):
            self._renewed = now
            until = after(now, CLAIM)
            if not await self._database.write(lambda c: rows.renew(c, self._id, self._token, until), durable=False):
                raise upload_unknown(self._id)

    async def _digest_of(self, row: UploadRow, writer: Writer, algorithm: Algorithm) -> Digest:
        if self._hasher is not None and self._hasher.algorithm is algorithm and self._hasher.size == writer.offset:
            return self._hasher.digest()
        hasher = Hasher(algorithm)
        state = await writer.checkpoint()
        async for piece in self._registry.store.open_unfinished(checked_key(row.store_key), state):
            await asyncio.to_thread(hasher.update, piece)
        return hasher.digest()

    async def _publish(self, row: UploadRow, digest: Digest, size: int) -> None:
        now = self._means.clock.now()
        new = NewBlob(registry_id=self._registry.id, digest=digest, size=size, store_key=row.store_key)

        def work(connection: Connection) -> bool:
            ended = rows.end(connection, row.id, self._token)
            # Bytes that come for a repository that was deleted meanwhile would be a blob that nobody can find.
            if not ended or not repository_rows.is_live(connection, row.repository_id):
                queues.bury(connection, self._registry.id, row.store_key, now, now)
                return False
            blob_id = blob_rows.put(connection, new, now, bury_at=after(now, BURY_DELAY))
            blob_rows.join(connection, row.repository_id, blob_id, now, after(now, self._means.lease))
            failpoint("blob.publish.committing")
            return True

        self._ended = True
        if not await self._database.write(work):
            raise upload_unknown(row.id)
        failpoint("blob.publish.committed")

    async def _give_back(self, error: BaseException | None) -> None:
        row, writer = self._held(), self._open_writer()
        if isinstance(error, BlobTooLarge):
            await self._throw_away(row, writer)
            return
        if self._salvage and writer.offset > row.offset:
            with suppress(Exception):
                await self.advance()
                return
        await writer.close()
        await self._release()

    async def _is_gone(self) -> bool:
        find = self._registry.id, self._repository, self._id
        return await self._database.read(lambda c: rows.find(c, *find)) is None

    async def _throw_away(self, row: UploadRow, writer: Writer) -> None:
        """End the upload, unless another request has taken it over meanwhile."""
        self._ended = True
        await writer.close()
        await discard(self._means, self._registry, row, self._token)

    async def _release(self) -> None:
        await self._database.write(lambda c: rows.release(c, self._id, self._token), durable=False)


async def discard(means: Means, registry: Registry, row: UploadRow, token: str | None = None) -> bool:
    """End an upload: row first, bytes after; what cannot be removed now is buried and removed later.

    With a token, only if that is still the upload's claim. Returns whether there was an upload to end.
    """
    means.hashes.take(row.id)
    now = means.clock.now()

    def work(connection: Connection) -> bool:
        ended = rows.end(connection, row.id, token)
        if ended:
            queues.bury(connection, registry.id, row.store_key, after(now, BURY_DELAY), now)
            failpoint("upload.discard.committing")
        return ended

    ended = await means.database.write(work)
    if ended:
        failpoint("upload.discard.committed")
        with suppress(Exception):
            await registry.store.delete(checked_key(row.store_key))
        failpoint("upload.discard.removed")
    return ended


def upload_unknown(upload_id: str) -> UploadUnknown:
    """Return the error for an upload that is not here."""
    message = Sentence(
        "There is no such upload in this repository: it was completed, cancelled or expired; start a new one."
    )
    return UploadUnknown(message, detail={"upload": upload_id[:64]})
