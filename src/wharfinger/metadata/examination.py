# SPDX-License-Identifier: Apache-2.0
"""Rows as verification sees them: all of them, in the order of their ids, a batch at a time."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, update

from wharfinger.clock import Instant
from wharfinger.domain.digests import Digest
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.verification import Scope, State
from wharfinger.metadata.schema import (
    blobs,
    manifest_references,
    manifests,
    repositories,
    repository_blobs,
    tag_history,
    tags,
    tombstones,
    uploads,
)

_AT_ONCE: Final = 500
_NAMED: Final = 3
"""How many images a finding names; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobRow:
    """A blob, and where its bytes are said to be."""

    id: int
    digest: Digest
    size: int
    store_key: str
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRow:
    """A tag, and what the last line of its history says."""

    repository_id: int
    name: str
    repository: str
    digest: str
    is_astray: bool
    """Whether it leads to a deleted manifest."""
    remembered: str | None
    """Where the history says that it is."""
    has_history: bool


def last_blob(connection: Connection, registry_id: int) -> int:
    """Return the highest id of a blob."""
    return int(connection.execute(select(func.max(blobs.c.id)).where(blobs.c.registry_id == registry_id)).scalar() or 0)


def list_blobs(
    connection: Connection, registry_id: int, scope: Scope, after: int, ceiling: int, limit: int
) -> Sequence[BlobRow]:
    """Return blobs of the scope after an id."""
    statement = (
        select(blobs.c.id, blobs.c.digest, blobs.c.size, blobs.c.store_key, blobs.c.state)
        .where(blobs.c.registry_id == registry_id, blobs.c.id > after, blobs.c.id <= ceiling)
        .order_by(blobs.c.id)
        .limit(limit)
    )
    if scope.digest is not None:
        statement = statement.where(blobs.c.digest == scope.digest)
    if scope.since is not None:
        statement = statement.where(blobs.c.created_at >= scope.since)
    if scope.repository is not None:
        members = (
            select(repository_blobs.c.blob_id)
            .join(repositories, repositories.c.id == repository_blobs.c.repository_id)
            .where(is_named(registry_id, scope.repository))
        )
        statement = statement.where(blobs.c.id.in_(members))
    return [
        BlobRow(id=row.id, digest=Digest(row.digest), size=row.size, store_key=row.store_key, state=State(row.state))
        for row in connection.execute(statement)
    ]


def set_verified(connection: Connection, found: Sequence[BlobRow], now: Instant) -> None:
    """Note that the bytes were read, and are the blobs' own."""
    for start in range(0, len(found), _AT_ONCE):
        ids = [blob.id for blob in found[start : start + _AT_ONCE]]
        connection.execute(
            update(blobs).where(blobs.c.id.in_(ids), blobs.c.state == State.LIVE).values(verified_at=now)
        )


def mark_blob(connection: Connection, blob: BlobRow, state: State, size: int, now: Instant) -> bool:
    """Have the row say what the bytes are like; returns whether the row still speaks of these bytes.

    It does not if the blob was collected, or repaired by a push, since it was read.
    """
    statement = (
        update(blobs)
        .where(blobs.c.id == blob.id, blobs.c.store_key == blob.store_key, blobs.c.state == blob.state)
        .values(state=state.value, size=size, **({"verified_at": now} if state is State.LIVE else {}))
    )
    return connection.execute(statement).rowcount > 0


def images_that_need(connection: Connection, blob_id: int) -> str:
    """Return in words which images need the blob, a few by name."""
    edges = manifest_references
    statement = (
        select(repositories.c.name, manifests.c.digest, func.min(tags.c.name).label("tag"))
        .select_from(repository_blobs)
        .join(
            edges,
            (edges.c.repository_id == repository_blobs.c.repository_id)
            & (edges.c.blob_id == repository_blobs.c.blob_id),
        )
        .join(manifests, manifests.c.id == edges.c.manifest_id)
        .join(repositories, repositories.c.id == manifests.c.repository_id)
        .outerjoin(tags, (tags.c.repository_id == manifests.c.repository_id) & (tags.c.manifest_id == manifests.c.id))
        .where(
            repository_blobs.c.blob_id == blob_id,
            manifests.c.deleted_at.is_(None),
            repositories.c.deleted_at.is_(None),
        )
        .group_by(repositories.c.name, manifests.c.digest)
        .order_by(repositories.c.name, manifests.c.digest)
    )
    count = int(connection.execute(select(func.count()).select_from(statement.order_by(None).subquery())).scalar_one())
    rows = connection.execute(statement.limit(_NAMED)).all()
    if not rows:
        return "no image needs it"
    names = ", ".join(f"{row.name}:{row.tag}" if row.tag else f"{row.name}@{row.digest}" for row in rows)
    more = f" and {count - len(rows)} more" if count > len(rows) else ""
    return f"needed by {names}{more}"


