# SPDX-License-Identifier: Apache-2.0
"""Rows of blobs, and of their membership in repositories.

A blob is one content in one registry; a membership says that a repository has it. A membership carries a lease, for
the time between the upload of a blob and the manifest that refers to it, and a mark once the blob was deleted there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ClauseElement, Connection, bindparam, case, exists, null, select, update

from wharfinger.clock import Instant
from wharfinger.domain.digests import Digest
from wharfinger.metadata import queues
from wharfinger.metadata.database import InsertInto, Statement
from wharfinger.metadata.schema import blobs, manifest_references, manifests, repositories, repository_blobs
from wharfinger.metadata.standing import Sight, visible

LIVE = "live"
MISSING = "missing"
_AT_ONCE = 16
"""How many digests one statement looks for: a number that fits most manifests, so that one shape serves all."""

BLOB = Statement(
    select(
        blobs.c.id, blobs.c.size, blobs.c.store_key, repository_blobs.c.repository_id, repository_blobs.c.lease_until
    )
    .select_from(repositories)
    .join(blobs, blobs.c.registry_id == repositories.c.registry_id)
    .join(
        repository_blobs,
        (repository_blobs.c.repository_id == repositories.c.id) & (repository_blobs.c.blob_id == blobs.c.id),
    )
    .where(
        repositories.c.registry_id == bindparam("registry_id"),
        repositories.c.name == bindparam("repository"),
        repositories.c.deleted_at.is_(None),
        blobs.c.digest == bindparam("digest"),
        blobs.c.state == LIVE,
        repository_blobs.c.unlinked_at.is_(None),
    )
)
"""Parameters `registry_id`, `repository`, `digest`; columns id, size, store_key, repository_id, lease_until."""


ELSEWHERE = Statement(
    select(blobs.c.id).where(
        blobs.c.registry_id == bindparam("registry_id"), blobs.c.digest == bindparam("digest"), blobs.c.state == LIVE
    )
)
"""Parameters `registry_id`, `digest`; column id. Whether it is worth looking which repositories have the blob."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBlob:
    """Bytes that are durable in the store and become a blob."""

    registry_id: int
    digest: Digest
    size: int
    store_key: str


def _join(insert: InsertInto) -> ClauseElement:
    statement = insert(repository_blobs)
    upsert: ClauseElement = statement.on_conflict_do_update(
        index_elements=["repository_id", "blob_id"],
        set_={"lease_until": statement.excluded.lease_until, "unlinked_at": null(), "purged_at": null()},
    )
    return upsert


_PUT: Final = Statement(
    lambda insert: insert(blobs).on_conflict_do_nothing(index_elements=["registry_id", "digest"]).returning(blobs.c.id),
    columns=("registry_id", "digest", "size", "store_key", "state", "created_at", "verified_at"),
)
_JOIN: Final = Statement(_join, columns=("repository_id", "blob_id", "created_at", "lease_until"))
_CLOSE_EDGES: Final = Statement(
    update(manifest_references)
    .where(
        manifest_references.c.repository_id == bindparam("repository"),
        manifest_references.c.digest == select(blobs.c.digest).where(blobs.c.id == bindparam("blob")).scalar_subquery(),
        manifest_references.c.blob_id.is_(None),
        manifest_references.c.child_id.is_(None),
    )
    .values(blob_id=bindparam("blob"))
)
_MEMBERS: Final = Statement(
    select(blobs.c.digest, blobs.c.id, blobs.c.size)
    .join(repository_blobs, repository_blobs.c.blob_id == blobs.c.id)
    .join(repositories, repositories.c.id == repository_blobs.c.repository_id)
    .where(
        repository_blobs.c.repository_id == bindparam("repository"),
        repository_blobs.c.unlinked_at.is_(None),
        blobs.c.registry_id == repositories.c.registry_id,
        blobs.c.digest.in_([bindparam(f"digest{number}") for number in range(_AT_ONCE)]),
        blobs.c.state == LIVE,
    )
)


def put(connection: Connection, new: NewBlob, now: Instant, *, bury_at: Instant) -> int:
    """Make the bytes the registry's blob of that digest and return its id.

    If there is a live blob already, it stays and the new bytes are buried. If its bytes were found bad or missing, the
    new ones take their place: pushing again is how content is repaired.
    """
    row = None
    while row is None:
        made = _PUT.first(
            connection,
            registry_id=new.registry_id,
            digest=new.digest,
            size=new.size,
            store_key=new.store_key,
            state=LIVE,
            created_at=now,
            verified_at=now,
        )
        if made is not None:
            return int(made[0])
        # Nothing, if the collector took the blob away between the two statements: it is put again, as a new one.
        row = connection.execute(
            select(blobs.c.id, blobs.c.state, blobs.c.store_key)
            .where(blobs.c.registry_id == new.registry_id, blobs.c.digest == new.digest)
            .with_for_update()
        ).first()
    if row.state == LIVE:
        queues.bury(connection, new.registry_id, new.store_key, bury_at, now)
        return int(row.id)
    queues.bury(connection, new.registry_id, row.store_key, bury_at, now)
    connection.execute(
        update(blobs)
        .where(blobs.c.id == row.id)
        .values(store_key=new.store_key, size=new.size, state=LIVE, verified_at=now)
    )
    return int(row.id)


