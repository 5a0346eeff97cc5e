# SPDX-License-Identifier: Apache-2.0
"""Inventories in a storage: written when a registry is deleted, read when its storage gets a new one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import orjson

from wharfinger.blobstore.base import BlobStore, KeyTaken, StoreKey, Writer, checked_key
from wharfinger.clock import DAY, Clock, after
from wharfinger.domain.backups import BackupUnfit
from wharfinger.domain.digests import Algorithm, Digest, Hasher
from wharfinger.domain.inventories import PREFIX, Counter, Inventory, InventoryUnfit, head, is_of, key_of
from wharfinger.failpoints import failpoint
from wharfinger.metadata import closing
from wharfinger.metadata import inventories as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.inventories import Entry
from wharfinger.metadata.registries import RegistryRow
from wharfinger.metadata.shelves import Shelves
from wharfinger.services.archive import LineWriter, lines_of
from wharfinger.services.storages import is_own

_BATCH: Final = 200
_BATCH_BYTES: Final = 4 * 1024 * 1024
"""How much one transaction takes on."""
_LEASE: Final = DAY
_NAMING_KEYS: Final = frozenset({"blob", "object"})

Guard = Callable[[Connection], None]
"""Raises within a transaction if another process has taken over meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """What came back.

    Args:
        repositories: how many.
        roles: how many of those that somebody had on one of them, or on a namespace.
        digest: of the inventory.
    """

    repositories: int
    roles: int
    digest: Digest

    def in_words(self) -> str:
        """Return it for the audit log."""
        roles = f", with {self.roles} roles on them," if self.roles else ""
        return f"{self.repositories} repositories{roles}"


