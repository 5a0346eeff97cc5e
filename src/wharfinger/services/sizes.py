# SPDX-License-Identifier: Apache-2.0
"""How many bytes repositories hold: measured when somebody looks, and remembered by each process for a while.

Measuring looks at every blob of one repository, so it is bounded by what is in it. What was measured is shown until the
repository changes, for ten minutes at most, since other repositories come and go; and a repository that changes all
the time is measured so rarely that it takes no more than a twentieth of the time (ADR 0036).
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import Clock
from wharfinger.domain.names import RepositoryName
from wharfinger.metadata import sizes as rows
from wharfinger.metadata.database import Database
from wharfinger.metadata.sizes import RepositorySize
from wharfinger.services.registries import Registry
from wharfinger.services.repositories import Repositories

__all__ = ["RepositorySize", "Sizes"]

MOST_REMEMBERED: Final = 2_000
"""Repositories."""
LONGEST: Final = 600.0
"""Seconds."""
_SHARE: Final = 20


@dataclass(frozen=True, slots=True)
class _Measured:
    size: RepositorySize
    revision: int
    at: float
    took: float


class Sizes:
    """Sizes of repositories in every registry."""

    def __init__(self, database: Database, repositories: Repositories, clock: Clock) -> None:
        self._database = database
        self._repositories = repositories
        self._clock = clock
        self._measured: OrderedDict[int, _Measured] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()

    async def of_repository(self, registry: Registry, name: RepositoryName) -> RepositorySize:
        """Return how many bytes the repository holds.

        Raises:
            NameUnknown: there is no such repository.
        """
        repository_id, revision = await self._repositories.require(registry, name)
        known = self._remembered(repository_id, revision)
        if known is not None:
            return known
        async with self._one_at_a_time:  # of many who look at once, one measures
            known = self._remembered(repository_id, revision)
            return await self._measure(repository_id, revision) if known is None else known

    def _remembered(self, repository_id: int, revision: int) -> RepositorySize | None:
        known = self._measured.get(repository_id)
        if known is None:
            return None
        age = self._clock.monotonic() - known.at
        if age < known.took * _SHARE or (known.revision == revision and age < LONGEST):
            self._measured.move_to_end(repository_id)
            return known.size
        return None

    async def _measure(self, repository_id: int, revision: int) -> RepositorySize:
        begun = self._clock.monotonic()
        size = await self._database.read(lambda c: rows.measure(c, repository_id))
        ended = self._clock.monotonic()
        self._measured[repository_id] = _Measured(size, revision, ended, ended - begun)
        self._measured.move_to_end(repository_id)
        if len(self._measured) > MOST_REMEMBERED:
            self._measured.popitem(last=False)
        return size
