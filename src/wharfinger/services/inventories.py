# SPDX-License-Identifier: Apache-2.0
"""Inventories in a storage: written when a registry is deleted, read when its storage gets a new one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import orjson

from wharfinger.blobstore.base import BlobStore, KeyTaken, StoreKey, checked_key
from wharfinger.clock import DAY, Clock, after
from wharfinger.domain.backups import BackupUnfit
from wharfinger.domain.digests import Algorithm, Hasher
from wharfinger.domain.inventories import PREFIX, Counter, Inventory, InventoryUnfit, head, key_of
from wharfinger.metadata import inventories as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.inventories import Entry, Shelves
from wharfinger.metadata.registries import RegistryRow
from wharfinger.services.archive import LineWriter, lines_of

_BATCH: Final = 200
_BATCH_BYTES: Final = 4 * 1024 * 1024
"""How much one transaction takes on."""
_LEASE: Final = DAY


class Inventories:
    """Writes and reads inventories.

    Args:
        database: where rows are.
        clock: the time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def write(self, store: BlobStore, row: RegistryRow) -> None:
        """Write the inventory of a registry that was deleted, durably; once it is there nothing is done."""
        closed_at = row.deleted_at or self._clock.now()
        key = checked_key(key_of(closed_at, row.mark))
        hasher = Hasher(Algorithm.SHA256)
        try:
            writer = await store.begin(key, hasher.update)
        except KeyTaken:
            return
        try:
            lines = LineWriter(writer, hasher, asyncio.get_running_loop())
            await self._database.export(lambda c: _write(c, row, lines.add))
            await lines.finish()
        except BaseException:
            await writer.abort()
            raise
        await self.remove(store, besides=key)

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

    async def check(self, store: BlobStore, inventory: Inventory) -> None:
        """Read an inventory to its end, so that nothing is made of a half.

        Raises:
            InventoryUnfit: it is not whole.
        """
        counter = Counter(inventory.key)
        async for lines in _lines(store, checked_key(inventory.key)):
            for _ in counter.entries(lines):
                pass
        counter.require_whole()

    async def bring_back(self, store: BlobStore, inventory: Inventory, row: RegistryRow, event_id: int) -> int:
        """Make rows of an inventory, batch by batch; returns how many repositories came back.

        Interrupted, it is begun anew: what is there already stays as it is.
        """
        now = self._clock.now()
        shelves = Shelves(row.id, event_id, now, after(now, _LEASE))
        counter = Counter(inventory.key)
        waiting: list[Entry] = []
        size = 0
        async for lines in _lines(store, checked_key(inventory.key)):
            for entry in counter.entries(lines):
                waiting.append(entry)
                size += rows.size_of(entry)
                if len(waiting) >= _BATCH or size >= _BATCH_BYTES:
                    await self._put(shelves, waiting)
                    waiting, size = [], 0
        await self._put(shelves, waiting)
        counter.require_whole()
        await self._database.write(shelves.finish, durable=False)
        return shelves.repositories

    async def remove(self, store: BlobStore, *, besides: StoreKey | None = None) -> None:
        """Remove inventories whose registry is open again, or that a later one took the place of."""
        gone = [key async for key in store.keys(PREFIX) if key != besides]
        for key in gone:
            await store.delete(key)
        await store.settle(gone)

    async def _put(self, shelves: Shelves, entries: Sequence[Entry]) -> None:
        before = shelves.repositories, shelves.place

        def work(connection: Connection) -> None:
            shelves.repositories, shelves.place = before  # it may be run again, whole
            shelves.put(connection, entries)

        if entries:
            await self._database.write(work, durable=False)


def _write(connection: Connection, row: RegistryRow, add: Callable[[bytes], None]) -> None:
    count = 0

    def put(entry: Entry) -> None:
        nonlocal count
        count += 1
        add(_line(entry))

    add(_line(head(row.name, row.deleted_at or row.created_at)))
    rows.write(connection, row, put)
    add(_line({"end": count}))


async def _lines(store: BlobStore, key: StoreKey) -> AsyncIterator[list[object]]:
    try:
        async for lines in lines_of(store, key):
            yield [orjson.loads(line) for line in lines]
    except (BackupUnfit, orjson.JSONDecodeError) as error:
        message = f"{key} cannot be read to its end"
        raise InventoryUnfit(message) from error


def _line(entry: object) -> bytes:
    return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
