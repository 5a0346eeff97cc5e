# SPDX-License-Identifier: Apache-2.0
"""Tags of a repository: listing and deleting them. A tag is moved by pushing a manifest under it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import DAY, Clock, after
from wharfinger.domain.errors import ManifestUnknown
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import RepositoryName, TagName
from wharfinger.domain.pages import Page, page_of
from wharfinger.domain.switches import Switches
from wharfinger.metadata import repositories as repository_rows
from wharfinger.metadata import tags as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.tags import TagChange, TagSummary
from wharfinger.services.registries import Registry
from wharfinger.services.repositories import Repositories, name_unknown

REVIEW_DELAY: Final = DAY
_BATCH: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TagListing:
    """All tags of a repository, read as they are asked for.

    `key` names the repository and the revision that was found before the first name is read: whatever is read is at
    least as new, so an answer that was kept under the key is good while the key is the same
    (ADR 0020).
    """

    key: str
    batches: AsyncIterator[Sequence[TagName]]


class Tags:
    """Tags of every registry."""

    def __init__(self, database: Database, repositories: Repositories, clock: Clock, switches: Switches) -> None:
        self._database = database
        self._repositories = repositories
        self._clock = clock
        self._switches = switches

    async def list(self, registry: Registry, repository: RepositoryName, last: str | None, limit: int) -> Page[TagName]:
        """Return names after `last`, sorted by bytes.

        Raises:
            NameUnknown: there is no such repository.
        """
        repository_id, _ = await self._repositories.require(registry, repository)
        if limit == 0:
            return Page((), more=False)
        found = await self._database.read(lambda c: rows.list_names(c, repository_id, last, limit + 1))
        return page_of(found, limit)

    async def list_all(self, registry: Registry, repository: RepositoryName, last: str | None) -> TagListing:
        """Return all names after `last` in batches: memory is bounded however many there are.

        Raises:
            NameUnknown: there is no such repository; raised here, before the first batch.
        """
        repository_id, revision = await self._repositories.require(registry, repository)
        key = f"tags of {repository_id} at {revision} after {last or ''}"
        return TagListing(key=key, batches=self._batches(repository_id, last))

    async def summaries(self, registry: Registry, repository: RepositoryName, limit: int) -> Sequence[TagSummary]:
        """Return what a page shows of the tags that moved last."""
        repository_id, _ = await self._repositories.require(registry, repository)
        return await self._database.read(lambda c: rows.summarize(c, repository_id, limit))

    async def delete(self, registry: Registry, repository: RepositoryName, name: TagName, by: Actor) -> None:
        """Delete the tag; the manifest stays.

        Raises:
            NameUnknown: there is no such repository.
            ManifestUnknown: there is no such tag.
        """
        self._switches.require_deletion()
        now = self._clock.now()

        def work(connection: Connection) -> None:
            repository_id = repository_rows.find(connection, registry.id, repository)
            if repository_id is None:
                raise name_unknown(repository)
            repository_rows.lock(connection, repository_id)
            change = TagChange(
                registry_id=registry.id,
                repository_id=repository_id,
                repository=repository,
                by=by,
                now=now,
                review_at=after(now, REVIEW_DELAY),
            )
            if not rows.remove(connection, change, name):
                message = f"There is no tag {name!r} in this repository."
                raise ManifestUnknown(message, detail={"tag": name})
            repository_rows.touch(connection, repository_id, now)

        await self._database.write(work)

    async def _batches(self, repository_id: int, last: str | None) -> AsyncIterator[Sequence[TagName]]:
        while True:
            position = last
            batch = await self._database.read(lambda c: rows.list_names(c, repository_id, position, _BATCH))  # noqa: B023 - read at once
            if batch:
                yield batch
            if len(batch) < _BATCH:
                return
            last = batch[-1]
