# SPDX-License-Identifier: Apache-2.0
"""What the collector reads to judge, and how it takes rows away: each by its key, and only while nothing holds it.

Whatever goes has what it led to looked at, in the same function, so that no caller can forget it. Foreign keys have the
last word: a tag, an edge or a membership that somebody made meanwhile makes the removal fail, and it is judged again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ClauseElement,
    Column,
    Connection,
    Table,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal_column,
    null,
    select,
    tuple_,
    update,
)

from wharfinger.clock import Instant
from wharfinger.domain.collection import BlobFacts, Deletion, ManifestFacts
from wharfinger.domain.digests import Digest
from wharfinger.domain.names import RepositoryName, TagName
from wharfinger.metadata import queues
from wharfinger.metadata.database import Statement
from wharfinger.metadata.schema import (
    blobs,
    manifest_references,
    manifests,
    registries,
    repositories,
    repository_blobs,
    tag_history,
    tags,
    uploads,
)
from wharfinger.metadata.tables import INTEGER

AT_ONCE: Final = 500
"""Of how many parts of one manifest it is noted in one transaction that it is given up: each is a row to be written."""
_ROWS: Final = 200
"""How many rows of a deleted repository one transaction removes."""

_children = manifests.alias("children")
_parents = manifests.alias("parents")
_subjects = manifests.alias("subjects")
_needing = manifests.alias("needing")
_edges = manifest_references
_closing: Final = registries.alias("closing")
_is_to_be_written: Final = exists().where(
    _closing.c.id == repositories.c.registry_id,
    _closing.c.deleted_at.is_not(None),
    _closing.c.storage.is_not(None),
    _closing.c.leaves_images == 1,
)
"""Of a registry that was deleted, and whose inventory is not durable yet: nothing of it may go before."""
_OF_REPOSITORY: Final = (
    repositories.c.registry_id,
    repositories.c.name,
    case((_is_to_be_written, null()), else_=repositories.c.deleted_at).label("repository_deleted_at"),
    repositories.c.purged_at.label("repository_purged_at"),
)
_MANIFEST: Final = Statement(
    select(
        manifests.c.id,
        manifests.c.repository_id,
        manifests.c.digest,
        manifests.c.size,
        manifests.c.media_type,
        manifests.c.pushed_at,
        manifests.c.pulled_at,
        manifests.c.orphaned_at,
        manifests.c.deleted_at,
        manifests.c.purged_at,
        *_OF_REPOSITORY,
        registries.c.untagged_after,
        select(func.max(tag_history.c.at))
        .where(
            tag_history.c.repository_id == manifests.c.repository_id,
            tag_history.c.from_digest == manifests.c.digest,
            tag_history.c.from_digest.is_not(None),  # says that the partial index will do
        )
        .scalar_subquery(),
        select(tags.c.name)
        .where(tags.c.repository_id == manifests.c.repository_id, tags.c.manifest_id == manifests.c.id)
        .limit(literal_column("1"))
        .scalar_subquery(),
        select(_parents.c.digest)
        .join(_edges, _edges.c.manifest_id == _parents.c.id)
        .where(_edges.c.repository_id == manifests.c.repository_id, _edges.c.child_id == manifests.c.id)
        .limit(literal_column("1"))
        .scalar_subquery(),
        select(_subjects.c.digest)
        .where(_subjects.c.repository_id == manifests.c.repository_id, _subjects.c.digest == manifests.c.subject_digest)
        .scalar_subquery(),
    )
    .join(repositories, repositories.c.id == manifests.c.repository_id)
    .join(registries, registries.c.id == repositories.c.registry_id)
    .where(manifests.c.id == bindparam("manifest"))
)
_BLOB: Final = Statement(
    select(
        blobs.c.id,
        repository_blobs.c.repository_id,
        blobs.c.digest,
        blobs.c.size,
        repository_blobs.c.lease_until,
        repository_blobs.c.unlinked_at,
        repository_blobs.c.purged_at,
        *_OF_REPOSITORY,
        select(_needing.c.digest)
        .join(_edges, _edges.c.manifest_id == _needing.c.id)
        .where(
            _edges.c.repository_id == repository_blobs.c.repository_id, _edges.c.blob_id == repository_blobs.c.blob_id
        )
        .limit(literal_column("1"))
        .scalar_subquery(),
    )
    .join(blobs, blobs.c.id == repository_blobs.c.blob_id)
    .join(repositories, repositories.c.id == repository_blobs.c.repository_id)
    .where(
        repository_blobs.c.repository_id == bindparam("repository"),
        repository_blobs.c.blob_id == bindparam("blob"),
    )
)
_REPOSITORY_OF: Final = Statement(select(manifests.c.repository_id).where(manifests.c.id == bindparam("manifest")))


def _orphaned(found: ClauseElement) -> Statement:
    """Return the statement that notes for some manifests since when what they belonged to is given up."""
    return Statement(
        update(manifests)
        .where(manifests.c.id.in_(found))  # type: ignore[arg-type]  # it is a select
        .values(orphaned_at=bindparam("since"))
        .returning(manifests.c.id)
    )


_ORPHAN_CHILDREN: Final = _orphaned(
    select(_edges.c.child_id)
    .join(_children, _children.c.id == _edges.c.child_id)
    .where(
        _edges.c.manifest_id == bindparam("manifest"),
        _children.c.orphaned_at.is_(None) | (_children.c.orphaned_at < bindparam("since")),
    )
    .limit(bindparam("most"))
)
_ORPHAN_REFERRERS: Final = _orphaned(
    select(_subjects.c.id)
    .where(
        _subjects.c.repository_id == bindparam("repository"),
        _subjects.c.subject_digest == bindparam("given_up"),
        _subjects.c.subject_digest.is_not(None),
        _subjects.c.orphaned_at.is_(None) | (_subjects.c.orphaned_at < bindparam("since")),
    )
    .limit(bindparam("most"))
)
_DELETE_MANIFEST: Final = Statement(delete(manifests).where(manifests.c.id == bindparam("manifest")))
_ENDED: Final = Statement(
    select(repositories.c.id)
    .where(repositories.c.deleted_at.is_not(None), repositories.c.deleted_at <= bindparam("before"), ~_is_to_be_written)
    .order_by(repositories.c.deleted_at)
    .limit(bindparam("most"))
)
_PURGED: Final = Statement(
    select(repositories.c.id)
    .where(repositories.c.purged_at.is_not(None))
    .order_by(repositories.c.purged_at)
    .limit(bindparam("most"))
)
_END_REPOSITORY: Final = Statement(
    update(repositories)
    .where(
        repositories.c.id == bindparam("repository"),
        repositories.c.deleted_at.is_not(None),
        (repositories.c.deleted_at <= bindparam("before")) | repositories.c.purged_at.is_not(None),
        ~_is_to_be_written,
    )
    .values(purged_at=func.coalesce(repositories.c.purged_at, bindparam("now", type_=INTEGER)))
    .returning(repositories.c.registry_id, repositories.c.name, repositories.c.deleted_at)
)


def _some_of(part: Table, *key: Column[Any]) -> Statement:
    """Return the statement that deletes some rows which a repository has in a table."""
    of_repository = part.c.repository_id == bindparam("repository")
    chosen = select(*key).where(of_repository).limit(literal_column(str(_ROWS)))
    return Statement(
        delete(part).where(tuple_(*key).in_(chosen) if len(key) > 1 else key[0].in_(chosen), of_repository)
    )


_PARTS: Final = (
    _some_of(tags, tags.c.repository_id, tags.c.name),
    _some_of(manifest_references, manifest_references.c.manifest_id, manifest_references.c.position),
    _some_of(tag_history, tag_history.c.id),
    _some_of(manifests, manifests.c.id),
)
_UNLINK: Final = Statement(
    delete(repository_blobs).where(
        repository_blobs.c.repository_id == bindparam("repository"), repository_blobs.c.blob_id == bindparam("blob")
    )
)
_LOCK_BLOB: Final = Statement(select(blobs.c.id).where(blobs.c.id == bindparam("blob")).with_for_update())
_DELETE_MEMBERSHIP: Final = Statement(
    delete(repository_blobs).where(
        repository_blobs.c.repository_id == bindparam("repository"),
        repository_blobs.c.blob_id == bindparam("blob"),
        repository_blobs.c.lease_until == bindparam("lease"),
        repository_blobs.c.unlinked_at.is_not_distinct_from(bindparam("unlinked")),
    )
)
_DELETE_BLOB: Final = Statement(
    delete(blobs)
    .where(blobs.c.id == bindparam("blob"), ~exists().where(repository_blobs.c.blob_id == blobs.c.id))
    .returning(blobs.c.registry_id, blobs.c.store_key, blobs.c.size)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRepository:
    """A deleted repository whose time is over."""

    registry_id: int
    name: RepositoryName
    deleted_at: Instant


def manifest_facts(connection: Connection, manifest_id: int) -> ManifestFacts | None:
    """Return what is known of a manifest, or nothing if it is gone."""
    row = _MANIFEST.first(connection, manifest=manifest_id)
    if row is None:
        return None
    manifest, repository, rest = row[:10], row[10:14], row[14:]
    number, repository_id, digest, size, media_type, *times = manifest
    pushed_at, pulled_at, orphaned_at, deleted_at, purged_at = times
    untagged_after, left_at, tag, parent, subject = rest
    return ManifestFacts(
        id=number,
        repository_id=repository_id,
        registry_id=repository[0],
        repository=RepositoryName(repository[1]),
        digest=Digest(digest),
        size=size,
        media_type=media_type,
        pushed_at=pushed_at,
        pulled_at=pulled_at,
        left_at=left_at,
        orphaned_at=orphaned_at,
        deleted=_deletion(deleted_at, purged_at),
        repository_deleted=_deletion(*repository[2:]),
        tag=None if tag is None else TagName(tag),
        parent=None if parent is None else Digest(parent),
        subject=None if subject is None else Digest(subject),
        untagged_after=untagged_after,
    )


def blob_facts(connection: Connection, repository_id: int, blob_id: int) -> BlobFacts | None:
    """Return what is known of a blob in a repository, or nothing if it is not there any more."""
    row = _BLOB.first(connection, repository=repository_id, blob=blob_id)
    if row is None:
        return None
    number, _, digest, size, lease_until, unlinked_at, purged_at = row[:7]
    _, name, repository_deleted_at, repository_purged_at = row[7:11]
    return BlobFacts(
        id=number,
        repository_id=repository_id,
        repository=RepositoryName(name),
        digest=Digest(digest),
        size=size,
        lease_until=lease_until,
        unlinked=_deletion(unlinked_at, purged_at),
        repository_deleted=_deletion(repository_deleted_at, repository_purged_at),
        manifest=None if row[11] is None else Digest(row[11]),
    )


def repository_of(connection: Connection, manifest_id: int) -> int | None:
    """Return the id of the repository that has the manifest, to lock it before the manifest is judged."""
    row = _REPOSITORY_OF.first(connection, manifest=manifest_id)
    return None if row is None else int(row[0])


def remove_manifest(connection: Connection, facts: ManifestFacts, now: Instant) -> bool:
    """Take a manifest away, and have what it led to and what was attached to it looked at now.

    Returns whether it is gone. One with thousands of parts is not, at first: what was noted of them stays noted, and
    the next call goes on. Raises what the database raises if a tag or an index still holds it.
    """
    since = facts.given_up_at
    noted = _ORPHAN_CHILDREN.rows(connection, manifest=facts.id, since=since, most=AT_ONCE)
    if len(noted) < AT_ONCE:
        noted = _ORPHAN_REFERRERS.rows(
            connection, repository=facts.repository_id, given_up=facts.digest, since=since, most=AT_ONCE
        )
    if len(noted) >= AT_ONCE:
        return False
    queues.review_parts_of(connection, facts.id, facts.repository_id, facts.digest, now)
    _DELETE_MANIFEST.count(connection, manifest=facts.id)
    return True


def lock_blob(connection: Connection, blob_id: int) -> None:
    """Let one collector at a time take away memberships of a blob: the last one of them takes the blob.

    Two that do not see each other's removal would both leave it.
    """
    if connection.dialect.name == "postgresql":
        _LOCK_BLOB.first(connection, blob=blob_id)


def remove_membership(connection: Connection, facts: BlobFacts, now: Instant, bury_at: Instant) -> int | None:
    """Take a blob away from a repository, and from the registry if no other repository has it.

    Only if its lease and its mark are still those that were judged. Returns how many bytes are to be buried: none if it
    is still held elsewhere; nothing if it stays here.
    """
    gone = _DELETE_MEMBERSHIP.count(
        connection,
        repository=facts.repository_id,
        blob=facts.id,
        lease=facts.lease_until,
        unlinked=None if facts.unlinked is None else facts.unlinked.at,
    )
    if not gone:
        return None
    return remove_blob(connection, facts.id, now, bury_at)


def remove_blob(connection: Connection, blob_id: int, now: Instant, bury_at: Instant) -> int:
    """Take a blob away that no repository has, and bury its bytes; returns how many, none if one still has it."""
    row = _DELETE_BLOB.first(connection, blob=blob_id)
    if row is None:
        return 0
    registry_id, store_key, size = row
    queues.bury(connection, registry_id, store_key, bury_at, now, size)
    return int(size)


def ended_repositories(connection: Connection, before: Instant, limit: int) -> Sequence[int]:
    """Return ids of repositories that were deleted before a time, or were purged; the longest ago first."""
    ended = _ENDED.rows(connection, before=before, most=limit)
    purged = _PURGED.rows(connection, most=limit)
    return [*dict.fromkeys(int(row[0]) for row in (*purged, *ended))][:limit]


def end_repository(connection: Connection, repository_id: int, before: Instant, now: Instant) -> EndedRepository | None:
    """Note that a repository does not come back, if its time is over; nothing if it was restored meanwhile."""
    row = _END_REPOSITORY.first(connection, repository=repository_id, before=before, now=now)
    if row is None:
        return None
    registry_id, name, deleted_at = row
    return EndedRepository(registry_id=registry_id, name=RepositoryName(name), deleted_at=deleted_at)


def take_apart(connection: Connection, repository_id: int, now: Instant, bury_at: Instant) -> int:
    """Remove one batch of what a repository has; returns how many rows, none once it is empty.

    Everything goes, so nothing is judged: what refers goes before what it refers to.
    """
    for statement in _PARTS:
        gone = statement.count(connection, repository=repository_id)
        if gone:
            return gone
    return _end_uploads(connection, repository_id, now, bury_at) or _unlink_all(connection, repository_id, now, bury_at)


def remove_repository(connection: Connection, repository_id: int) -> None:
    """Remove the row of a repository that is empty; what was granted on it goes with it."""
    connection.execute(delete(repositories).where(repositories.c.id == repository_id))


def sweep(connection: Connection, now: Instant, limit: int) -> int:
    """Have untagged manifests looked at in a registry whose rule changed, going on where the last call ended.

    Returns how many manifests it went over.
    """
    registry = connection.execute(
        select(registries.c.id, registries.c.sweep_after)
        .where(registries.c.sweep_after.is_not(None))
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if registry is None:
        return 0
    found = connection.execute(
        select(manifests.c.id)
        .join(repositories, repositories.c.id == manifests.c.repository_id)
        .where(repositories.c.registry_id == registry.id, manifests.c.id > registry.sweep_after)
        .order_by(manifests.c.id)
        .limit(limit)
    )
    ids = [int(number) for number in found.scalars()]
    tagged = set(connection.execute(select(tags.c.manifest_id).where(tags.c.manifest_id.in_(ids))).scalars())
    for number in ids:
        if number not in tagged:
            queues.review_manifest(connection, number, now, "a rule changed")
    last = ids[-1] if len(ids) == limit else None
    connection.execute(update(registries).where(registries.c.id == registry.id).values(sweep_after=last))
    return len(ids)


def set_untagged(connection: Connection, registry_id: int, untagged_after: int | None) -> None:
    """Set how long manifests without a tag are kept, and have those looked at that are there."""
    values = {"untagged_after": untagged_after, "sweep_after": None if untagged_after is None else 0}
    connection.execute(update(registries).where(registries.c.id == registry_id).values(**values))


def _end_uploads(connection: Connection, repository_id: int, now: Instant, bury_at: Instant) -> int:
    ended = connection.execute(
        delete(uploads)
        .where(uploads.c.id.in_(select(uploads.c.id).where(uploads.c.repository_id == repository_id).limit(_ROWS)))
        .returning(uploads.c.registry_id, uploads.c.store_key)
    ).all()
    for upload in ended:
        queues.bury(connection, upload.registry_id, upload.store_key, bury_at, now)
    return len(ended)


def _unlink_all(connection: Connection, repository_id: int, now: Instant, bury_at: Instant) -> int:
    found = connection.execute(
        select(repository_blobs.c.blob_id)
        .where(repository_blobs.c.repository_id == repository_id)
        .order_by(repository_blobs.c.blob_id)
        .limit(_ROWS)
    )
    ids = [int(number) for number in found.scalars()]
    for blob_id in ids:
        lock_blob(connection, blob_id)
        _UNLINK.count(connection, repository=repository_id, blob=blob_id)
        remove_blob(connection, blob_id, now, bury_at)
    return len(ids)


def _deletion(deleted_at: int | None, purged_at: int | None) -> Deletion | None:
    if deleted_at is None:
        return None
    return Deletion(at=Instant(deleted_at), purged_at=None if purged_at is None else Instant(purged_at))
