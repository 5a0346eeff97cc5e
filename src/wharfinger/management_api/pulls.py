# SPDX-License-Identifier: Apache-2.0
"""How often a repository, and what is in it, was pulled."""

from datetime import UTC, date, datetime
from typing import Annotated, Final

from fastapi import Query
from pydantic import Field

from wharfinger.clock import DAY, SECOND
from wharfinger.domain.access import Action
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.pages import page_of
from wharfinger.management_api.calls import OnRepository
from wharfinger.management_api.fields import After, OneLine, RepositoryPath, Shown, Size, time_of
from wharfinger.management_api.paging import PAGE, Page, page
from wharfinger.management_api.routing import Calling, Route
from wharfinger.services.pulls import KEPT_DAYS, Count

_LONGEST: Final = 300


class PullTotal(Shown):
    """How often a repository was pulled."""

    pulls: int
    last_at: datetime | None
    """When it was last pulled; nothing if it never was."""


class PullCount(Shown):
    """How often a tag or a digest was pulled."""

    what: str
    """A tag, there or deleted, or the digest of a manifest."""
    pulls: int
    last_at: datetime


class PullDay(Shown):
    """The pulls of one day."""

    day: date
    """In UTC."""
    pulls: int


class PullDays(Shown):
    """The pulls of the last days, the oldest first. A day without pulls is left out."""

    items: list[PullDay]


async def read_pulls(call: Calling, name: RepositoryPath) -> PullTotal:
    """Show how often a repository was pulled. A pull is counted within some seconds."""
    found = (await call.services.pulls.summary(call.registry, RepositoryName(name))).whole
    if found is None:
        return PullTotal(pulls=0, last_at=None)
    return PullTotal(pulls=found.pulls, last_at=time_of(found.last_at))


async def list_pulls(call: Calling, name: RepositoryPath, size: Size = PAGE, last: After = None) -> Page[PullCount]:
    """List how often each tag and each digest of a repository was pulled, by name; those that never were, not."""
    found = (await call.services.pulls.summary(call.registry, RepositoryName(name))).by_what
    rest = sorted(((what, count) for what, count in found.items() if what > (last or "")), key=_name_of)
    return page(call, page_of(rest[: size + 1], size), key=_name_of, show=lambda one: _show(*one))


async def list_pulls_by_day(
    call: Calling,
    name: RepositoryPath,
    days: Annotated[int, Query(ge=1, le=KEPT_DAYS, description="How many days, today among them.")] = 30,
    what: Annotated[
        Annotated[OneLine, Field(min_length=1, max_length=_LONGEST)] | None,
        Query(description="Of this tag or digest; without it, of the repository."),
    ] = None,
) -> PullDays:
    """List the pulls of the last days."""
    pulls, repository = call.services.pulls, RepositoryName(name)
    if what is None:
        found = await pulls.by_day(call.registry, repository, days)
    else:
        found = await pulls.by_day(call.registry, repository, days, what)
    return PullDays(items=[PullDay(day=_date(number), pulls=count) for number, count in found])


def _name_of(pair: tuple[str, Count]) -> str:
    return pair[0]


def _date(number: int) -> date:
    return datetime.fromtimestamp(number * DAY // SECOND, UTC).date()


def _show(what: str, count: Count) -> PullCount:
    return PullCount(what=what, pulls=count.pulls, last_at=time_of(count.last_at))


_PULL: Final = OnRepository(Action.PULL)
_PULLS: Final = "/repositories/{name:path}/-/pulls"
ROUTES: Final = (
    Route("GET", _PULLS, _PULL, read_pulls),
    Route("GET", _PULLS + "/by-name", _PULL, list_pulls),
    Route("GET", _PULLS + "/by-day", _PULL, list_pulls_by_day),
)
