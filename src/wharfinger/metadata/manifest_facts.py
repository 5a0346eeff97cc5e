# SPDX-License-Identifier: Apache-2.0
"""What rows say of a manifest besides its bytes: verification holds it against them, and makes it from them again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, func, or_, select, union_all, update

from wharfinger.clock import Instant
from wharfinger.domain.digests import Digest
from wharfinger.domain.manifests import Edge, EdgeKind
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.verification import Scope
from wharfinger.metadata import manifests as manifest_rows
from wharfinger.metadata.examination import is_named
from wharfinger.metadata.manifests import Destination
from wharfinger.metadata.schema import blobs, manifest_references, manifests, repositories, repository_blobs

_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRow:
    """A manifest without its bytes."""

    id: int
    repository_id: int
    repository: RepositoryName
    digest: Digest
    size: int
    is_deleted: bool
    is_marked: bool

    @property
    def name(self) -> str:
        """Return what a report calls it."""
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeRow:
    """An edge, and the digest of what it leads to; nothing while it is open."""

    position: int
    kind: str
    digest: str
    media_type: str
    size: int
    leads_to: str | None
    is_hidden: bool
    """Whether it leads to a blob that was deleted from the repository."""
    content_is_here: bool
    """Whether the repository has what the edge names, so that it should not be open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the rows say of a manifest besides its bytes."""

    content: bytes
    media_type: str
    artifact_type: str | None
    size: int
    subject: str | None
    referrer: str | None
    edges: Sequence[EdgeRow]


def last_manifest(connection: Connection) -> int:
    """Return the highest id of a manifest."""
    return int(connection.execute(select(func.max(manifests.c.id))).scalar() or 0)


def list_manifests(
    connection: Connection, registry_id: int, scope: Scope, after: int, ceiling: int, limit: int
) -> Sequence[ManifestRow]:
    """Return manifests of the scope after an id, those in the trash among them."""
    statement = (
        select(
            manifests.c.id,
            manifests.c.repository_id,
            repositories.c.name,
            manifests.c.digest,
            manifests.c.size,
            or_(manifests.c.deleted_at.is_not(None), repositories.c.deleted_at.is_not(None)).label("is_deleted"),
            manifests.c.damaged_at.is_not(None).label("is_marked"),
        )
        .join(repositories, repositories.c.id == manifests.c.repository_id)
        .where(repositories.c.registry_id == registry_id, manifests.c.id > after, manifests.c.id <= ceiling)
        .order_by(manifests.c.id)
        .limit(limit)
    )
    if scope.digest is not None:
        statement = statement.where(manifests.c.digest == scope.digest)
    if scope.since is not None:
        statement = statement.where(manifests.c.pushed_at >= scope.since)
    if scope.repository is not None:
        statement = statement.where(is_named(registry_id, scope.repository))
    return [
        ManifestRow(
            id=row.id,
            repository_id=row.repository_id,
            repository=RepositoryName(row.name),
            digest=Digest(row.digest),
            size=row.size,
            is_deleted=bool(row.is_deleted),
            is_marked=bool(row.is_marked),
        )
        for row in connection.execute(statement)
    ]


def facts(connection: Connection, manifest_id: int) -> Facts | None:
    """Return everything that the rows say of a manifest, or nothing if it was collected."""
    row = connection.execute(select(manifests).where(manifests.c.id == manifest_id)).first()
    if row is None:
        return None
    return Facts(
        content=bytes(row.content),
        media_type=row.media_type,
        artifact_type=row.artifact_type,
        size=row.size,
        subject=row.subject_digest,
        referrer=row.referrer,
        edges=_edges(connection, manifest_id),
    )


def mark_manifest(connection: Connection, manifest_id: int, at: Instant | None) -> None:
    """Stop serving the manifest until it is pushed again, or, without a time, serve it again."""
    connection.execute(update(manifests).where(manifests.c.id == manifest_id).values(damaged_at=at))


def rewrite_facts(connection: Connection, row: ManifestRow, found: Facts, edges: Sequence[Edge]) -> None:
    """Make the rows say what the manifest says; the repository is locked.

    An edge leads to whatever its repository has, in the trash too: the edges of deleted manifests hold their content.
    """
    connection.execute(
        update(manifests)
        .where(manifests.c.id == row.id)
        .values(
            media_type=found.media_type,
            artifact_type=found.artifact_type,
            size=found.size,
            subject_digest=found.subject,
            referrer=found.referrer,
        )
    )
    connection.execute(delete(manifest_references).where(manifest_references.c.manifest_id == row.id))
    wanted = sorted({edge.descriptor.digest for edge in edges})
    held, children = _held(connection, row.repository_id, wanted), _children(connection, row.repository_id, wanted)
    manifest_rows.put_edges(
        connection, row.repository_id, row.id, [(edge, _destination(edge, held, children)) for edge in edges]
    )


def _edges(connection: Connection, manifest_id: int) -> Sequence[EdgeRow]:
    edges, child, blob = manifest_references, manifests.alias("child"), blobs.alias("blob")
    here = union_all(
        select(blobs.c.id)
        .join(repository_blobs, repository_blobs.c.blob_id == blobs.c.id)
        .where(
            repository_blobs.c.repository_id == edges.c.repository_id,
            repository_blobs.c.unlinked_at.is_(None),
            blobs.c.digest == edges.c.digest,
        )
        .correlate(edges),
        select(manifests.c.id)
        .where(
            manifests.c.repository_id == edges.c.repository_id,
            manifests.c.digest == edges.c.digest,
            manifests.c.deleted_at.is_(None),
            edges.c.kind == EdgeKind.CHILD.value,
        )
        .correlate(edges),
    )
    statement = (
        select(
            edges.c.position,
            edges.c.kind,
            edges.c.digest,
            edges.c.media_type,
            edges.c.size,
            func.coalesce(blob.c.digest, child.c.digest).label("leads_to"),
            repository_blobs.c.unlinked_at.is_not(None).label("is_hidden"),
            here.exists().label("is_here"),
        )
        .outerjoin(blob, blob.c.id == edges.c.blob_id)
        .outerjoin(child, child.c.id == edges.c.child_id)
        .outerjoin(
            repository_blobs,
            (repository_blobs.c.repository_id == edges.c.repository_id)
            & (repository_blobs.c.blob_id == edges.c.blob_id),
        )
        .where(edges.c.manifest_id == manifest_id)
        .order_by(edges.c.position)
    )
    return [
        EdgeRow(
            position=row.position,
            kind=row.kind,
            digest=row.digest,
            media_type=row.media_type,
            size=row.size,
            leads_to=row.leads_to,
            is_hidden=bool(row.is_hidden),
            content_is_here=bool(row.is_here),
        )
        for row in connection.execute(statement)
    ]


def _held(connection: Connection, repository_id: int, digests: Sequence[str]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(digests), _AT_ONCE):
        statement = (
            select(blobs.c.digest, blobs.c.id)
            .join(repository_blobs, repository_blobs.c.blob_id == blobs.c.id)
            .where(
                repository_blobs.c.repository_id == repository_id,
                blobs.c.digest.in_(digests[start : start + _AT_ONCE]),
            )
        )
        found.update({row.digest: row.id for row in connection.execute(statement)})
    return found


def _children(connection: Connection, repository_id: int, digests: Sequence[str]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(digests), _AT_ONCE):
        statement = select(manifests.c.digest, manifests.c.id).where(
            manifests.c.repository_id == repository_id, manifests.c.digest.in_(digests[start : start + _AT_ONCE])
        )
        found.update({row.digest: row.id for row in connection.execute(statement)})
    return found


def _destination(edge: Edge, held: Mapping[str, int], children: Mapping[str, int]) -> Destination:
    digest = edge.descriptor.digest
    if edge.kind is EdgeKind.CHILD and digest in children:
        return Destination(child_id=children[digest])
    return Destination(blob_id=held.get(digest))
