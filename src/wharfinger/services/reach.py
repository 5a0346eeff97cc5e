# SPDX-License-Identifier: Apache-2.0
"""Who reaches a repository, with which role, and by what: every way at once, for its admins.

It lists what was given, place by place, as `domain.access.rights` counts it; what somebody may do in the end is the
highest of its lines. What is given on the namespace is listed where the repository does not inherit, too, because
switching inheritance on would let it count.
"""

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.domain.access import Role, Visibility
from wharfinger.domain.accounts import AccountKind, AccountName, MemberRole, Subject
from wharfinger.domain.names import RepositoryName, namespace_of
from wharfinger.domain.trust import TrustRule
from wharfinger.metadata import accounts as account_rows
from wharfinger.metadata import grants as grant_rows
from wharfinger.metadata import namespaces as namespace_rows
from wharfinger.metadata import organizations as organization_rows
from wharfinger.metadata import repositories as repository_rows
from wharfinger.metadata import trust as trust_rows
from wharfinger.metadata.database import Connection, Database
from wharfinger.metadata.grants import PlaceKey
from wharfinger.metadata.repositories import Repository
from wharfinger.services.registries import Registry
from wharfinger.services.repositories import name_unknown

MOST: Final = 500
"""Of each way; more than that nobody reads."""


class Way(enum.StrEnum):
    """By what somebody reaches a repository, the nearest first."""

    REPOSITORY = "repository"
    """A role on it."""
    OWNER = "owner"
    """The user whose namespace it is in, or an owner of the organization."""
    NAMESPACE = "namespace"
    """A role on its namespace; only if it inherits."""
    MEMBER = "member"
    """Membership of the organization; only if it inherits."""
    REGISTRY = "registry"
    """A role on the registry."""
    DEPLOYMENT = "deployment"
    """A role on the deployment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reacher:
    """Somebody who was given something.

    Args:
        subject: a user, a robot or a team; of members, the organization.
        role: what was given.
        way: where.
        counts: whether it reaches the repository as things are.
    """

    subject: Subject
    role: Role
    way: Way
    counts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """A trust rule by which workloads reach a repository.

    Args:
        rule: the rule.
        way: where it is: on the repository, its namespace or the registry.
        counts: whether it reaches the repository as things are.
        is_maker: whether a workload that came in by it made the repository, which it reaches for that.
    """

    rule: TrustRule
    way: Way
    counts: bool
    is_maker: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Who reaches a repository.

    Args:
        visibility: who may pull without a role.
        inherits: whether what is given on its namespace counts.
        namespace: the first part of its name; nothing if it has only one.
        owner: to whom the namespace belongs; nothing if to the registry.
        people: everybody, by the way, and then in the order of giving.
        trusted: trust rules, in the order in which they were made.
        is_cut: whether some were left out, because there are too many.
    """

    visibility: Visibility
    inherits: bool
    namespace: str | None
    owner: AccountName | None
    people: Sequence[Reacher]
    trusted: Sequence[Trusted]
    is_cut: bool


class Reaches:
    """Answers who reaches a repository, in every registry."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_repository(self, registry: Registry, name: RepositoryName) -> Reach:
        """Return who reaches a repository.

        Raises:
            NameUnknown: there is no such repository.
        """

        def work(connection: Connection) -> Reach:
            found = repository_rows.load(connection, registry.id, name)
            if found is None:
                raise name_unknown(name)
            first = namespace_of(name)
            namespace = None if first is None else namespace_rows.find(connection, registry.id, first)
            people = [*_at(connection, PlaceKey(repository_id=found.id), Way.REPOSITORY)]
            if namespace is not None:
                owners, members = _of_owner(connection, namespace.owner, counts=found.inherits)
                people += owners
                people += _at(connection, PlaceKey(namespace_id=namespace.id), Way.NAMESPACE, counts=found.inherits)
                people += members
            people += _at(connection, PlaceKey(registry_id=registry.id), Way.REGISTRY)
            people += _at(connection, PlaceKey(), Way.DEPLOYMENT)
            counted = {way: sum(1 for one in people if one.way is way) for way in Way}
            return Reach(
                visibility=found.visibility,
                inherits=found.inherits,
                namespace=first,
                owner=None if namespace is None else namespace.owner,
                people=people,
                trusted=_trusted(connection, found),
                is_cut=MOST in counted.values(),
            )

        return await self._database.read(work)


def _trusted(connection: Connection, repository: Repository) -> Sequence[Trusted]:
    """Return the trust rules at the places of a repository; `metadata.trust` says the same of one workload."""
    maker, rules = trust_rows.at_repository(connection, repository.id)
    found = []
    for rule in rules:
        way, counts = Way.REGISTRY, True
        if rule.place.repository is not None:
            way = Way.REPOSITORY
        elif rule.source is not None:  # it is for repositories that are linked to a source of the workload's own forge
            way = Way.REGISTRY if rule.place.namespace is None else Way.NAMESPACE
            counts = (repository.source or "").startswith(rule.source.partition("{")[0])
        elif rule.place.namespace is not None:
            way, counts = Way.NAMESPACE, repository.inherits or rule.id == maker
        is_maker = way is Way.NAMESPACE and rule.source is None and rule.id == maker
        found.append(Trusted(rule=rule, way=way, counts=counts, is_maker=is_maker))
    return found


def _at(connection: Connection, place: PlaceKey, way: Way, *, counts: bool = True) -> Iterator[Reacher]:
    for grant in grant_rows.of_place(connection, place, limit=MOST):
        yield Reacher(subject=grant.subject, role=grant.role, way=way, counts=counts)


def _of_owner(
    connection: Connection, owner: AccountName | None, *, counts: bool
) -> tuple[Sequence[Reacher], Sequence[Reacher]]:
    """Return those who reach a repository because its namespace is theirs, and the members beside them."""
    found = None if owner is None else account_rows.find(connection, owner)
    if found is None:
        return (), ()
    if found.kind is not AccountKind.ORGANIZATION:
        return [Reacher(subject=found.name, role=Role.ADMIN, way=Way.OWNER, counts=True)], ()
    owners = organization_rows.members(connection, found.id, limit=MOST, role=MemberRole.OWNER)
    return (
        [Reacher(subject=one.name, role=Role.ADMIN, way=Way.OWNER, counts=True) for one in owners],
        [Reacher(subject=found.name, role=Role.READ, way=Way.MEMBER, counts=counts)],
    )
