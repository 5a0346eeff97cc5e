# SPDX-License-Identifier: Apache-2.0
"""Repositories: which there are for the caller, and their settings."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import Query
from pydantic import Field

from wharfinger.domain.access import Action, Visibility
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.pages import Page as Listing
from wharfinger.domain.policies.immutability import parse_immutability
from wharfinger.domain.repositories import parse_description, parse_source
from wharfinger.management_api.calls import OnRepository, require_on_repository
from wharfinger.management_api.conditions import mark, matches
from wharfinger.management_api.fields import (
    After,
    KnownRepository,
    Model,
    RepositoryPath,
    Shown,
    Size,
    checked,
    time_of,
)
from wharfinger.management_api.paging import PAGE, Page, page
from wharfinger.management_api.routing import Calling, Route
from wharfinger.metadata.repositories import Repository as RepositoryRow
from wharfinger.services.repositories import RepositoryChange

DescriptionField = Annotated[
    str, Field(max_length=1_000, examples=["The shop's web server"]), checked(parse_description)
]
SourceField = Annotated[
    str, Field(max_length=2_000, examples=["https://git.example.com/acme/app"]), checked(parse_source)
]
ImmutabilityField = Annotated[str, Field(max_length=10_000, examples=["v*, !v0.*"]), checked(parse_immutability)]
VisibilityField = Annotated[Visibility, Field(strict=False)]


class RepositorySettings(Shown):
    """What a repository says of itself, and who reaches it."""

    name: str
    description: str | None
    source: str | None
    """Where its images are built from."""
    visibility: Visibility
    inherits: bool
    """Whether roles on its namespace, and membership of its organization, reach it."""
    immutable_tags: str
    """Which tags never move: `none`, `all`, or patterns such as `v*, !v0.*`."""
    immutable_deletable: bool
    """Whether an immutable tag may be deleted."""
    created_at: datetime


class Repository(RepositorySettings):
    """A repository."""

    changed_at: datetime
    """When its content changed last."""


class Usage(Shown):
    """How much is in a repository."""

    tags: int
    manifests: int
    size: int
    """Bytes of its manifests and of the distinct blobs that they need; a measurement may be some minutes old."""
    unique_size: int
    """Those of its manifests, and of blobs that no other repository of the registry has."""
    shared_size: int
    """Those of blobs that another repository has as well: they would stay if this one went."""


class RepositorySettingsChange(Model):
    """What is to change. A field that is left out stays as it is; null removes it."""

    description: DescriptionField | None = None
    source: SourceField | None = None
    visibility: VisibilityField = Visibility.PRIVATE
    inherits: bool = False
    immutable_tags: ImmutabilityField = "none"
    """Which tags never move: `none`, `all`, or patterns such as `v*, !v0.*`."""
    immutable_deletable: bool = False
    """Whether an immutable tag may be deleted."""


async def list_repositories(
    call: Calling,
    size: Size = PAGE,
    last: After = None,
    namespace: Annotated[
        KnownRepository | None, Query(description="Only those whose name begins with it and a slash.")
    ] = None,
) -> Page[Repository]:
    """List the repositories that the caller may pull, by name."""
    sight = await call.services.authorization.sight(call.principal, to_list=True)
    begin = "" if namespace is None else f"{namespace}/"
    found = await call.services.repositories.list(call.registry, max(last or "", begin), size, sight)
    # Names are sorted by bytes, so those of a namespace stand together.
    here = [one for one in found.items if one.name.startswith(begin)]
    listing = Listing(here, more=found.more and len(here) == len(found.items))
    return page(call, listing, key=lambda one: one.name, show=_show)


async def read_repository(call: Calling, name: RepositoryPath) -> Repository:
    """Show a repository."""
    found = await call.services.repositories.find(call.registry, RepositoryName(name))
    mark(call, _settings(found))
    return _show(found)


async def read_usage(call: Calling, name: RepositoryPath) -> Usage:
    """Show how much is in a repository."""
    size = await call.services.sizes.of_repository(call.registry, RepositoryName(name))
    return Usage(
        tags=size.tags,
        manifests=size.manifests,
        size=size.total,
        unique_size=size.own + size.unique,
        shared_size=size.shared,
    )


async def change_repository(call: Calling, name: RepositoryPath, change: RepositorySettingsChange) -> Repository:
    """Change a repository.

    Description and source take the role write; everything else takes admin.
    """
    wanted = _change_of(change)
    await require_on_repository(call, wanted.action, RepositoryName(name))
    found = await call.services.repositories.find(call.registry, RepositoryName(name))
    seen = found if matches(call, _settings(found)) else None
    changed = await call.services.repositories.change(call.registry, RepositoryName(name), wanted, call.by, seen=seen)
    mark(call, _settings(changed))
    return _show(changed)


async def delete_repository(call: Calling, name: RepositoryPath) -> None:
    """Delete a repository with all that is in it, immutable tags too; the trash keeps it for a while."""
    await call.services.repositories.delete(call.registry, RepositoryName(name), call.by)


def _change_of(change: RepositorySettingsChange) -> RepositoryChange:
    said = change.model_fields_set
    return RepositoryChange(
        description=parse_description(change.description or "") if "description" in said else None,
        source=parse_source(change.source or "") if "source" in said else None,
        visibility=change.visibility if "visibility" in said else None,
        inherits=change.inherits if "inherits" in said else None,
        immutable_tags=change.immutable_tags if "immutable_tags" in said else None,
        immutable_deletable=change.immutable_deletable if "immutable_deletable" in said else None,
    )


def _settings(one: RepositoryRow) -> RepositorySettings:
    return RepositorySettings(
        name=one.name,
        description=one.description,
        source=one.source,
        visibility=one.visibility,
        inherits=one.inherits,
        immutable_tags=one.immutable_tags,
        immutable_deletable=one.immutable_deletable,
        created_at=time_of(one.created_at),
    )


def _show(one: RepositoryRow) -> Repository:
    return Repository(**dict(_settings(one)), changed_at=time_of(one.changed_at))


_ONE: Final = "/repositories/{name:path}"
ROUTES: Final = (
    Route("GET", "/repositories", OnRepository(Action.LIST), list_repositories),
    Route("GET", _ONE + "/-/usage", OnRepository(Action.PULL), read_usage),
    Route("GET", _ONE, OnRepository(Action.PULL), read_repository),
    Route("PATCH", _ONE, OnRepository(Action.DESCRIBE), change_repository, conditional=True),
    Route("DELETE", _ONE, OnRepository(Action.ADMINISTER), delete_repository, status=204, conflicts=True),
)
