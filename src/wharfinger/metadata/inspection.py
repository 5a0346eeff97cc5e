# SPDX-License-Identifier: Apache-2.0
"""What pages about one manifest ask: what it leads to that is here, and what is attached to it.

For people who look, never for a pull. No bytes of manifests are read here, so that a list of them stays small however
large they are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from sqlalchemy import Connection, Select, or_, select

from wharfinger.clock import Instant
from wharfinger.domain.digests import Digest
from wharfinger.metadata.blobs import LIVE
from wharfinger.metadata.schema import blobs, manifest_references, manifests, tags

_AT_ONCE: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSummary:
    """A live manifest, without its bytes."""

    id: int
    digest: Digest
    media_type: str
    artifact_type: str | None
    size: int
    pushed_at: Instant


_SUMMARY: Final = (
    manifests.c.id,
    manifests.c.digest,
    manifests.c.media_type,
    manifests.c.artifact_type,
    manifests.c.size,
    manifests.c.pushed_at,
)
_IS_LIVE: Final = manifests.c.deleted_at.is_(None) & manifests.c.damaged_at.is_(None)


def find(connection: Connection, repository_id: int, digests: Iterable[Digest]) -> Mapping[Digest, StoredSummary]:
    """Return those of the digests that are live manifests of the repository."""
    found: dict[Digest, StoredSummary] = {}
    for some in _parcels(digests):
        statement = select(*_SUMMARY).where(
            manifests.c.repository_id == repository_id, manifests.c.digest.in_(some), _IS_LIVE
        )
        found |= {Digest(row.digest): _summary(*row) for row in connection.execute(statement)}
    return found


def present(connection: Connection, manifest_id: int) -> frozenset[Digest]:
    """Return the digests of what a manifest refers to, as far as it can be pulled."""
    edges = manifest_references
    statement = (
        select(edges.c.digest)
        .outerjoin(blobs, blobs.c.id == edges.c.blob_id)
        .outerjoin(manifests, manifests.c.id == edges.c.child_id)
        .where(
            edges.c.manifest_id == manifest_id,
            or_(blobs.c.state == LIVE, manifests.c.id.is_not(None) & _IS_LIVE),
        )
    )
    return frozenset(Digest(digest) for digest in connection.execute(statement).scalars())


def attached(
    connection: Connection, repository_id: int, subjects: Iterable[Digest], limit: int
) -> Sequence[tuple[Digest, StoredSummary]]:
    """Return live manifests that name one of the subjects, each with its subject; by digest, at most `limit`."""
    found: list[tuple[Digest, StoredSummary]] = []
    for some in _parcels(subjects):
        statement = (
            select(manifests.c.subject_digest, *_SUMMARY)
            .where(manifests.c.repository_id == repository_id, manifests.c.subject_digest.in_(some), _IS_LIVE)
            .order_by(manifests.c.digest)
            .limit(limit - len(found))
        )
        found += [(Digest(row.subject_digest), _summary(*row[1:])) for row in connection.execute(statement)]
    return found


def tagged(connection: Connection, repository_id: int, names: Iterable[str]) -> Mapping[str, StoredSummary]:
    """Return what each of the tags names that are there."""
    found: dict[str, StoredSummary] = {}
    for some in _parcels(names):
        statement = (
            select(tags.c.name, *_SUMMARY)
            .join(manifests, manifests.c.id == tags.c.manifest_id)
            .where(tags.c.repository_id == repository_id, tags.c.name.in_(some), manifests.c.damaged_at.is_(None))
        )
        found |= {str(row.name): _summary(*row[1:]) for row in connection.execute(statement)}
    return found


def tags_of(connection: Connection, repository_id: int, manifest_id: int, limit: int) -> Sequence[str]:
    """Return tags that name the manifest, by name, at most `limit`."""
    statement: Select[str] = (
        select(tags.c.name)
        .where(tags.c.repository_id == repository_id, tags.c.manifest_id == manifest_id)
        .order_by(tags.c.name)
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())


def _summary(
    manifest_id: int, digest: str, media_type: str, artifact_type: str | None, size: int, pushed_at: int
) -> StoredSummary:
    return StoredSummary(
        id=manifest_id,
        digest=Digest(digest),
        media_type=media_type,
        artifact_type=artifact_type,
        size=size,
        pushed_at=Instant(pushed_at),
    )


def _parcels(items: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(dict.fromkeys(items))
    while parcel := list(islice(rest, _AT_ONCE)):
        yield parcel
