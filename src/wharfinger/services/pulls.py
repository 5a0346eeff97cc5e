# SPDX-License-Identifier: Apache-2.0
"""Pulls: noted by requests, judged and written some seconds later, so that no pull waits for a count.

```text
request ── note ──▶ memory ── every ten seconds ──▶ domain.pulls.Ledger ──▶ one transaction, not durable
```

What a process had not written when it was killed is lost, and nothing but a count is wrong then.
"""

import asyncio
import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import DAY, Clock, Instant
from wharfinger.domain.digests import Digest
from wharfinger.domain.errors import DatabaseUnavailable
from wharfinger.domain.names import RepositoryName, TagName
from wharfinger.domain.pulls import Ledger, Pull, Read, Reader
from wharfinger.metadata import figures
from wharfinger.metadata import pulls as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.pulls import WHOLE, Count, Key
from wharfinger.services.registries import Registry
from wharfinger.services.repositories import Repositories
from wharfinger.telemetry import logger

__all__ = ["WHOLE", "Count", "PullSummary", "Pulls"]

_log = logger("pulls")
_PAUSE: Final = 10.0
"""Seconds."""
MOST_NOTED: Final = 50_000
"""Between two writes; what is asked for beyond that is not counted."""
MOST_UNSAVED: Final = 100_000
KEPT_DAYS: Final = 400
"""For how long the days are told apart."""

_Noted = tuple[Reader, int, TagName | None, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class PullSummary:
    """How often a repository was pulled.

    Args:
        whole: the repository; nothing if it never was.
        by_what: each of its tags and digests that was.
    """

    whole: Count | None
    by_what: Mapping[str, Count]


class Pulls:
    """Pulls from every registry.

    Args:
        database: where counts are.
        repositories: finds them by name.
        clock: the time.
    """

    def __init__(self, database: Database, repositories: Repositories, clock: Clock) -> None:
        self._database = database
        self._repositories = repositories
        self._clock = clock
        self._ledger = Ledger()
        self._noted: dict[_Noted, Instant] = {}
        self._counts: dict[Key, Count] = {}
        self._pulled: dict[int, Instant] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._one_writer = asyncio.Lock()

    def note(self, reader: Reader, manifest_id: int, tag: TagName | None, *, fetched: bool) -> None:
        """Note that a manifest was asked for; costs a microsecond, because every pull does it.

        Args:
            reader: the address of the client, and its account.
            manifest_id: what was asked for.
            tag: by which tag; nothing if it was named by its digest.
            fetched: whether its bytes were sent.
        """
        noted = self._noted
        key = (reader, manifest_id, tag, fetched)
        if key in noted or len(noted) >= MOST_NOTED:
            return
        noted[key] = self._clock.now()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_PAUSE, self._begin)

    async def flush(self) -> None:
        """Count what was noted, and write it. If the database does not take it, it is written with the next."""
        async with self._one_writer:
            try:
                await self._count()
                await self._write()
            except DatabaseUnavailable as error:
                _log.warning("pulls are counted later", reason=error.message)

    async def aclose(self) -> None:
        """Write what was noted, and stop."""
        if self._timer is not None:
            self._timer.cancel()
        if self._writing is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._writing
        await self.flush()

    async def fold(self, limit: int) -> int:
        """Put days that are long ago into one sum; returns how many, for a background job."""
        before = self._clock.now() // DAY - KEPT_DAYS
        return await self._database.write(lambda c: rows.fold(c, before, limit), durable=False)

    async def summary(self, registry: Registry, repository: RepositoryName) -> PullSummary:
        """Return how often a repository, and what is in it, was pulled.

        Raises:
            NameUnknown: there is no such repository.
        """
        repository_id, _ = await self._repositories.require(registry, repository)
        found = dict(await self._database.read(lambda c: rows.totals(c, repository_id)))
        return PullSummary(whole=found.pop(WHOLE, None), by_what=found)

    async def of(
        self, registry: Registry, repository: RepositoryName, what: Collection[str] | None = None
    ) -> Mapping[str, Count]:
        """Return how often some tags and digests of a repository were pulled, and under `WHOLE` it itself.

        What never was is not among it.

        Raises:
            NameUnknown: there is no such repository.
        """
        repository_id, _ = await self._repositories.require(registry, repository)
        return await self._database.read(lambda c: rows.totals(c, repository_id, [WHOLE, *(what or ())]))

    async def by_day(
        self, registry: Registry, repository: RepositoryName, days: int, what: str = WHOLE
    ) -> Sequence[tuple[int, int]]:
        """Return the pulls of each of the last days that had any, today among them, as days since 1970 and counts.

        Args:
            registry: where the repository is.
            repository: the repository.
            days: how many, 400 at the most: what is older is one sum.
            what: a tag or a digest; nothing for the repository.

        Raises:
            NameUnknown: there is no such repository.
        """
        repository_id, _ = await self._repositories.require(registry, repository)
        since = self._clock.now() // DAY - days + 1
        return await self._database.read(lambda c: rows.by_day(c, repository_id, what, since))

    def _begin(self) -> None:
        self._timer = None
        self._writing = asyncio.get_running_loop().create_task(self.flush())

    async def _count(self) -> None:
        """Judge what was noted; if the database does not answer, it is judged with the next."""
        noted, self._noted = self._noted, {}
        if not noted:
            return
        asked = {manifest_id for _, manifest_id, _, _ in noted}
        asked.update(self._ledger.recent())
        children = {manifest_id for _, manifest_id, _, fetched in noted if fetched}

        def work(connection: Connection) -> tuple[Mapping[int, tuple[int, Digest]], Mapping[int, Collection[int]]]:
            found = rows.facts(connection, asked)
            return found, rows.parents(connection, children, found)

        try:
            facts, parents = await self._database.read(work)
        except DatabaseUnavailable:
            self._noted = {**noted, **self._noted}
            raise
        for (reader, manifest_id, tag, fetched), at in noted.items():
            if manifest_id not in facts:  # it was collected since
                continue
            read = Read(at, reader, facts[manifest_id][0], manifest_id, tag, fetched)
            pull = self._ledger.count(read, parents)
            if pull is not None:
                self._add(pull, {one: facts[one][1] for one in pull.manifests if one in facts})

    def _add(self, pull: Pull, digests: Mapping[int, Digest]) -> None:
        day = pull.at // DAY
        for what in ([WHOLE] if pull.whole else []) + [*pull.tags, *digests.values()]:
            key = Key(pull.repository_id, what, day)
            before = self._counts.get(key)
            if before is None and len(self._counts) >= MOST_UNSAVED:
                continue
            self._counts[key] = Count(1 + (0 if before is None else before.pulls), pull.at)
        self._pulled.update(dict.fromkeys(digests, pull.at))

    async def _write(self) -> None:
        counts, pulled = self._counts, self._pulled
        if counts:

            def work(connection: Connection) -> None:
                rows.add(connection, counts, pulled)
                figures.count_pulls(connection, {key.repository_id for key in counts if key.what == WHOLE})

            await self._database.write(work, durable=False)
            self._counts, self._pulled = {}, {}
