# SPDX-License-Identifier: Apache-2.0
"""Namespaces: whose they are, how private what is made in them begins, and which kinds of content they take."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from wharfinger.domain.access import Visibility
from wharfinger.domain.accounts import parse_account_name
from wharfinger.domain.content import ContentKind
from wharfinger.domain.errors import NamespaceUnknown
from wharfinger.domain.management import Matter, Target, Task
from wharfinger.management_api.calls import Managing, require_matter
from wharfinger.management_api.conditions import mark, matches, require_nothing_seen
from wharfinger.management_api.fields import After, KindsOff, Model, NamespacePath, RegistryPath, Shown, Size, time_of
from wharfinger.management_api.paging import PAGE, Page, page
from wharfinger.management_api.routing import Calling, Route
from wharfinger.metadata.namespaces import Namespace as NamespaceRow
from wharfinger.services.namespaces import NamespaceChange


class NamespaceSettings(Shown):
    """What can be changed of a namespace."""

    name: str
    owner: str | None
    """The user or the organization that it belongs to; nothing if it is the registry's."""
    default_visibility: Visibility
    """Of repositories that are made in it from now on."""
    kinds_off: list[ContentKind]
    """Kinds of content that nobody can push there. What is there is pulled as before."""
    created_at: datetime


class Namespace(NamespaceSettings):
    """A namespace."""

    repositories: int


class NamespaceSettingsChange(Model):
    """What is to change. A field that is left out stays as it is."""

    default_visibility: Annotated[Visibility, Field(strict=False)] = Visibility.PRIVATE
    owned: bool = False
    """Whether the account of its name owns it; only managers of the registry say that."""
    kinds_off: KindsOff = Field(default_factory=list)
    """All kinds of content that nobody can push there; admin on the namespace is not enough to say that."""


async def list_namespaces(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
    size: Size = PAGE,
    last: After = None,
) -> Page[Namespace]:
    """List the namespaces of a registry, by name."""
    found = await call.services.namespaces.list(call.registry, last, size)
    return page(call, found, key=lambda one: one.name, show=_show)


async def read_namespace(call: Calling, namespace: NamespacePath) -> Namespace:
    """Show a namespace."""
    found = await call.services.namespaces.find(call.registry, namespace)
    mark(call, _settings(found))
    return _show(found)


async def change_namespace(call: Calling, namespace: NamespacePath, change: NamespaceSettingsChange) -> Namespace:
    """Change a namespace; one that has no repository yet is made, and its first repository begins as it says."""
    said = change.model_fields_set
    if "owned" in said:
        await require_matter(call, Matter(Task.SUPERVISE, Target.NAMESPACE, namespace))
    if "kinds_off" in said:
        await require_matter(call, Matter(Task.GOVERN, Target.NAMESPACE, namespace))
    seen = await _seen(call, namespace, must_exist=not said)
    wanted = NamespaceChange(
        default_visibility=change.default_visibility if "default_visibility" in said else None,
        owned=change.owned if "owned" in said else None,
        taken={kind: kind not in change.kinds_off for kind in ContentKind} if "kinds_off" in said else {},
    )
    changed = await call.services.namespaces.change(call.registry, namespace, wanted, call.by, seen=seen)
    mark(call, _settings(changed))
    return _show(changed)


async def _seen(call: Calling, namespace: str, *, must_exist: bool) -> NamespaceRow | None:
    """Return the namespace if the caller says that it saw it so.

    Raises:
        NamespaceUnknown: there is none, and it must exist.
        PreconditionFailed: the caller saw something else.
        AccountInvalid: no namespace can have that name.
    """
    try:
        found = await call.services.namespaces.find(call.registry, namespace)
    except NamespaceUnknown:
        if must_exist:
            raise
        require_nothing_seen(call)
        parse_account_name(namespace)  # what is looked up may have any name; what is made may not
        return None
    return found if matches(call, _settings(found)) else None


def _settings(one: NamespaceRow) -> NamespaceSettings:
    return NamespaceSettings(
        name=one.name,
        owner=one.owner,
        default_visibility=one.default_visibility,
        kinds_off=sorted(one.kinds_off),
        created_at=time_of(one.created_at),
    )


def _show(one: NamespaceRow) -> Namespace:
    return Namespace(**dict(_settings(one)), repositories=one.repositories)


ROUTES: Final = (
    Route("GET", "/registries/{registry}/namespaces", Managing(Task.READ, Target.REGISTRY), list_namespaces),
    Route("GET", "/namespaces/{namespace}", Managing(Task.READ, Target.NAMESPACE), read_namespace),
    Route(
        "PATCH",
        "/namespaces/{namespace}",
        Managing(Task.MANAGE, Target.NAMESPACE),
        change_namespace,
        conflicts=True,
        conditional=True,
    ),
)
