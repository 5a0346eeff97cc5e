# SPDX-License-Identifier: Apache-2.0
"""Rows that were deleted and may come back: finding them, showing them again, and ending their time.

What makes a restoring whole: a manifest's row holds, by its edges, everything that it refers to, so as long as the row
is there, all of it is. A repository's rows go one by one, so `begin_purge` comes before the first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, func, null, select, update

from wharfinger.clock import Instant
from wharfinger.domain.digests import Digest
from wharfinger.domain.names import RepositoryName
from wharfinger.metadata.blobs import LIVE
from wharfinger.metadata.database import Row, Statement
from wharfinger.metadata.schema import blobs, manifest_references, manifests, repositories, repository_blobs

_AT_ONCE: Final = 500


NAME: Final = Statement(
    select(repositories.c.name).where(
        repositories.c.registry_id == bindparam("registry_id"),
        repositories.c.id == bindparam("number"),
        repositories.c.deleted_at.is_not(None),
    )
)
"""What a repository in the trash was called."""


class Deleted(NamedTuple):
    """A row in the trash."""

    id: int
    deleted_at: Instant
    deletion_id: int | None
    purged: bool
    """Whether its time was ended, or the collector began to take it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What some manifests refer to directly, as far as it is not simply there.

    Args:
        children: ids and digests of manifests that are in the trash.
        blobs: ids of blobs that were deleted from the repository.
        broken: digests of blobs whose bytes were found missing or bad.
    """

    children: Sequence[tuple[int, Digest]]
    blobs: frozenset[int]
    broken: Sequence[Digest]


def find_repository(
    connection: Connection, registry_id: int, name: RepositoryName, number: int | None = None
) -> Deleted | None:
    """Lock and return the repository of that name that was deleted last, or the one of that number.

    One whose time was ended comes after those that come back.
    """
    statement = (
        select(repositories.c.id, repositories.c.deleted_at, repositories.c.deletion_id, repositories.c.purged_at)
        .where(
            repositories.c.registry_id == registry_id,
            repositories.c.name == name,
            repositories.c.deleted_at.is_not(None),
        )
        .order_by(repositories.c.purged_at.is_not(None), repositories.c.deleted_at.desc(), repositories.c.id.desc())
        .limit(1)
        .with_for_update()
    )
    if number is not None:
        statement = statement.where(repositories.c.id == number)
    return _deleted(connection.execute(statement).first())


def show_repository(
    connection: Connection, repository_id: int, name: RepositoryName, namespace_id: int | None, now: Instant
) -> None:
    """Show the repository again, under that name, which is free. It is locked."""
    connection.execute(
        update(repositories)
        .where(repositories.c.id == repository_id)
        .values(
            name=name,
            namespace_id=namespace_id,
            deleted_at=None,
            deletion_id=None,
            changed_at=now,
            revision=repositories.c.revision + 1,
        )
    )


def begin_purge(connection: Connection, repository_id: int, now: Instant) -> bool:
    """Note that the repository does not come back, before anything is taken from it; say whether it is in the trash.

    The collector calls this in the transaction in which it takes the first thing, so that nobody restores a part.
    """
    statement = (
        update(repositories)
        .where(repositories.c.id == repository_id, repositories.c.deleted_at.is_not(None))
        .values(purged_at=func.coalesce(repositories.c.purged_at, now))
    )
    return connection.execute(statement).rowcount > 0


def find_manifest(
    connection: Connection, repository_id: int, digest: Digest, *, to_change: bool = True
) -> Deleted | None:
    """Return the manifest of that digest, if it is in the trash of the repository; lock its row if it is to change."""
    statement = select(manifests.c.id, manifests.c.deleted_at, manifests.c.deletion_id, manifests.c.purged_at).where(
        manifests.c.repository_id == repository_id,
        manifests.c.digest == digest,
        manifests.c.deleted_at.is_not(None),
    )
    return _deleted(connection.execute(statement.with_for_update() if to_change else statement).first())


def needs(connection: Connection, manifest_ids: Iterable[int]) -> Needs:
    """Return what the manifests refer to that would have to come back with them."""
    children: dict[int, Digest] = {}
    hidden: set[int] = set()
    broken: list[Digest] = []
    wanted = sorted(manifest_ids)
    edges = manifest_references
    for start in range(0, len(wanted), _AT_ONCE):
        some = edges.c.manifest_id.in_(wanted[start : start + _AT_ONCE])
        below = select(manifests.c.id, manifests.c.digest).where(
            manifests.c.deleted_at.is_not(None), manifests.c.id.in_(select(edges.c.child_id).where(some))
        )
        children.update({row.id: Digest(row.digest) for row in connection.execute(below)})
        members = (
            select(blobs.c.id, blobs.c.digest, blobs.c.state, repository_blobs.c.unlinked_at)
            .select_from(edges)
            .join(
                repository_blobs,
                (repository_blobs.c.repository_id == edges.c.repository_id)
                & (repository_blobs.c.blob_id == edges.c.blob_id),
            )
            .join(blobs, blobs.c.id == repository_blobs.c.blob_id)
            .where(some, (repository_blobs.c.unlinked_at.is_not(None)) | (blobs.c.state != LIVE))
            .distinct()
        )
        for row in connection.execute(members):
            if row.unlinked_at is not None:
                hidden.add(row.id)
            if row.state != LIVE:
                broken.append(Digest(row.digest))
    return Needs(children=sorted(children.items()), blobs=frozenset(hidden), broken=sorted(set(broken)))


def show_manifests(connection: Connection, manifest_ids: Iterable[int]) -> None:
    """Show the manifests again; their tags, and what they refer to, are the caller's."""
    wanted = sorted(manifest_ids)
    for start in range(0, len(wanted), _AT_ONCE):
        connection.execute(
            update(manifests)
            .where(manifests.c.id.in_(wanted[start : start + _AT_ONCE]))
            .values(deleted_at=None, deletion_id=None, purged_at=None)
        )


def purge_manifest(connection: Connection, manifest_id: int, now: Instant) -> None:
    """Note that the manifest does not come back."""
    connection.execute(update(manifests).where(manifests.c.id == manifest_id).values(purged_at=now))


def find_blob(connection: Connection, repository_id: int, digest: Digest) -> Deleted | None:
    """Lock and return the membership of a blob that was deleted from the repository by hand; its id is the blob's."""
    statement = (
        select(blobs.c.id, repository_blobs.c.unlinked_at, null(), repository_blobs.c.purged_at)
        .join(repository_blobs, repository_blobs.c.blob_id == blobs.c.id)
        .join(repositories, repositories.c.id == repository_blobs.c.repository_id)
        .where(
            repository_blobs.c.repository_id == repository_id,
            repository_blobs.c.unlinked_at.is_not(None),
            blobs.c.registry_id == repositories.c.registry_id,
            blobs.c.digest == digest,
            blobs.c.state == LIVE,
        )
        .with_for_update(of=repository_blobs)
    )
    return _deleted(connection.execute(statement).first())


def purge_blob(connection: Connection, repository_id: int, blob_id: int, now: Instant) -> None:
    """Note that the blob does not come back into the repository."""
    connection.execute(
        update(repository_blobs)
        .where(repository_blobs.c.repository_id == repository_id, repository_blobs.c.blob_id == blob_id)
        .values(purged_at=now)
    )


def _deleted(row: Row | None) -> Deleted | None:
    if row is None:
        return None
    found_id, deleted_at, deletion_id, purged_at = row
    return Deleted(id=found_id, deleted_at=Instant(deleted_at), deletion_id=deletion_id, purged=purged_at is not None)
