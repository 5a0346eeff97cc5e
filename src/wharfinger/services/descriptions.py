# SPDX-License-Identifier: Apache-2.0
"""Full descriptions of repositories, in Markdown: kept as they are written, and made into HTML by who shows them."""

from wharfinger.clock import Clock
from wharfinger.domain.errors import CHANGED_MEANWHILE, PreconditionFailed
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.switches import Switches
from wharfinger.metadata import descriptions as rows
from wharfinger.metadata import repositories as repository_rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.descriptions import Description
from wharfinger.services.registries import Registry
from wharfinger.services.repositories import name_unknown, tell_change

__all__ = ["Description", "Descriptions"]


class Descriptions:
    """Full descriptions in every registry."""

    def __init__(self, database: Database, clock: Clock, switches: Switches) -> None:
        self._database = database
        self._clock = clock
        self._switches = switches

    async def find(self, registry: Registry, repository: RepositoryName) -> Description | None:
        """Return the full description of a repository; nothing if it has none.

        Raises:
            NameUnknown: there is no such repository.
        """

        def work(connection: Connection) -> Description | None:
            found = repository_rows.find(connection, registry.id, repository)
            if found is None:
                raise name_unknown(repository)
            return rows.find(connection, found)

        return await self._database.read(work)

    async def change(
        self, registry: Registry, repository: RepositoryName, text: str, by: Actor, *, seen: str | None = None
    ) -> Description | None:
        """Set the full description of a repository; the event tells how long it was and is, not what it says.

        Args:
            registry: that has the repository.
            repository: which one.
            text: as `domain.repositories.parse_full_description` returns it; empty to take it away.
            by: who writes.
            seen: the text that the writer began with, empty for none; one that somebody else changed meanwhile stays.

        Returns:
            What there is now.

        Raises:
            NameUnknown: there is no such repository.
            PreconditionFailed: the text is not what was seen.
        """
        self._switches.require_writable()
        now = self._clock.now()

        def work(connection: Connection) -> Description | None:
            found = repository_rows.load(connection, registry.id, repository, lock=True)
            if found is None:
                raise name_unknown(repository)
            before = rows.find(connection, found.id)
            had = "" if before is None else before.text
            if seen is not None and seen != had:
                raise PreconditionFailed(CHANGED_MEANWHILE)
            if text == had:
                return before
            rows.put(connection, found.id, text, by.principal.account_id, now)
            told = f"full description from {len(had):,} to {len(text):,} characters"
            tell_change(connection, registry, found, told, by=by, now=now)
            return rows.find(connection, found.id)

        return await self._database.write(work)
