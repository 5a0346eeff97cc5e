# SPDX-License-Identifier: Apache-2.0
"""Rows of retention: the policies, and what they are judged by."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, exists, func, insert, or_, select

from wharfinger.clock import Instant
from wharfinger.domain.digests import Digest
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import RepositoryName, TagName
from wharfinger.domain.policies.immutability import Immutability
from wharfinger.domain.policies.patterns import parse_patterns
from wharfinger.domain.policies.retention import Policy, Rule, TagFacts, UntaggedFacts
from wharfinger.metadata.retention_tables import pulls, retention_policies, retention_rules
from wharfinger.metadata.schema import manifest_references, manifests, repositories, tag_history, tags


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Whose policy it is: a repository's or a namespace's, by the id of its row; exactly one of them."""

    repository_id: int | None = None
    namespace_id: int | None = None


@dataclass(frozen=True, slots=True)
class Governed:
    """A repository that a policy is about."""

    id: int
    registry_id: int
    name: RepositoryName


def find(connection: Connection, place: Place) -> Policy | None:
    """Return the policy of a place itself."""
    row = connection.execute(select(retention_policies).where(_of(place))).first()
    if row is None:
        return None
    statement = (
        select(retention_rules).where(retention_rules.c.policy_id == row.id).order_by(retention_rules.c.position)
    )
    rules = [
        Rule(
            name=one.name,
            tags=parse_patterns(one.tags),
            newest=one.newest,
            moved_within=one.moved_within,
            pulled_within=one.pulled_within,
        )
        for one in connection.execute(statement)
    ]
    return Policy(rules=tuple(rules), untagged_after=row.untagged_after)


def put(connection: Connection, place: Place, policy: Policy | None, by: Actor, now: Instant) -> None:
    """Give a place this policy instead of the one that it has; nothing takes it away."""
    connection.execute(delete(retention_policies).where(_of(place)))
    if policy is None:
        return
    made = connection.execute(
        insert(retention_policies)
        .values(
            repository_id=place.repository_id,
            namespace_id=place.namespace_id,
            untagged_after=policy.untagged_after,
            changed_at=now,
            changed_by=by.principal.account_id,
        )
        .returning(retention_policies.c.id)
    ).scalar_one()
    for position, rule in enumerate(policy.rules):
        connection.execute(
            insert(retention_rules).values(
                policy_id=made,
                position=position,
                name=rule.name,
                tags=str(rule.tags),
                newest=rule.newest,
                moved_within=rule.moved_within,
                pulled_within=rule.pulled_within,
            )
        )


def namespace_of(connection: Connection, repository_id: int) -> int | None:
    """Return the namespace that a repository is in."""
    return connection.execute(select(repositories.c.namespace_id).where(repositories.c.id == repository_id)).scalar()


def governed(connection: Connection, after: int, limit: int) -> Sequence[Governed]:
    """Return repositories that have a policy, their own or their namespace's, after an id and in its order."""
    own = select(retention_policies.c.repository_id).where(retention_policies.c.repository_id.is_not(None))
    around = select(retention_policies.c.namespace_id).where(retention_policies.c.namespace_id.is_not(None))
    statement = (
        select(repositories.c.id, repositories.c.registry_id, repositories.c.name)
        .where(
            repositories.c.id > after,
            repositories.c.deleted_at.is_(None),
            or_(repositories.c.id.in_(own), repositories.c.namespace_id.in_(around)),
        )
        .order_by(repositories.c.id)
        .limit(limit)
    )
    return [Governed(row.id, row.registry_id, RepositoryName(row.name)) for row in connection.execute(statement)]


def tag_facts(connection: Connection, repository_id: int, rules: Immutability) -> Sequence[TagFacts]:
    """Return what is known of every tag of a repository, by name.

    A tag was pulled when its image was, by whatever name: clients ask for a tag and then fetch the digest, perhaps from
    another node, and a cluster that runs a pinned digest needs the image no less.
    """
    pulled = (
        select(pulls.c.what, func.max(pulls.c.last_at).label("at"))
        .where(pulls.c.repository_id == repository_id)
        .group_by(pulls.c.what)
        .subquery()
    )
    statement = (
        select(tags.c.name, tags.c.moved_at, manifests.c.digest, manifests.c.pulled_at, pulled.c.at)
        .join(manifests, manifests.c.id == tags.c.manifest_id)
        .outerjoin(pulled, pulled.c.what == tags.c.name)
        .where(tags.c.repository_id == repository_id)
        .order_by(tags.c.name)
    )
    return [
        TagFacts(
            name=TagName(row.name),
            digest=Digest(row.digest),
            moved_at=Instant(row.moved_at),
            pulled_at=max((Instant(at) for at in (row.at, row.pulled_at) if at is not None), default=None),
            immutable=None if rules.deletable else rules.find(TagName(row.name)),
        )
        for row in connection.execute(statement)
    ]


def untagged_facts(
    connection: Connection, repository_id: int, unused_since: Instant, limit: int
) -> Sequence[UntaggedFacts]:
    """Return manifests that nothing holds and that were last used at or before a time, the oldest push first.

    That is, of the live ones: no tag names it, no live index of the repository lists it, and it is not attached to a
    manifest that is here.
    """
    parent, subject = manifests.alias("parent"), manifests.alias("subject")
    left = (
        select(func.max(tag_history.c.at))
        .where(tag_history.c.repository_id == repository_id, tag_history.c.from_digest == manifests.c.digest)
        .correlate(manifests)
        .scalar_subquery()
    )
    used = [manifests.c.pushed_at, manifests.c.pulled_at, left]
    listed = (
        exists()
        .where(
            manifest_references.c.repository_id == repository_id,
            manifest_references.c.child_id == manifests.c.id,
            parent.c.id == manifest_references.c.manifest_id,
            parent.c.deleted_at.is_(None),
        )
        .correlate(manifests)
    )
    attached = (
        exists()
        .where(
            subject.c.repository_id == repository_id,
            subject.c.digest == manifests.c.subject_digest,
            subject.c.deleted_at.is_(None),
        )
        .correlate(manifests)
    )
    named = exists().where(tags.c.repository_id == repository_id, tags.c.manifest_id == manifests.c.id)
    statement = (
        select(manifests.c.id, manifests.c.digest, manifests.c.pushed_at, manifests.c.pulled_at, left.label("left_at"))
        .where(
            manifests.c.repository_id == repository_id,
            manifests.c.deleted_at.is_(None),
            ~named.correlate(manifests),
            ~listed,
            ~attached,
            *(func.coalesce(one, 0) <= unused_since for one in used),
        )
        .order_by(manifests.c.pushed_at, manifests.c.id)
        .limit(limit)
    )
    return [
        UntaggedFacts(
            id=row.id,
            digest=Digest(row.digest),
            last_used=Instant(max(row.pushed_at, row.pulled_at or 0, row.left_at or 0)),
        )
        for row in connection.execute(statement)
    ]


def _of(place: Place) -> ColumnElement[bool]:
    if place.repository_id is not None:
        return retention_policies.c.repository_id == place.repository_id
    return retention_policies.c.namespace_id == place.namespace_id
