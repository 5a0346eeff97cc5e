# SPDX-License-Identifier: Apache-2.0
"""Stars: an account marks repositories to find them again, and others see how many did.

No event tells of a star, as none tells of a pull: it changes nothing that anybody relies on.
"""

from dataclasses import dataclass

from wharfinger.clock import Clock
from wharfinger.domain.errors import AccountInvalid
from wharfinger.domain.identity import Actor, Principal
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.pages import Page, page_of
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.switches import Switches
from wharfinger.metadata import figures
from wharfinger.metadata import repositories as repository_rows
from wharfinger.metadata import stars as rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.standing import Sight
from wharfinger.metadata.stars import Star
from wharfinger.services.registries import Registry
from wharfinger.services.repositories import Repositories, name_unknown

__all__ = ["Star", "StarCount", "Stars"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StarCount:
    """How many accounts marked a repository, and whether one of them is who asks."""

    stars: int
    is_mine: bool


class Stars:
    """Stars in every registry."""

    def __init__(self, database: Database, repositories: Repositories, clock: Clock, switches: Switches) -> None:
        self._database = database
        self._repositories = repositories
        self._clock = clock
        self._switches = switches

    async def of_repository(self, registry: Registry, name: RepositoryName, who: Principal) -> StarCount:
        """Return how many marked a repository, and whether `who` did.

        Raises:
            NameUnknown: there is no such repository.
        """
        repository_id, _ = await self._repositories.require(registry, name)
        account_id = who.account_id

        def work(connection: Connection) -> StarCount:
            mine = account_id is not None and rows.has(connection, account_id, repository_id)
            return StarCount(stars=rows.count(connection, repository_id), is_mine=mine)

        return await self._database.read(work)

    async def of_account(
        self, registry: Registry, who: Principal, last: str | None, limit: int, sight: Sight
    ) -> Page[Star]:
        """Return what somebody marked in a registry, after the name `last`, as far as it still sees it."""
        account_id = who.account_id
        if account_id is None:
            return Page((), more=False)
        found = await self._database.read(lambda c: rows.of_account(c, registry.id, account_id, last, limit + 1, sight))
        return page_of(found, limit)

    async def put(self, registry: Registry, name: RepositoryName, by: Actor) -> None:
        """Mark a repository for the actor's account; one that is marked stays so.

        Raises:
            NameUnknown: there is no such repository.
            AccountInvalid: the actor has no account.
        """
        account_id, now = self._require_account(by), self._clock.now()

        def work(connection: Connection) -> None:
            repository_id = _find(connection, registry, name)
            rows.put(connection, account_id, repository_id, now)
            figures.count_stars(connection, [repository_id])

        await self._database.write(work)

    async def remove(self, registry: Registry, name: RepositoryName, by: Actor) -> None:
        """Take the actor's mark away, if there is one.

        Raises:
            NameUnknown: there is no such repository.
            AccountInvalid: the actor has no account.
        """
        account_id = self._require_account(by)

        def work(connection: Connection) -> None:
            repository_id = _find(connection, registry, name)
            rows.remove(connection, account_id, repository_id)
            figures.count_stars(connection, [repository_id])

        await self._database.write(work)

    def _require_account(self, by: Actor) -> int:
        self._switches.require_writable()
        if by.principal.account_id is None:
            message = Sentence("Only an account can mark a repository with a star; sign in with one.")
            raise AccountInvalid(message)
        return by.principal.account_id


def _find(connection: Connection, registry: Registry, name: RepositoryName) -> int:
    found = repository_rows.find(connection, registry.id, name)
    if found is None:
        raise name_unknown(name)
    return found
