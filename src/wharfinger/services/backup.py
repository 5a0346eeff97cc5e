# SPDX-License-Identifier: Apache-2.0
"""Backup: a snapshot of the rows, then the bytes that it names, while the registry goes on.

```text
hold ─▶ rows and list of blobs (one snapshot) ─▶ each blob that is not there yet ─▶ page ─▶ hold ends ─▶ old ones go
```

What the snapshot names must not be buried before it is copied. A hold stands meanwhile: what loses its last row gets
its tombstone as always, and the bytes go when the hold ends. A backup that dies leaves a hold that ends by itself,
bytes that the next one need not copy, and no page: it never looks like a backup.
"""

import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from wharfinger.blobstore.base import BlobStore, KeyUnknown, checked_key
from wharfinger.clock import SECOND, Clock, after
from wharfinger.domain.backups import (
    CONTENTS,
    METADATA,
    SECRET,
    Backup,
    Piece,
    blob_key,
    digest_at,
    new_id,
    page_key,
    piece_key,
    prefixes,
)
from wharfinger.domain.digests import Digest, Hasher, algorithm_of
from wharfinger.domain.errors import StoreFull, StoreUnavailable, UpkeepBusy
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import Actor
from wharfinger.domain.sentences import Sentence
from wharfinger.failpoints import failpoint
from wharfinger.metadata import dump, events, holds
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.dump import Content, Summary, read_content
from wharfinger.services.archive import Archive
from wharfinger.services.pace import Pace
from wharfinger.services.registries import Registries

HOLD: Final = 600 * SECOND
"""How long a backup that died holds burials back."""
_RENEW_SECONDS: Final = 60.0
_NAME: Final = "backup"
_MOST_NAMED: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """How far a backup or a restoration is.

    Args:
        total: how many blobs there are; nothing as long as that is not known.
        done: how many were dealt with.
        already: how many of them were there.
        bytes: how many bytes were copied.
        damaged: how many could not be had.
        named: the digests of some of those.
    """

    total: int | None = None
    done: int = 0
    already: int = 0
    bytes: int = 0
    damaged: int = 0
    named: tuple[str, ...] = ()

    def with_damaged(self, digest: str) -> "Copied":
        """Return it with one more that could not be had."""
        named = (*self.named, digest) if len(self.named) < _MOST_NAMED else self.named
        return replace(self, damaged=self.damaged + 1, named=named)


Progress = Callable[[Copied], None]
"""Called when more is done."""


class HoldEnded(Exception):
    """The backup stood still for so long that what it names may be gone; starting again copies only the rest."""

    def __init__(self) -> None:
        super().__init__("the backup stood still for too long; start it again: what was copied is not copied again")


class Backups:
    """Backups of a whole deployment.

    Args:
        database: where rows are.
        registries: whose bytes.
        clock: the time.
        version: of this program.
    """

    def __init__(self, database: Database, registries: Registries, clock: Clock, version: str) -> None:
        self._database = database
        self._registries = registries
        self._clock = clock
        self._version = version

    async def make(
        self,
        store: BlobStore,
        by: Actor,
        *,
        secret: bytes | None,
        keep: int,
        rate: int | None = None,
        progress: Progress = lambda _: None,
    ) -> tuple[Backup, Copied]:
        """Make a backup; returns it, and what was done for it.

        Args:
            store: where backups are; nothing else is kept there.
            by: who asked for it.
            secret: what sealed secrets are opened with; nothing to leave it out.
            keep: how many backups stay, this one among them. Older ones are removed once this one is whole.
            rate: bytes a second to copy at the most; nothing for no limit.
            progress: told about every blob.

        Raises:
            UpkeepBusy: another backup is being made.
            HoldEnded: this process stood still for too long.
            StoreUnavailable, DatabaseUnavailable: it cannot go on; what was copied stays for the next one.
        """
        await store.check()
        hold = _Hold(self._database, self._clock)
        await hold.take()
        failpoint("backup.held")
        try:
            work = _Work(Archive(store), self._registries, hold, Pace(rate, self._clock), progress)
            made_at = self._clock.now()
            backup_id = new_id(made_at, hold.token)
            summary, pieces = await self._snapshot(work.archive, backup_id)
            failpoint("backup.listed")
            if secret is not None:
                pieces[SECRET] = await work.archive.put(piece_key(backup_id, SECRET), secret)
            copied, size = await work.copy(backup_id)
            failpoint("backup.copied")
            backup = Backup(
                id=backup_id,
                version=self._version,
                made_at=made_at,
                revision=summary.revision,
                pieces=pieces,
                rows=summary.rows,
                blobs=copied.done,
                size=size,
                damaged=copied.damaged,
            )
            await hold.renew()
            await work.archive.put(page_key(backup_id), backup.to_json())
            failpoint("backup.noted")
            event = Event(action=EventAction.BACKUP_MADE, target=backup_id, detail=f"{copied.done} blobs")
            await self._database.write(lambda c: events.record(c, None, event, by, self._clock.now()))
            await work.prune(keep)
            failpoint("backup.pruned")
            return backup, copied
        finally:
            await hold.end()

    async def note_restored(self, backup: Backup, by: Actor) -> None:
        """Have the audit log say that what it tells of until now came out of a backup."""
        event = Event(action=EventAction.BACKUP_RESTORED, target=backup.id, detail=f"{backup.blobs} blobs")
        await self._database.write(lambda c: events.record(c, None, event, by, self._clock.now()))

    async def _snapshot(self, archive: Archive, backup_id: str) -> tuple[Summary, dict[str, Piece]]:
        """Write rows and the list of blobs, as they are at one moment."""
        lines, first = await archive.begin_lines(backup_id, METADATA)
        contents, second = await archive.begin_lines(backup_id, CONTENTS)
        try:
            summary = await self._database.export(lambda c: dump.write(c, lines.add, contents.add))
            return summary, {METADATA: await lines.finish(), CONTENTS: await contents.finish()}
        except BaseException:
            await first.abort()
            await second.abort()
            raise


