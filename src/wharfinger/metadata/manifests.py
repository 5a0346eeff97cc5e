# SPDX-License-Identifier: Apache-2.0
"""Rows of manifests (their bytes included), of what they refer to, and of who refers to them."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from wharfinger.clock import Instant
from wharfinger.domain.digests import Digest
from wharfinger.domain.identity import Actor
from wharfinger.domain.manifests import Edge
from wharfinger.metadata import queues
from wharfinger.metadata.blobs import find_by_digest
from wharfinger.metadata.database import Statement
from wharfinger.metadata.schema import manifest_references, manifests, repositories, tags

_SHOWN = (manifests.c.id, manifests.c.digest, manifests.c.media_type, manifests.c.size)

BY_TAG = Statement(
    select(*_SHOWN)
    .select_from(repositories)
    .join(tags, tags.c.repository_id == repositories.c.id)
    .join(manifests, manifests.c.id == tags.c.manifest_id)
    .where(
        repositories.c.registry_id == bindparam("registry_id"),
        repositories.c.name == bindparam("repository"),
        repositories.c.deleted_at.is_(None),
        tags.c.name == bindparam("reference"),
        manifests.c.damaged_at.is_(None),
    )
)
"""Parameters `registry_id`, `repository`, `reference`; columns id, digest, media_type, size."""

BY_DIGEST = Statement(
    select(*_SHOWN)
    .select_from(repositories)
    .join(manifests, manifests.c.repository_id == repositories.c.id)
    .where(
        repositories.c.registry_id == bindparam("registry_id"),
        repositories.c.name == bindparam("repository"),
        repositories.c.deleted_at.is_(None),
        manifests.c.digest == bindparam("reference"),
        manifests.c.deleted_at.is_(None),
        manifests.c.damaged_at.is_(None),
    )
)
"""As `BY_TAG`."""

CONTENT = Statement(select(manifests.c.content).where(manifests.c.id == bindparam("manifest_id")))
"""Parameter `manifest_id`; column content."""


_EXISTING: Final = Statement(
    select(
        manifests.c.id,
        manifests.c.deleted_at,
        or_(manifests.c.content != bindparam("content"), manifests.c.damaged_at.is_not(None)).label("damaged"),
    ).where(manifests.c.repository_id == bindparam("repository"), manifests.c.digest == bindparam("digest"))
)
_INSERT: Final = Statement(
    insert(manifests).returning(manifests.c.id),
    columns=(
        "repository_id",
        "digest",
        "media_type",
        "artifact_type",
        "size",
        "content",
        "subject_digest",
        "referrer",
        "pushed_at",
        "pushed_by",
    ),
)
_PUSHED_AGAIN: Final = Statement(
    update(manifests)
    .where(manifests.c.id == bindparam("manifest"), manifests.c.pushed_at < bindparam("now"))
    .values(pushed_at=bindparam("now"))
)
_INSERT_EDGE: Final = Statement(
    insert(manifest_references), columns=tuple(column.name for column in manifest_references.c)
)
_CLOSE_EDGES: Final = Statement(
    update(manifest_references)
    .where(
        manifest_references.c.repository_id == bindparam("repository"),
        manifest_references.c.digest == bindparam("arrived"),
        manifest_references.c.blob_id.is_(None),
        manifest_references.c.child_id.is_(None),
    )
    .values(child_id=bindparam("child"))
)
_MEMBERS: Final = Statement(
    select(manifests.c.digest, manifests.c.id, manifests.c.size).where(
        manifests.c.repository_id == bindparam("repository"),
        manifests.c.deleted_at.is_(None),
        manifests.c.damaged_at.is_(None),
        manifests.c.digest.in_([bindparam(f"digest{number}") for number in range(16)]),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewManifest:
    """A manifest that was found valid."""

    repository_id: int
    digest: Digest
    media_type: str
    artifact_type: str | None
    content: bytes
    subject: Digest | None
    referrer: str | None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an edge leads: a membership or a manifest of the same repository, or, with neither, nowhere yet."""

    blob_id: int | None = None
    child_id: int | None = None


class Arrival(enum.Enum):
    """What a put found before it."""

    NEW = enum.auto()
    REVIVED = enum.auto()
    """It had been deleted; its edges are still there."""
    PRESENT = enum.auto()


def put(connection: Connection, new: NewManifest, by: Actor, now: Instant) -> tuple[int, Arrival]:
    """Store the manifest, or bring it back if it was deleted; return its id, and which it was.

    One digest names one content. Stored bytes that differ from those that were pushed are damaged, and are replaced:
    whoever pushes is told that the manifest is stored.
    """
    row = _EXISTING.first(connection, repository=new.repository_id, digest=new.digest, content=new.content)
    if row is None:
        return _insert(connection, new, by, now), Arrival.NEW
    manifest_id, deleted_at, damaged = row
    if damaged:
        connection.execute(
            update(manifests)
            .where(manifests.c.id == manifest_id)
            .values(content=new.content, size=len(new.content), damaged_at=None)
        )
    if deleted_at is not None:
        connection.execute(
            update(manifests)
            .where(manifests.c.id == manifest_id)
            .values(
                deleted_at=None,
                deletion_id=None,
                purged_at=None,
                pushed_at=now,
                pushed_by=by.principal.account_id,
            )
        )
        return int(manifest_id), Arrival.REVIVED
    return int(manifest_id), Arrival.PRESENT


def _insert(connection: Connection, new: NewManifest, by: Actor, now: Instant) -> int:
    (row,) = _INSERT.rows(
        connection,
        repository_id=new.repository_id,
        digest=new.digest,
        media_type=new.media_type,
        artifact_type=new.artifact_type,
        size=len(new.content),
        content=new.content,
        subject_digest=new.subject,
        referrer=new.referrer,
        pushed_at=now,
        pushed_by=by.principal.account_id,
    )
    return int(row[0])


