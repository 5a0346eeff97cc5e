# SPDX-License-Identifier: Apache-2.0
"""Grants: who was given which role at which place, and what somebody was given."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from wharfinger.domain.access import Action
from wharfinger.domain.accounts import AccountName, TeamName, parse_subject
from wharfinger.domain.grants import DEPLOYMENT, Place, parse_role, word_of
from wharfinger.domain.management import Target, Task
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.pages import page_of
from wharfinger.management_api.calls import Call, Managing, OnRepository
from wharfinger.management_api.fields import (
    AccountPath,
    AfterNumber,
    Model,
    NamespacePath,
    OrganizationPath,
    RegistryPath,
    RepositoryPath,
    RoleWord,
    Shown,
    Size,
    SubjectPath,
    TeamPath,
    time_of,
)
from wharfinger.management_api.paging import PAGE, Page, page
from wharfinger.management_api.routing import Calling, Route
from wharfinger.metadata.grants import Grant


class ShownPlace(Shown):
    """Where a role holds: a repository, a namespace, or a registry; with none of them, the deployment."""

    registry: str | None
    namespace: str | None
    repository: str | None


class ShownGrant(Shown):
    """A role that somebody was given at a place."""

    subject: Annotated[str, Field(examples=["ann", "acme/builders", "acme+ci"])]
    role: Annotated[str, Field(examples=["write"])]
    """`read`, `write` or `admin`."""
    place: ShownPlace
    since: datetime


class NewGrant(Model):
    """The role that somebody is to have at a place, instead of the one before."""

    role: Annotated[RoleWord, Field(examples=["write"])]


async def list_grants_of_repository(
    call: Calling, name: RepositoryPath, size: Size = PAGE, last: AfterNumber = None
) -> Page[ShownGrant]:
    """List the roles that were given on a repository, in the order of their giving."""
    return await _of_place(call, _repository(call, name), size, last)


async def give_on_repository(call: Calling, name: RepositoryPath, subject: SubjectPath, grant: NewGrant) -> None:
    """Give a role on a repository."""
    await _give(call, _repository(call, name), subject, grant)


async def take_on_repository(call: Calling, name: RepositoryPath, subject: SubjectPath) -> None:
    """Take away what somebody was given on a repository; what it has by other ways stays."""
    await call.services.grants.take(parse_subject(subject), _repository(call, name), call.by)


async def list_grants_of_namespace(
    call: Calling, namespace: NamespacePath, size: Size = PAGE, last: AfterNumber = None
) -> Page[ShownGrant]:
    """List the roles that were given on a namespace, in the order of their giving."""
    return await _of_place(call, _namespace(call, namespace), size, last)


async def give_on_namespace(call: Calling, namespace: NamespacePath, subject: SubjectPath, grant: NewGrant) -> None:
    """Give a role on a namespace: it reaches those of its repositories that inherit."""
    await _give(call, _namespace(call, namespace), subject, grant)


async def take_on_namespace(call: Calling, namespace: NamespacePath, subject: SubjectPath) -> None:
    """Take away what somebody was given on a namespace; what it has by other ways stays."""
    await call.services.grants.take(parse_subject(subject), _namespace(call, namespace), call.by)


async def list_grants_of_registry(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
    size: Size = PAGE,
    last: AfterNumber = None,
) -> Page[ShownGrant]:
    """List the roles that were given on a registry, in the order of their giving."""
    return await _of_place(call, Place(registry_id=call.registry.id), size, last)


async def give_on_registry(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
    subject: SubjectPath,
    grant: NewGrant,
) -> None:
    """Give a role on a whole registry; `viewer` is read, `manager` is admin."""
    await _give(call, Place(registry_id=call.registry.id), subject, grant)


async def take_on_registry(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
    subject: SubjectPath,
) -> None:
    """Take away what somebody was given on a registry; what it has by other ways stays."""
    await call.services.grants.take(parse_subject(subject), Place(registry_id=call.registry.id), call.by)


async def list_grants_of_deployment(call: Calling, size: Size = PAGE, last: AfterNumber = None) -> Page[ShownGrant]:
    """List the roles that were given on the deployment, in the order of their giving."""
    return await _of_place(call, DEPLOYMENT, size, last)


async def give_on_deployment(call: Calling, subject: SubjectPath, grant: NewGrant) -> None:
    """Give a role on the whole deployment; `viewer` is read, `manager` is admin."""
    await _give(call, DEPLOYMENT, subject, grant)


async def take_on_deployment(call: Calling, subject: SubjectPath) -> None:
    """Take away what somebody was given on the deployment; what it has by other ways stays."""
    await call.services.grants.take(parse_subject(subject), DEPLOYMENT, call.by)


async def list_grants_of_account(
    call: Calling, account: AccountPath, size: Size = PAGE, last: AfterNumber = None
) -> Page[ShownGrant]:
    """List what an account itself was given; what its teams were given is listed there."""
    found = await call.services.grants.of_subject(AccountName(account), last, size + 1)
    return page(call, page_of(found, size), key=lambda one: one.id, show=lambda one: _show(call, one))


async def list_grants_of_team(
    call: Calling, organization: OrganizationPath, team: TeamPath, size: Size = PAGE, last: AfterNumber = None
) -> Page[ShownGrant]:
    """List what a team was given."""
    found = await call.services.grants.of_subject(TeamName(AccountName(organization), team), last, size + 1)
    return page(call, page_of(found, size), key=lambda one: one.id, show=lambda one: _show(call, one))


async def _of_place(call: Call, place: Place, size: int, last: int | None) -> Page[ShownGrant]:
    found = await call.services.grants.of_place(place, last, size + 1)
    return page(call, page_of(found, size), key=lambda one: one.id, show=lambda one: _show(call, one))


async def _give(call: Call, place: Place, subject: str, grant: NewGrant) -> None:
    # Whoever may give is admin there, so no role that can be given is higher than its own.
    await call.services.grants.give(parse_subject(subject), place, parse_role(grant.role, place), call.by)


def _repository(call: Call, name: str) -> Place:
    return Place(registry_id=call.registry.id, repository=RepositoryName(name))


def _namespace(call: Call, namespace: str) -> Place:
    return Place(registry_id=call.registry.id, namespace=namespace)


def show_place(call: Call, place: Place) -> ShownPlace:
    """Return a place with the names of what it is."""
    registry = None if place.registry_id is None else call.services.registries.name_of(place.registry_id)
    return ShownPlace(registry=registry, namespace=place.namespace, repository=place.repository)


def _show(call: Call, grant: Grant) -> ShownGrant:
    return ShownGrant(
        subject=str(grant.subject),
        role=word_of(grant.role),
        place=show_place(call, grant.place),
        since=time_of(grant.created_at),
    )


_ADMINISTER: Final = OnRepository(Action.ADMINISTER)
_ON_REPOSITORY: Final = "/repositories/{name:path}/-/grants"
_ON_NAMESPACE: Final = "/namespaces/{namespace}/grants"
_ON_REGISTRY: Final = "/registries/{registry}/grants"
_ON_DEPLOYMENT: Final = "/deployment/grants"
_OF_TEAM: Final = "/organizations/{organization}/teams/{team}/grants"
ROUTES: Final = (
    Route("GET", _ON_REPOSITORY, _ADMINISTER, list_grants_of_repository),
    Route("PUT", _ON_REPOSITORY + "/{subject:path}", _ADMINISTER, give_on_repository, status=204),
    Route("DELETE", _ON_REPOSITORY + "/{subject:path}", _ADMINISTER, take_on_repository, status=204),
    Route("GET", _ON_NAMESPACE, Managing(Task.READ, Target.NAMESPACE), list_grants_of_namespace),
    Route(
        "PUT", _ON_NAMESPACE + "/{subject:path}", Managing(Task.MANAGE, Target.NAMESPACE), give_on_namespace, status=204
    ),
    Route(
        "DELETE",
        _ON_NAMESPACE + "/{subject:path}",
        Managing(Task.MANAGE, Target.NAMESPACE),
        take_on_namespace,
        status=204,
    ),
    Route("GET", _ON_REGISTRY, Managing(Task.READ, Target.REGISTRY), list_grants_of_registry),
    Route(
        "PUT", _ON_REGISTRY + "/{subject:path}", Managing(Task.MANAGE, Target.REGISTRY), give_on_registry, status=204
    ),
    Route(
        "DELETE", _ON_REGISTRY + "/{subject:path}", Managing(Task.MANAGE, Target.REGISTRY), take_on_registry, status=204
    ),
    Route("GET", _ON_DEPLOYMENT, Managing(Task.READ, Target.DEPLOYMENT), list_grants_of_deployment),
    Route(
        "PUT",
        _ON_DEPLOYMENT + "/{subject:path}",
        Managing(Task.MANAGE, Target.DEPLOYMENT),
        give_on_deployment,
        status=204,
    ),
    Route(
        "DELETE",
        _ON_DEPLOYMENT + "/{subject:path}",
        Managing(Task.MANAGE, Target.DEPLOYMENT),
        take_on_deployment,
        status=204,
    ),
    Route("GET", "/accounts/{account}/grants", Managing(Task.READ), list_grants_of_account),
    Route("GET", _OF_TEAM, Managing(Task.READ, Target.ORGANIZATION), list_grants_of_team),
)
