# SPDX-License-Identifier: Apache-2.0
"""Rows of repositories, and of the namespaces they bring into being."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, exists, func, select, update

from wharfinger.clock import Instant
from wharfinger.domain.identity import Actor
from wharfinger.domain.names import RepositoryName, namespace_of
from wharfinger.metadata.database import Lookup, insert
from wharfinger.metadata.schema import (
    manifest_references,
    manifests,
    namespaces,
    registries,
    repositories,
    repository_blobs,
    tags,
    uploads,
)

REPOSITORY = Lookup(
    select(repositories.c.id, repositories.c.listed_at).where(
        repositories.c.registry_id == bindparam("registry_id"),
        repositories.c.name == bindparam("repository"),
        repositories.c.deleted_at.is_(None),
    )
)
"""Parameters `registry_id`, `repository`; columns id, listed_at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositorySummary:
    """What a list of repositories shows."""

    name: RepositoryName
    tags: int
    manifests: int
    size: int
    """Bytes of the distinct blobs and manifests that it has."""
    changed_at: Instant


def find_registry(connection: Connection, name: str) -> int | None:
    """Return the id of the registry of that name."""
    found: int | None = connection.execute(select(registries.c.id).where(registries.c.name == name)).scalar()
    return found


def find(connection: Connection, registry_id: int, name: RepositoryName) -> int | None:
    """Return the id of the live repository of that name."""
    found: int | None = connection.execute(
        select(repositories.c.id).where(
            repositories.c.registry_id == registry_id, repositories.c.name == name, repositories.c.deleted_at.is_(None)
        )
    ).scalar()
    return found


def ensure(connection: Connection, registry_id: int, name: RepositoryName, by: Actor, now: Instant) -> tuple[int, bool]:
    """Return the id of the live repository of that name, and whether this call made it."""
    found = find(connection, registry_id, name)
    if found is not None:
        return found, False
    namespace_id, visibility = _ensure_namespace(connection, registry_id, name, by, now)
    statement = (
        insert(connection, repositories)
        .values(
            registry_id=registry_id,
            namespace_id=namespace_id,
            name=name,
            visibility=visibility,
            created_at=now,
            created_by=by.principal.account_id,
            changed_at=now,
        )
        .on_conflict_do_nothing()
        .returning(repositories.c.id)
    )
    made: int | None = connection.execute(statement).scalar()
    if made is not None:
        return made, True
    found = find(connection, registry_id, name)
    if found is None:
        message = f"repository {name} was made and deleted while it was looked up"
        raise RuntimeError(message)
    return found, False


def lock(connection: Connection, repository_id: int) -> None:
    """Let one transaction at a time change what the repository shows; SQLite has one writer anyway."""
    connection.execute(select(repositories.c.id).where(repositories.c.id == repository_id).with_for_update())


def touch(connection: Connection, repository_id: int, now: Instant) -> None:
    """Note a change, and that the repository is listed from now on."""
    connection.execute(
        update(repositories)
        .where(repositories.c.id == repository_id)
        .values(changed_at=now, listed_at=func.coalesce(repositories.c.listed_at, now))
    )


def list_names(connection: Connection, registry_id: int, last: str | None, limit: int) -> Sequence[RepositoryName]:
    """Return the names of listed repositories after `last`, by bytes."""
    statement = (
        select(repositories.c.name)
        .where(
            repositories.c.registry_id == registry_id,
            repositories.c.deleted_at.is_(None),
            repositories.c.listed_at.is_not(None),
        )
        .order_by(repositories.c.name)
        .limit(limit)
    )
    if last is not None:
        statement = statement.where(repositories.c.name > last)
    return [RepositoryName(name) for name in connection.execute(statement).scalars()]


def summarize(connection: Connection, registry_id: int, names: Sequence[RepositoryName]) -> list[RepositorySummary]:
    """Return what a list shows of each of the named repositories, in the order of the names."""
    found = {}
    statement = select(repositories.c.id, repositories.c.name, repositories.c.changed_at).where(
        repositories.c.registry_id == registry_id,
        repositories.c.name.in_(names),
        repositories.c.deleted_at.is_(None),
    )
    for repository_id, name, changed_at in connection.execute(statement):
        found[name] = _summary(connection, repository_id, name, changed_at)
    return [found[name] for name in names if name in found]


def delete_unlisted(connection: Connection, registry_id: int, before: Instant, limit: int) -> int:
    """Delete repositories that were begun and never got a manifest, blob or upload; return how many."""
    empty = (
        select(repositories.c.id)
        .where(
            repositories.c.registry_id == registry_id,
            repositories.c.listed_at.is_(None),
            repositories.c.created_at < before,
            ~exists().where(uploads.c.repository_id == repositories.c.id),
            ~exists().where(repository_blobs.c.repository_id == repositories.c.id),
            ~exists().where(manifests.c.repository_id == repositories.c.id),
        )
        .limit(limit)
    )
    return connection.execute(delete(repositories).where(repositories.c.id.in_(empty))).rowcount


def _summary(connection: Connection, repository_id: int, name: str, changed_at: int) -> RepositorySummary:
    tag_count = connection.execute(select(func.count()).where(tags.c.repository_id == repository_id)).scalar()
    manifest_count, manifest_size = connection.execute(
        select(func.count(), func.coalesce(func.sum(manifests.c.size), 0)).where(
            manifests.c.repository_id == repository_id, manifests.c.deleted_at.is_(None)
        )
    ).one()
    distinct = (
        select(manifest_references.c.digest, func.max(manifest_references.c.size).label("size"))
        .where(manifest_references.c.repository_id == repository_id, manifest_references.c.blob_id.is_not(None))
        .group_by(manifest_references.c.digest)
        .subquery()
    )
    blob_size = connection.execute(select(func.coalesce(func.sum(distinct.c.size), 0))).scalar()
    return RepositorySummary(
        name=RepositoryName(name),
        tags=int(tag_count or 0),
        manifests=int(manifest_count),
        size=int(manifest_size) + int(blob_size or 0),
        changed_at=Instant(changed_at),
    )


def _ensure_namespace(
    connection: Connection, registry_id: int, name: RepositoryName, by: Actor, now: Instant
) -> tuple[int | None, str]:
    """Return the namespace of the name and the visibility that its new repositories take."""
    namespace = namespace_of(name)
    if namespace is None:
        return None, "private"
    statement = select(namespaces.c.id, namespaces.c.default_visibility).where(
        namespaces.c.registry_id == registry_id, namespaces.c.name == namespace
    )
    row = connection.execute(statement).first()
    if row is None:
        connection.execute(
            insert(connection, namespaces)
            .values(
                registry_id=registry_id,
                name=namespace,
                default_visibility="private",
                created_at=now,
                created_by=by.principal.account_id,
            )
            .on_conflict_do_nothing()
        )
        row = connection.execute(statement).one()
    return row[0], row[1]
