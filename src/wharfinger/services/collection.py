# SPDX-License-Identifier: Apache-2.0
"""Collection: removing bytes that no row names any more.

A tombstone is written in the transaction that takes the last name away. That transaction need not be durable: whoever
is about to remove bytes claims their tombstones first, durably, and that commit makes all earlier ones durable too. The
bytes go then, durably as well, and only then the tombstone. A crash between repeats the removal, and removing what is
gone succeeds.
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

CLAIM: Final = 300 * SECOND
"""How long a process that died keeps burials from others."""
BATCH: Final = 2_000
"""How much is buried at once: each folder that lost a file is synced once for all of it."""
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
        if not await self._database.read(lambda c: queues.has_due_tombstone(c, now)):
            return 0
        until = after(now, CLAIM)
        due = await self._database.write(lambda c: queues.claim_tombstones(c, now, until, limit))
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
        registry = await self._registries.get(tombstone.registry_id)
        if registry is None:  # its storage is another's now, and the bytes stay where they are
            return True
        try:
            await registry.store.delete(checked_key(tombstone.store_key))
        except Unavailable:
            await self._postpone(tombstone)
            return False
        return True

    async def _settled(self, removed: Sequence[Tombstone]) -> list[Tombstone]:
        """Return those whose removal no power failure undoes; only they may lose the row that names their bytes."""
        settled = []
        for registry_id in sorted({tombstone.registry_id for tombstone in removed}):
            ours = [tombstone for tombstone in removed if tombstone.registry_id == registry_id]
            registry = await self._registries.get(registry_id)
            try:
                keys = [checked_key(tombstone.store_key) for tombstone in ours]
                if registry is not None:
                    await registry.store.settle(keys)
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