def doomed_blobs(connection: Connection, registry_id: int, limit: int) -> Sequence[tuple[int, str, str]]:
    """Return live blobs whose bytes a tombstone waits for: the tombstone, the digest, the key."""
    statement = (
        select(tombstones.c.id, blobs.c.digest, blobs.c.store_key)
        .join(blobs, (blobs.c.registry_id == tombstones.c.registry_id) & (blobs.c.store_key == tombstones.c.store_key))
        .where(tombstones.c.registry_id == registry_id)
        .order_by(tombstones.c.id)
        .limit(limit)
    )
    return [(row.id, row.digest, row.store_key) for row in connection.execute(statement)]


def spare(connection: Connection, tombstone_id: int) -> None:
    """Take a tombstone back."""
    connection.execute(delete(tombstones).where(tombstones.c.id == tombstone_id))


def list_tags(
    connection: Connection, registry_id: int, scope: Scope, after: tuple[int, str], limit: int
) -> Sequence[TagRow]:
    """Return tags after a repository's id and a name."""
    newest = (
        select(func.max(tag_history.c.id))
        .where(tag_history.c.repository_id == tags.c.repository_id, tag_history.c.name == tags.c.name)
        .correlate(tags)
        .scalar_subquery()
    )
    statement = (
        select(
            tags.c.repository_id,
            tags.c.name,
            repositories.c.name.label("repository"),
            manifests.c.digest,
            manifests.c.deleted_at,
            tag_history.c.id.label("history"),
            tag_history.c.to_digest,
        )
        .join(repositories, repositories.c.id == tags.c.repository_id)
        .join(manifests, manifests.c.id == tags.c.manifest_id)
        .outerjoin(tag_history, tag_history.c.id == newest)
        .where(
            repositories.c.registry_id == registry_id,
            repositories.c.deleted_at.is_(None),
            or_(
                tags.c.repository_id > after[0],
                and_(tags.c.repository_id == after[0], tags.c.name > after[1]),
            ),
        )
        .order_by(tags.c.repository_id, tags.c.name)
        .limit(limit)
    )
    if scope.repository is not None:
        statement = statement.where(is_named(registry_id, scope.repository))
    if scope.since is not None:
        statement = statement.where(tags.c.moved_at >= scope.since)
    return [
        TagRow(
            repository_id=row.repository_id,
            name=row.name,
            repository=row.repository,
            digest=row.digest,
            is_astray=row.deleted_at is not None,
            remembered=row.to_digest,
            has_history=row.history is not None,
        )
        for row in connection.execute(statement)
    ]


def unnamed(connection: Connection, registry_id: int, keys: Collection[str]) -> set[str]:
    """Return those of the keys that no row names: no blob, no upload, no tombstone."""
    left = set(keys)
    for table in (blobs, tombstones, uploads):
        if left:
            statement = select(table.c.store_key).where(table.c.registry_id == registry_id, table.c.store_key.in_(left))
            left -= set(connection.execute(statement).scalars())
    return left


def damages(connection: Connection) -> Sequence[str]:
    """Return what the database itself says is wrong with it, in its own words; at most a hundred lines.

    SQLite reads its whole file for this. PostgreSQL checks keys whenever it writes, and pages by their checksums.
    """
    if connection.dialect.name != "sqlite":
        return []
    lines = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(100)") if row[0] != "ok"]
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(100)
    return [*lines, *(f"row {row[1]} of {row[0]} refers to a row of {row[2]} that is not there" for row in broken)]


def is_named(registry_id: int, name: RepositoryName) -> ColumnElement[bool]:
    """Return the condition that a repository is the live one of that name."""
    return and_(
        repositories.c.registry_id == registry_id, repositories.c.name == name, repositories.c.deleted_at.is_(None)
    )
