# SPDX-License-Identifier: Apache-2.0
"""Groups of providers that teams follow: who is in the group joins the team with the next sign-in."""

from typing import Annotated, Final

from fastapi import Query
from pydantic import Field

from wharfinger.domain.accounts import AccountName, TeamName
from wharfinger.domain.management import Target, Task
from wharfinger.management_api.calls import Call, Managing
from wharfinger.management_api.fields import (
    PROVIDER,
    Model,
    OneLine,
    OrganizationPath,
    ProviderName,
    Shown,
    TeamPath,
)
from wharfinger.management_api.routing import Calling, Route

_LONGEST_GROUP: Final = 255


class ShownGroup(Shown):
    """A group of a provider."""

    provider: str
    group: str


class Groups(Shown):
    """The groups that a team follows: they are few."""

    items: list[ShownGroup]


class NewGroup(Model):
    """A group that a team is to follow."""

    provider: ProviderName
    group: Annotated[OneLine, Field(min_length=1, max_length=_LONGEST_GROUP, examples=["developers"])]
    """As the provider's ID tokens name it."""


async def list_groups(call: Calling, organization: OrganizationPath, team: TeamPath) -> Groups:
    """List the groups that a team follows."""
    return await _groups(call, TeamName(AccountName(organization), team))


async def follow_group(call: Calling, organization: OrganizationPath, team: TeamPath, new: NewGroup) -> Groups:
    """Have a team follow a group; the answer lists all that it follows.

    Whoever is in the group is in the team, and in its organization, from the next sign-in on.
    """
    name = TeamName(AccountName(organization), team)
    await call.services.people.team_mappings.map(name, new.provider, new.group, call.by)
    return await _groups(call, name)


async def unfollow_group(
    call: Calling,
    organization: OrganizationPath,
    team: TeamPath,
    provider: Annotated[OneLine, Query(max_length=32, pattern=PROVIDER, description="A provider of `accounts.oidc`.")],
    group: Annotated[OneLine, Query(min_length=1, max_length=_LONGEST_GROUP, description="A group that it follows.")],
) -> None:
    """Have a team follow a group no more; whom no other group can have brought leaves it."""
    name = TeamName(AccountName(organization), team)
    await call.services.people.team_mappings.unmap(name, provider, group, call.by)


async def _groups(call: Call, name: TeamName) -> Groups:
    await call.services.organizations.team(name)
    found = await call.services.people.team_mappings.list(name.organization)
    return Groups(items=[ShownGroup(provider=one.provider, group=one.group) for one in found if one.team.name == name])


_MANAGE: Final = Managing(Task.MANAGE, Target.ORGANIZATION)
_ALL: Final = "/organizations/{organization}/teams/{team}/groups"
ROUTES: Final = (
    Route("GET", _ALL, Managing(Task.READ, Target.ORGANIZATION), list_groups),
    Route("POST", _ALL, _MANAGE, follow_group, status=201),
    Route("DELETE", _ALL, _MANAGE, unfollow_group, status=204),
)
