# SPDX-License-Identifier: Apache-2.0
"""Stars: how many a repository has, and those of the caller."""

from datetime import datetime
from typing import Final

from wharfinger.domain.access import Action
from wharfinger.domain.management import Target, Task
from wharfinger.domain.names import RepositoryName
from wharfinger.management_api.calls import Managing, OnRepository
from wharfinger.management_api.fields import After, RepositoryPath, Shown, Size, time_of
from wharfinger.management_api.paging import PAGE, Page, page
from wharfinger.management_api.routing import Calling, Route
from wharfinger.services.stars import Star


class Stars(Shown):
    """How many accounts marked a repository with a star."""

    stars: int
    is_mine: bool
    """Whether one of them is the caller's."""


class MyStar(Shown):
    """A repository that the caller marked."""

    repository: str
    since: datetime


async def read_stars(call: Calling, name: RepositoryPath) -> Stars:
    """Show how many accounts marked a repository with a star."""
    found = await call.services.stars.of_repository(call.registry, RepositoryName(name), call.principal)
    return Stars(stars=found.stars, is_mine=found.is_mine)


async def list_my_stars(call: Calling, size: Size = PAGE, last: After = None) -> Page[MyStar]:
    """List the repositories that the caller marked and may still pull, by name."""
    sight = await call.services.authorization.sight(call.principal, to_list=True)
    found = await call.services.stars.of_account(call.registry, call.principal, last, size, sight)
    return page(call, found, key=lambda one: one.repository, show=_show)


async def put_my_star(call: Calling, name: RepositoryPath) -> None:
    """Mark a repository with a star; one that is marked stays so."""
    await call.services.stars.put(call.registry, RepositoryName(name), call.by)


async def remove_my_star(call: Calling, name: RepositoryPath) -> None:
    """Take one's star away."""
    await call.services.stars.remove(call.registry, RepositoryName(name), call.by)


def _show(one: Star) -> MyStar:
    return MyStar(repository=one.repository, since=time_of(one.at))


_PULL: Final = OnRepository(Action.PULL)
_READ: Final = Managing(Task.READ, Target.USER, own=True)
ROUTES: Final = (
    Route("GET", "/repositories/{name:path}/-/stars", _PULL, read_stars),
    Route("GET", "/me/stars", _READ, list_my_stars),
    Route("PUT", "/repositories/{name:path}/-/star", _PULL, put_my_star, status=204),
    Route("DELETE", "/repositories/{name:path}/-/star", _PULL, remove_my_star, status=204),
)