class _Hold:
    """Holds burials back as long as it is renewed."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._renewed = 0.0
        self.token = uuid.uuid4().hex

    async def take(self) -> None:
        now = self._clock.now()
        if not await self._database.write(lambda c: holds.take(c, _NAME, self.token, now, after(now, HOLD))):
            message = Sentence("Another backup is being made now, or died less than ten minutes ago.")
            raise UpkeepBusy(message)
        self._renewed = self._clock.monotonic()

    async def renew_in_time(self) -> None:
        if self._clock.monotonic() - self._renewed > _RENEW_SECONDS:
            await self.renew()

    async def renew(self) -> None:
        now = self._clock.now()
        if not await self._database.write(lambda c: holds.renew(c, _NAME, self.token, now, after(now, HOLD))):
            raise HoldEnded
        self._renewed = self._clock.monotonic()

    async def end(self) -> None:
        def work(connection: Connection) -> None:
            holds.end(connection, _NAME, self.token)

        await self._database.write(work)


class _Unreadable(Exception):
    """The registry's own store works, and cannot give these bytes."""


class _Work:
    """What is done for one backup in the place where backups are."""

    def __init__(self, archive: Archive, registries: Registries, hold: _Hold, pace: Pace, progress: Progress) -> None:
        self.archive = archive
        self._registries = registries
        self._hold = hold
        self._pace = pace
        self._progress = progress

    async def copy(self, backup_id: str) -> tuple[Copied, int]:
        """Copy every blob of the list that is not there yet; returns what was done, and how large they all are."""
        copied, size = Copied(), 0
        async for lines in self.archive.lines(backup_id, CONTENTS):
            for line in lines:
                content = read_content(line)
                size += content.size
                await self._pay(0)
                copied = await self._copy_one(content, copied)
                copied = replace(copied, done=copied.done + 1)
                self._progress(copied)
        return copied, size

    async def prune(self, keep: int) -> None:
        """Remove halves, all backups but the newest, and bytes that none of those names."""
        whole, halves = await self.archive.ids()
        for backup_id in (*halves, *whole[: max(0, len(whole) - max(1, keep))]):
            await self.archive.remove(backup_id)
        named = [_Named(self.archive, backup_id) for backup_id in whole[-max(1, keep) :]]
        for prefix, beginning in prefixes():
            await self._pay(0)
            there = {digest_at(key): key async for key in self.archive.store.keys(prefix)}
            for one in named:
                for digest in await one.beginning_with(beginning):
                    there.pop(digest, None)
            for key in there.values():
                await self.archive.store.delete(key)
            for key in [key async for key in self.archive.store.unfinished(prefix)]:
                await self.archive.store.delete(key)

    async def _pay(self, size: int) -> None:
        await self._pace.pay(size)
        await self._hold.renew_in_time()

    async def _copy_one(self, content: Content, copied: Copied) -> Copied:
        key = checked_key(blob_key(content.digest))
        try:
            there = await self.archive.store.stat(key)
        except KeyUnknown:
            there = None
        if there == content.size:
            return replace(copied, already=copied.already + 1)
        if there is not None:
            await self.archive.store.delete(key)
        registry = await self._registries.get(content.registry_id)
        if registry is None:  # it was deleted since the snapshot: its bytes are in a storage that is not ours any more
            return copied.with_damaged(content.digest)
        source, digest = registry.store, Digest(content.digest)
        hasher = Hasher(algorithm_of(digest))
        writer = await self.archive.store.begin(key, hasher.update)
        try:
            async for piece in _pieces(source, content):
                await self._pay(len(piece))
                await writer.write([piece])
            if hasher.digest() == digest:
                await writer.commit()
                return replace(copied, bytes=copied.bytes + content.size)
        except _Unreadable:
            await self._hold.renew()  # bytes that are gone are only damage while nobody could remove them
        finally:
            await writer.abort()
        return copied.with_damaged(content.digest)


class _Named:
    """The digests that one backup names, in their order, read along as they are asked for."""

    def __init__(self, archive: Archive, backup_id: str) -> None:
        self._batches = archive.lines(backup_id, CONTENTS)
        self._waiting: list[str] = []

    async def beginning_with(self, beginning: str) -> Sequence[str]:
        """Return those that begin so; what comes before them was asked for before."""
        found: list[str] = []
        while True:
            while self._waiting and self._waiting[-1].startswith(beginning):
                found.append(self._waiting.pop())
            if self._waiting:
                return found
            lines = await anext(self._batches, None)
            if lines is None:
                return found
            self._waiting = [read_content(line).digest for line in reversed(lines)]


async def _pieces(source: BlobStore, content: Content) -> AsyncIterator[bytes]:
    """Yield the bytes; one disk error does not stand in the way of all other bytes."""
    key = checked_key(content.store_key)
    try:
        size = await source.stat(key)
        async for piece in source.open(key, 0, size):
            yield piece
    except KeyUnknown as error:
        raise _Unreadable from error
    except StoreUnavailable as error:
        with suppress(StoreFull):
            await source.check()
        raise _Unreadable from error
