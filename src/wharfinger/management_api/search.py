# SPDX-License-Identifier: Apache-2.0
"""Search: repositories, tags, digests and accounts by a text."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Annotated, Final, Generic, TypeVar

from fastapi import Query
from pydantic import Field

from wharfinger.domain.access import Action
from wharfinger.domain.pages import Page as Listing
from wharfinger.domain.search import MAX_QUERY, MAX_RESULTS, FoundKind
from wharfinger.management_api.calls import Call, OnRepository
from wharfinger.management_api.fields import Shown, time_of
from wharfinger.management_api.routing import Calling, Route
from wharfinger.services.search import ALL, FoundAccount, FoundDigest, FoundRepository, FoundTag

_SOME: Final = 20
Row = TypeVar("Row")
Item = TypeVar("Item")


class RepositoryFound(Shown):
    """A repository whose name or descriptions have every word."""

    name: str
    description: str | None
    changed_at: datetime
    """When its content changed last."""


class TagFound(Shown):
    """A tag."""

    repository: str
    name: str
    digest: str
    moved_at: datetime


class DigestFound(Shown):
    """A manifest, or a blob that a manifest needs."""

    repository: str
    digest: str
    media_type: str
    manifest: str
    """The digest itself if it is a manifest's; of a blob, the newest manifest of the repository that needs it."""
    pushed_at: datetime
    """When that manifest was pushed."""


class AccountFound(Shown):
    """A user, an organization or a team."""

    kind: Annotated[str, Field(examples=["user", "organization", "team"])]
    name: Annotated[str, Field(examples=["ann", "acme/builders"])]
    """Of a team, with its organization before a slash."""
    display_name: str | None
    """As people read it; of a team, what it is for."""


class Found(Shown, Generic[Item]):
    """The best finds of one kind."""

    items: list[Item]
    more: bool
    """Whether there are more; look for more words to see them."""


class SearchResult(Shown):
    """What was found, the best first: exact names, beginnings, words, other parts; then what changed last."""

    repositories: Found[RepositoryFound]
    tags: Found[TagFound]
    digests: Found[DigestFound]
    accounts: Found[AccountFound]


async def search(
    call: Calling,
    q: Annotated[
        str,
        Query(
            max_length=MAX_QUERY,
            description="Words, `label:NAME=VALUE`, a reference such as `app:v1`, or six or more digits of a digest.",
            examples=["acme/app"],
        ),
    ],
    most: Annotated[int, Query(alias="n", ge=1, le=MAX_RESULTS, description="How many of each kind.")] = _SOME,
    kind: Annotated[list[FoundKind] | None, Query(description="Only of these kinds.", max_length=4)] = None,
) -> SearchResult:
    """Find repositories, tags and digests that the caller may pull, and accounts that it may see, whatever the case."""
    sight = await call.services.authorization.sight(call.principal, to_list=True)
    found = await call.services.search.find(
        call.registry,
        q,
        sight,
        limit=most,
        kinds=kind or ALL,
        hosts=_hosts(call),
        accounts=await call.services.management.sight(call.principal, call.registry),
    )
    return SearchResult(
        repositories=_show(found.repositories, _repository),
        tags=_show(found.tags, _tag),
        digests=_show(found.digests, _digest),
        accounts=_show(found.accounts, _account),
    )


def _hosts(call: Call) -> Iterator[str]:
    host = call.visit.header(b"host")
    if host:
        yield host


def _show(listing: Listing[Row], show: Callable[[Row], Item]) -> Found[Item]:
    return Found(items=[show(row) for row in listing.items], more=listing.more)


def _repository(row: FoundRepository) -> RepositoryFound:
    return RepositoryFound(name=row.name, description=row.description, changed_at=time_of(row.changed_at))


def _tag(row: FoundTag) -> TagFound:
    return TagFound(repository=row.repository, name=row.name, digest=row.digest, moved_at=time_of(row.moved_at))


def _digest(row: FoundDigest) -> DigestFound:
    return DigestFound(
        repository=row.repository,
        digest=row.digest,
        media_type=row.media_type,
        manifest=row.manifest,
        pushed_at=time_of(row.pushed_at),
    )


def _account(row: FoundAccount) -> AccountFound:
    return AccountFound(kind=row.kind, name=row.name, display_name=row.display_name)


ROUTES: Final = (Route("GET", "/search", OnRepository(Action.LIST), search),)
