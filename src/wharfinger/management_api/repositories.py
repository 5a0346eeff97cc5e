# SPDX-License-Identifier: Apache-2.0
"""Repositories: which there are for the caller, and what is in them."""

from datetime import datetime
from typing import Final

from wharfinger.domain.access import Action
from wharfinger.domain.names import RepositoryName
from wharfinger.management_api.calls import OnRepository
from wharfinger.management_api.fields import After, RepositoryPath, Shown, Size, time_of
from wharfinger.management_api.paging import PAGE, Page, page
from wharfinger.management_api.routing import Calling, Route
from wharfinger.metadata.repositories import RepositorySummary


class Repository(Shown):
    """What a list shows of a repository."""

    name: str
    tags: int
    manifests: int
    size: int
    """Bytes of its manifests and of the distinct blobs that they need."""
    changed_at: datetime


class Tag(Shown):
    """The name of a tag."""

    name: str


async def list_repositories(call: Calling, size: Size = PAGE, last: After = None) -> Page[Repository]:
    """List the repositories that the caller may pull, by name."""
    sight = await call.services.authorization.sight(call.principal, to_list=True)
    found = await call.services.repositories.summaries(call.registry, last, size + 1, sight)
    return page(call, found.items, size, key=lambda one: one.name, show=_show)


async def list_tags(call: Calling, name: RepositoryPath, size: Size = PAGE, last: After = None) -> Page[Tag]:
    """List the tags of a repository, by name."""
    found = await call.services.tags.list(call.registry, RepositoryName(name), last, size + 1)
    return page(call, found.items, size, key=str, show=lambda tag: Tag(name=tag))


def _show(one: RepositorySummary) -> Repository:
    return Repository(
        name=one.name, tags=one.tags, manifests=one.manifests, size=one.size, changed_at=time_of(one.changed_at)
    )


ROUTES: Final = (
    Route("GET", "/repositories", OnRepository(Action.LIST), list_repositories),
    Route("GET", "/repositories/{name:path}/-/tags", OnRepository(Action.PULL), list_tags),
)
