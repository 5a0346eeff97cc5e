# SPDX-License-Identifier: Apache-2.0
"""Repositories: the catalog, what a page shows of them, and where each begins to exist."""

from wharfinger.clock import Instant
from wharfinger.domain.errors import NameUnknown
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.pages import Page, page_of
from wharfinger.metadata import events
from wharfinger.metadata import repositories as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.repositories import RepositorySummary
from wharfinger.metadata.standing import Sight
from wharfinger.services.registries import Registry


class Repositories:
    """Repositories of every registry."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def catalog(self, registry: Registry, last: str | None, limit: int, sight: Sight) -> Page[RepositoryName]:
        """Return names after `last`, sorted by bytes, as far as the caller sees them (`Authorization.sight`).

        A repository is listed from its first manifest on.
        """
        if limit == 0:
            return Page((), more=False)
        found = await self._database.read(lambda c: rows.list_names(c, registry.id, last, limit + 1, sight))
        return page_of(found, limit)

    async def summaries(
        self, registry: Registry, last: str | None, limit: int, sight: Sight
    ) -> Page[RepositorySummary]:
        """Return what a list shows of the repositories after `last`, as far as the caller sees them."""

        def work(connection: Connection) -> Page[RepositorySummary]:
            names = page_of(rows.list_names(connection, registry.id, last, limit + 1, sight), limit)
            return Page(rows.summarize(connection, registry.id, names.items), more=names.more)

        return await self._database.read(work)

    async def summary(self, registry: Registry, name: RepositoryName) -> RepositorySummary:
        """Return what a page shows of one repository.

        Raises:
            NameUnknown: there is none of that name, or it has not had a manifest yet.
        """
        await self.require(registry, name)
        (found,) = await self._database.read(lambda c: rows.summarize(c, registry.id, [name])) or (None,)
        if found is None:
            raise name_unknown(name)
        return found

    async def require(self, registry: Registry, name: RepositoryName) -> tuple[int, int]:
        """Return the id of a repository that is listed, and the revision of what it shows.

        Raises:
            NameUnknown: there is none of that name, or it has not had a manifest yet.
        """
        row = await self._database.find(rows.REPOSITORY, registry_id=registry.id, repository=name)
        if row is None or row[1] is None:
            raise name_unknown(name)
        return int(row[0]), int(row[2])


def name_unknown(name: RepositoryName) -> NameUnknown:
    """Return the error for a repository that is not here."""
    return NameUnknown(f"There is no repository {name!r} in this registry.", detail={"name": name})


def ensure(connection: Connection, registry: Registry, name: RepositoryName, by: Actor, now: Instant) -> int:
    """Return the id of the repository, making it, and telling of it, if it is new: pushing creates."""
    repository_id, made = rows.ensure(connection, registry.id, name, by, now)
    if made:
        event = Event(action=EventAction.REPOSITORY_CREATED, repository_id=repository_id, repository=name)
        events.record(connection, registry.id, event, by, now)
    return repository_id