def push_untagged(connection: Connection, manifest_id: int, now: Instant, review_at: Instant) -> None:
    """Note that a manifest was pushed without a tag, perhaps once more: from now on it counts as unused.

    To the instant: what it was a part of may have been deleted a moment ago, and it is a part of that no more.
    """
    _PUSHED_AGAIN.count(connection, manifest=manifest_id, now=now)
    queues.review_manifest(connection, manifest_id, review_at, "pushed without a tag")


def put_edges(
    connection: Connection, repository_id: int, manifest_id: int, edges: Sequence[tuple[Edge, Destination]]
) -> None:
    """Write the edges of a new manifest, in the order of blob ids, which is the order in which locks are taken."""
    if not edges:
        return
    ordered = sorted(edges, key=lambda pair: (pair[1].blob_id or 0, pair[1].child_id or 0))
    _INSERT_EDGE.many(
        connection,
        [
            {
                "manifest_id": manifest_id,
                "position": edge.position,
                "kind": edge.kind.value,
                "digest": edge.descriptor.digest,
                "media_type": edge.descriptor.media_type,
                "size": edge.descriptor.size,
                "repository_id": repository_id,
                "blob_id": destination.blob_id,
                "child_id": destination.child_id,
            }
            for edge, destination in ordered
        ],
    )


def close_edges(connection: Connection, repository_id: int, digest: Digest, manifest_id: int) -> None:
    """Lead the open edges to this digest to the manifest that has arrived."""
    _CLOSE_EDGES.count(connection, repository=repository_id, arrived=digest, child=manifest_id)


def members(connection: Connection, repository_id: int, digests: Iterable[str]) -> Mapping[str, tuple[int, int]]:
    """Return id and size of those of the digests that are live manifests of the repository."""
    return find_by_digest(_MEMBERS, connection, repository_id, digests)


def find(connection: Connection, repository_id: int, digest: Digest) -> int | None:
    """Return the id of the live manifest."""
    found: int | None = connection.execute(
        select(manifests.c.id).where(
            manifests.c.repository_id == repository_id,
            manifests.c.digest == digest,
            manifests.c.deleted_at.is_(None),
        )
    ).scalar()
    return found


def parents(connection: Connection, repository_id: int, manifest_id: int, limit: int) -> Sequence[Digest]:
    """Return the digests of live indexes that list the manifest."""
    statement = (
        select(manifests.c.digest)
        .join(manifest_references, manifest_references.c.manifest_id == manifests.c.id)
        .where(
            manifest_references.c.repository_id == repository_id,
            manifest_references.c.child_id == manifest_id,
            manifests.c.deleted_at.is_(None),
        )
        .limit(limit)
    )
    return [Digest(digest) for digest in connection.execute(statement).scalars()]


def delete(
    connection: Connection, manifest_id: int, now: Instant, review_at: Instant, deletion_id: int | None = None
) -> None:
    """Hide the manifest and have it reviewed, which leads on to what it refers to; its tags are the caller's.

    Args:
        connection: the transaction.
        manifest_id: the manifest.
        now: when.
        review_at: when to look whether it is still needed.
        deletion_id: the event that tells of it.
    """
    connection.execute(
        update(manifests).where(manifests.c.id == manifest_id).values(deleted_at=now, deletion_id=deletion_id)
    )
    queues.review_manifest(connection, manifest_id, review_at, "deleted")


def referrers(
    connection: Connection,
    repository_id: int,
    subject: Digest,
    artifact_types: Sequence[str],
    last: str | None,
    limit: int,
) -> Sequence[tuple[Digest, str]]:
    """Return digest and descriptor of live manifests with that subject after `last`, by digest."""
    statement = (
        select(manifests.c.digest, manifests.c.referrer)
        .where(
            manifests.c.repository_id == repository_id,
            manifests.c.subject_digest == subject,
            manifests.c.deleted_at.is_(None),
            manifests.c.damaged_at.is_(None),
        )
        .order_by(manifests.c.digest)
        .limit(limit)
    )
    if artifact_types:
        statement = statement.where(manifests.c.artifact_type.in_(artifact_types))
    if last is not None:
        statement = statement.where(manifests.c.digest > last)
    return [(Digest(row.digest), row.referrer) for row in connection.execute(statement)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestSummary:
    """What a list of manifests shows."""

    id: int
    digest: Digest
    media_type: str
    artifact_type: str | None
    size: int
    """Bytes of the manifest itself."""
    subject: Digest | None
    pushed_at: Instant


def list_manifests(
    connection: Connection, repository_id: int, before: int | None, limit: int
) -> Sequence[ManifestSummary]:
    """Return live manifests with lower numbers than `before`, the newest first."""
    older = () if before is None else (manifests.c.id < before,)
    statement = (
        select(
            manifests.c.id,
            manifests.c.digest,
            manifests.c.media_type,
            manifests.c.artifact_type,
            manifests.c.size,
            manifests.c.subject_digest,
            manifests.c.pushed_at,
        )
        .where(manifests.c.repository_id == repository_id, manifests.c.deleted_at.is_(None), *older)
        .order_by(manifests.c.id.desc())
        .limit(limit)
    )
    return [
        ManifestSummary(
            id=row.id,
            digest=Digest(row.digest),
            media_type=row.media_type,
            artifact_type=row.artifact_type,
            size=row.size,
            subject=None if row.subject_digest is None else Digest(row.subject_digest),
            pushed_at=Instant(row.pushed_at),
        )
        for row in connection.execute(statement)
    ]
