# SPDX-License-Identifier: Apache-2.0
"""Rows of grants: one for each subject and place.

Whoever gives or takes one has locked the subject's row before: two transactions never write the same grant at once,
and nobody who is being deleted is given anything.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select, update

from wharfinger.clock import Instant
from wharfinger.domain.access import Role
from wharfinger.domain.accounts import AccountName, Subject, TeamName
from wharfinger.domain.grants import Place, word_of
from wharfinger.domain.names import RepositoryName
from wharfinger.metadata.account_tables import accounts, grants, team_members, teams
from wharfinger.metadata.schema import namespaces, repositories


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectKey:
    """Who has a grant: exactly one of the two."""

    account_id: int | None = None
    team_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceKey:
    """Where a grant holds: at most one of the three, and none of them for the deployment."""

    repository_id: int | None = None
    namespace_id: int | None = None
    registry_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A grant, with names instead of numbers; its own number orders lists."""

    id: int
    subject: Subject
    place: Place
    role: Role
    created_at: Instant


def give(
    connection: Connection, subject: SubjectKey, place: PlaceKey, role: Role, by: int | None, now: Instant
) -> Role | None:
    """Have the subject hold exactly this role at the place; return the one it had there before."""
    before = held(connection, subject, place)
    values = {"role": word_of(role), "created_at": now, "created_by": by}
    if before is None:
        connection.execute(insert(grants).values(**asdict(subject), **asdict(place), **values))
    elif before is not role:
        connection.execute(update(grants).where(_is(subject, place)).values(**values))
    return before


def take(connection: Connection, subject: SubjectKey, place: PlaceKey) -> bool:
    """Take the subject's role at the place away; say whether it had one."""
    return connection.execute(delete(grants).where(_is(subject, place))).rowcount > 0


def held(connection: Connection, subject: SubjectKey, place: PlaceKey) -> Role | None:
    """Return the role that was given to the subject itself at the place itself."""
    found = connection.execute(select(grants.c.role).where(_is(subject, place))).scalar()
    return None if found is None else Role[found.upper()]


def of_place(
    connection: Connection, place: PlaceKey, last: int | None = None, limit: int | None = None
) -> Sequence[Grant]:
    """Return the grants at the place itself after number `last`, in the order of their giving."""
    return _list(connection, _at(place), last, limit)


def of_subject(
    connection: Connection, subject: SubjectKey, last: int | None = None, limit: int | None = None
) -> Sequence[Grant]:
    """Return the grants of the subject itself after number `last`, in the order of their giving."""
    return _list(connection, _of(subject), last, limit)


def around(
    connection: Connection,
    account_id: int,
    registry_id: int,
    repository: RepositoryName,
    namespace: str | None,
    *,
    limit: int,
) -> Sequence[Grant]:
    """Return what an account and its teams were given on a live repository, and on all that it lies in.

    Whether it counts is another question: a repository may keep to itself, a team's organization may be suspended.
    """
    mine = (grants.c.account_id == account_id) | grants.c.team_id.in_(
        select(team_members.c.team_id).where(team_members.c.user_id == account_id)
    )
    everywhere = and_(*(grants.c[name].is_(None) for name in ("repository_id", "namespace_id", "registry_id")))
    there = or_(
        everywhere,
        grants.c.registry_id == registry_id,
        (namespaces.c.registry_id == registry_id) & (namespaces.c.name == (namespace or "")),
        (repositories.c.registry_id == registry_id) & (repositories.c.name == repository),
    )
    return _list(connection, mine & there, None, limit)


def take_all(connection: Connection, account_id: int) -> None:
    """Take everything away that an account was given."""
    connection.execute(delete(grants).where(grants.c.account_id == account_id))


def _of(subject: SubjectKey) -> ColumnElement[bool]:
    return and_(*(grants.c[name].is_not_distinct_from(value) for name, value in asdict(subject).items()))


def _at(place: PlaceKey) -> ColumnElement[bool]:
    return and_(*(grants.c[name].is_not_distinct_from(value) for name, value in asdict(place).items()))


def _is(subject: SubjectKey, place: PlaceKey) -> ColumnElement[bool]:
    return _of(subject) & _at(place)


def _list(
    connection: Connection, condition: ColumnElement[bool], last: int | None, limit: int | None
) -> Sequence[Grant]:
    organizations = accounts.alias("organizations")
    statement = (
        select(
            grants.c.id,
            accounts.c.name,
            organizations.c.name,
            teams.c.name,
            grants.c.registry_id,
            namespaces.c.registry_id,
            namespaces.c.name,
            repositories.c.registry_id,
            repositories.c.name,
            grants.c.role,
            grants.c.created_at,
        )
        .select_from(grants)
        .outerjoin(accounts, accounts.c.id == grants.c.account_id)
        .outerjoin(teams, teams.c.id == grants.c.team_id)
        .outerjoin(organizations, organizations.c.id == teams.c.organization_id)
        .outerjoin(namespaces, namespaces.c.id == grants.c.namespace_id)
        .outerjoin(repositories, repositories.c.id == grants.c.repository_id)
        .where(condition, repositories.c.deleted_at.is_(None), grants.c.id > (last or 0))
        .order_by(grants.c.id)
        .limit(limit)
    )
    return [
        Grant(
            id=number,
            subject=AccountName(account) if team is None else TeamName(AccountName(organization), team),
            place=Place(
                registry_id=next((one for one in (registry, of_namespace, of_repository) if one is not None), None),
                namespace=namespace,
                repository=None if repository is None else RepositoryName(repository),
            ),
            role=Role[role.upper()],
            created_at=Instant(created_at),
        )
        for (
            number,
            account,
            organization,
            team,
            registry,
            of_namespace,
            namespace,
            of_repository,
            repository,
            role,
            created_at,
        ) in connection.execute(statement)
    ]
