# SPDX-License-Identifier: Apache-2.0
"""Collection: removing bytes that no row names any more.

A tombstone is written in the transaction that takes the last name away; the bytes go afterwards, durably, and only then
the tombstone. A crash between repeats the removal, and removing what is gone succeeds.
"""

from collections.abc import Sequence
from typing import Final

from wharfinger.blobstore.base import checked_key
from wharfinger.clock import SECOND, Clock, after
from wharfinger.domain.errors import Unavailable
from wharfinger.failpoints import failpoint
from wharfinger.metadata import queues
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.queues import Tombstone
from wharfinger.services.registries import Registries
from wharfinger.telemetry import FREED

_FIRST_PAUSE: Final = 60 * SECOND
_MAX_DOUBLINGS: Final = 10


class Collection:
    """Collection in every registry."""

    def __init__(self, database: Database, registries: Registries, clock: Clock) -> None:
        self._database = database
        self._registries = registries
        self._clock = clock
        self.freed = 0
        """Bytes of blobs that this process removed."""

    async def bury(self, limit: int) -> int:
        """Remove the bytes of due tombstones; one that cannot be removed is tried later and stops no other.

        Returns how many were removed; for a background job.
        """
        now = self._clock.now()
        due = await self._database.read(lambda c: queues.due_tombstones(c, now, limit))
        failpoint("bury.found")
        removed = [tombstone for tombstone in due if await self._remove(tombstone)]
        failpoint("bury.removed")
        settled = await self._settled(removed)
        gone = [tombstone.id for tombstone in settled]

        def work(connection: Connection) -> None:
            queues.finish_tombstones(connection, gone)
            failpoint("bury.committing")

        if gone:
            await self._database.write(work)
            failpoint("bury.committed")
            size = sum(tombstone.size or 0 for tombstone in settled)
            self.freed += size
            FREED.inc(size)
        return len(gone)

    async def _remove(self, tombstone: Tombstone) -> bool:
        try:
            await self._registries.get(tombstone.registry_id).store.delete(checked_key(tombstone.store_key))
        except Unavailable:
            await self._postpone(tombstone)
            return False
        return True

    async def _settled(self, removed: Sequence[Tombstone]) -> list[Tombstone]:
        """Return those whose removal no power failure undoes; only they may lose the row that names their bytes."""
        settled = []
        for registry_id in sorted({tombstone.registry_id for tombstone in removed}):
            ours = [tombstone for tombstone in removed if tombstone.registry_id == registry_id]
            try:
                keys = [checked_key(tombstone.store_key) for tombstone in ours]
                await self._registries.get(registry_id).store.settle(keys)
            except Unavailable:
                for tombstone in ours:
                    await self._postpone(tombstone)
            else:
                settled += ours
        return settled

    async def _postpone(self, tombstone: Tombstone) -> None:
        pause = _FIRST_PAUSE * 2 ** min(tombstone.attempts, _MAX_DOUBLINGS)
        later = after(self._clock.now(), pause)
        await self._database.write(lambda c: queues.postpone_tombstone(c, tombstone.id, later))