def join(connection: Connection, repository_id: int, blob_id: int, now: Instant, lease_until: Instant) -> None:
    """Make the blob a member of the repository, or renew its membership, and close open edges to it."""
    _JOIN.count(connection, repository_id=repository_id, blob_id=blob_id, created_at=now, lease_until=lease_until)
    queues.review_blobs(connection, repository_id, [blob_id], lease_until, "joined")
    _CLOSE_EDGES.count(connection, repository=repository_id, blob=blob_id)


def find_elsewhere(
    connection: Connection, registry_id: int, digest: Digest, from_repository: int | None, sight: Sight
) -> tuple[int, int] | None:
    """Return id and size of a live blob that a live repository has: the one given, or any that is in sight."""
    statement = (
        select(blobs.c.id, blobs.c.size)
        .join(repository_blobs, repository_blobs.c.blob_id == blobs.c.id)
        .join(repositories, repositories.c.id == repository_blobs.c.repository_id)
        .where(
            blobs.c.registry_id == registry_id,
            blobs.c.digest == digest,
            blobs.c.state == LIVE,
            repository_blobs.c.unlinked_at.is_(None),
            repositories.c.deleted_at.is_(None),
        )
        .limit(1)
    )
    if from_repository is not None:
        statement = statement.where(repositories.c.id == from_repository)
    elif sight is not None:
        statement = statement.where(visible)
    row = connection.execute(statement, sight or {}).first()
    return None if row is None else (int(row.id), int(row.size))


def was_deleted_here(connection: Connection, repository_id: int, digest: Digest) -> bool:
    """Say whether somebody deleted the blob from this repository, which a mere `HEAD` must not undo."""
    statement = (
        select(repository_blobs.c.blob_id)
        .join(blobs, blobs.c.id == repository_blobs.c.blob_id)
        .where(
            repository_blobs.c.repository_id == repository_id,
            blobs.c.digest == digest,
            repository_blobs.c.unlinked_at.is_not(None),
        )
    )
    return connection.execute(statement).first() is not None


def extend_lease(connection: Connection, repository_id: int, blob_id: int, until: Instant) -> bool:
    """Protect the blob for the manifest that is about to refer to it; returns whether it is still there to protect.

    A lease never gets shorter.
    """
    lease = case((repository_blobs.c.lease_until < until, until), else_=repository_blobs.c.lease_until)
    statement = (
        update(repository_blobs)
        .where(
            repository_blobs.c.repository_id == repository_id,
            repository_blobs.c.blob_id == blob_id,
            repository_blobs.c.unlinked_at.is_(None),
        )
        .values(lease_until=lease)
    )
    return connection.execute(statement).rowcount > 0


def members(connection: Connection, repository_id: int, digests: Iterable[str]) -> Mapping[str, tuple[int, int]]:
    """Return id and size of those of the digests that are live blobs of the repository."""
    return find_by_digest(_MEMBERS, connection, repository_id, digests)


def find_by_digest(
    statement: Statement, connection: Connection, repository_id: int, digests: Iterable[str]
) -> Mapping[str, tuple[int, int]]:
    """Return id and size by digest, from a statement with `repository` and sixteen parameters `digest0` and on."""
    found: dict[str, tuple[int, int]] = {}
    wanted = sorted(set(digests))
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        parameters = {f"digest{number}": some[min(number, len(some) - 1)] for number in range(_AT_ONCE)}
        rows = statement.rows(connection, repository=repository_id, **parameters)
        found.update({digest: (content_id, size) for digest, content_id, size in rows})
    return found


def is_referenced(connection: Connection, repository_id: int, blob_id: int) -> bool:
    """Say whether a live manifest of the repository refers to the blob."""
    statement = select(
        exists().where(
            manifest_references.c.repository_id == repository_id,
            manifest_references.c.blob_id == blob_id,
            manifests.c.id == manifest_references.c.manifest_id,
            manifests.c.deleted_at.is_(None),
        )
    )
    return bool(connection.execute(statement).scalar())


def unlink(connection: Connection, repository_id: int, blob_id: int, now: Instant, review_at: Instant) -> bool:
    """Hide the blob from the repository; returns whether it was there to hide."""
    hidden = connection.execute(
        update(repository_blobs)
        .where(
            repository_blobs.c.repository_id == repository_id,
            repository_blobs.c.blob_id == blob_id,
            repository_blobs.c.unlinked_at.is_(None),
        )
        .values(unlinked_at=now)
    ).rowcount
    queues.review_blobs(connection, repository_id, [blob_id], review_at, "unlinked")
    return hidden > 0


def set_missing(connection: Connection, blob_id: int, store_key: str) -> None:
    """Note that the bytes are not where the row says, unless a push has replaced them meanwhile."""
    connection.execute(update(blobs).where(blobs.c.id == blob_id, blobs.c.store_key == store_key).values(state=MISSING))
