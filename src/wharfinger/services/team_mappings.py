# SPDX-License-Identifier: Apache-2.0
"""Teams that follow the groups of a provider: who is in a group there is in the team here, from the next sign-in on.

Only memberships that came from a group go with it. Who was put into a team by hand stays there.
"""

from collections.abc import Collection, Sequence

from wharfinger.clock import Clock, Instant
from wharfinger.domain.accounts import AccountName, MemberRole, TeamName
from wharfinger.domain.errors import AccountUnknown
from wharfinger.domain.events import EventAction
from wharfinger.domain.identity import Actor
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import accounts as account_rows
from wharfinger.metadata import organizations
from wharfinger.metadata import team_mappings as rows
from wharfinger.metadata.accounts import Account
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.team_mappings import MappedTeam, Mapping
from wharfinger.services.accounts import look_up, tell
from wharfinger.services.demands import require_provider, require_said
from wharfinger.services.organizations import require_team


class TeamMappings:
    """The mappings of every team.

    Args:
        database: where they are.
        clock: the time.
        providers: the names of those that the settings know.
    """

    def __init__(self, database: Database, clock: Clock, providers: Sequence[str] = ()) -> None:
        self._database = database
        self._clock = clock
        self._providers = tuple(providers)

    async def map(self, team: TeamName, provider: str, group: str, by: Actor) -> None:
        """Have the members of a group be in a team; mapped already, nothing happens.

        Raises:
            AccountUnknown: there is no such team.
            AccountInvalid: the settings know no such provider, or no group can have that name.
        """
        require_provider(provider, self._providers)
        require_said(group, Sentence("The name of a group"), Sentence("as ID tokens name it"))
        now = self._clock.now()

        def work(connection: Connection) -> None:
            _, team_id = require_team(connection, team)
            if rows.add(connection, team_id, provider, group, by.principal.account_id, now):
                tell(connection, EventAction.TEAM_MAPPED, str(team), by, now, detail=f"{group} of {provider}")

        await self._database.write(work)

    async def unmap(self, team: TeamName, provider: str, group: str, by: Actor) -> None:
        """Have a team follow a group no more.

        Whom no other group of the provider can have brought leaves the team now; the others at their next sign-in.

        Raises:
            AccountUnknown: there is no such team, or it did not follow the group.
        """
        now = self._clock.now()

        def work(connection: Connection) -> None:
            _, team_id = require_team(connection, team)
            if not rows.remove(connection, team_id, provider, group):
                message = Sentence(
                    "%(team)r does not follow the group %(group)r of %(provider)r.",
                    team=str(team),
                    group=group,
                    provider=provider,
                )
                raise AccountUnknown(message)
            tell(connection, EventAction.TEAM_UNMAPPED, str(team), by, now, detail=f"{group} of {provider}")
            if rows.is_mapped(connection, team_id, provider):
                return
            for user_id, name in rows.mapped_members(connection, team_id, provider):
                organizations.leave_team(connection, team_id, user_id)
                tell(connection, EventAction.TEAM_LEFT, str(team), by, now, detail=name)
                _leave_behind(connection, user_id, name, provider, by, now)

        await self._database.write(work)

    async def list(self, organization: AccountName) -> Sequence[Mapping]:
        """Return the mappings of an organization's teams.

        Raises:
            AccountUnknown: there is no such organization.
        """

        def work(connection: Connection) -> Sequence[Mapping]:
            return rows.of_organization(connection, look_up(connection, organization).id)

        return await self._database.read(work)


def follow_groups(
    connection: Connection, user: Account, provider: str, groups: Collection[str], by: Actor, now: Instant
) -> None:
    """Have a user, who is locked, join and leave teams as its groups say, in the transaction of its sign-in."""
    mappings = rows.of_provider(connection, provider)
    wanted = {one.team.team_id: one.team for one in mappings if one.group in groups}
    before = {one.team_id: one for one in rows.mapped_teams(connection, user.id, provider)}
    behind = rows.left_behind(connection, user.id, provider)
    numbers = {one.organization_id for one in (*wanted.values(), *before.values())} | {number for number, _ in behind}
    for number in sorted(numbers):  # in one order, so that no two sign-ins wait for each other
        account_rows.lock_by_id(connection, number)
    for team_id, team in sorted(wanted.items()):
        _join(connection, user, team, provider, by, now)
        before.pop(team_id, None)
    for team_id, team in sorted(before.items()):
        organizations.leave_team(connection, team_id, user.id)
        tell(connection, EventAction.TEAM_LEFT, str(team.name), by, now, detail=user.name)
    _leave_behind(connection, user.id, user.name, provider, by, now)


def _join(connection: Connection, user: Account, team: MappedTeam, provider: str, by: Actor, now: Instant) -> None:
    if organizations.role_of(connection, team.organization_id, user.id) is None:
        organizations.put_member(connection, team.organization_id, user.id, MemberRole.MEMBER, None, now)
        rows.mark_member(connection, team.organization_id, user.id, provider)
        detail = f"{user.name} as {MemberRole.MEMBER}"
        tell(connection, EventAction.MEMBER_ADDED, team.name.organization, by, now, detail=detail)
    if organizations.join_team(connection, team.organization_id, team.team_id, user.id, None, now):
        rows.mark_in_team(connection, team.team_id, user.id, provider)
        tell(connection, EventAction.TEAM_JOINED, str(team.name), by, now, detail=user.name)


def _leave_behind(
    connection: Connection, user_id: int, name: AccountName, provider: str, by: Actor, now: Instant
) -> None:
    """Have a user leave the organizations to which groups brought it, and in whose teams it is no more."""
    for organization_id, organization in rows.left_behind(connection, user_id, provider):
        organizations.remove_member(connection, organization_id, user_id)
        tell(connection, EventAction.MEMBER_REMOVED, organization, by, now, detail=name)
