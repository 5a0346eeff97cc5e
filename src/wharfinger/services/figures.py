# SPDX-License-Identifier: Apache-2.0
"""Figures: what every registry holds, day by day, and which repositories are the largest.

A background job counts, once an hour; whoever looks at a page reads one row for each day, whatever is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from wharfinger.blobstore.base import Space
from wharfinger.clock import DAY, Clock, Instant
from wharfinger.domain.pages import Page, page_of
from wharfinger.metadata import figures as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.figures import Figure, Size
from wharfinger.services.registries import Registries, Registry

__all__ = ["Figure", "Figures", "Holdings", "Size"]

KEPT_DAYS: Final = 1_830
"""Five years: a row a day for each registry."""
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What a registry holds now.

    Args:
        figure: counted when it was last counted; nothing if it never was.
        doomed: bytes that no row needs any more, and that are still in the store.
        space: what the store has room for; nothing where it does not say.
    """

    figure: Figure | None
    doomed: int
    space: Space | None


class Figures:
    """Figures of every registry.

    Args:
        database: where rows are.
        registries: whose.
        clock: the time.
    """

    def __init__(self, database: Database, registries: Registries, clock: Clock) -> None:
        self._database = database
        self._registries = registries
        self._clock = clock

    async def take(self) -> int:
        """Count today, and yesterday's pulls once more; measure every repository. For a background job.

        Returns:
            How many registries were counted.
        """
        now = self._clock.now()
        today = now // DAY
        every = await self._registries.all()
        for registry in every:
            figure = await self._database.read(partial(rows.count, registry_id=registry.id, day=today))
            last = await self._database.read(partial(rows.pulls_on, registry_id=registry.id, day=today - 1))
            await self._database.write(partial(_put, registry.id, figure, last, now), durable=False)
        await self._database.write(lambda c: rows.forget(c, today - KEPT_DAYS), durable=False)
        await self._measure(now)
        return len(every)

    async def by_day(self, registry: Registry, days: int) -> Sequence[Figure]:
        """Return the last days that were counted, today among them, the oldest first."""
        since = self._clock.now() // DAY - days + 1
        return await self._database.read(lambda c: rows.by_day(c, registry.id, since))

    async def holdings(self, registry: Registry) -> Holdings:
        """Return what a registry holds, and what its store has room for.

        Raises:
            StoreUnavailable: the store does not say.
        """

        def work(connection: Connection) -> tuple[Figure | None, int]:
            counted = rows.by_day(connection, registry.id, self._clock.now() // DAY - 1)
            return (counted[-1] if counted else None), rows.doomed(connection, registry.id)

        figure, doomed = await self._database.read(work)
        return Holdings(figure=figure, doomed=doomed, space=await registry.store.space())

    async def largest(self, registry: Registry, after: tuple[int, int] | None, limit: int) -> Page[Size]:
        """Return the repositories of a registry, the largest first, as they were last measured.

        Args:
            registry: where they are.
            after: bytes and id of the last one of the page before.
            limit: how many.
        """
        return page_of(await self._database.read(lambda c: rows.largest(c, registry.id, after, limit + 1)), limit)

    async def _measure(self, now: Instant) -> None:
        after: int | None = 0
        while after is not None:
            sizes, after = await self._database.read(partial(rows.measure, after=after, limit=_AT_ONCE))
            if sizes:
                await self._database.write(partial(rows.put_sizes, sizes=sizes, now=now), durable=False)


def _put(registry_id: int, figure: Figure, last_pulls: int, now: Instant, connection: Connection) -> None:
    rows.put(connection, registry_id, figure, now)
    rows.set_pulls(connection, registry_id, figure.day - 1, last_pulls)
