# SPDX-License-Identifier: Apache-2.0
"""Registries: where they answer, their storages and their switches."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import Query
from pydantic import Field

from wharfinger.clock import DAY
from wharfinger.domain.management import Matter, Target, Task
from wharfinger.domain.names import RegistryName
from wharfinger.domain.registries import parse_registry_name
from wharfinger.management_api.calls import Call, Managing, require_matter
from wharfinger.management_api.conditions import mark, matches
from wharfinger.management_api.fields import Model, RegistryPath, Shown, checked, time_of
from wharfinger.management_api.routing import Calling, Route
from wharfinger.metadata.registries import RegistryRow
from wharfinger.services.registries import FOR_GOOD, RegistryChange

_MAX_DAYS: Final = 36_500


class Endpoint(Shown):
    """A host that follows from a registry's name or private id."""

    host: str | None
    """Null where the operator has set no domain for such hosts."""
    on: bool


class Registry(Shown):
    """A registry: where it answers, and how its switches stand."""

    name: str
    storage: str | None
    """The storage that it has, as the settings call it."""
    public: bool
    """Whether anyone may pull everything, whatever the visibility of a repository is."""
    public_endpoint: Endpoint
    private_endpoint: Endpoint
    """It answers to the networks that the operator lists."""
    hosts: list[str]
    """Hosts of its own, besides these two."""
    anonymous_pull: bool
    """Whether public repositories are for everybody, or for every account."""
    account_namespaces: bool
    """Whether new namespaces belong to the accounts of their names."""
    untagged_days: float | None
    """For how many days a manifest without a tag is kept after it was last used; null until somebody deletes it."""
    created_at: datetime


class Registries(Shown):
    """All of them: they are few."""

    items: list[Registry]


class NewRegistry(Model):
    """A registry to be made over a free storage; images that another one left there come back."""

    name: Annotated[str, Field(max_length=300, examples=["team"]), checked(parse_registry_name)]
    storage: Annotated[str, Field(max_length=100, examples=["fast"])]


class Storage(Shown):
    """A storage that the settings declare."""

    name: str
    place: str
    """The directory."""
    registry: str | None
    """Which registry has it; null if it is free."""
    state: Literal["free", "serving", "being opened", "being closed"]
    left_by: str | None
    """Of a free one: the registry that left its images there, if one did. They come back with the next one."""


class Storages(Shown):
    """All of them: they are few."""

    items: list[Storage]


class RegistryContents(Shown):
    """How much is in a registry."""

    repositories: int
    trashed: int
    """Repositories in the trash: they go with the registry."""
    tags: int
    manifests: int
    blobs: int
    size: int
    """Of all blobs, in bytes."""


class RegistryEnd(Shown):
    """What becomes of a registry that was deleted: it answers no more."""

    name: str
    storage: str | None
    images: Literal["kept", "deleted"]
    """Kept in the storage, with an inventory: a new registry over it has them again. Or deleted."""
    is_free: bool
    """Whether the storage is free already; the background jobs see to it."""


class RegistrySwitchesChange(Model):
    """Which switches are to change. One that is left out stays as it is."""

    public: bool = False
    public_endpoint: bool = True
    private_endpoint: bool = True
    hosts: list[Annotated[str, Field(max_length=300, examples=["images.example.com"])]] = Field(default=[])
    """Hosts of its own, all of them. Only managers of the deployment give hosts."""

    anonymous_pull: bool = True
    account_namespaces: bool = False
    untagged_days: Annotated[int, Field(ge=1, le=_MAX_DAYS, examples=[90])] | None = None
    """For how many days a manifest without a tag is kept after it was last used; null until somebody deletes it."""


async def list_registries(call: Calling) -> Registries:
    """List the registries."""
    rows = [await call.services.registry_switches.of(one) for one in await call.services.registries.all()]
    return Registries(items=[_show(call, one) for one in rows])


async def create_registry(call: Calling, new: NewRegistry) -> Registry:
    """Create a registry. It answers as soon as this does."""
    return _show(call, await call.services.lifecycle.create(RegistryName(new.name), new.storage, call.by))


