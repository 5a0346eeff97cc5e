# SPDX-License-Identifier: Apache-2.0
"""Rows of mappings from a provider's groups to teams, and of the memberships that came of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, exists, select, update

from wharfinger.clock import Instant
from wharfinger.domain.accounts import AccountName, TeamName
from wharfinger.metadata.account_tables import accounts, memberships, team_members, teams
from wharfinger.metadata.database import Statement
from wharfinger.metadata.sign_in_tables import team_mappings


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedTeam:
    """A team with its numbers."""

    team_id: int
    organization_id: int
    name: TeamName


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """That the members of a provider's group are in a team."""

    team: MappedTeam
    provider: str
    group: str


_MAP: Final = Statement(
    lambda insert: insert(team_mappings).on_conflict_do_nothing().returning(team_mappings.c.team_id),
    columns=("team_id", "provider", "group_name", "created_at", "created_by"),
)
_TEAM: Final = (teams.c.id, teams.c.organization_id, accounts.c.name, teams.c.name)


def add(connection: Connection, team_id: int, provider: str, group: str, by: int | None, now: Instant) -> bool:
    """Map a group to a team; say whether it was not before."""
    made = _MAP.first(connection, team_id=team_id, provider=provider, group_name=group, created_at=now, created_by=by)
    return made is not None


def remove(connection: Connection, team_id: int, provider: str, group: str) -> bool:
    """Map a group to a team no more; say whether it was."""
    there = (
        (team_mappings.c.team_id == team_id)
        & (team_mappings.c.provider == provider)
        & (team_mappings.c.group_name == group)
    )
    return connection.execute(delete(team_mappings).where(there)).rowcount > 0


def is_mapped(connection: Connection, team_id: int, provider: str) -> bool:
    """Say whether any group of the provider is mapped to the team."""
    statement = select(team_mappings.c.team_id).where(
        team_mappings.c.team_id == team_id, team_mappings.c.provider == provider
    )
    return connection.execute(statement.limit(1)).first() is not None


def of_organization(connection: Connection, organization_id: int) -> Sequence[Mapping]:
    """Return the mappings to the teams of an organization."""
    return _list(connection, teams.c.organization_id == organization_id)


def of_provider(connection: Connection, provider: str) -> Sequence[Mapping]:
    """Return the mappings of a provider's groups, to teams of organizations that are there."""
    return _list(connection, team_mappings.c.provider == provider)


def mapped_teams(connection: Connection, user_id: int, provider: str) -> Sequence[MappedTeam]:
    """Return the teams that a user is in because of the provider's groups, and for no other reason."""
    statement = (
        select(*_TEAM)
        .join(team_members, team_members.c.team_id == teams.c.id)
        .join(accounts, accounts.c.id == teams.c.organization_id)
        .where(team_members.c.user_id == user_id, team_members.c.mapped_by == provider)
        .order_by(teams.c.organization_id, teams.c.id)
    )
    return [_team(*row) for row in connection.execute(statement)]


def mapped_members(connection: Connection, team_id: int, provider: str) -> Sequence[tuple[int, AccountName]]:
    """Return the users that are in a team because of the provider's groups."""
    statement = (
        select(accounts.c.id, accounts.c.name)
        .join(team_members, team_members.c.user_id == accounts.c.id)
        .where(team_members.c.team_id == team_id, team_members.c.mapped_by == provider)
        .order_by(accounts.c.name)
    )
    return [(number, AccountName(name)) for number, name in connection.execute(statement)]


def mark_member(connection: Connection, organization_id: int, user_id: int, provider: str | None) -> None:
    """Note whose groups brought a member to an organization; nothing for who is there by hand."""
    there = (memberships.c.organization_id == organization_id) & (memberships.c.user_id == user_id)
    connection.execute(update(memberships).where(there).values(mapped_by=provider))


def mark_in_team(connection: Connection, team_id: int, user_id: int, provider: str | None) -> None:
    """Note whose groups brought a user into a team; nothing for who is there by hand."""
    there = (team_members.c.team_id == team_id) & (team_members.c.user_id == user_id)
    connection.execute(update(team_members).where(there).values(mapped_by=provider))


def left_behind(connection: Connection, user_id: int, provider: str) -> Sequence[tuple[int, AccountName]]:
    """Return the organizations to which the provider's groups brought the user, and in whose teams it is no more."""
    in_team = exists().where(
        team_members.c.organization_id == memberships.c.organization_id, team_members.c.user_id == user_id
    )
    statement = (
        select(accounts.c.id, accounts.c.name)
        .join(memberships, memberships.c.organization_id == accounts.c.id)
        .where(memberships.c.user_id == user_id, memberships.c.mapped_by == provider, ~in_team)
        .order_by(accounts.c.id)
    )
    return [(number, AccountName(name)) for number, name in connection.execute(statement)]


def _list(connection: Connection, condition: ColumnElement[bool]) -> Sequence[Mapping]:
    statement = (
        select(*_TEAM, team_mappings.c.provider, team_mappings.c.group_name)
        .join(team_mappings, team_mappings.c.team_id == teams.c.id)
        .join(accounts, accounts.c.id == teams.c.organization_id)
        .where(condition, accounts.c.deleted_at.is_(None))
        .order_by(teams.c.organization_id, teams.c.id, team_mappings.c.provider, team_mappings.c.group_name)
    )
    return [
        Mapping(team=_team(*team), provider=provider, group=group)
        for *team, provider, group in connection.execute(statement)
    ]


def _team(team_id: int, organization_id: int, organization: str, name: str) -> MappedTeam:
    return MappedTeam(team_id=team_id, organization_id=organization_id, name=TeamName(AccountName(organization), name))