class Inventories:
    """Writes and reads inventories.

    Args:
        database: where rows are.
        clock: the time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def write(self, store: BlobStore, row: RegistryRow) -> Digest:
        """Write the inventory of a registry that was deleted, durably; returns its digest.

        One that is there already was written by a process that died before it could say so, and is written again:
        whoever can write into the storage could have put it there.
        """
        key = checked_key(key_of(row.deleted_at or self._clock.now(), row.mark))
        hasher = Hasher(Algorithm.SHA256)
        writer = await _begin_anew(store, key, hasher)
        try:
            lines = LineWriter(writer, hasher, asyncio.get_running_loop())
            await self._database.export(lambda c: _write(c, row, lines.add))
            await lines.finish()
        except BaseException:
            await writer.abort()
            raise
        return hasher.digest()

    async def find(self, store: BlobStore) -> Inventory | None:
        """Return the newest inventory in a storage, or nothing.

        Raises:
            InventoryUnfit: it cannot be read.
        """
        keys = sorted([key async for key in store.keys(PREFIX)])
        if not keys:
            return None
        counter = Counter(keys[-1])
        async for lines in _lines(store, keys[-1]):
            for _ in counter.entries(lines[:1]):
                pass
            break
        if counter.head is None:
            message = f"{keys[-1]} is empty"
            raise InventoryUnfit(message)
        return counter.head

    async def check(self, store: BlobStore, inventory: Inventory) -> Digest:
        """Read an inventory to its end, so that nothing is made of a half; returns its digest.

        Raises:
            InventoryUnfit: it is not whole.
        """
        counter, hasher = Counter(inventory.key), Hasher(Algorithm.SHA256)
        async for lines in _lines(store, checked_key(inventory.key), hasher):
            for _ in counter.entries(lines):
                pass
        counter.require_whole()
        return hasher.digest()

    async def bring_back(
        self, store: BlobStore, inventory: Inventory, row: RegistryRow, event_id: int, guard: Guard
    ) -> Return:
        """Make rows of an inventory, batch by batch.

        Interrupted, it is begun anew: what is there already stays as it is. Accounts, and with them roles and stars,
        are taken from an inventory that this deployment wrote itself.

        Raises:
            InventoryUnfit: an entry is not what it should be, or the inventory is not whole.
        """
        now = self._clock.now()
        lease = after(now, _LEASE)
        digest = await self.check(store, inventory)
        ours = await self._database.read(lambda c: closing.wrote(c, digest))
        shelf = Shelves(row.id, inventory, event_id, now, lease, knows_people=ours)
        counter, hasher = Counter(inventory.key), Hasher(Algorithm.SHA256)
        waiting: list[Entry] = []
        size = 0
        async for lines in _lines(store, checked_key(inventory.key), hasher):
            for entry in counter.entries(lines):
                _require_bytes_of_its_own(entry)
                waiting.append(entry)
                size += rows.size_of(entry)
                if len(waiting) >= _BATCH or size >= _BATCH_BYTES:
                    await self._put(shelf, waiting, guard)
                    waiting, size = [], 0
        await self._put(shelf, waiting, guard)
        counter.require_whole()
        if hasher.digest() != digest:
            message = f"{inventory.key} was changed while it was read"
            raise InventoryUnfit(message)
        last: int | None = 0
        while last is not None:
            work = partial(closing.tidy, registry_id=row.id, now=now, lease=lease, after=last)
            last = await self._database.write(work, durable=False)
        return Return(repositories=shelf.repositories, roles=shelf.roles, digest=digest)

    async def remove(self, store: BlobStore, *, besides: str) -> None:
        """Remove every inventory besides that of the registry with this mark.

        They are of registries that had the storage before it: what they name was brought back, or was replaced.
        """
        gone = [key async for key in store.keys(PREFIX) if not is_of(key, besides)]
        await _delete(store, gone)

    async def remove_all(self, store: BlobStore) -> None:
        """Remove every inventory: what they name is gone."""
        await _delete(store, [key async for key in store.keys(PREFIX)])

    async def _put(self, shelf: Shelves, entries: Sequence[Entry], guard: Guard) -> None:
        before = shelf.repositories, shelf.roles, shelf.place

        def work(connection: Connection) -> None:
            shelf.repositories, shelf.roles, shelf.place = before  # it may be run again, whole
            guard(connection)
            shelf.put(connection, entries)

        if entries:
            await self._database.write(work, durable=False)
            failpoint("registry.batch.committed")


async def _begin_anew(store: BlobStore, key: StoreKey, hasher: Hasher) -> Writer:
    try:
        return await store.begin(key, hasher.update)
    except KeyTaken:
        await _delete(store, [key])
        return await store.begin(key, hasher.update)


async def _delete(store: BlobStore, keys: Sequence[StoreKey]) -> None:
    for key in keys:
        await store.delete(key)
    await store.settle(keys)


def _require_bytes_of_its_own(entry: Entry) -> None:
    """Refuse an entry that has the storage's own marks for bytes of a blob, or that names no key at all."""
    if entry[0] not in _NAMING_KEYS:
        return
    key = entry[3 if entry[0] == "blob" else 1] if len(entry) > 3 or entry[0] == "object" else None  # noqa: PLR2004 - its place
    try:
        fits = isinstance(key, str) and not is_own(checked_key(key))
    except ValueError:
        fits = False
    if not fits:
        message = f"the inventory names bytes that are none: {str(key)[:80]!r}"
        raise InventoryUnfit(message)


def _write(connection: Connection, row: RegistryRow, add: Callable[[bytes], None]) -> None:
    count = 0

    def put(entry: Entry) -> None:
        nonlocal count
        count += 1
        add(_line(entry))

    add(_line(head(row.name, row.deleted_at or row.created_at)))
    rows.write(connection, row, put)
    add(_line({"end": count}))


async def _lines(store: BlobStore, key: StoreKey, hasher: Hasher | None = None) -> AsyncIterator[list[object]]:
    try:
        async for lines in lines_of(store, key, hasher):
            yield [orjson.loads(line) for line in lines]
    except (BackupUnfit, orjson.JSONDecodeError) as error:
        message = f"{key} cannot be read to its end"
        raise InventoryUnfit(message) from error


def _line(entry: object) -> bytes:
    return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
