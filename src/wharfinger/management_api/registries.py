# SPDX-License-Identifier: Apache-2.0
"""Registries and their switches."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from wharfinger.clock import DAY
from wharfinger.domain.management import Target, Task
from wharfinger.management_api.calls import Managing
from wharfinger.management_api.conditions import mark, matches
from wharfinger.management_api.fields import Model, RegistryPath, Shown, time_of
from wharfinger.management_api.routing import Calling, Route
from wharfinger.metadata.registries import RegistryRow
from wharfinger.services.registries import FOR_GOOD, RegistryChange

_MAX_DAYS: Final = 36_500


class Registry(Shown):
    """A registry, and how its switches stand."""

    name: str
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


class RegistrySwitchesChange(Model):
    """Which switches are to change. One that is left out stays as it is."""

    anonymous_pull: bool = True
    account_namespaces: bool = False
    untagged_days: Annotated[int, Field(ge=1, le=_MAX_DAYS, examples=[90])] | None = None
    """For how many days a manifest without a tag is kept after it was last used; null until somebody deletes it."""


async def list_registries(call: Calling) -> Registries:
    """List the registries."""
    rows = [await call.services.registry_switches.of(one) for one in await call.services.registries.all()]
    return Registries(items=[_show(one) for one in rows])


async def read_registry(call: Calling, registry: RegistryPath) -> Registry:  # noqa: ARG001 - the call has it
    """Show a registry."""
    shown = _show(await call.services.registry_switches.of(call.registry))
    mark(call, shown)
    return shown


async def change_registry(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
    change: RegistrySwitchesChange,
) -> Registry:
    """Turn switches of a registry."""
    said = change.model_fields_set
    found = await call.services.registry_switches.of(call.registry)
    seen = found if matches(call, _show(found)) else None
    wanted = RegistryChange(
        anonymous_pull=change.anonymous_pull if "anonymous_pull" in said else None,
        account_namespaces=change.account_namespaces if "account_namespaces" in said else None,
        untagged_after=_span(change.untagged_days) if "untagged_days" in said else None,
    )
    shown = _show(await call.services.registry_switches.change(call.registry, wanted, call.by, seen=seen))
    mark(call, shown)
    return shown


def _span(days: int | None) -> int:
    return FOR_GOOD if days is None else days * DAY


def _show(row: RegistryRow) -> Registry:
    return Registry(
        name=row.name,
        anonymous_pull=row.anonymous_pull,
        account_namespaces=row.account_namespaces,
        untagged_days=None if row.untagged_after is None else row.untagged_after / DAY,
        created_at=time_of(row.created_at),
    )


ROUTES: Final = (
    Route("GET", "/registries", Managing(Task.READ, Target.DEPLOYMENT), list_registries),
    Route("GET", "/registries/{registry}", Managing(Task.READ, Target.REGISTRY), read_registry),
    Route(
        "PATCH",
        "/registries/{registry}",
        Managing(Task.MANAGE, Target.REGISTRY),
        change_registry,
        conditional=True,
    ),
)
