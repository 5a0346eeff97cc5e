# SPDX-License-Identifier: Apache-2.0
"""Teams of an organization, and who is in them."""

from datetime import datetime
from typing import Final

from wharfinger.domain.accounts import AccountName, TeamName
from wharfinger.domain.management import Target, Task
from wharfinger.domain.pages import page_of
from wharfinger.management_api.calls import Managing
from wharfinger.management_api.fields import (
    After,
    Description,
    Model,
    OrganizationPath,
    PartName,
    Shown,
    Size,
    TeamPath,
    UserPath,
    time_of,
)
from wharfinger.management_api.paging import PAGE, Page, page
from wharfinger.management_api.routing import Calling, Route
from wharfinger.metadata.organizations import Team


class ShownTeam(Shown):
    """A team."""

    name: str
    description: str | None
    members: int
    created_at: datetime


class NewTeam(Model):
    """A team that is to be created."""

    name: PartName
    description: Description | None = None


class TeamChange(Model):
    """What is to change of a team; null removes it."""

    description: Description | None


class TeamMember(Shown):
    """A member of a team."""

    name: str


async def list_teams(
    call: Calling, organization: OrganizationPath, size: Size = PAGE, last: After = None
) -> Page[ShownTeam]:
    """List the teams of an organization, by name."""
    found = await call.services.organizations.teams(AccountName(organization), last, size + 1)
    return page(call, page_of(found, size), key=lambda one: one.name, show=_show)


async def create_team(call: Calling, organization: OrganizationPath, new: NewTeam) -> ShownTeam:
    """Create a team."""
    name = _team(organization, new.name)
    await call.services.organizations.create_team(name, call.by, description=new.description)
    return _show(await call.services.organizations.team(name))


async def read_team(call: Calling, organization: OrganizationPath, team: TeamPath) -> ShownTeam:
    """Show a team."""
    return _show(await call.services.organizations.team(_team(organization, team)))


async def change_team(call: Calling, organization: OrganizationPath, team: TeamPath, change: TeamChange) -> ShownTeam:
    """Say what a team is for."""
    name = _team(organization, team)
    await call.services.organizations.describe_team(name, change.description, call.by)
    return _show(await call.services.organizations.team(name))


async def delete_team(call: Calling, organization: OrganizationPath, team: TeamPath) -> None:
    """Delete a team and what it was granted."""
    await call.services.organizations.delete_team(_team(organization, team), call.by)


async def list_team_members(
    call: Calling, organization: OrganizationPath, team: TeamPath, size: Size = PAGE, last: After = None
) -> Page[TeamMember]:
    """List the members of a team, by name."""
    found = await call.services.organizations.members_of_team(_team(organization, team), last, size + 1)
    return page(call, page_of(found, size), key=str, show=lambda name: TeamMember(name=name))


async def join_team(call: Calling, organization: OrganizationPath, team: TeamPath, user: UserPath) -> None:
    """Put a member of the organization into a team."""
    await call.services.organizations.join_team(_team(organization, team), AccountName(user), call.by)


async def leave_team(call: Calling, organization: OrganizationPath, team: TeamPath, user: UserPath) -> None:
    """Take a user out of a team."""
    await call.services.organizations.leave_team(_team(organization, team), AccountName(user), call.by)


def _team(organization: str, team: str) -> TeamName:
    return TeamName(AccountName(organization), team)


def _show(team: Team) -> ShownTeam:
    return ShownTeam(
        name=team.name, description=team.description, members=team.members, created_at=time_of(team.created_at)
    )


_READ: Final = Managing(Task.READ, Target.ORGANIZATION)
_MANAGE: Final = Managing(Task.MANAGE, Target.ORGANIZATION)
_ONE: Final = "/organizations/{organization}/teams/{team}"
_MEMBER: Final = "/organizations/{organization}/teams/{team}/members/{user}"
ROUTES: Final = (
    Route("GET", "/organizations/{organization}/teams", _READ, list_teams),
    Route("POST", "/organizations/{organization}/teams", _MANAGE, create_team, status=201, conflicts=True),
    Route("GET", _ONE, _READ, read_team),
    Route("PATCH", _ONE, _MANAGE, change_team),
    Route("DELETE", _ONE, _MANAGE, delete_team, status=204),
    Route("GET", "/organizations/{organization}/teams/{team}/members", _READ, list_team_members),
    Route("PUT", _MEMBER, _MANAGE, join_team, status=204),
    Route("DELETE", _MEMBER, _MANAGE, leave_team, status=204),
)
