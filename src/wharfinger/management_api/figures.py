# SPDX-License-Identifier: Apache-2.0
"""Figures: what a registry holds now and held day by day, and which of its repositories are the largest."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Final

from fastapi import Query
from pydantic import Field

from wharfinger.clock import DAY, SECOND
from wharfinger.domain.errors import QueryInvalid
from wharfinger.domain.management import Target, Task
from wharfinger.domain.sentences import Sentence
from wharfinger.management_api.calls import LONGEST_ID, Managing
from wharfinger.management_api.fields import RegistryPath, Shown, Size, checked, time_of
from wharfinger.management_api.paging import PAGE, Page, page
from wharfinger.management_api.routing import Calling, Route
from wharfinger.services.figures import KEPT_DAYS
from wharfinger.services.figures import Size as SizeRow

_POSITION: Final = re.compile(r"([0-9]{1,19})-([0-9]{1,19})", re.ASCII)


def _parse_position(text: str) -> tuple[int, int]:
    """Return where a page ended.

    Raises:
        QueryInvalid: no page ends so.
    """
    found = _POSITION.fullmatch(text)
    if found is None or max(int(found[1]), int(found[2])) > LONGEST_ID:
        message = Sentence("No page ends so: follow `next` of the page before.")
        raise QueryInvalid(message)
    return int(found[1]), int(found[2])


AfterSize = Annotated[
    Annotated[str, Field(max_length=60), checked(_parse_position)] | None,
    Query(alias="last", description="The last item of the page before: `next` of a page says it."),
]


class Day(Shown):
    """What a registry held at the end of one day; today, what it held when it was last counted."""

    day: date
    """In UTC."""
    bytes: int
    """Of every blob once, whoever needs it; what the trash keeps is among them."""
    blobs: int
    repositories: int
    """How many that are not deleted."""
    pulls: int
    """On that day."""


class Days(Shown):
    """The last days, the oldest first. A day on which nobody counted is left out."""

    items: list[Day]


class StoreSpace(Shown):
    """What a store has room for, in bytes."""

    free: int
    total: int
    reserve: int
    """When less than this is free, no upload is taken; pulls and deletions go on."""


class Storage(Shown):
    """What a registry holds now, as it was counted last: once an hour."""

    bytes: int | None
    """Of every blob once; nothing before it was counted for the first time."""
    blobs: int | None
    repositories: int | None
    doomed: int
    """Bytes that nothing needs any more, and that are still in the store; they are removed in an hour or so."""
    space: StoreSpace | None
    """Nothing where the store has no end that it knows of."""


class RepositorySize(Shown):
    """How large a repository is."""

    name: str
    bytes: int
    """Of every blob that it has, whether others have it too or not, and whether it was deleted there or not."""
    blobs: int
    measured_at: datetime


async def read_storage(call: Calling, registry: RegistryPath) -> Storage:  # noqa: ARG001 - the call has it
    """Show what a registry holds, and what its store has room for."""
    found = await call.services.figures.holdings(call.registry)
    figure, space = found.figure, found.space
    return Storage(
        bytes=None if figure is None else figure.bytes,
        blobs=None if figure is None else figure.blobs,
        repositories=None if figure is None else figure.repositories,
        doomed=found.doomed,
        space=None if space is None else StoreSpace(free=space.free, total=space.total, reserve=space.reserve),
    )


async def list_figures(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
    days: Annotated[int, Query(ge=1, le=KEPT_DAYS, description="How many days, today among them.")] = 30,
) -> Days:
    """List what a registry held on each of the last days."""
    found = await call.services.figures.by_day(call.registry, days)
    return Days(
        items=[
            Day(
                day=datetime.fromtimestamp(one.day * DAY // SECOND, UTC).date(),
                bytes=one.bytes,
                blobs=one.blobs,
                repositories=one.repositories,
                pulls=one.pulls,
            )
            for one in found
        ]
    )


async def list_largest(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
    size: Size = PAGE,
    last: AfterSize = None,
) -> Page[RepositorySize]:
    """List the repositories of a registry, the largest first, as they were measured last: once an hour."""
    position = None if last is None else _parse_position(last)
    found = await call.services.figures.largest(call.registry, position, size)
    return page(call, found, key=lambda one: f"{one.bytes}-{one.repository_id}", show=_show)


def _show(row: SizeRow) -> RepositorySize:
    return RepositorySize(name=row.name, bytes=row.bytes, blobs=row.blobs, measured_at=time_of(row.measured_at))


_READ: Final = Managing(Task.READ, Target.REGISTRY)
_REGISTRY: Final = "/registries/{registry}"
ROUTES: Final = (
    Route("GET", _REGISTRY + "/storage", _READ, read_storage),
    Route("GET", _REGISTRY + "/storage/repositories", _READ, list_largest),
    Route("GET", _REGISTRY + "/figures", _READ, list_figures),
)
