# SPDX-License-Identifier: Apache-2.0
"""Organizations: who belongs to one, and its teams. An organization always has an owner."""

from collections.abc import Sequence

from wharfinger.clock import Clock
from wharfinger.domain.accounts import AccountKind, AccountName, MemberRole, TeamName
from wharfinger.domain.errors import AccountConflict, AccountInvalid, AccountUnknown
from wharfinger.domain.events import EventAction
from wharfinger.domain.identity import Actor
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import organizations as rows
from wharfinger.metadata import team_mappings
from wharfinger.metadata.accounts import Account
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.organizations import Member, Team
from wharfinger.services.accounts import look_up, require_another_owner, require_kind, tell


class Organizations:
    """Members and teams of every organization."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def put_member(self, organization: AccountName, user: AccountName, role: MemberRole, by: Actor) -> None:
        """Make a user a member, or give a member another role; with the role it has, nothing is told.

        Whom the groups of a provider brought stays from now on, whatever they say.

        Raises:
            AccountUnknown: there is no such organization or user.
            AccountInvalid: an account is of another kind.
            AccountConflict: the organization would lose its last owner.
        """
        now = self._clock.now()

        def work(connection: Connection) -> None:
            member, owner = _lock_both(connection, user, organization)
            before = rows.role_of(connection, owner.id, member.id)
            team_mappings.mark_member(connection, owner.id, member.id, None)
            if before is role:
                return
            require_another_owner(connection, owner.id, organization, member)
            rows.put_member(connection, owner.id, member.id, role, by.principal.account_id, now)
            detail = f"{user} as {role}"
            tell(connection, EventAction.MEMBER_ADDED, organization, by, now, about=owner.id, detail=detail)

        await self._database.write(work)

    async def remove_member(self, organization: AccountName, user: AccountName, by: Actor) -> None:
        """Take a member out of the organization and of its teams.

        Raises:
            AccountUnknown: there is no such organization or user, or the user is no member.
            AccountConflict: it is the last owner.
        """
        now = self._clock.now()

        def work(connection: Connection) -> None:
            member, owner = _lock_both(connection, user, organization)
            if rows.role_of(connection, owner.id, member.id) is None:
                raise _no_member(user, organization)
            require_another_owner(connection, owner.id, organization, member)
            rows.remove_member(connection, owner.id, member.id)
            tell(connection, EventAction.MEMBER_REMOVED, organization, by, now, about=owner.id, detail=user)

        await self._database.write(work)

    async def members(
        self, organization: AccountName, last: str | None = None, limit: int | None = None
    ) -> Sequence[Member]:
        """Return the members of an organization after `last`, by name.

        Raises:
            AccountUnknown: there is no such organization.
        """
        return await self._database.read(lambda c: rows.members(c, _organization(c, organization), last, limit))

    async def organizations_of(
        self, user: AccountName, last: str | None = None, limit: int | None = None
    ) -> Sequence[Member]:
        """Return the organizations after `last` that a user belongs to, by name, and its role in each."""
        return await self._database.read(lambda c: rows.organizations_of(c, _find(c, user), last, limit))

    async def create_team(self, name: TeamName, by: Actor, *, description: str | None = None) -> None:
        """Create a team.

        Raises:
            AccountUnknown: there is no such organization.
            AccountConflict: it has a team of that name.
        """
        now = self._clock.now()

        def work(connection: Connection) -> None:
            organization = require_kind(connection, name.organization, AccountKind.ORGANIZATION)
            if rows.create_team(connection, organization.id, name.team, description or None, now) is None:
                message = Sentence("There is a team %(name)r already.", name=str(name))
                raise AccountConflict(message)
            tell(connection, EventAction.TEAM_CREATED, str(name), by, now, about=organization.id)

        await self._database.write(work)

    async def describe_team(self, name: TeamName, description: str | None, by: Actor) -> None:
        """Say what a team is for.

        Raises:
            AccountUnknown: there is no such team.
        """
        now = self._clock.now()

        def work(connection: Connection) -> None:
            _, team_id = require_team(connection, name)
            rows.describe_team(connection, team_id, description or None)
            tell(connection, EventAction.TEAM_CHANGED, str(name), by, now, detail="description")

        await self._database.write(work)

    async def delete_team(self, name: TeamName, by: Actor) -> None:
        """Delete a team and what it was granted.

        Raises:
            AccountUnknown: there is no such team.
        """
        now = self._clock.now()

        def work(connection: Connection) -> None:
            organization, team_id = require_team(connection, name)
            rows.delete_team(connection, team_id)
            tell(connection, EventAction.TEAM_DELETED, str(name), by, now, about=organization.id)

        await self._database.write(work)

    async def teams(
        self, organization: AccountName, last: str | None = None, limit: int | None = None
    ) -> Sequence[Team]:
        """Return the teams of an organization after `last`, by name.

        Raises:
            AccountUnknown: there is no such organization.
        """
        return await self._database.read(lambda c: rows.list_teams(c, _organization(c, organization), last, limit))

    async def team(self, name: TeamName) -> Team:
        """Return a team.

        Raises:
            AccountUnknown: there is no such team.
        """

        def work(connection: Connection) -> Team:
            team_id = rows.find_team(connection, _organization(connection, name.organization), name.team)
            if team_id is None:
                raise no_team(name)
            return rows.read_team(connection, team_id)

        return await self._database.read(work)

    async def join_team(self, name: TeamName, user: AccountName, by: Actor) -> None:
        """Put a member of the organization into a team; one that is in it stays, and nothing is told.

        Whom the groups of a provider brought stays from now on, whatever they say.

        Raises:
            AccountUnknown: there is no such team or user.
            AccountInvalid: the user is no member of the team's organization.
        """
        now = self._clock.now()

        def work(connection: Connection) -> None:
            member, organization = _lock_both(connection, user, name.organization)
            _, team_id = require_team(connection, name)
            if rows.role_of(connection, organization.id, member.id) is None:
                message = Sentence(
                    "%(user)r is no member of %(organization)r; only members can be in its teams.",
                    user=user,
                    organization=name.organization,
                )
                raise AccountInvalid(message)
            team_mappings.mark_in_team(connection, team_id, member.id, None)
            if rows.join_team(connection, organization.id, team_id, member.id, by.principal.account_id, now):
                tell(connection, EventAction.TEAM_JOINED, str(name), by, now, about=organization.id, detail=user)

        await self._database.write(work)

    async def leave_team(self, name: TeamName, user: AccountName, by: Actor) -> None:
        """Take a user out of a team.

        Raises:
            AccountUnknown: there is no such team or user, or the user is not in the team.
        """
        now = self._clock.now()

        def work(connection: Connection) -> None:
            organization, team_id = require_team(connection, name)
            if not rows.leave_team(connection, team_id, _find(connection, user)):
                raise _no_member(user, str(name))
            tell(connection, EventAction.TEAM_LEFT, str(name), by, now, about=organization.id, detail=user)

        await self._database.write(work)

    async def members_of_team(
        self, name: TeamName, last: str | None = None, limit: int | None = None
    ) -> Sequence[AccountName]:
        """Return the names of a team's members after `last`, sorted."""

        def work(connection: Connection) -> Sequence[AccountName]:
            team_id = rows.find_team(connection, _find(connection, name.organization), name.team)
            if team_id is None:
                raise no_team(name)
            return rows.members_of_team(connection, team_id, last, limit)

        return await self._database.read(work)


def require_team(connection: Connection, name: TeamName) -> tuple[Account, int]:
    """Return a team's organization, locked, and the id of the team.

    Raises:
        AccountUnknown: there is no such team.
        AccountInvalid: what should be its organization is none.
    """
    organization = require_kind(connection, name.organization, AccountKind.ORGANIZATION)
    team_id = rows.find_team(connection, organization.id, name.team)
    if team_id is None:
        raise no_team(name)
    return organization, team_id


def no_team(name: TeamName) -> AccountUnknown:
    """Return the error for a team that is not here."""
    return AccountUnknown(Sentence("There is no team %(name)r.", name=str(name)))


def _lock_both(connection: Connection, user: AccountName, organization: AccountName) -> tuple[Account, Account]:
    member = require_kind(connection, user, AccountKind.USER)
    return member, require_kind(connection, organization, AccountKind.ORGANIZATION)


def _find(connection: Connection, name: AccountName) -> int:
    return look_up(connection, name).id


def _organization(connection: Connection, name: AccountName) -> int:
    return look_up(connection, name, AccountKind.ORGANIZATION).id


def _no_member(user: str, of: str) -> AccountUnknown:
    return AccountUnknown(Sentence("%(user)r is no member of %(of)r.", user=user, of=of))