async def delete_registry(
    call: Calling,
    registry: RegistryPath,
    images: Annotated[
        Literal["keep", "delete"], Query(description="Whether its images stay in the storage, or go too.")
    ] = "keep",
) -> RegistryEnd:
    """Delete a registry. It answers no more at once; its storage is free as soon as nothing is left to do there."""
    row = await call.services.registry_switches.of(call.registry)
    await call.services.lifecycle.delete(call.registry, call.by, images=images == "delete")
    await call.services.lifecycle.settle()
    holders = await call.services.lifecycle.holders()
    return RegistryEnd(
        name=registry,
        storage=row.storage,
        images="kept" if images == "keep" else "deleted",
        is_free=row.storage not in holders,
    )


async def read_contents(call: Calling, registry: RegistryPath) -> RegistryContents:  # noqa: ARG001 - the call has it
    """Say how much is in a registry, before it is deleted."""
    return RegistryContents(**asdict(await call.services.lifecycle.contents(call.registry)))


async def list_storages(call: Calling) -> Storages:
    """List the storages that the settings declare, and which registry has each."""
    found = [
        Storage(
            name=one.name,
            place=one.place,
            registry=None if one.holder is None else one.holder.name,
            state="free" if one.holder is None else _state(one.holder),
            left_by=one.left_by,
        )
        for one in await call.services.lifecycle.uses()
    ]
    return Storages(items=found)


async def read_registry(call: Calling, registry: RegistryPath) -> Registry:  # noqa: ARG001 - the call has it
    """Show a registry."""
    shown = _show(call, await call.services.registry_switches.of(call.registry))
    mark(call, shown)
    return shown


async def change_registry(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
    change: RegistrySwitchesChange,
) -> Registry:
    """Turn switches of a registry."""
    said = change.model_fields_set
    if "hosts" in said:  # a host may be anybody's: who has one registry does not take it
        await require_matter(call, Matter(Task.MANAGE, Target.DEPLOYMENT))
    found = await call.services.registry_switches.of(call.registry)
    seen = found if matches(call, _show(call, found)) else None
    wanted = RegistryChange(
        anonymous_pull=change.anonymous_pull if "anonymous_pull" in said else None,
        account_namespaces=change.account_namespaces if "account_namespaces" in said else None,
        untagged_after=_span(change.untagged_days) if "untagged_days" in said else None,
        public=change.public if "public" in said else None,
        public_endpoint=change.public_endpoint if "public_endpoint" in said else None,
        private_endpoint=change.private_endpoint if "private_endpoint" in said else None,
        hosts=change.hosts if "hosts" in said else None,
    )
    shown = _show(call, await call.services.registry_switches.change(call.registry, wanted, call.by, seen=seen))
    mark(call, shown)
    return shown


def _span(days: int | None) -> int:
    return FOR_GOOD if days is None else days * DAY


def _state(row: RegistryRow) -> Literal["serving", "being opened", "being closed"]:
    if row.deleted_at is not None:
        return "being closed"
    return "being opened" if row.opened_at is None else "serving"


def _show(call: Call, row: RegistryRow) -> Registry:
    domains, endpoints = call.services.registries.domains, row.endpoints
    return Registry(
        name=row.name,
        storage=row.storage,
        public=row.public,
        public_endpoint=Endpoint(host=endpoints.public_host(domains), on=row.public_endpoint),
        private_endpoint=Endpoint(host=endpoints.private_host(domains), on=row.private_endpoint),
        hosts=list(row.hosts),
        anonymous_pull=row.anonymous_pull,
        account_namespaces=row.account_namespaces,
        untagged_days=None if row.untagged_after is None else row.untagged_after / DAY,
        created_at=time_of(row.created_at),
    )


ROUTES: Final = (
    Route("GET", "/registries", Managing(Task.READ, Target.DEPLOYMENT), list_registries),
    Route(
        "POST",
        "/registries",
        Managing(Task.MANAGE, Target.DEPLOYMENT),
        create_registry,
        status=201,
        conflicts=True,
    ),
    Route("GET", "/registries/{registry}", Managing(Task.READ, Target.REGISTRY), read_registry),
    Route(
        "DELETE",
        "/registries/{registry}",
        Managing(Task.MANAGE, Target.DEPLOYMENT, behind=Target.REGISTRY),
        delete_registry,
        status=202,
        conflicts=True,
    ),
    Route("GET", "/registries/{registry}/contents", Managing(Task.READ, Target.REGISTRY), read_contents),
    Route("GET", "/storages", Managing(Task.READ, Target.DEPLOYMENT), list_storages),
    Route(
        "PATCH",
        "/registries/{registry}",
        Managing(Task.MANAGE, Target.REGISTRY),
        change_registry,
        conflicts=True,
        conditional=True,
    ),
)
