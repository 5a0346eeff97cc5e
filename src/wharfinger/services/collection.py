# SPDX-License-Identifier: Apache-2.0
"""Collection: removing bytes that no row names any more.

A tombstone is written in the transaction that takes the last name away; the bytes go afterwards, and only then the
tombstone. A crash between repeats the removal, and removing what is gone succeeds.
"""

from typing import Final

from wharfinger.blobstore.base import checked_key
from wharfinger.clock import SECOND, Clock, after
from wharfinger.domain.errors import Unavailable
from wharfinger.metadata import queues
from wharfinger.metadata.database import Database
from wharfinger.metadata.queues import Tombstone
from wharfinger.services.registries import Registries

_FIRST_PAUSE: Final = 60 * SECOND
_MAX_DOUBLINGS: Final = 10


class Collection:
    """Collection in every registry."""

    def __init__(self, database: Database, registries: Registries, clock: Clock) -> None:
        self._database = database
        self._registries = registries
        self._clock = clock

    async def bury(self, limit: int) -> int:
        """Remove the bytes of due tombstones; one that cannot be removed is tried later and stops no other.

        Returns how many were removed; for a background job.
        """
        now = self._clock.now()
        due = await self._database.read(lambda c: queues.due_tombstones(c, now, limit))
        gone = [tombstone.id for tombstone in due if await self._remove(tombstone)]
        if gone:
            await self._database.write(lambda c: queues.finish_tombstones(c, gone))
        return len(gone)

    async def _remove(self, tombstone: Tombstone) -> bool:
        try:
            await self._registries.get(tombstone.registry_id).store.delete(checked_key(tombstone.store_key))
        except Unavailable:
            pause = _FIRST_PAUSE * 2 ** min(tombstone.attempts, _MAX_DOUBLINGS)
            later = after(self._clock.now(), pause)
            await self._database.write(lambda c: queues.postpone_tombstone(c, tombstone.id, later))
            return False
        return True
