# SPDX-License-Identifier: Apache-2.0
"""Rows of organizations' members and teams; whoever changes them has locked the organization's account before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Column, ColumnElement, Connection, delete, func, insert, select, update

from wharfinger.clock import Instant
from wharfinger.domain.accounts import AccountName, MemberRole
from wharfinger.metadata.account_tables import accounts, memberships, team_members, teams
from wharfinger.metadata.database import Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A user in an organization, or an organization of a user: `name` is the other one."""

    account_id: int
    name: AccountName
    role: MemberRole
    since: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A team of an organization."""

    id: int
    name: str
    description: str | None
    members: int
    created_at: Instant


def role_of(connection: Connection, organization_id: int, user_id: int) -> MemberRole | None:
    """Return what the user is in the organization."""
    statement = select(memberships.c.role).where(
        memberships.c.organization_id == organization_id, memberships.c.user_id == user_id
    )
    found = connection.execute(statement).scalar()
    return None if found is None else MemberRole(found)


def put_member(
    connection: Connection, organization_id: int, user_id: int, role: MemberRole, by: int | None, now: Instant
) -> None:
    """Make the user a member in this role, or give the member this role."""
    _PUT_MEMBER.count(
        connection,
        organization_id=organization_id,
        user_id=user_id,
        role=role.value,
        created_at=now,
        created_by=by,
    )


_PUT_MEMBER: Final = Statement(
    lambda insert: (statement := insert(memberships)).on_conflict_do_update(
        index_elements=["organization_id", "user_id"], set_={"role": statement.excluded.role}
    ),
    columns=("organization_id", "user_id", "role", "created_at", "created_by"),
)


def remove_member(connection: Connection, organization_id: int, user_id: int) -> None:
    """Remove the member, and with it its places in the organization's teams."""
    connection.execute(
        delete(memberships).where(memberships.c.organization_id == organization_id, memberships.c.user_id == user_id)
    )


def count_owners(connection: Connection, organization_id: int) -> int:
    """Return how many owners the organization has."""
    statement = (
        select(func.count())
        .select_from(memberships)
        .where(memberships.c.organization_id == organization_id, memberships.c.role == MemberRole.OWNER.value)
    )
    return int(connection.execute(statement).scalar_one())


def members(
    connection: Connection,
    organization_id: int,
    last: str | None = None,
    limit: int | None = None,
    *,
    role: MemberRole | None = None,
) -> Sequence[Member]:
    """Return the members of an organization after `last`, by name; with a role, only those who have it."""
    wanted = memberships.c.organization_id == organization_id
    if role is not None:
        wanted &= memberships.c.role == role.value
    return _members(connection, wanted, memberships.c.user_id, last, limit)


def organizations_of(
    connection: Connection, user_id: int, last: str | None = None, limit: int | None = None
) -> Sequence[Member]:
    """Return the organizations of a user after `last`, by name, and what it is in each."""
    return _members(connection, memberships.c.user_id == user_id, memberships.c.organization_id, last, limit)


def create_team(
    connection: Connection, organization_id: int, name: str, description: str | None, now: Instant
) -> int | None:
    """Create a team and return its id; nothing if the organization has one of that name."""
    made = _CREATE_TEAM.first(
        connection, organization_id=organization_id, name=name, description=description, created_at=now
    )
    return None if made is None else int(made[0])


_CREATE_TEAM: Final = Statement(
    lambda insert: insert(teams).on_conflict_do_nothing().returning(teams.c.id),
    columns=("organization_id", "name", "description", "created_at"),
)


def find_team(connection: Connection, organization_id: int, name: str) -> int | None:
    """Return the id of the organization's team of that name."""
    statement = select(teams.c.id).where(teams.c.organization_id == organization_id, teams.c.name == name)
    found: int | None = connection.execute(statement).scalar()
    return found


def describe_team(connection: Connection, team_id: int, description: str | None) -> None:
    """Set the description of a team."""
    connection.execute(update(teams).where(teams.c.id == team_id).values(description=description))


def delete_team(connection: Connection, team_id: int) -> None:
    """Delete a team; its grants and its list of members go with it."""
    connection.execute(delete(teams).where(teams.c.id == team_id))


def list_teams(
    connection: Connection, organization_id: int, last: str | None = None, limit: int | None = None
) -> Sequence[Team]:
    """Return the teams of an organization after `last`, by name."""
    return _teams(connection, (teams.c.organization_id == organization_id) & (teams.c.name > (last or "")), limit)


def read_team(connection: Connection, team_id: int) -> Team:
    """Return a team that is there."""
    (found,) = _teams(connection, teams.c.id == team_id, 1)
    return found


def _teams(connection: Connection, condition: ColumnElement[bool], limit: int | None) -> Sequence[Team]:
    count = (
        select(func.count())
        .select_from(team_members)
        .where(team_members.c.team_id == teams.c.id)
        .correlate(teams)
        .scalar_subquery()
    )
    statement = (
        select(teams.c.id, teams.c.name, teams.c.description, count, teams.c.created_at)
        .where(condition)
        .order_by(teams.c.name)
        .limit(limit)
    )
    return [
        Team(id=team_id, name=name, description=description, members=number, created_at=Instant(created_at))
        for team_id, name, description, number, created_at in connection.execute(statement)
    ]


def join_team(
    connection: Connection, organization_id: int, team_id: int, user_id: int, by: int | None, now: Instant
) -> bool:
    """Put a member of the organization into a team; say whether it was not in it."""
    if _is_in_team(connection, team_id, user_id):
        return False
    connection.execute(
        insert(team_members).values(
            team_id=team_id, organization_id=organization_id, user_id=user_id, created_at=now, created_by=by
        )
    )
    return True


def leave_team(connection: Connection, team_id: int, user_id: int) -> bool:
    """Take a user out of a team; say whether it was in it."""
    there = (team_members.c.team_id == team_id) & (team_members.c.user_id == user_id)
    return connection.execute(delete(team_members).where(there)).rowcount > 0


def members_of_team(
    connection: Connection, team_id: int, last: str | None = None, limit: int | None = None
) -> Sequence[AccountName]:
    """Return the names of a team's members after `last`, sorted."""
    statement = (
        select(accounts.c.name)
        .join(team_members, team_members.c.user_id == accounts.c.id)
        .where(team_members.c.team_id == team_id, accounts.c.name > (last or ""))
        .order_by(accounts.c.name)
        .limit(limit)
    )
    return [AccountName(name) for (name,) in connection.execute(statement)]


def _is_in_team(connection: Connection, team_id: int, user_id: int) -> bool:
    statement = select(team_members.c.user_id).where(
        team_members.c.team_id == team_id, team_members.c.user_id == user_id
    )
    return connection.execute(statement).first() is not None


def _members(
    connection: Connection, condition: ColumnElement[bool], other: Column[int], last: str | None, limit: int | None
) -> Sequence[Member]:
    statement = (
        select(accounts.c.id, accounts.c.name, memberships.c.role, memberships.c.created_at)
        .join(memberships, other == accounts.c.id)
        .where(condition, accounts.c.name > (last or ""))
        .order_by(accounts.c.name)
        .limit(limit)
    )
    return [
        Member(account_id=account_id, name=AccountName(name), role=MemberRole(role), since=Instant(since))
        for account_id, name, role, since in connection.execute(statement)
    ]
