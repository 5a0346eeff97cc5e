# SPDX-License-Identifier: Apache-2.0
"""Grants: giving somebody a role at a place, and taking it away.

Whether the actor may give it, and no higher role than its own, was decided at the door.
"""

from collections.abc import Sequence

from wharfinger.clock import Clock, Instant
from wharfinger.domain.access import Role
from wharfinger.domain.accounts import AccountKind, Subject, TeamName
from wharfinger.domain.errors import AccountInvalid, AccountUnknown
from wharfinger.domain.events import Event, EventAction
from wharfinger.domain.grants import Place, word_of
from wharfinger.domain.identity import Actor
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata import accounts as account_rows
from wharfinger.metadata import events
from wharfinger.metadata import grants as rows
from wharfinger.metadata import namespaces as namespace_rows
from wharfinger.metadata import repositories as repository_rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.grants import Grant, PlaceKey, SubjectKey
from wharfinger.metadata.organizations import find_team
from wharfinger.services.accounts import require, unknown
from wharfinger.services.organizations import no_team, require_team
from wharfinger.services.repositories import name_unknown


class Grants:
    """Grants of the whole deployment."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def give(self, subject: Subject, place: Place, role: Role, by: Actor) -> None:
        """Have the subject hold exactly this role at the place; with the role it has, nothing happens.

        A namespace is made if there is none: roles can be given before the first push.

        Raises:
            AccountUnknown: there is no such account or team.
            AccountInvalid: the subject is an organization, or the role is none.
            NameUnknown: there is no such repository.
        """
        now = self._clock.now()
        if role is Role.NONE:
            message = Sentence("No role can be given; take the grant away instead.")
            raise AccountInvalid(message)

        def work(connection: Connection) -> None:
            who = _lock_subject(connection, subject)
            if place.namespace is not None and place.registry_id is not None:
                namespace_rows.ensure(connection, place.registry_id, place.namespace, by, now)
            where = key_of(connection, place)
            if rows.give(connection, who, where, role, by.principal.account_id, now) is role:
                return
            detail = f"{word_of(role)} on {place}"
            _tell(connection, EventAction.GRANT_GIVEN, place, where, target=str(subject), detail=detail, by=by, now=now)

        await self._database.write(work)

    async def take(self, subject: Subject, place: Place, by: Actor) -> None:
        """Take away what the subject was given at the place; what it has by other ways stays.

        Raises:
            AccountUnknown: there is no such account or team, or it has no grant there.
            NameUnknown: there is no such repository.
        """
        now = self._clock.now()

        def work(connection: Connection) -> None:
            who = _lock_subject(connection, subject)
            where = key_of(connection, place)
            if not rows.take(connection, who, where):
                message = Sentence(
                    "%(subject)r was given no role on %(place)s.", subject=str(subject), place=place.words
                )
                raise AccountUnknown(message)
            detail = str(place)
            _tell(connection, EventAction.GRANT_TAKEN, place, where, target=str(subject), detail=detail, by=by, now=now)

        await self._database.write(work)

    async def of_place(self, place: Place, last: int | None = None, limit: int | None = None) -> Sequence[Grant]:
        """Return the grants at a place itself after number `last`, not those at the places around it.

        Raises:
            NameUnknown: there is no such repository.
            AccountUnknown: there is no such namespace.
        """
        return await self._database.read(lambda c: rows.of_place(c, key_of(c, place), last, limit))

    async def of_subject(self, subject: Subject, last: int | None = None, limit: int | None = None) -> Sequence[Grant]:
        """Return the grants of an account or a team itself after number `last`, not those of its teams.

        Raises:
            AccountUnknown: there is no such account or team.
        """
        return await self._database.read(lambda c: rows.of_subject(c, _find_subject(c, subject), last, limit))


def _lock_subject(connection: Connection, subject: Subject) -> SubjectKey:
    if isinstance(subject, TeamName):
        _, team_id = require_team(connection, subject)
        return SubjectKey(team_id=team_id)
    account = require(connection, subject)
    if account.kind is AccountKind.ORGANIZATION:
        message = Sentence(
            "%(subject)r is an organization: give the role to one of its teams, or to users.", subject=subject
        )
        raise AccountInvalid(message)
    return SubjectKey(account_id=account.id)


def _find_subject(connection: Connection, subject: Subject) -> SubjectKey:
    """Return the same as `_lock_subject`, in a transaction that only reads."""
    if isinstance(subject, TeamName):
        organization = account_rows.find(connection, subject.organization)
        team_id = None if organization is None else find_team(connection, organization.id, subject.team)
        if team_id is None:
            raise no_team(subject)
        return SubjectKey(team_id=team_id)
    account = account_rows.find(connection, subject)
    if account is None:
        raise unknown(subject)
    return SubjectKey(account_id=account.id)


def key_of(connection: Connection, place: Place) -> PlaceKey:
    """Return the numbers of a place.

    Raises:
        NameUnknown: there is no such repository.
        AccountUnknown: there is no such namespace.
    """
    if place.registry_id is None:
        return PlaceKey()
    if place.repository is not None:
        repository_id = repository_rows.find(connection, place.registry_id, place.repository)
        if repository_id is None:
            raise name_unknown(place.repository)
        return PlaceKey(repository_id=repository_id)
    if place.namespace is not None:
        namespace = namespace_rows.find_id(connection, place.registry_id, place.namespace)
        if namespace is None:
            message = Sentence("There is no namespace %(namespace)r.", namespace=place.namespace)
            raise AccountUnknown(message)
        return PlaceKey(namespace_id=namespace[0])
    return PlaceKey(registry_id=place.registry_id)


def _tell(
    connection: Connection,
    action: EventAction,
    place: Place,
    where: PlaceKey,
    *,
    target: str,
    detail: str,
    by: Actor,
    now: Instant,
) -> None:
    """Record a grant; who answers for a repository or a namespace finds it by that."""
    about: int | None = None
    if place.namespace is not None and place.registry_id is not None:
        namespace = namespace_rows.find(connection, place.registry_id, place.namespace)
        about = None if namespace is None else namespace.owner_id
    event = Event(
        action=action,
        repository_id=where.repository_id,
        repository=place.repository,
        target=target,
        about_id=about,
        detail=detail,
    )
    events.record(connection, place.registry_id, event, by, now)
