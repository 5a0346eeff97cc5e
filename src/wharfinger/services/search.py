# SPDX-License-Identifier: Apache-2.0
"""Search: repositories, tags, digests and accounts by what somebody typed, as far as the caller may see them."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from wharfinger.domain.identity import ANONYMOUS
from wharfinger.domain.pages import Page, page_of
from wharfinger.domain.search import MAX_RESULTS, FoundKind, SearchQuery, read_query
from wharfinger.metadata import account_search as account_rows
from wharfinger.metadata import search as rows
from wharfinger.metadata.account_search import AccountSight, FoundAccount
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.search import FoundDigest, FoundRepository, FoundTag
from wharfinger.metadata.standing import Sight, proof_of
from wharfinger.services.labels import Labels
from wharfinger.services.registries import Registry

__all__ = [
    "ALL",
    "EVERYBODY",
    "AccountSight",
    "Found",
    "FoundAccount",
    "FoundDigest",
    "FoundRepository",
    "FoundTag",
    "Search",
]

ALL: Final = tuple(FoundKind)
EVERYBODY: Final = AccountSight(proof=proof_of(ANONYMOUS), everybody=True, teams=True)
"""For the operator's shell, which may see all accounts."""
Item = TypeVar("Item")
_Find = Callable[[Connection, int, SearchQuery, int, Sight], Sequence[Item]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found, the best first; a kind that was not asked for is empty."""

    query: SearchQuery
    """What was understood."""
    repositories: Page[FoundRepository]
    tags: Page[FoundTag]
    digests: Page[FoundDigest]
    accounts: Page[FoundAccount]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was found."""
        return not (self.repositories.items or self.tags.items or self.digests.items or self.accounts.items)


class Search:
    """Search in every registry.

    Args:
        database: where everything is found.
        labels: reads in the background what images say of themselves.
    """

    def __init__(self, database: Database, labels: Labels) -> None:
        self._database = database
        self.labels = labels

    async def find(
        self,
        registry: Registry,
        text: str,
        sight: Sight,
        *,
        limit: int,
        kinds: Collection[FoundKind] = ALL,
        hosts: Iterable[str] = (),
        accounts: AccountSight | None = None,
    ) -> Found:
        """Return what fits a text; an empty one finds nothing.

        Args:
            registry: where; nothing is found in two at once.
            text: what was typed or pasted (`domain.search.read_query`).
            sight: what the caller sees (`Authorization.sight`).
            limit: how many of each kind, at most `MAX_RESULTS`.
            kinds: which kinds.
            hosts: names of the registry that may stand before a pasted name.
            accounts: whom the caller sees (`Management.sight`); without it nobody is found.
        """
        query, most = read_query(text, hosts), min(limit, MAX_RESULTS)

        def find_accounts(connection: Connection) -> Sequence[FoundAccount]:
            if accounts is None or FoundKind.ACCOUNTS not in kinds:
                return ()
            return account_rows.find(connection, query, most + 1, accounts)

        def work(connection: Connection) -> Found:
            def page(kind: FoundKind, find: _Find[Item]) -> Page[Item]:
                if kind not in kinds or query.is_empty:
                    return Page((), more=False)
                return page_of(find(connection, registry.id, query, most + 1, sight), most)

            return Found(
                query=query,
                repositories=page(FoundKind.REPOSITORIES, rows.find_repositories),
                tags=page(FoundKind.TAGS, rows.find_tags),
                digests=page(FoundKind.DIGESTS, rows.find_digests),
                accounts=page_of(find_accounts(connection), most),
            )

        return await self._database.read(work)
