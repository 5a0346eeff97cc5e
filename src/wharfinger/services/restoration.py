# SPDX-License-Identifier: Apache-2.0
"""Restoration: the bytes of a backup into stores, and its rows into a database that is still out of sight.

Bytes come first. A database appears only when it is whole, so a restoration that was interrupted leaves a registry
without a database, and the next one goes on with the bytes that are there already.
"""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from wharfinger.blobstore.base import BlobStore, KeyUnknown, checked_key, ingest_key
from wharfinger.clock import Clock
from wharfinger.domain.backups import CONTENTS, METADATA, SECRET, Backup, BackupUnfit, blob_key, piece_key
from wharfinger.domain.digests import Algorithm, Digest, Hasher, algorithm_of
from wharfinger.metadata.dump import Content, Loader, TableReader, read_content
from wharfinger.services.archive import Archive
from wharfinger.services.backup import Copied, Progress
from wharfinger.services.pace import Pace

_LINES: Final = 500


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of the bytes.

    Args:
        copied: how much was done.
        lost: registry and digest of blobs that neither the backup nor the store has.
        moved: by registry and key, another key under which the bytes are: those under the first one were wrong.
    """

    copied: Copied = field(default_factory=Copied)
    lost: list[tuple[int, str]] = field(default_factory=list)
    moved: dict[tuple[int, str], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A registry of the backup, and the storage that its bytes go to.

    Args:
        id: of the registry.
        name: what it is called.
        storage: the storage's name in the settings.
        mark: what the storage bears.
    """

    id: int
    name: str
    storage: str
    mark: str


class Restoration:
    """Takes one backup apart.

    Args:
        store: where backups are.
        backup: which one.
        clock: the time.
        rate: bytes a second to read at the most; nothing for no limit.
        progress: told about every blob.
    """

    def __init__(
        self,
        store: BlobStore,
        backup: Backup,
        clock: Clock,
        *,
        rate: int | None = None,
        progress: Progress = lambda _: None,
    ) -> None:
        self._archive = Archive(store)
        self._backup = backup
        self._pace = Pace(rate, clock)
        self._progress = progress

    async def check_pieces(self) -> None:
        """Hold everything but the blobs against the backup's page.

        Raises:
            BackupUnfit: something is not what it was.
        """
        for name, piece in self._backup.pieces.items():
            key = checked_key(piece_key(self._backup.id, name))
            found = await self._archive.hash(key, Algorithm.SHA256, self._pace.pay)
            if found != piece:
                message = f"{key} is not what it was when the backup was made"
                raise BackupUnfit(message)

    async def check_blobs(self) -> Copied:
        """Hold every blob of the backup against its digest, and touch nothing."""
        copied = Copied(total=self._backup.blobs)
        async for lines in self._archive.lines(self._backup.id, CONTENTS):
            for content in map(read_content, lines):
                digest = Digest(content.digest)
                key = checked_key(blob_key(digest))
                found = await self._archive.hash(key, algorithm_of(digest), self._pace.pay)
                copied = replace(copied, done=copied.done + 1)
                if found is None or found.digest != digest:
                    copied = copied.with_damaged(digest)
                self._progress(copied)
        return copied

    async def held(self) -> Sequence[Held]:
        """Return the registries that have a storage, in the order of their rows."""
        reader = TableReader("registries")
        async for lines in self._archive.lines(self._backup.id, METADATA):
            reader.take(lines)
            if reader.is_over:
                break
        return [
            Held(id=row["id"], name=row["name"], storage=row["storage"], mark=row["mark"])
            for row in reader.rows
            if row["storage"] is not None and row["deleted_at"] is None
        ]

    async def put_blobs(self, stores: Mapping[int, BlobStore]) -> Outcome:
        """Have every blob of the backup under its key, by registry; bytes that are there and right stay."""
        outcome = Outcome(copied=Copied(total=self._backup.blobs))
        async for lines in self._archive.lines(self._backup.id, CONTENTS):
            for content in map(read_content, lines):
                await self._put_blob(stores[content.registry_id], content, outcome)
                outcome.copied = replace(outcome.copied, done=outcome.copied.done + 1)
                self._progress(outcome.copied)
        return outcome

    async def put_rows(self, loader: Loader, outcome: Outcome) -> None:
        """Put every row into the database that is being built.

        Raises:
            DumpUnfit: they are not all there.
        """
        async for lines in self._archive.lines(self._backup.id, METADATA):
            for start in range(0, len(lines), _LINES):
                await asyncio.to_thread(loader.take, lines[start : start + _LINES])
        await asyncio.to_thread(loader.set_lost, outcome.lost)
        await asyncio.to_thread(loader.set_moved, outcome.moved)

    async def secret(self) -> bytes | None:
        """Return what sealed secrets are opened with, if the backup has it."""
        if SECRET not in self._backup.pieces:
            return None
        return await self._archive.get(piece_key(self._backup.id, SECRET))

    async def _put_blob(self, store: BlobStore, content: Content, outcome: Outcome) -> None:
        key, digest = checked_key(content.store_key), Digest(content.digest)
        there = await Archive(store).hash(key, algorithm_of(digest), self._pace.pay)
        if there is not None and there.digest == digest:
            outcome.copied = replace(outcome.copied, already=outcome.copied.already + 1)
            return
        if there is not None:  # a key is written once: the right bytes get another one
            key = ingest_key(uuid.uuid4().hex)
        if not await self._copy(store, key, digest):
            outcome.lost.append((content.registry_id, digest))
            outcome.copied = outcome.copied.with_damaged(digest)
            return
        outcome.copied = replace(outcome.copied, bytes=outcome.copied.bytes + content.size)
        if key != content.store_key:
            outcome.moved[content.registry_id, content.store_key] = key

    async def _copy(self, store: BlobStore, key: str, digest: Digest) -> bool:
        """Copy a blob out of the backup; returns whether the backup has it."""
        source, hasher = checked_key(blob_key(digest)), Hasher(algorithm_of(digest))
        try:
            size = await self._archive.store.stat(source)
        except KeyUnknown:
            return False
        writer = await store.begin(checked_key(key), hasher.update)
        try:
            async for piece in self._archive.store.open(source, 0, size):
                await self._pace.pay(len(piece))
                await writer.write([piece])
            if hasher.digest() != digest:
                return False
            await writer.commit()
            return True
        finally:
            await writer.abort()
